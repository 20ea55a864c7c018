"""The layers of the packages, and the imports between modules."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ("ethora_async", "ethora_async_secrets")

GROUND = "ground floor"
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"ethora_async_secrets"}),
    frozenset({GROUND}),
    frozenset({"transport"}),
    frozenset({"engine"}),
    frozenset({"bulk", "tokens"}),
    frozenset({"capabilities"}),
    frozenset({"sync", "platforms"}),
    frozenset({"sandbox", "outbox", "workers"}),
    frozenset({"telemetry", "testing", "web"}),
    frozenset({"cli"}),
)
"""The floors, the lowest first. A module may import from its own part and from lower layers.

See docs/architecture.md#floors.
"""

CLOSED_TO_THE_SANDBOX = frozenset({"platforms", "engine", "tokens", "transport", "sync"})
"""A fake built from the code it checks checks nothing."""


def part(module: str) -> str:
    """Return the part of the package that a module belongs to."""
    package, _, rest = module.partition(".")
    if package == "ethora_async_secrets":
        return package
    first = rest.partition(".")[0]
    return first if any(first in layer for layer in LAYERS) else GROUND


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield every module of both packages under `root`, with its file."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def source(path: Path) -> str:
    """Return the text of a module, read once."""
    return path.read_text("utf-8")


def imports(path: Path, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Every import of our own modules anywhere in a file, with its line: in functions and under TYPE_CHECKING too."""
    for line, module, name in _imported(source(path)):
        # What is imported may be a module itself: `from ethora_async import codec`.
        full = f"{module}.{name}" if name else module
        found = full if full in known or not name else module
        if found.partition(".")[0] in PACKAGES:
            yield line, found


@cache
def _imported(source: str) -> tuple[tuple[int, str, str], ...]:
    """Every import of a source text: its line, the module, and the name that is imported from it."""
    found: list[tuple[int, str, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += [(node.lineno, node.module, alias.name) for alias in node.names]
    return tuple(found)


def upward_imports(root: Path) -> list[str]:
    """Every import under `root` that the design forbids, as ``module:line imports other``."""
    known = frozenset(name for name, _ in modules(root))
    return [
        f"{importer}:{line} imports {imported}"
        for importer, path in modules(root)
        for line, imported in imports(path, known)
        if not allowed(importer, imported)
    ]


def allowed(importer: str, imported: str) -> bool:
    above, below = part(importer), part(imported)
    # The root's public names lead upwards by design; nobody inside comes in through that door.
    if imported == "ethora_async":
        return False
    if importer in ("ethora_async", "ethora_async.__main__"):
        return True
    if above == below:
        return above != "platforms" or _platform(importer) in (_platform(imported), "")
    if above == "sandbox" and below in CLOSED_TO_THE_SANDBOX:
        return False
    return layer(below) < layer(above)


def circles(root: Path) -> list[list[str]]:
    """Every group of modules under `root` that reach each other by imports, those under TYPE_CHECKING included."""
    files = dict(modules(root))
    known = frozenset(files)
    graph = {
        name: {imported for _, imported in imports(path, known) if imported in known and imported != name}
        for name, path in files.items()
    }
    # A package's lazy exports name its own modules by design, and each module may name its package.
    lazy = {name for name, path in files.items() if path.name == "__init__.py"}
    remaining = {name: {one for one in names if one not in lazy} for name, names in graph.items() if name not in lazy}
    # What imports nothing that is left, or is imported by nothing that is left, is in no circle.
    while True:
        imported = {one for names in remaining.values() for one in names}
        ends = {name for name, names in remaining.items() if not names or name not in imported}
        if not ends:
            break
        remaining = {name: names - ends for name, names in remaining.items() if name not in ends}
    return _components(remaining)


def _components(graph: dict[str, set[str]]) -> list[list[str]]:
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {tuple(sorted(one for one in reach[name] if name in reach[one])) for name in graph if name in reach[name]}
    return [list(group) for group in sorted(groups)]


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = set[str](), [start]
    while waiting:
        ahead = graph[waiting.pop()] - found
        found |= ahead
        waiting += ahead
    return found


def _platform(module: str) -> str:
    return ".".join(module.split(".")[2:3])


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors of a Markdown page's headings, formed as GitHub and MyST form them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)
