"""The listening socket of a sandbox: opened, closed and opened again on the same port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from ethora_async.sandbox.tls import Certificate

MAX_BODY = 8 * 1024 * 1024
SHUTDOWN_SECONDS = 0.1
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


class Listener:
    """Serves a handler on `host:port`, and with a certificate also by TLS.

    Port 0 takes a free port, and keeps it after a restart.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        host: str,
        port: int,
        certificate: Certificate | None = None,
    ) -> None:
        self.authority: str | None = None
        self._handler = handler
        self._certificate = certificate
        self._tls_port = 0 if certificate is None else certificate.port
        self._host = host
        self._port = port
        self._bound = ""
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """The origin that clients use. RuntimeError before the first `start`."""
        return self._origin("http", self._port)

    @property
    def tls_url(self) -> str | None:
        """The origin that serves TLS; None without a certificate. RuntimeError before the first `start`."""
        return None if self._certificate is None else self._origin("https", self._tls_port)

    def _origin(self, scheme: str, port: int) -> str:
        if not self._bound:
            msg = "The sandbox is not listening yet: use `async with sandbox` or `await sandbox.start()` first."
            raise RuntimeError(msg)
        host = ANY_ADDRESS.get(self._bound, self._bound)
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def start(self) -> None:
        """Start listening; does nothing if it already listens.

        Raises:
            OSError: a port is taken.
            ValueError: the certificate cannot be used.
        """
        if self._runner is not None:
            return
        server = web.Server(self._handler, request_factory=_make_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        self._runner = runner
        try:
            await runner.setup()
            await web.TCPSite(runner, self._host, self._port).start()
            plain = len(runner.addresses)
            if self._certificate is not None:
                context, self.authority = await asyncio.to_thread(self._certificate.load, self._host)
                await web.TCPSite(runner, self._host, self._tls_port, ssl_context=context).start()
        except BaseException:
            await self.aclose()
            raise
        # A name may have several addresses, each with its own free port: the URL is the first.
        self._bound, self._port = runner.addresses[0][:2]
        if self._certificate is not None:
            self._tls_port = runner.addresses[plain][1]

    async def aclose(self) -> None:
        """Stop listening and drop every connection, idle or busy; does nothing if it does not listen."""
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
