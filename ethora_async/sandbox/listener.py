"""The listening socket of a sandbox: opened, closed and opened again on the same port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

MAX_BODY = 8 * 1024 * 1024
SHUTDOWN_SECONDS = 0.1
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


class Listener:
    """Serves a handler on `host:port`; port 0 takes a free one, and keeps it over a restart."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._bound = ""
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """The origin that clients use. RuntimeError before the first `start`."""
        if not self._bound:
            msg = "The sandbox is not listening yet: use `async with sandbox` or `await sandbox.start()` first."
            raise RuntimeError(msg)
        host = ANY_ADDRESS.get(self._bound, self._bound)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen; nothing happens when it listens already. OSError when the port is taken."""
        if self._runner is not None:
            return
        server = web.Server(self._handler, request_factory=_make_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        self._runner = runner
        try:
            await runner.setup()
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await self.aclose()
            raise
        # A name may stand for several addresses, each with a free port of its own: the URL tells the first.
        self._bound, self._port = runner.addresses[0][:2]

    async def aclose(self) -> None:
        """Stop listening and drop every connection, idle or busy; harmless when it does not listen."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=MAX_BODY)
