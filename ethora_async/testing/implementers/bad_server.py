"""An HTTP server on a real socket that misbehaves on demand, for tests of transports and clients."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

import attrs
from multidict import CIMultiDict

from ethora_async.request import Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from ethora_async.request import Request


class Fault(Enum):
    """Ways to fail instead of answering."""

    RESET_AT_ONCE = auto()
    """The connection is reset before anything is read."""
    RESET_AFTER_BODY = auto()
    """The connection is reset after the whole request was read."""
    CLOSE_AFTER_BODY = auto()
    """The connection is closed normally before the reply begins."""
    TRUNCATED_HEADER = auto()
    """The connection is closed inside the reply's header."""
    TRUNCATED_BODY = auto()
    """The connection is closed before the reply's body has its announced length."""
    TRUNCATED_CHUNK = auto()
    """The same, in chunked encoding."""
    SILENT = auto()
    """The request is read, and never answered."""
    SLOW_HEADER = auto()
    """The reply's header begins, and never ends."""
    SLOW_BODY = auto()
    """The reply's body begins, and never ends."""
    GARBAGE = auto()
    """The reply is not HTTP."""
    BAD_GZIP = auto()
    """The body is declared as gzip, but is not."""


@attrs.frozen
class CannedReply:
    """A well-formed reply.

    Attributes:
        drop: whether the connection is closed afterwards without an announcement in the reply.
        chunked: whether the body is sent in chunks, without its length.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    drop: bool = False
    chunked: bool = False


@attrs.frozen
class ReceivedRequest:
    """One request that the server has read completely."""

    method: str
    target: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class BadServer:
    """Follows its script, one step per request; the last step is repeated.

    ```python
    async with BadServer(Fault.RESET_AFTER_BODY, CannedReply()) as server:
        await transport.send(Request("GET", f"{server.url}/x", {}))   # ReplyLostError
        await transport.send(Request("GET", f"{server.url}/x", {}))   # 200
    assert len(server.requests) == 2
    ```

    Args:
        script: the reactions to the requests, in order (default: answer 200 and an empty object).
        tls: serves https with this context.

    Attributes:
        requests: every request that arrived whole, in order.
        connections: number of accepted connections.
    """

    def __init__(self, *script: Fault | CannedReply, tls: ssl.SSLContext | None = None) -> None:
        self._script = deque(script or (CannedReply(),))
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self.requests: list[ReceivedRequest] = []
        self.connections: int = 0

    @property
    def url(self) -> str:
        """The origin, without a trailing slash."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def open_connections(self) -> int:
        """The number of connections that the client has not closed yet."""
        return len(self._open)

    def play(self, *script: Fault | CannedReply) -> None:
        """Replace the script."""
        self._script = deque(script)

    def answer(self, request: Request) -> Response:
        """Return the script's next answer without a socket, for transports that have none.

        Raises:
            TypeError: the next step is a `Fault`, which needs a socket.
        """
        target = f"/{request.url.split('/', 3)[3]}"
        self.requests.append(ReceivedRequest(request.method, target, CIMultiDict(request.headers), request.body or b""))
        step = self._step()
        if isinstance(step, Fault):
            msg = f"{step} takes a socket"
            raise TypeError(msg)
        return Response(step.status, CIMultiDict(step.headers), step.body)

    async def refuse(self) -> None:
        """Stop listening: the port stays in `url`, and connections to it are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def arrived(self, count: int = 1) -> None:
        """Wait until so many requests have arrived."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def left_alone(self) -> None:
        """Wait until the client has closed every connection."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._open)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _step(self) -> Fault | CannedReply:
        return self._script.popleft() if len(self._script) > 1 else self._script[0]

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A separate task: the streams module logs the errors of its own tasks, including cancellation.
        task = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while await self._one_request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client may disconnect at any time
        finally:
            writer.close()
            self._open.discard(writer)
            await self._tell()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read and answer one request; return whether another may follow."""
        if self._script[0] is Fault.RESET_AT_ONCE:
            self._step()
            _reset(writer)
            return False
        self.requests.append(await _read(reader))
        step = self._step()
        await self._tell()
        if isinstance(step, CannedReply):
            writer.write(_rendered(step))
            await writer.drain()
            return not step.drop
        if step is Fault.RESET_AFTER_BODY:
            _reset(writer)
            return False
        writer.write(_BEGINNINGS.get(step, b""))
        await writer.drain()
        if step in _ENDLESS:
            await reader.read()  # until the client gives up
        return False

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_BEGINNINGS = {
    Fault.TRUNCATED_HEADER: _OK[:-5],
    Fault.TRUNCATED_BODY: _OK + b'Content-Length: 100\r\n\r\n{"half":',
    Fault.TRUNCATED_CHUNK: _OK + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"half":\r\n',
    Fault.SLOW_HEADER: _OK[:-5],
    Fault.SLOW_BODY: _OK + b'Content-Length: 100\r\n\r\n{"half":',
    Fault.GARBAGE: b"\x15\x03\x01\x00\x02\x02\x50 this is no HTTP\r\n\r\n",
    Fault.BAD_GZIP: _OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip.",
}
_ENDLESS = frozenset({Fault.SILENT, Fault.SLOW_HEADER, Fault.SLOW_BODY})


async def _read(reader: asyncio.StreamReader) -> ReceivedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in filter(None, lines):
        name, _, value = line.partition(": ")
        headers.add(name, value)
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return ReceivedRequest(method, target, headers, b"".join([chunk async for chunk in _chunks(reader)]))
    return ReceivedRequest(method, target, headers, await reader.readexactly(int(headers.get("Content-Length", "0"))))


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while length := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(length + 2))[:-2]
    await reader.readexactly(2)


def _rendered(answer: CannedReply) -> bytes:
    headers = {"Content-Type": "application/json", **answer.headers}
    body = answer.body
    if answer.chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in _in_chunks(answer.body)) + b"0\r\n\r\n"
    else:
        headers["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Scripted\r\n{head}\r\n".encode() + body


def _in_chunks(body: bytes) -> Iterator[bytes]:
    """Yield `body` in chunks that double in size, from a single byte on."""
    start, length = 0, 1
    while start < len(body):
        yield body[start : start + length]
        start, length = start + length, length * 2


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    # With a linger time of 0, closing sends a reset.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


__all__ = ["BadServer", "CannedReply", "Fault", "ReceivedRequest"]
