"""The table of routes: each once, sourced, and used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ethora_async.platforms.rocketchat import operations
from ethora_async.request import Operation

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
