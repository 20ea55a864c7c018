"""Let the workers of pytest-xdist share the compiling of a fresh clone.

Every worker imports every test, all at the same time: without bytecode each of them compiles all tests, and rewrites
their assertions, for itself. Here each compiles its part before it imports anything, and finds the rest done by others.
"""

from __future__ import annotations

import compileall
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _pytest.assertion.rewrite import (
    PYC_TAIL,
    _read_pyc,
    _rewrite_test,
    _write_pyc,
    assertstate_key,
    get_cache_dir,
    try_makedirs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ROOT = Path(__file__).parents[1]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the part of this worker."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode:
        return
    place, workers = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in sorted(_files(session.config))[place::workers]:
        if path.name == "conftest.py" or path.name.startswith("test_"):
            _rewrite(path, session.config)
        else:
            compileall.compile_file(path, quiet=2)


def _files(config: pytest.Config) -> Iterator[Path]:
    """The modules that the collection imports: those in the folders to test, and the packages."""
    folders = [config.invocation_params.dir / name for name in config.args]
    for folder in (*folders, ROOT / "ethora_async", ROOT / "ethora_async_secrets"):
        if folder.is_dir():
            yield from folder.rglob("*.py")


def _rewrite(path: Path, config: pytest.Config) -> None:
    """Do what the import of a test does before the test's own code runs."""
    folder = get_cache_dir(path)
    pyc = folder / (path.name[:-3] + PYC_TAIL)
    if _read_pyc(path, pyc) is None and try_makedirs(folder):
        source, code = _rewrite_test(path, config)
        _write_pyc(config.stash[assertstate_key], code, source, pyc)
