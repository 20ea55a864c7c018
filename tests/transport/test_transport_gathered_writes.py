"""Requests that are written together at the end of a turn of the event loop, with the same bytes as aiohttp's own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.errors import ReplyLostError
from ethora_async.request import Request, Response
from ethora_async.transport import AiohttpTransport
from ethora_async.transport._gathered_writes import GatheredWrites, gathered_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Listener:
    """Keeps what each connection receives, and answers each request."""

    def __init__(self) -> None:
        self.received: list[bytearray] = []
        self.connections: list[asyncio.WriteTransport] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Accepted(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self.connections:
            connection.abort()

    def accepted(self, connection: asyncio.WriteTransport) -> bytearray:
        self.connections.append(connection)
        self.received.append(bytearray())
        return self.received[-1]


class _Accepted(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._received = self._listener.accepted(transport)
        self._answered = 0

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = bytes(self._received[self._answered :]).partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        if end and len(rest) >= int(length.partition(b"\r\n")[0] or 0):
            self._answered = len(self._received)
            self._transport.write(HEAD if head.startswith(b"HEAD ") else HEAD + b"ok")


@asynccontextmanager
async def session_of(request_class: type[aiohttp.ClientRequest]) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), request_class=request_class, timeout=aiohttp.ClientTimeout(total=30)
    ) as session:
        yield session


async def sent(request_class: type[aiohttp.ClientRequest], **options: Any) -> bytes:
    """Return the bytes of one request."""
    async with Listener() as listener, session_of(request_class) as session:
        method, path = options.pop("method"), options.pop("path")
        async with session.request(method, f"{listener.url}{path}", allow_redirects=False, **options) as response:
            assert await response.read() == (b"" if method == "HEAD" else b"ok")
        (received,) = listener.received
        port = listener.url.rpartition(":")[2]
        return bytes(received).replace(port.encode(), b"PORT", 1)


headers = st.dictionaries(
    st.sampled_from(["Authorization", "x-custom-token", "Accept", "Content-Type", "X-Other", "Connection"]),
    st.text("abcXYZ019 /;=.", min_size=1).map(str.strip).filter(bool),
)


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from(["/", "/v2/chats", "/v2/chats?a=b&c=%20d", "/v2/%D7%90/b"]),
    data=st.none() | st.binary(max_size=100) | st.binary(min_size=70_000, max_size=70_010),
    headers=headers,
    alone=st.booleans(),
)
def test_the_bytes_are_those_that_aiohttp_would_send(
    method: str, path: str, data: bytes | None, headers: dict[str, str], alone: bool
) -> None:
    async def both() -> None:
        options = {"method": method, "path": path, "data": data, "headers": headers}
        ours = gathered_request(GatheredWrites(lambda: alone))
        assert await sent(ours, **options) == await sent(aiohttp.ClientRequest, **options)

    asyncio.run(both())


async def test_a_body_that_is_produced_while_it_is_sent_is_left_to_aiohttp() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one", b"two"):
            await asyncio.sleep(0)
            yield piece

    options = {"method": "POST", "path": "/", "headers": {"Content-Length": "6"}}
    ours = await sent(gathered_request(GatheredWrites(lambda: False)), data=pieces(), **options)
    assert ours == await sent(aiohttp.ClientRequest, data=pieces(), **options)
    assert ours.endswith(b"\r\n\r\nonetwo")


async def test_requests_that_are_made_in_one_turn_are_written_in_one_turn() -> None:
    writes = GatheredWrites(lambda: False)
    turns: list[int] = []
    turn = 0

    class Protocol:
        """A connection that notes the turn in which something is written."""

        transport: Any

        def __init__(self) -> None:
            self.transport = self

        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes) -> None:
            turns.append(turn)

    async def request() -> None:
        writes.write(asyncio.get_running_loop(), Protocol(), b"x")  # type: ignore[arg-type]

    tasks = [asyncio.create_task(request()) for _ in range(5)]
    for turn in range(4):  # noqa: B007  read above
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert turns == [1] * 5


async def test_a_request_that_is_alone_is_written_at_once() -> None:
    class Protocol:
        transport: Any = None
        written = b""

        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes) -> None:
            self.written += data

    protocol = Protocol()
    protocol.transport = protocol
    GatheredWrites(lambda: True).write(asyncio.get_running_loop(), protocol, b"x")  # type: ignore[arg-type]
    assert protocol.written == b"x"


@pytest.mark.parametrize("state", ["closed", "closing", "broken"])
async def test_one_connection_that_is_gone_keeps_no_other_from_being_written(state: str) -> None:
    class Protocol:
        transport: Any

        def __init__(self, state: str) -> None:
            self.transport = None if state == "closed" else self
            self.state = state
            self.written = b""
            self.aborted = False

        def is_closing(self) -> bool:
            return self.state == "closing"

        def write(self, data: bytes) -> None:
            if self.state == "broken":
                raise RuntimeError
            self.written += data

        def abort(self) -> None:
            self.aborted = True

    writes = GatheredWrites(lambda: False)
    gone, other = Protocol(state), Protocol("open")
    for protocol in (gone, other):
        writes.write(asyncio.get_running_loop(), protocol, b"x")  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert (gone.written, gone.aborted) == (b"", state == "broken")
    assert other.written == b"x"


async def test_a_connection_that_ends_before_its_request_is_written_loses_the_reply() -> None:
    async with Listener() as listener:
        transport = AiohttpTransport()
        request = Request("POST", f"{listener.url}/x", {}, b"{}", timeout=30)
        await asyncio.gather(*(transport.send(request) for _ in range(2)))  # both connections are in the pool
        sending = [asyncio.create_task(transport.send(request)) for _ in range(2)]
        await asyncio.sleep(0)  # they have been made, and are not written yet
        for connection in listener.connections:
            connection.abort()
        ended = await asyncio.gather(*sending, return_exceptions=True)
        assert {type(one) for one in ended} <= {ReplyLostError}
        await transport.aclose()


async def test_a_request_that_is_cancelled_in_its_turn_takes_its_connection_with_it() -> None:
    async with Listener() as listener:
        transport = AiohttpTransport()
        await asyncio.gather(*(transport.send(Request("GET", f"{listener.url}/first", {}, timeout=30)) for _ in "ab"))
        sending = [
            asyncio.create_task(transport.send(Request("POST", f"{listener.url}/{name}", {}, b"{}", timeout=30)))
            for name in ("kept", "cancelled")
        ]
        await asyncio.sleep(0)
        sending[1].cancel()
        kept, cancelled = await asyncio.gather(*sending, return_exceptions=True)
        assert isinstance(kept, Response)
        assert isinstance(cancelled, asyncio.CancelledError)
        # The reply to the cancelled request is nobody's: what follows gets its own.
        again = await transport.send(Request("HEAD", f"{listener.url}/again", {}, timeout=30))
        assert again.body == b""
        await transport.aclose()
        received = [bytes(one) for one in listener.received]
        assert not any(b"/cancelled" in one and b"/again" in one for one in received)
