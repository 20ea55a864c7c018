"""A client that hangs up in the middle of its request."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    import pytest

HEAD = (
    "POST /v2/users/batch HTTP/1.1\r\nHost: sandbox\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
)


async def test_it_is_noted_and_is_no_error_of_the_servers(caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()
    async with EthoraSandbox(on_request=lambda _: ended.set()) as sandbox:
        _, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        writer.write(HEAD.encode() + b"{")
        await writer.drain()
        writer.transport.abort()
        async with asyncio.timeout(60):
            await ended.wait()
        assert [(record.path, record.status) for record in sandbox.requests] == [("/v2/users/batch", 0)]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
