"""The table of routes: each once, sourced, and used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ethora_async.platforms.rocketchat import operations, operations_messages, operations_people, operations_rooms
from ethora_async.request import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator


def _held(value: object) -> Iterator[Operation]:
    """The operations of a constant: one, or a table of them."""
    if isinstance(value, Operation):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _held(inner)


TABLES = (operations_messages, operations_people, operations_rooms)
MORE = {
    f"{table.__name__.rpartition('.')[2]}.{name}": one
    for table in TABLES
    for name, value in vars(table).items()
    if name.isupper()
    for one in _held(value)
}
OPERATIONS = {name: value for name, value in vars(operations).items() if isinstance(value, Operation)}
CODE = "\n".join(path.read_text("utf-8") for path in Path(operations.__file__).parent.glob("*.py"))


def test_every_route_is_listed_once() -> None:
    assert len(OPERATIONS) >= 35
    assert len({(one.method, one.path) for one in OPERATIONS.values()}) == len(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_route_is_well_formed_and_used(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch(r"docs/platforms/rocketchat.md#[a-z-]+", operation.source)
    assert re.fullmatch(r"/api/info|/api/v1/[a-z]+(\.[0-9A-Za-z]+){0,2}", operation.path)
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", operation.name)
    assert f"operations.{name}" in CODE


@pytest.mark.parametrize("name", MORE)
def test_a_route_of_a_table_is_well_formed_and_its_table_is_used(name: str) -> None:
    operation = MORE[name]
    assert re.fullmatch(r"docs/platforms/rocketchat.md#[a-z0-9-]+", operation.source)
    assert re.fullmatch(r"/api/v1/[a-z]+(\.[0-9A-Za-z]+){0,2}(/\{[a-z]+\}){0,2}", operation.path)
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", operation.name)
    assert re.search(rf"operations(_rooms)?\.{name.partition('.')[2]}\b", CODE)
