"""Every transport keeps to the exported contract, and the contract notices one that does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from ethora_async.errors import NotSentError, ReplyLostError
from ethora_async.request import Request, Response
from ethora_async.testing.implementers import TransportContract
from ethora_async.transport import AiohttpTransport, HttpxTransport, MemoryTransport

if TYPE_CHECKING:
    from ethora_async.protocols import Transport
    from ethora_async.testing.implementers import BadServer


class TestAiohttpTransport(TransportContract):
    async def make_transport(self, server: BadServer) -> Transport:
        return AiohttpTransport()


class TestHttpxTransport(TransportContract):
    async def make_transport(self, server: BadServer) -> Transport:
        return HttpxTransport()


class TestMemoryTransport(TransportContract):
    uses_sockets = False

    async def make_transport(self, server: BadServer) -> Transport:
        return MemoryTransport(server.answer)


class PlainAiohttp:
    """A careless transport: it follows redirects, classifies no errors, repeats GETs, and leaves the session open."""

    def __init__(self) -> None:
        self.session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, /) -> Response:
        self.session = self.session or aiohttp.ClientSession()
        try:
            async with self.session.request(
                request.method, request.url, headers=request.headers, data=request.body
            ) as response:
                return Response(response.status, response.headers, await response.read())
        except aiohttp.ClientOSError as error:
            raise NotSentError(str(error)) from error
        except aiohttp.ClientError as error:
            raise ReplyLostError(str(error)) from error

    async def aclose(self) -> None:
        if self.session is not None:
            await self.session.close()


class _Hasty(TransportContract):
    async def make_transport(self, server: BadServer) -> Transport:
        return PlainAiohttp()


@pytest.mark.parametrize(
    "broken",
    [
        "test_no_redirect_is_followed",
        "test_no_cookie_is_kept",
        "test_a_broken_exchange_is_a_lost_reply",
        "test_nothing_is_repeated_on_a_kept_connection",
        "test_a_request_arrives_as_it_stands",
        "test_no_error_and_no_log_shows_a_header",
    ],
)
def test_the_contract_catches_a_transport_that_breaks_it(broken: str) -> None:
    with pytest.raises((AssertionError, asyncio.TimeoutError)):
        getattr(_Hasty(), broken)()
