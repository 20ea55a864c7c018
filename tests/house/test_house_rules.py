"""Rules for every file: public names, docstrings, sizes, the table of operations."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
from house_helpers import ROOT, headings, modules, source

import ethora_async
from ethora_async import errors
from ethora_async.platforms.ethora import operations
from ethora_async.request import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = list(modules(ROOT))
LONGEST_FILE = 600
LONGEST_FUNCTION = 40
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def test_the_public_names_are_sorted_complete_and_reachable() -> None:
    names = ethora_async.__all__
    assert names == sorted(set(names))
    assert set(names) == {"__version__", *(name for names in ethora_async._HOMES.values() for name in names)}
    for name in names:
        assert getattr(ethora_async, name) is not None
        assert name in dir(ethora_async)
    with pytest.raises(AttributeError, match="Nonsense"):
        ethora_async.Nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_is_a_public_name() -> None:
    public = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert public <= set(ethora_async.__all__)


def test_the_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(ethora_async.__file__).read_text("utf-8"))
    seen = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None
    }
    assert seen | {"__version__"} == set(ethora_async.__all__)


@pytest.mark.parametrize(
    "name", [name for name, path in ALL if path.name == "__init__.py" and "__all__" in source(path)]
)
def test_every_packages_names_are_sorted_and_reachable(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(set(module.__all__))
    for public in module.__all__:
        assert getattr(module, public) is not None


def _public(body: list[ast.stmt], inside: str) -> Iterator[tuple[str, Definition]]:
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            overload = any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)
            if not overload:
                yield f"{inside}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{inside}.{node.name}")


def test_everything_public_says_what_it_is() -> None:
    silent = []
    for name, path in ALL:
        tree = ast.parse(source(path))
        if not ast.get_docstring(tree):
            silent.append(name)
        silent += [full for full, node in _public(tree.body, name) if not ast.get_docstring(node)]
    assert silent == []


def test_files_and_functions_stay_small() -> None:
    large = []
    for name, path in ALL:
        text = source(path)
        if text.count("\n") > LONGEST_FILE:
            large.append(name)
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and (lines := _code_lines(node)) > LONGEST_FUNCTION
            ):
                large += [f"{name}.{node.name}: {lines} lines"]
    assert large == []


def _code_lines(node: Function) -> int:
    lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) and first.end_lineno:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_no_file_leaves_work_for_later() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    assert [name for name, path in ALL if marks.search(source(path))] == []


def _operations() -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for name, value in vars(operations).items():
        if isinstance(value, Operation):
            found[name] = value
        elif isinstance(value, operations.AppOperations):
            found |= {f"{name}.{key}": one for key, one in _table(value).items()}
    return found


def _table(table: operations.AppOperations) -> dict[str, Operation]:
    """The operations of this kind of app; None for those it does not have."""
    return {key: one for key, one in attrs.asdict(table, recurse=False).items() if one is not None}


OPERATIONS = _operations()
TABLES = [value for value in vars(operations).values() if isinstance(value, operations.AppOperations)]


def test_every_operation_is_listed_once() -> None:
    assert len(OPERATIONS) >= 30
    singles = {name: value for name, value in OPERATIONS.items() if "." not in name and not name.startswith("_")}
    for table in TABLES:
        values = [*_table(table).values(), *singles.values()]
        assert [value for value, count in Counter(values).items() if count > 1] == []
        # A call may stand there twice only by another path, or when one of its forms cannot be repeated.
        calls = Counter((value.name, value.path, value.repeatable) for value in values)
        assert [call for call, count in calls.items() if count > 1] == []


def test_the_forms_for_another_app_do_the_same_by_other_paths() -> None:
    own, other = _table(operations.OWN_APP), _table(operations.OTHER_APP)
    for key, twin in other.items():
        operation = own[key]
        assert (twin.name, twin.method, twin.repeatable) == (operation.name, operation.method, operation.repeatable)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_names_its_source_and_is_well_formed(name: str) -> None:
    operation = OPERATIONS[name]
    page, _, heading = operation.source.partition("#")
    assert page == "docs/platforms/ethora.md"
    assert heading in headings(ROOT / page)
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", operation.name)
    # The guide's older calls have no version, and end with a slash.
    older = heading == "older-guide"
    assert re.fullmatch(r"/chats/|/chat-access/" if older else r"(/[a-z0-9-]+|/\{[a-z]+\})+", operation.path)
    assert older or re.match(r"/ping$|/v[12]/", operation.path)


@pytest.mark.parametrize("name", sorted({name.partition(".")[2] or name for name in OPERATIONS}))
def test_every_listed_operation_is_used(name: str) -> None:
    uses = re.compile(rf"\boperations\.{name}\b" if not name.startswith("_") else rf"={name},")
    assert any(uses.search(source(path)) for _, path in ALL)


def test_reads_changes_and_deletions_are_repeatable() -> None:
    for operation in OPERATIONS.values():
        if operation.method in ("GET", "PATCH", "DELETE"):
            assert operation.repeatable, operation.name


def test_no_annotation_reaches_for_the_builtins_by_module() -> None:
    """A method called `list` hides the type in its class: what such a class returns is annotated by another name."""
    assert [name for name, path in ALL if re.search(r"^\s*import builtins\b", source(path), re.MULTILINE)] == []


SAME_WORD = {
    "Clock": "the leaf package cannot import the one of `ethora_async`, and each states what it needs",
    "Reply": "a sandbox sends what a client reads",
    "Request": "a client sends one, a web handler receives one",
    "Worker": "both work off a queue: the outbox's, and the one that many machines share",
}
"""Public classes of shared code that bear one name, with the reason."""


def test_a_class_name_means_one_thing() -> None:
    """Platforms are each other's counterparts, and a sandbox models its platform: those may use the same words."""
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for name, path in ALL:
        for node in ast.parse(source(path)).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(name)
    clashes = {name: sorted(places) for name, places in homes.items() if _clash(places) and name not in SAME_WORD}
    assert clashes == {}
    assert [name for name in SAME_WORD if not _clash(homes[name])] == []


def _clash(places: set[str]) -> bool:
    regions = Counter(map(_region, places))
    shared = regions["shared"] + any(region.startswith("platforms") for region in regions)
    return max(regions.values()) > 1 or (shared > 1 and regions["shared"] > 0)


def _region(name: str) -> str:
    """Return ``platforms.ethora``, ``sandbox.ethora`` and so on for what belongs to one platform, else ``shared``."""
    package, _, rest = name.partition(".")
    owner, platform = (*rest.split("."), "")[:2]
    of_one = package == "ethora_async" and owner in ("platforms", "sandbox") and platform in PLATFORMS
    return f"{owner}.{platform}" if of_one else "shared"


PLATFORMS = frozenset(path.parent.name for path in (ROOT / "ethora_async/platforms").glob("*/__init__.py"))
