"""Limits on connections: a timeout for each request's head, and a maximum number of connections."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import socket

log: logging.Logger = logging.getLogger("ethora_async.web")

HEAD_TIMEOUT = 10.0
"""Seconds from the opened connection, or from the first byte of a further request, to the request's complete head."""
REQUEST_TIMEOUT = 75.0
"""Seconds from a request's complete head to its answer: its body, and whatever the platform takes."""
MOST_CONNECTIONS = 1000

_OWN_DESCRIPTORS = 64
"""File descriptors reserved for log files, connections to the platform and everything else."""


def most_connections() -> int:
    """Return the maximum number of open connections: what the descriptor limit leaves, a thousand at most."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    # Each request may need a second connection, to the platform.
    return max(8, min(MOST_CONNECTIONS, (soft - _OWN_DESCRIPTORS) // 2))


class Connections:
    """Accepts connections for an aiohttp application, and closes slow ones.

    A proxy sends whole requests at once. Otherwise a client that opens connections and sends half a head on each could
    use up all descriptors.

    Args:
        most: Maximum number of open connections; further ones are closed at once.
        head_timeout: Seconds for a request's head.
        request_timeout: Seconds for a request's body and its answer.
    """

    def __init__(
        self,
        most: int | None = None,
        *,
        head_timeout: float = HEAD_TIMEOUT,
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        self._most = most_connections() if most is None else most
        self._head_timeout = head_timeout
        self._request_timeout = request_timeout
        self._open: dict[asyncio.BaseTransport, _Guarded] = {}
        self._full = False

    async def listen(self, runner: web.AppRunner, listener: socket.socket) -> asyncio.Server:
        """Serve a prepared runner on a listening socket; the caller closes the server.

        The runner's application must have `middleware` as its first middleware.
        """
        server = runner.server
        if server is None:
            msg = "the runner is not set up"
            raise RuntimeError(msg)
        return await asyncio.get_running_loop().create_server(lambda: _Guarded(server(), self), sock=listener)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Record when a request's head is complete and when it is answered."""
        guarded = self._open.get(request.transport) if request.transport is not None else None
        if guarded is None:
            return await handler(request)
        guarded.head_complete()
        try:
            async with asyncio.timeout(self._request_timeout):
                return await handler(request)
        except TimeoutError:
            return web.json_response({"error": "timeout", "message": "The request took too long."}, status=503)
        finally:
            guarded.answered()

    def opened(self, guarded: _Guarded, transport: asyncio.BaseTransport) -> bool:
        """Register a connection; return False when there are too many."""
        if len(self._open) >= self._most:
            if not self._full:
                self._full = True
                log.warning("%d connections are open: further ones are closed at once", self._most)
            return False
        self._full = False
        self._open[transport] = guarded
        return True

    def closed(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection."""
        self._open.pop(transport, None)

    @property
    def head_timeout(self) -> float:
        """Seconds for a request's head."""
        return self._head_timeout


class _Guarded(asyncio.Protocol):
    """aiohttp's protocol of one connection, with a timer while it waits for a head."""

    def __init__(self, inner: Any, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.BaseTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = 0
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if not self._connections.opened(self, transport):
            self._refused = True
            self._abort()
            return
        self._inner.connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if not self._busy and self._timer is None:
            self._wait_for_head()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._refused else self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_waiting()
        if self._transport is not None:
            self._connections.closed(self._transport)
        if not self._refused:
            self._inner.connection_lost(exc)

    def head_complete(self) -> None:
        self._busy += 1
        self._stop_waiting()

    def answered(self) -> None:
        # aiohttp closes idle connections; the timer starts with the first byte of the next request.
        self._busy -= 1

    def _wait_for_head(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._connections.head_timeout, self._abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()
