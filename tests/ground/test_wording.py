from __future__ import annotations

import pytest

from ethora_async.errors import InvalidInputError
from ethora_async.sync.plan.guard import judged
from ethora_async.sync.store.items import Deletions
from ethora_async.wording import bounded, counted, quoted, quoted_apart


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "user") for number in (0, 1, 2, 1200)] == ["0 users", "1 user", "2 users", "1,200 users"]
    assert counted(1, "row is", "rows are") == "1 row is"


def test_a_guard_speaks_of_one_deletion_in_the_singular() -> None:
    said = judged([Deletions("user", "delete", 1, 1)], unsafe=0, prune=True, allow_delete=None)
    assert said == "it would delete 1 of 1 user, more than 10%: allow 1 deletion if that is intended"


@pytest.mark.parametrize("text", ["", "it's", "\x1b[1m", "x" * 120])
def test_short_input_is_quoted_whole(text: str) -> None:
    assert quoted(text) == repr(text)


def test_texts_that_look_alike_are_told_apart() -> None:
    assert quoted_apart("caf\u00e9", "cafe\u0301") == "'caf\\xe9'"
    assert quoted_apart("cafe\u0301", "caf\u00e9") == "'cafe\\u0301'"
    assert quoted_apart("Jörg", "jörg") == "'Jörg'"


def test_long_input_is_cut_with_its_length() -> None:
    assert quoted("9" * 100_000) == f"'{'9' * 120}…' (100,000 characters)"
    error = InvalidInputError(f"id {'@' * 100_000!r} is wrong: remove it")
    assert len(error.message) < 1_100
    assert error.message.startswith("id '@@")
    assert error.message.endswith("@' is wrong: remove it")
    assert bounded("short") == "short"
