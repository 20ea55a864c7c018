"""The websocket of a DDP session: sending in order, heartbeats, closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from ethora_async.sandbox.rocketchat.realtime.session import NORMAL, UNDECODABLE, Session

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.realtime.limits import CallLimits
    from ethora_async.sandbox.rocketchat.realtime.quirks import Quirks

SLOW_CONSUMER, TIMEOUT = 1013, 4000
BACKLOG = 4 * 1024 * 1024
CLOSE_SECONDS = 1.0


class Connection:
    """The connection of one client."""

    def __init__(self, platform: Platform, quirks: Quirks, limits: CallLimits, request: web.BaseRequest) -> None:
        self.session: Session = Session(platform, self, quirks, limits, request.remote or "")
        self.frozen: bool = False
        self.gone: asyncio.Event = asyncio.Event()
        self._quirks = quirks
        self._request = request
        self._socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, max_msg_size=BACKLOG)
        self._frames: deque[str] = deque()
        self._waiting = 0
        self._closing: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def serve(self) -> web.WebSocketResponse:
        """Exchange frames until either side closes."""
        try:
            await self._socket.prepare(self._request)
            writer = asyncio.create_task(self._write())
            try:
                self.session.open()
                self._expect_frame()
                await self._read()
            finally:
                self.session.end()
                self._stop_timer()
                writer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await writer
        finally:
            self.gone.set()
        return self._socket

    def push(self, text: str) -> None:
        """Queue a frame; the microservice build drops a client that does not keep up."""
        if self._closing is not None:
            return
        self._frames.append(text)
        self._waiting += len(text)
        if self._waiting > BACKLOG and self._quirks.microservices:
            self._frames.clear()
            self._closing = (SLOW_CONSUMER, "")
        self._wake.set()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close after the queued frames."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()

    def drop(self) -> None:
        """Drop the connection without a closing frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def freeze(self) -> None:
        """Neither read nor write, but keep the connection open: a half-open connection."""
        self.frozen = True
        self._stop_timer()

    async def _read(self) -> None:
        async for message in self._socket:
            if self.frozen:
                continue
            self._expect_frame()
            if message.type is WSMsgType.TEXT:
                self.session.receive(message.data)
            elif message.type is WSMsgType.BINARY:
                self.close(UNDECODABLE)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames and not self.frozen:
                text = self._frames.popleft()
                try:
                    await self._socket.send_str(text)
                except ConnectionError:
                    return
                self._waiting -= len(text)
            if self._closing is not None and not self.frozen:
                code, reason = self._closing
                await self._socket.close(code=code, message=reason.encode())
                return

    def _expect_frame(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._quirks.quiet, self._ask)

    def _ask(self) -> None:
        self.session.ping()
        self._timer = asyncio.get_running_loop().call_later(self._quirks.patience, self._give_up)

    def _give_up(self) -> None:
        self.close(TIMEOUT if self._quirks.microservices else NORMAL)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Realtime:
    """All connections of a server, with methods that simulate failures.

    `quirks` may be changed at any time.
    """

    def __init__(self, platform: Platform, quirks: Quirks, limits: CallLimits) -> None:
        self.quirks = quirks
        self.connections: set[Connection] = set()
        self._platform = platform
        self._limits = limits

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve a connection."""
        connection = Connection(self._platform, self.quirks, self._limits, request)
        self.connections.add(connection)
        try:
            return await connection.serve()
        finally:
            self.connections.discard(connection)

    def ping(self) -> None:
        """Send a ping to everyone now."""
        for connection in self.connections:
            connection.session.ping()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close all connections with a code."""
        for connection in list(self.connections):
            connection.close(code, reason)

    def drop(self) -> None:
        """Drop all connections without a closing frame."""
        for connection in list(self.connections):
            connection.drop()

    def freeze(self) -> None:
        """Make all connections silent, without closing them."""
        for connection in list(self.connections):
            connection.freeze()

    async def aclose(self) -> None:
        """Cut all connections, and wait until they are closed."""
        open_ones = list(self.connections)
        self.drop()
        for connection in open_ones:
            await connection.gone.wait()
