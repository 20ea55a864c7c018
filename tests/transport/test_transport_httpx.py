"""Specifics of httpx: clients that were passed in, and an installation without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ethora_async.errors import ConfigError, NotSentError
from ethora_async.request import Request
from ethora_async.testing.implementers import BadServer, CannedReply
from ethora_async.transport import HttpxTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def get(server: BadServer) -> Request:
    return Request("GET", f"{server.url}/x", {"Authorization": "Bearer canary-token-77"})


async def test_a_client_that_is_passed_in_is_used_and_never_closed() -> None:
    async with BadServer() as server, httpx.AsyncClient(auth=("somebody", "else"), cookies={"a": "b"}) as client:
        transport = HttpxTransport(client)
        assert (await transport.send(get(server))).status == 200
        await transport.aclose()
        assert not client.is_closed
        # Its own authentication and cookies are not for the platform.
        assert server.requests[0].headers["Authorization"] == "Bearer canary-token-77"
        assert "Cookie" not in server.requests[0].headers


async def test_a_client_that_follows_redirects_does_not_here() -> None:
    async with (
        BadServer(CannedReply(302, headers={"Location": "/elsewhere"})) as server,
        httpx.AsyncClient(follow_redirects=True) as client,
    ):
        assert (await HttpxTransport(client).send(get(server))).status == 302
        assert len(server.requests) == 1


async def test_a_client_that_its_owner_closed_says_so() -> None:
    client = httpx.AsyncClient()
    await client.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await HttpxTransport(client).send(Request("GET", "http://127.0.0.1:1/", {}))


@pytest.mark.parametrize(
    "options", [{"proxy": "http://p:1"}, {"trust_env": True}, {"verify": False}, {"cert": "x.pem"}]
)
async def test_a_client_together_with_settings_of_a_client_is_refused(options: dict[str, Any]) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ConfigError, match="client"):
            HttpxTransport(client, **options)


def test_without_httpx_the_error_names_the_extra() -> None:
    script = "import sys; sys.modules['httpx'] = None\nfrom ethora_async.transport import HttpxTransport"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "pip install 'ethora-async[httpx]'" in ran.stderr.splitlines()[-1]


class _Crumbs(httpx.AsyncBaseTransport, httpx.AsyncByteStream):
    """A reply in chunks of one byte, all available at once."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b"x"


async def test_a_reply_of_tiny_chunks_leaves_the_loop_to_others() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with httpx.AsyncClient(transport=_Crumbs()) as client:
        task = asyncio.create_task(others())
        response = await HttpxTransport(client).send(Request("GET", "http://platform.example/", {}))
        task.cancel()
    assert response.body == b"x" * 10_000
    assert turns >= 10_000 // 128
