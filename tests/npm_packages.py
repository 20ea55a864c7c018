"""Packages from npm for tests: installed once per user, by npm itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CACHE = Path.home() / ".cache" / "ethora-async-tests"


async def run(*command: str, **environment: str) -> tuple[int, str, str]:
    """Run a program; its exit status, and what it wrote to both outputs."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def npm_install(directory: Path, manifest: str, *arguments: str) -> None:
    """Install what a `package.json` and the command line ask for; the test is over when npm cannot."""
    (directory / "package.json").write_text(manifest)
    await npm("install", "--prefix", str(directory), "--no-audit", "--no-fund", *arguments)


async def npm(*arguments: str) -> str:
    """Run npm, again if the registry does not answer, and return its output; the test is over when it cannot."""
    need_npm()
    for pause in (1.0, 5.0, None):
        code, out, err = await run("npm", *arguments)
        if code == 0:
            return out
        if pause is not None:
            await asyncio.sleep(pause)
    return give_up(f"npm {' '.join(arguments)}: {err[-500:]}")


async def installed(cache: Path, install: Callable[[Path], Awaitable[None]]) -> Path:
    """The directory that holds the packages: installed once per user, moved into place when complete."""
    if _in_place(cache):
        return cache
    with tempfile.TemporaryDirectory(prefix=f"{cache.name}-", dir=cache.parent) as fresh:
        complete = Path(fresh, "package")
        os.mkdir(complete)
        await install(complete)
        try:
            os.rename(complete, cache)
        except OSError:
            if not _in_place(cache):  # else another run was quicker, and has put the same there
                raise
    return cache


def _in_place(cache: Path) -> bool:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.parent.chmod(0o700)  # what lies in there is run
    return cache.exists()


def need_npm() -> None:
    """End the test when there is no Node here."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        give_up("node and npm are not installed")


def give_up(reason: str) -> NoReturn:
    """Skip, or fail where everything must be there."""
    if os.environ.get("ETHORA_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
