"""Uploads over a socket: as fast as the other side reads, and no faster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ethora_async.errors import ReplyLostError
from ethora_async.request import Request
from ethora_async.transport import AiohttpTransport, MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.errors import ChatError

PIECE = b"x" * 65_536
PIECES = 1_000


class Counted:
    """An upload of 64 MB that counts the bytes that were read."""

    content_type = "application/octet-stream"
    error: ChatError | None = None

    def __init__(self, pieces: int = PIECES) -> None:
        self.length: int | None = pieces * len(PIECE)
        self.taken = 0
        self._pieces = pieces
        self.begun = asyncio.Event()

    def can_restart(self) -> bool:
        return True

    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(self._pieces):
            self.taken += 1
            self.begun.set()
            yield PIECE


class Reader:
    """A server that reads a request's body only when the test says so."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") -> None:
        self.go = asyncio.Event()
        self.done = asyncio.Event()
        self.head = b""
        self.received = 0
        self._reply = reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.head = await reader.readuntil(b"\r\n\r\n")
            await self.go.wait()
            while self.received < PIECES * len(PIECE) and (data := await reader.read(1 << 20)):
                self.received += len(data)
            writer.write(self._reply)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.done.set()


async def test_no_more_is_read_than_the_other_side_takes() -> None:
    upload, server = Counted(), Reader()
    transport = AiohttpTransport()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        sending = asyncio.ensure_future(transport.send(Request("POST", f"http://127.0.0.1:{port}/", {}, upload=upload)))
        await upload.begun.wait()
        taken = -1
        while taken != upload.taken:  # until the buffers on the way are full
            taken = upload.taken
            for _ in range(100):
                await asyncio.sleep(0)
        assert taken < PIECES / 2
        server.go.set()
        assert (await sending).status == 200
        await transport.aclose()
        await server.done.wait()
    assert (upload.taken, server.received) == (PIECES, PIECES * len(PIECE))
    assert f"Content-Length: {upload.length}".encode() in server.head
    assert b"chunked" not in server.head


async def test_a_cancelled_upload_stops_reading_and_lets_go() -> None:
    upload, server = Counted(), Reader()
    transport = AiohttpTransport()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        sending = asyncio.ensure_future(transport.send(Request("POST", f"http://127.0.0.1:{port}/", {}, upload=upload)))
        await upload.begun.wait()
        sending.cancel()
        await asyncio.wait({sending})
        assert sending.cancelled()
        taken = upload.taken
        server.go.set()
        await transport.aclose()
        await server.done.wait()
    assert taken <= upload.taken < PIECES


async def test_a_connection_that_breaks_in_the_middle_is_a_lost_reply() -> None:
    upload, done = Counted(), asyncio.Event()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        writer.close()
        done.set()

    transport = AiohttpTransport()
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ReplyLostError):
            await transport.send(Request("POST", f"http://127.0.0.1:{port}/", {}, upload=upload))
        await transport.aclose()
        await done.wait()
    assert upload.taken < PIECES


async def test_the_memory_transport_hands_over_the_bytes() -> None:
    from multidict import CIMultiDict

    from ethora_async.request import Response

    transport = MemoryTransport(lambda request: Response(200, CIMultiDict(), request.body or b""))
    response = await transport.send(Request("POST", "http://x/", {"a": "b"}, timeout=3, upload=Counted(10)))
    assert len(response.body) == 10 * len(PIECE)
    (kept,) = transport.requests
    assert (kept.headers, kept.timeout, kept.upload) == ({"a": "b"}, 3, None)
