"""Public is what docs/api lists: the same names in the pages, in `__all__`, and for type checkers."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from ethora_async import AvayaClient, EthoraClient, ImbaChatClient, RocketChatClient

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "api"
ENTRY = re.compile(r"^\.\. auto(\w+):: ([\w.]+)$", re.MULTILINE)
ENTRIES = [entry for page in sorted(API.glob("*.md")) for entry in ENTRY.findall(page.read_text("utf-8"))]
PACKAGES = sorted(
    {page.stem if page.stem.startswith("ethora_async") else f"ethora_async.{page.stem}" for page in API.glob("*.md")}
    - {f"ethora_async.{name}" for name in ("avaya", "ethora", "imbachat", "index", "rocketchat", "testing")}
    | {"ethora_async.testing.implementers", "ethora_async.testing.users", "ethora_async.web.scim"}
)
"""Every package that a page is about."""
INTERNAL = {"ethora_async.sync.store"}
"""Packages that export names to others of ours only."""
WHOLE = {name for kind, name in ENTRIES if kind == "module"}
"""Modules that are listed by what they define."""


def _target(name: str) -> Any:
    """Return the object that a dotted name means, wherever the module part ends."""
    module, *rest = name, ""
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest = [last, *rest]
    for part in filter(None, rest):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", [name for kind, name in ENTRIES if kind != "data"])
def test_what_a_page_lists_is_there_and_documented(name: str) -> None:
    target = _target(name)
    if isinstance(target, type) or callable(target):
        assert (target.__doc__ or "").strip()


def test_nothing_is_listed_twice() -> None:
    names = [name for _, name in ENTRIES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_pages_list_what_a_package_exports(package: str) -> None:
    if package in WHOLE:
        return
    listed = {
        name.rpartition(".")[2] for kind, name in ENTRIES if kind != "module" and name.rpartition(".")[0] == package
    }
    exported = set(importlib.import_module(package).__all__) - {"__version__"}
    assert listed == exported


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_a_package_exports(package: str) -> None:
    module = importlib.import_module(package)
    if not hasattr(module, "__all__"):
        return
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    seen = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            seen.add(node.name)
        elif isinstance(node, ast.Assign):
            seen |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            seen.add(node.target.id)
    assert set(module.__all__) <= seen


def _clients() -> list[Any]:
    integration = f"{'0' * 8}-0000-4000-8000-{'0' * 12}"
    avaya = {"account_id": "ABCDEF", "app_key": "key", "client_id": "id", "integration_id": integration}
    return [
        EthoraClient(app_id="app", secret="long enough for a test", api_url="https://api.chat.example.com"),
        RocketChatClient(url="https://chat.example.com", user="admin", password="password"),
        AvayaClient(**avaya, secret="secret", region="na"),
        ImbaChatClient(widget_id=5, secret="a secret key of thirty-two bytes"),
    ]


@pytest.mark.parametrize("client", _clients(), ids=lambda client: type(client).__name__)
def test_every_part_of_a_client_is_listed(client: Any) -> None:
    listed = {id(_target(name)) for _, name in ENTRIES}
    made_later = {name for name, value in vars(type(client)).items() if isinstance(value, cached_property)}
    names = {name for name in vars(client).keys() | made_later if not name.startswith("_")}
    parts = {name: getattr(client, name) for name in names}
    assert "tokens" in parts
    for name, part in parts.items():
        assert id(type(part)) in listed, name


def test_no_public_module_is_left_out() -> None:
    """A package that exports names belongs on a page."""
    exporting = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("ethora_async", "ethora_async_secrets")
        for path in (ROOT / package).rglob("__init__.py")
        if "__all__" in path.read_text("utf-8")
    }
    assert exporting - INTERNAL <= set(PACKAGES)


def test_the_page_of_errors_has_every_error() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    families = {"ChatError", "TransportError", "ApiError"}
    public = {
        name
        for name, value in vars(importlib.import_module("ethora_async.errors")).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert public - families <= set(re.findall(r"`(\w+Error)`", page))
