"""Every platform's table of operations: each listed once, sourced, well formed and used. Ethora's has two forms of some
(for its own app and for another): `test_house_rules` looks at that.
"""

from __future__ import annotations

import ast
import importlib
import re
from typing import TYPE_CHECKING

import pytest
from house_helpers import ROOT, headings

from ethora_async.request import Operation

if TYPE_CHECKING:
    from pathlib import Path

PLATFORMS = ROOT / "ethora_async" / "platforms"
TABLES = sorted(path.parent.name for path in PLATFORMS.glob("*/operations.py") if path.parent.name != "ethora")


def operations(platform: str) -> dict[str, Operation]:
    module = importlib.import_module(f"ethora_async.platforms.{platform}.operations")
    return {name: value for name, value in vars(module).items() if isinstance(value, Operation)}


ALL = [(platform, name) for platform in TABLES for name in operations(platform)]


def test_every_platform_that_is_sent_requests_has_a_table() -> None:
    """Operations are created nowhere else."""
    assert set(TABLES) == {"avaya", "rocketchat"}
    strays = [str(path.relative_to(PLATFORMS)) for path in PLATFORMS.rglob("*.py") if _makes_operations(path)]
    assert {path.rpartition("/")[2] for path in strays} == {"operations.py"}, strays


def _makes_operations(path: Path) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Operation"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )


@pytest.mark.parametrize("platform", TABLES)
def test_a_route_is_listed_once(platform: str) -> None:
    found = operations(platform).values()
    assert len({(one.method, one.path) for one in found}) == len(found)


@pytest.mark.parametrize(("platform", "name"), ALL)
def test_an_operation_names_its_source_is_well_formed_and_says_whether_it_may_be_repeated(
    platform: str, name: str
) -> None:
    operation = operations(platform)[name]
    page, _, heading = operation.source.partition("#")
    assert page == f"docs/platforms/{platform}.md"
    assert heading in headings(ROOT / page)
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", operation.name)
    assert re.fullmatch(r"(/[A-Za-z0-9.-]+|/\{[a-z]+\})+", operation.path)
    assert operation.repeatable or operation.method == "POST"
    doc = importlib.import_module(f"ethora_async.platforms.{platform}.operations").__doc__ or ""
    assert "repeated" in doc, "the table does not say why its operations may be repeated"


@pytest.mark.parametrize(("platform", "name"), ALL)
def test_an_operation_is_used(platform: str, name: str) -> None:
    code = "\n".join(path.read_text("utf-8") for path in (PLATFORMS / platform).rglob("*.py"))
    assert re.search(rf"\boperations\.{name}\b", code)
