"""The base of every sandbox: a local server with a lifecycle, a request log, TLS and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ethora_async.sandbox.front import Front
from ethora_async.sandbox.listener import Listener
from ethora_async.sandbox.logs import RequestLog
from ethora_async.sandbox.ui.console import ROOT, Console

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from types import TracebackType

    from ethora_async.sandbox.faults import Faults
    from ethora_async.sandbox.front import Backend
    from ethora_async.sandbox.logs import RequestRecord
    from ethora_async.sandbox.tls import Certificate
    from ethora_async.sandbox.ui.view import PlatformView


class LocalServer:
    """Serves a platform on `host:port` while the `async with` block, or the time from `start` to `aclose`, lasts.

    `on_request` is called with every request; with `cross_origin`, pages of other origins may call. With a `view` there
    is a page at `/_sandbox/` (see `Console`). With a `certificate` it also serves TLS, on a separate port.
    """

    def __init__(
        self,
        service: Backend,
        faults: Faults,
        *,
        clock: Callable[[], float],
        host: str,
        port: int,
        on_request: Callable[[RequestRecord], None] | None,
        cross_origin: bool = False,
        certificate: Certificate | None = None,
        view: PlatformView | None = None,
    ) -> None:
        self._log = RequestLog(on_request)
        self.console: Console | None = None if view is None else Console(view, faults, self._log, host)
        front = Front(service, faults, self._log, clock, cross_origin=cross_origin, console=self.console)
        self._listener = Listener(front, host, port, certificate)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: a port is taken.
            ValueError: the certificate cannot be used.
        """
        await self._listener.start()

    async def aclose(self) -> None:
        """Stop listening and drop every connection; the state stays."""
        await self._listener.aclose()

    @property
    def url(self) -> str:
        """The origin to call: `http://127.0.0.1:PORT`. RuntimeError before the first `start`."""
        return self._listener.url

    @property
    def console_url(self) -> str | None:
        """The URL of this sandbox's page; None without the page."""
        return None if self.console is None else f"{self.url}{ROOT}"

    @property
    def tls_url(self) -> str | None:
        """The origin to call by TLS: `https://127.0.0.1:PORT`; None without TLS."""
        return self._listener.tls_url

    @property
    def tls_authority(self) -> str | None:
        """The PEM of the authority that signed the certificate made at the last `start`; None for one from files."""
        return self._listener.authority

    @property
    def requests(self) -> deque[RequestRecord]:
        """The latest 10 000 requests as (method, path, status), oldest first."""
        return self._log.records
