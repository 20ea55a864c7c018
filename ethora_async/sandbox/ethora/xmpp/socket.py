"""The websocket around a stream: frames are sent in order, and all queues are bounded.

The server stops reading from a client that does not read its replies, and disconnects one that does not read messages.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

from ethora_async.sandbox.ethora.xmpp.elements import MAX_BYTES
from ethora_async.sandbox.ethora.xmpp.stream import Stream
from ethora_async.sandbox.wire import Reply, text_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.xmpp.hub import Hub

SUBPROTOCOL: Final = "xmpp"
BACKLOG: Final = 4 * 1024 * 1024
"""Bytes that may be queued for one client."""
LOGIN_SECONDS: Final = 30.0
HEARTBEAT_SECONDS: Final = 60.0
STALLED_SECONDS: Final = 60.0
"""How long more than half of the backlog may wait for a client that has asked for it."""
CLOSE_SECONDS: Final = 1.0
_HARD_LIMIT: Final = 4 * MAX_BYTES
"""Frames up to this size get a protocol error; longer ones are not read from the socket."""


class Connection:
    """The connection of one client."""

    def __init__(self, hub: Hub, request: web.BaseRequest, backlog: int) -> None:
        self.gone: asyncio.Event = asyncio.Event()
        self._stream = Stream(hub, self)
        self._request = request
        self._limit = backlog
        self._socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            timeout=CLOSE_SECONDS,
            max_msg_size=_HARD_LIMIT,
            heartbeat=HEARTBEAT_SECONDS,
            compress=False,
        )
        self._frames: deque[tuple[bytes, bytes]] = deque()
        self._waiting = 0
        self._closing = False
        self._broken = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def serve(self) -> web.StreamResponse:
        """Exchange frames until either side closes."""
        try:
            await self._socket.prepare(self._request)
            await self._talk()
        except ConnectionError:
            # The client hung up during the websocket handshake.
            return web.Response(status=400)
        finally:
            self.gone.set()
        return self._socket

    async def _talk(self) -> None:
        writer = asyncio.create_task(self._write())
        limit = asyncio.get_running_loop().call_later(LOGIN_SECONDS, self._stream.expire)
        try:
            await self._read()
        finally:
            limit.cancel()
            self._stream.end()
            await self._finish(writer)

    def push(self, head: bytes, tail: bytes = b"") -> None:
        """Queue a frame. A client whose queue is full is told so and disconnected."""
        if self._closing:
            return
        self._frames.append((head, tail))
        self._waiting += len(head) + len(tail)
        if self._waiting > self._limit:
            self._frames.clear()
            self._waiting = 0
            # This runs while another session's message is pushed: end this connection after that.
            asyncio.get_running_loop().call_soon(self._overflow)
            self._closing = True
        elif self._waiting > self._limit // 2:
            self._room.clear()
        self._wake.set()

    def close(self) -> None:
        """Close the connection after the frames before."""
        self._closing = True
        self._room.set()
        self._wake.set()

    def drop(self) -> None:
        """Drop the connection without a closing frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def shut_down(self) -> None:
        """Announce the shutdown, and close."""
        self._stream.shut_down()

    def _overflow(self) -> None:
        self._closing = False
        self._stream.overflow()
        # The client does not read, so do not wait for it to accept the last frames.
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.drop)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                self._stream.receive(message.data)
            elif message.type is WSMsgType.BINARY:
                self._stream.receive("\0")  # not XML: the protocol has no binary frames
            if not await self._has_room():
                return
            await asyncio.sleep(0)  # frames that arrive together must not block other clients

    async def _has_room(self) -> bool:
        """Wait until the queue is short enough to read on; drop a client that takes nothing."""
        if not self._room.is_set():
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await self._room.wait()
            except TimeoutError:
                self.drop()
                return False
        return not self._broken

    async def _write(self) -> None:
        try:
            await self._write_all()
        finally:
            self._broken = True
            self._room.set()  # the reader would wait for ever for a queue that nobody empties any more

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                head, tail = self._frames.popleft()
                try:
                    await self._socket.send_frame(head + tail, WSMsgType.TEXT)
                except ConnectionError:
                    return
                self._waiting -= len(head) + len(tail)
                if self._waiting <= self._limit // 2:
                    self._room.set()
            if self._closing:
                await self._socket.close()
                return

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        """Send the last frames, for a limited time, then close."""
        if not self._closing:
            writer.cancel()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await writer


class Realtime:
    """All connections of a server, with methods that simulate failures."""

    def __init__(self, hub: Hub, backlog: int = BACKLOG) -> None:
        self.hub = hub
        self.connections: set[Connection] = set()
        self._backlog = backlog
        self._tick: asyncio.TimerHandle | None = None

    def answer(self, request: web.BaseRequest) -> Reply:
        """Answer a request for the websocket, with an error if it is not a valid upgrade."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return text_reply("This is a websocket: XMPP, RFC 7395.", 400)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if SUBPROTOCOL not in (word.strip() for word in offered.split(",")):
            return text_reply("The websocket needs the subprotocol xmpp.", 400)
        return Reply(101, b"", takeover=self._serve)

    def drop(self) -> None:
        """Drop all connections without a closing frame."""
        for connection in list(self.connections):
            connection.drop()

    async def aclose(self) -> None:
        """End all connections; cut those that do not accept the closing frames."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        open_ones = list(self.connections)
        for connection in open_ones:
            connection.shut_down()
        try:
            async with asyncio.timeout(CLOSE_SECONDS / 10):
                for connection in open_ones:
                    await connection.gone.wait()
        except TimeoutError:
            pass
        self.drop()
        for connection in open_ones:
            await connection.gone.wait()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = Connection(self.hub, request, self._backlog)
        self.connections.add(connection)
        if self._tick is None:
            self._look_after()
        try:
            return await connection.serve()
        finally:
            self.connections.discard(connection)

    def _look_after(self) -> None:
        """Once a second while anybody is connected, end expired access and the sessions of deleted accounts."""
        self._tick = None
        if self.connections:
            platform = self.hub.platform
            platform.store.agenda.settle(platform.clock())
            self.hub.sweep()
            self._tick = asyncio.get_running_loop().call_later(1.0, self._look_after)
