"""Debian's Chromium without a screen, driven through the DevTools protocol."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientWebSocketResponse

_REQUIRED = os.environ.get("ETHORA_REQUIRE_SERVICES") == "1"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
_START_WAIT = 60.0
_STARTS = 3
"""A browser that ends, or opens no page, while a busy machine starts it is started again."""


def binary() -> str:
    """Chromium's path; without it the test is skipped, or fails when ETHORA_REQUIRE_SERVICES is 1."""
    found = shutil.which("chromium")
    if found is not None:
        return found
    # tests/conftest.py takes ETHORA_* away from each test: this is what the process was started with
    if _REQUIRED:
        pytest.fail("Chromium is required and missing: apt-get install chromium")
    pytest.skip("no Chromium: apt-get install chromium")


class Page:
    """One tab."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._sent = 0
        self.console: list[str] = []
        """What the page's scripts complained of."""

    async def call(self, method: str, **params: Any) -> Any:
        """One DevTools command, and its result."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("method") == "Runtime.exceptionThrown":
                self.console.append(message["params"]["exceptionDetails"]["text"])
            if message.get("id") == self._sent:
                assert "error" not in message, message
                return message["result"]

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression is, promises awaited."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str, timeout: float = 120.0) -> None:
        """Wait until an expression is true; the time is for a busy machine."""
        async with asyncio.timeout(timeout):
            while not await self.value(expression):  # noqa: ASYNC110  it happens in another process
                await asyncio.sleep(0.05)


@asynccontextmanager
async def browser(profile: Path, *flags: str) -> AsyncIterator[Page]:
    """A browser with an empty profile of its own, with one empty page; gone at the end. `flags` are further ones."""
    process, port = await _running(profile, flags)
    try:
        async with ClientSession(f"http://127.0.0.1:{port}") as session:
            url = await _page_of(session)
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Runtime.enable")
                await page.call("Page.enable")
                yield page
    finally:
        _end(process)


async def _running(profile: Path, flags: tuple[str, ...]) -> tuple[subprocess.Popen[bytes], int]:
    for last in (False,) * (_STARTS - 1) + (True,):
        process = _started(profile, flags)
        try:
            return process, await _port(profile / "DevToolsActivePort", process)
        except BaseException as error:
            _end(process)
            if last or not isinstance(error, (AssertionError, TimeoutError)):
                raise
        shutil.rmtree(profile, ignore_errors=True)
    raise AssertionError


async def _page_of(session: ClientSession) -> str:
    """Return the address of the page that the browser begins with, once it is there."""
    async with asyncio.timeout(_START_WAIT):
        while True:
            async with session.get("/json/list") as reply:
                found = [one["webSocketDebuggerUrl"] for one in await reply.json() if one["type"] == "page"]
            if found:
                return str(found[0])
            await asyncio.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Its helpers are in the session that was started for it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _started(profile: Path, flags: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [binary(), *_FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    async with asyncio.timeout(_START_WAIT):
        while True:
            assert process.poll() is None, f"Chromium ended with {process.returncode}"
            lines = _lines(file)
            if len(lines) == 2:
                return int(lines[0])
            await asyncio.sleep(0.05)
