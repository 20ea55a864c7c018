"""What the workers of pytest-xdist would each do, done by one of them: compiling, and starting the real servers.

In a fresh clone nothing is compiled, and each worker would compile all of it. So each compiles a share before it
collects. Tests that need the same server stay on one worker, as far as that keeps all workers busy: a worker gets an
equal part of the order to begin with, and those that run out of tests take theirs from the ends of such parts. So the
tests of a server stand where a part begins. Otherwise the order is as pytest-randomly made it.
"""

from __future__ import annotations

import compileall
import itertools
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.assertion.rewrite import (
    PYC_TAIL,
    _rewrite_test,
    _write_pyc,
    assertstate_key,
    get_cache_dir,
    try_makedirs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TESTS = Path(__file__).parent
PACKAGES = [TESTS.parent / name for name in ("ethora_async", "ethora_async_secrets")]
SAME_SERVERS = (
    {"outbox", "scim", "sync_sources", "telemetry", "workers"},  # PostgreSQL
    {"rotation", "secrets_aws", "secrets_vault"},  # OpenBao and moto
    {"examples", "rocketchat_surface", "sandbox_rocketchat", "sandbox_ui", "xmpp"},  # Chromium, ejabberd and Node.js
)
"""Folders whose tests use the same servers."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile this worker's share of the modules that nobody has compiled yet."""
    worker = _worker(session.config)
    if worker is None or Path.cwd() / session.config.args[0] != TESTS:
        return
    files = sorted(file for folder in (TESTS, *PACKAGES) for file in folder.rglob("*.py"))
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        if file.is_relative_to(TESTS) and (file.name.startswith("test_") or file.name == "conftest.py"):
            compile_with_assertions(file, session.config)
        else:
            compileall.compile_file(file, quiet=2)
    # Pydantic looks through all loaded modules for each of its models: later it would take two seconds more.
    import_module("scim2_server.handler")


def compile_with_assertions(file: Path, config: pytest.Config) -> None:
    """Compile a module of tests as pytest does: with assertions that show what they compared."""
    folder = get_cache_dir(file)
    compiled = folder / f"{file.stem}{PYC_TAIL}"
    if not compiled.exists() and try_makedirs(folder):
        source, code = _rewrite_test(file, config)
        _write_pyc(config.stash[assertstate_key], code, source, compiled)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the part of each worker begin with tests of the same servers."""
    worker = _worker(config)
    if worker is not None:
        items[:] = in_parts(items, worker["workercount"])


def in_parts(items: Sequence[pytest.Item], count: int) -> Iterable[pytest.Item]:
    """Return the tests so that each of `count` equal parts begins with tests of the same servers."""
    heads: list[list[pytest.Item]] = [[] for _ in range(count)]
    rest: list[pytest.Item] = []
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        numbers = [number for number, folders in enumerate(SAME_SERVERS) if folder in folders]
        (heads[numbers[0] % count] if numbers else rest).append(item)
    filling = iter(rest)
    for head in heads:
        head += itertools.islice(filling, max(len(items) // count - len(head), 0))
    return [*itertools.chain.from_iterable(heads), *filling]


def _worker(config: pytest.Config) -> dict[str, Any] | None:
    found: dict[str, Any] | None = getattr(config, "workerinput", None)
    return found
