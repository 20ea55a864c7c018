"""The order in which the workers of pytest-xdist get the tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from shared_work import SAME_SERVERS, TESTS, in_parts


def item(folder: str, number: int) -> Any:
    return SimpleNamespace(path=TESTS / folder / "test_it.py", name=f"{folder}-{number}")


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("share", [1, 5, 50])
def test_each_part_begins_with_tests_of_the_same_servers(count: int, share: int) -> None:
    folders = ["tokens", *(folder for folders in SAME_SERVERS for folder in folders)]
    items = [item(folder, number) for number in range(share) for folder in folders]
    items += [item("bulk", number) for number in range(10 * len(items))]
    ordered = list(in_parts(items, count))
    assert sorted(one.name for one in ordered) == sorted(one.name for one in items)
    size = len(items) // count
    for number, folders_of_one in enumerate(SAME_SERVERS[:count]):
        assert ordered[number * size].path.parent.name in folders_of_one


def test_a_test_outside_of_the_folder_is_kept() -> None:
    outside: Any = SimpleNamespace(path=TESTS.parent / "test_elsewhere.py", name="elsewhere")
    assert list(in_parts([outside, item("scim", 1)], 2)) == [item("scim", 1), outside]
