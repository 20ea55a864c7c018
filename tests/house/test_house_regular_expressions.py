"""No regular expression lets the author of a text choose how long we take to read it."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import time
from re import _parser as sre  # the standard library's own parser: it names the literals that a pattern looks for
from typing import TYPE_CHECKING, Any

import pytest
from house_helpers import ROOT, modules

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE, SMALL = 4_096, 256
CHEAP = 0.002
"""Seconds of CPU that a match over `LARGE` characters may always take: too short to measure growth by."""

GENERIC = (
    "a",
    "A",
    "0",
    " ",
    "\t",
    "\n",
    "-",
    ".",
    "_",
    "/",
    ":",
    "=",
    "@",
    '"',
    "'",
    "\\",
    "\\\\",
    "%",
    "#",
    "é",
    ",",
    "[",
    "<",
    "x=1;",
)


AnyPattern = re.Pattern[str] | re.Pattern[bytes]
METHODS = ("fullmatch", "match", "search", "finditer", "findall", "sub", "split")


def methods_used(source: str) -> dict[str, set[str]]:
    """By name: the methods of patterns that `source` calls on it."""
    used: dict[str, set[str]] = {}
    for name, method in re.findall(rf"(\w+)\.({'|'.join(METHODS)})\(", source):
        used.setdefault(name, set()).add(method)
    return used


def patterns() -> dict[str, tuple[AnyPattern, frozenset[str]]]:
    """Every compiled pattern that a module of either package keeps, by where it stands, with how it is used."""
    found: dict[str, tuple[AnyPattern, frozenset[str]]] = {}
    for name, path in modules(ROOT):
        source = path.read_text("utf-8")
        if "re.compile(" not in source:
            continue
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:  # an extra that is not installed
            continue
        for attribute, value in vars(module).items():
            pattern = value if isinstance(value, re.Pattern) else getattr(value, "__self__", None)
            if isinstance(pattern, re.Pattern):
                bound = {value.__name__} if value is not pattern else set()
                used = bound or (methods_used(source) if attribute.startswith("_") else USED).get(attribute)
                found[f"{name}.{attribute}"] = pattern, frozenset(used or PASSED_ON.get(attribute, METHODS))
    return found


PASSED_ON = dict.fromkeys(("URI", "EMAIL", "_REGION", "_PROFILE", "_ROLE", "_KEY", "_NAME"), ("fullmatch",))
"""Patterns that a function applies to which they are passed, and how it does."""
SOURCE = "\n".join(path.read_text("utf-8") for _, path in modules(ROOT))
USED = methods_used(SOURCE)
BUILT: dict[str, tuple[AnyPattern, frozenset[str]]] = {
    "cli.report_page.findings._general": (re.compile(r"(?<![\w-])aaaa(?![\w-])"), frozenset({"sub"})),
    "sync.sources.json_lines._JsonReader._opens": (
        re.compile(rb'"(?:users|value)"\s*:\s*(?:\[|$)'),
        frozenset({"search"}),
    ),
    "ethora_async_secrets.vault.login.AppRoleLogin._check_origin": (
        re.compile(r"(?:.+/)?auth/approle/role/[^/]+/(?:custom-)?secret-id"),
        frozenset({"fullmatch"}),
    ),
    "platforms.rocketchat.name_rules.name_rule": (re.compile(r"[0-9a-zA-Z-_.]+", re.ASCII), frozenset({"fullmatch"})),
    "sandbox.faults.InjectedFault.__init__": (re.compile(r"GET /v1/users/[^/]+/.*"), frozenset({"fullmatch"})),
}
"""Patterns with a part that is known only at run time, by the function that builds them: an example of each."""
GIVEN = {"sandbox.rocketchat.settings.Settings.fits", "platforms.imbachat.handler.UserInfoHandler.__init__"}
"""Functions that use the whole pattern of somebody who sets up the process: no visitor chooses it."""
PATTERNS = patterns() | BUILT


def built_in_functions() -> set[str]:
    """The functions that call `re` themselves, by the module's name without the package's."""
    found: set[str] = set()
    for name, path in modules(ROOT):
        source = path.read_text("utf-8")
        if not re.search(r"^\s.*\bre\.\w+\(", source, re.MULTILINE):
            continue
        tree = ast.parse(source)
        found |= {f"{name.removeprefix('ethora_async.')}.{inside}" for inside in _callers(tree, ())}
    return found


def _callers(node: ast.AST, inside: tuple[str, ...]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from _callers(child, (*inside, child.name))
            continue
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            called = child.func
            of_re = isinstance(called.value, ast.Name) and called.value.id == "re"
            # At the top of a module only the patterns that `patterns` finds; anything else must be listed.
            if of_re and called.attr in (*METHODS, "subn", "compile") and (inside or called.attr != "compile"):
                yield ".".join(inside)
        yield from _callers(child, inside)


def test_patterns_are_compiled_where_this_test_finds_them() -> None:
    assert built_in_functions() == BUILT.keys() | GIVEN


def test_patterns_of_every_part_are_found() -> None:
    parts = {place.removeprefix("ethora_async.").partition(".")[0] for place in PATTERNS}
    assert {"outbox", "sandbox", "web", "sync", "cli", "redaction", "ethora_async_secrets"} <= parts
    assert any(isinstance(pattern.pattern, bytes) for pattern, _ in PATTERNS.values())


def literals(parsed: sre.SubPattern) -> list[str]:
    """The runs of literal characters inside a pattern, e.g. ``bearer`` and ``eyJ``."""
    runs, run = [], ""
    for operation, argument in parsed:
        if str(operation) == "LITERAL":
            run += chr(argument)
            continue
        runs.append(run)
        run = ""
        parts = argument if isinstance(argument, (tuple, list)) else [argument]
        for part in itertools.chain.from_iterable(p if isinstance(p, (tuple, list)) else [p] for p in parts):
            if isinstance(part, sre.SubPattern):
                runs += literals(part)
            elif isinstance(part, list):
                for inner in part:
                    if isinstance(inner, sre.SubPattern):
                        runs += literals(inner)
    return [one for one in {*runs, run} if one]


def attacks(pattern: AnyPattern, size: int) -> list[Any]:
    """Texts of about `size` characters that make a pattern which looks twice at the same text slow."""
    own = sorted(literals(sre.parse(pattern.pattern, pattern.flags)), key=len, reverse=True)[:6]
    pieces = [*own, *GENERIC]
    pairs = [a + b for a in own[:4] for b in GENERIC] + [a + b for a in own[:4] for b in own[:4]]
    repeated = [(piece * (size // len(piece) + 1))[:size] for piece in [*pieces, *pairs]]
    headed = [head + tail * size for head in own[:5] for tail in ("a", " ", "0", '"', "-a", ".a")]
    texts = [text + "\x00" for text in [*repeated, *headed]]
    return [text.encode("latin-1") for text in texts] if isinstance(pattern.pattern, bytes) else texts


def cost(pattern: AnyPattern, used: frozenset[str], text: Any) -> float:
    def once() -> float:
        start = time.thread_time()
        if "fullmatch" in used:
            pattern.fullmatch(text)
        if "match" in used:
            pattern.match(text)
        if used & {"search", "finditer", "findall", "sub", "split"}:
            for _ in pattern.finditer(text):
                pass
        return time.thread_time() - start

    took = once()
    return min(took, once()) if took > CHEAP else took


@pytest.mark.parametrize("place", PATTERNS)
def test_matching_takes_time_linear_in_the_text(place: str) -> None:
    pattern, used = PATTERNS[place]
    for small, large in zip(attacks(pattern, SMALL), attacks(pattern, LARGE), strict=True):
        if cost(pattern, used, large) > CHEAP:
            # On a busy machine one measurement may be far off; what is not linear is so in each.
            growth = min(cost(pattern, used, large) / max(cost(pattern, used, small), 1e-5) for _ in range(3))
            assert growth < 4 * LARGE / SMALL, f"{place} on {large[:20]!r}…: {growth:.0f} times slower"


def test_a_pattern_that_looks_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATTERNS, "quadratic", (re.compile(r"eyJ[\w-]{4,}(?:\.[\w-]*){1,4}"), frozenset({"search"})))
    with pytest.raises(AssertionError, match="times slower"):
        test_matching_takes_time_linear_in_the_text("quadratic")
