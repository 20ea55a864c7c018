"""A sandbox and the examples in separate processes, started as their docstrings say."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import ClientConnectionError, ClientSession, CookieJar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "the-password-of-the-demo"
PATIENCE = 300.0
"""Seconds after which a process that hangs is killed, so that its test fails."""


@contextmanager
def running(*command: str, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a process with only these settings, and end it afterwards; its output is one stream."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**kept, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error", **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def sandbox_process() -> Iterator[dict[str, str]]:
    """Run `ethora sandbox`; yield the settings that it prints."""
    settings: dict[str, str] = {}
    with running("-m", "ethora_async", "sandbox", env={}) as process:
        assert process.stdout is not None
        while line := process.stdout.readline():
            if line.startswith("export "):
                settings |= [shlex.split(line)[1].split("=", 1)]  # type: ignore[list-item]
            elif settings and line.startswith("listening"):
                break
        # What is never read would fill the pipe in the end, and hold the sandbox up.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield settings


async def answering(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a server answers there."""
    import asyncio

    async with ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    return
            except ClientConnectionError:
                if process.poll() is not None:
                    assert process.stdout is not None
                    msg = f"it ended: {process.stdout.read()}"
                    raise AssertionError(msg) from None
                await asyncio.sleep(0.05)


def visitor(url: str) -> ClientSession:
    """A client with a cookie jar, as browsers have; it also keeps cookies of IP addresses."""
    return ClientSession(url, cookie_jar=CookieJar(unsafe=True))
