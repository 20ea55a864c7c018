"""Connections that keep the process waiting, and more of them than it can bear."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from virtual_time import jump

from ethora_async.cli.serve import connections as module
from ethora_async.cli.serve.connections import Connections, most_connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SOON = 10.0
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def serving(connections: Connections, handler: Any = None) -> AsyncIterator[int]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="answered")

    app = web.Application(middlewares=[connections.middleware])
    app.router.add_route("*", "/", handler or answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    server = await connections.listen(runner, listener)
    try:
        yield listener.getsockname()[1]
    finally:
        server.close()
        await runner.cleanup()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What still comes until the other side closes."""
    async with asyncio.timeout(SOON):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def answer_on(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SOON):
        return await reader.readuntil(b"answered")


@pytest.mark.parametrize("half", [b"", b"G", WHOLE[:-2], b"GET / HTTP/1.1\r\nX: "])
async def test_a_head_that_does_not_come_ends_the_connection(half: bytes) -> None:
    async with serving(Connections(head_timeout=0.05)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(half)
        assert await ended(reader) == b""
        writer.close()


async def test_the_head_of_a_further_request_has_its_time_too() -> None:
    connections = Connections(head_timeout=60)
    async with serving(connections) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(WHOLE)
            assert (await answer_on(reader)).startswith(b"HTTP/1.1 200")
        writer.write(WHOLE[:-2])
        (guarded,) = connections._open.values()
        async with asyncio.timeout(SOON):
            while guarded._timer is None:  # noqa: ASYNC110  aiohttp's protocol tells nobody what it got
                await asyncio.sleep(0)
        jump(60)
        assert await ended(reader) == b""
        writer.close()


async def test_a_slow_answer_is_no_slow_head() -> None:
    asked, ready = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        asked.set()
        await ready.wait()
        return web.Response(text="answered")

    async with serving(Connections(head_timeout=60), slow) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        await asked.wait()
        jump(61)
        await asyncio.sleep(0)  # a timer that should not be there would fire now
        ready.set()
        assert (await answer_on(reader)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_body_that_does_not_come_ends_the_request() -> None:
    async def reading(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="answered")

    async with serving(Connections(request_timeout=0.05), reading) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
        async with asyncio.timeout(SOON):
            assert (await reader.readline()).startswith(b"HTTP/1.1 503")
        writer.close()


async def test_too_many_connections_leave_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Connections(3)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in held:
            writer.write(WHOLE)
            await answer_on(reader)
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await ended(reader) == b""
            writer.close()
        assert caplog.text.count("3 connections are open") == 1
        held[0][1].close()
        async with asyncio.timeout(SOON):
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(WHOLE)
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    await answer_on(reader)
                    break
                writer.close()
        for _, one in (*held, (reader, writer)):
            one.close()


@pytest.mark.parametrize(("soft", "most"), [(100, 18), (1024, 480), (1_048_576, 1000), (10, 8), (-1, 1000)])
def test_descriptors_are_left_for_everything_else(soft: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (soft, soft))
    assert most_connections() == most
