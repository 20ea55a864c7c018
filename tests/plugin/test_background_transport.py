"""The transport of the plugin's client: connections in one loop, callers in any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ethora_async.errors import NotSentError, ReplyLostError
from ethora_async.request import Request, Response
from ethora_async.testing.implementers import BadServer
from ethora_async.testing.users.background_loop import BackgroundLoop, BackgroundTransport
from ethora_async.transport import AiohttpTransport, MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def background() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop()
    yield loop
    loop.close()


def test_every_loop_may_use_it_and_none_has_to_close_it(background: BackgroundLoop) -> None:
    transport = BackgroundTransport(MemoryTransport(lambda _: Response(204, {}, b"")), background)
    for _ in range(2):
        assert asyncio.run(transport.send(Request("GET", "http://localhost/", {}))).status == 204
    background.run(transport.aclose())


async def test_cancelling_cancels_over_there(background: BackgroundLoop) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    here = asyncio.get_running_loop()

    async def never(_: Request) -> Response:
        here.call_soon_threadsafe(began.set)
        try:
            await asyncio.Event().wait()
        finally:
            here.call_soon_threadsafe(ended.set)
        raise AssertionError

    sending = asyncio.create_task(
        BackgroundTransport(MemoryTransport(never), background).send(Request("GET", "http://localhost/", {}))
    )
    await began.wait()
    sending.cancel()
    await ended.wait()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_what_goes_wrong_over_there_is_told_here(background: BackgroundLoop) -> None:
    def lost(_: Request) -> Response:
        msg = "gone"
        raise ReplyLostError(msg)

    transport = BackgroundTransport(MemoryTransport(lost), background)
    with pytest.raises(ReplyLostError):
        await transport.send(Request("GET", "http://localhost/", {}))
    for _ in range(2):
        await transport.aclose()
    with pytest.raises(NotSentError):
        await transport.send(Request("GET", "http://localhost/", {}))


async def test_real_connections_are_its_own(background: BackgroundLoop) -> None:
    transport = BackgroundTransport(AiohttpTransport(), background)
    async with BadServer() as server:
        for _ in range(3):
            assert (await transport.send(Request("GET", f"{server.url}/", {}))).status == 200
        assert server.connections == 1
    await transport.aclose()
