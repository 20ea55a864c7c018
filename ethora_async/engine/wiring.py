"""What every client is told beside its platform's own settings, and what is made of it: one home for all platforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ethora_async import transport as transports
from ethora_async._version import __version__
from ethora_async.clock import SystemClock
from ethora_async.config import Limits, RetryPolicy, Seconds, seconds
from ethora_async.engine.engine import Engine
from ethora_async.engine.events import Emitter

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from aiohttp import ClientWebSocketResponse

    from ethora_async.engine.events import Listener
    from ethora_async.protocols import Clock, Credentials, Dialect, Transport
    from ethora_async.transport import AiohttpTransport


class Wiring:
    """The clock, the events and the way to the network of one client.

    Args:
        timeout: for a whole call: queueing, signing, all attempts and the waits between them (default 30 s).
        limits: how much to send at once.
        retry: how often and how patiently to try again.
        transport: in place of the default one; closed with the client.
        proxy, trust_env, verify, cert: see `ethora_async.transport.AiohttpTransport`.
        on_event: one callable, or several, told of every event (`ethora_async.engine.events`).
        clock: where time comes from.

    Attributes:
        timeout: in seconds.

    Raises:
        ConfigError: the timeout is no length of time.
    """

    def __init__(
        self,
        *,
        timeout: Seconds = 30.0,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        transport: Transport | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        verify: bool | str | Path | ssl.SSLContext = True,
        cert: str | Path | tuple[str | Path, str | Path] | None = None,
        on_event: Listener | Sequence[Listener] = (),
        clock: Clock | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.emitter: Emitter = Emitter(on_event if isinstance(on_event, Sequence) else (on_event,))
        self.timeout: float = seconds(timeout, "timeout")
        self._limits = limits or Limits()
        self._retry = retry or RetryPolicy()
        self._transport = transport
        self._network: dict[str, Any] = {"proxy": proxy, "trust_env": trust_env, "verify": verify, "cert": cert}
        self._engine: Engine | None = None
        self._sockets: AiohttpTransport | None = None

    def engine(self, base_url: str, dialect: Dialect, credentials: Credentials) -> Engine:
        """The client's engine, to be made once: for an origin, in the platform's words, signed by `credentials`.

        Raises:
            ConfigError: a setting of the network cannot be used.
        """
        if self._transport is None:
            self._transport = transports.default_transport(concurrency=self._limits.concurrency, **self._network)
        self._engine = Engine(
            base_url,
            self._transport,
            dialect,
            credentials,
            clock=self.clock,
            timeout=self.timeout,
            limits=self._limits,
            retry=self._retry,
            emitter=self.emitter,
            # Constant: Rocket.Chat remembers a second factor by this text and the address
            # (docs/platforms/rocketchat.md#second-factor).
            user_agent=f"ethora-async/{__version__}",
        )
        return self._engine

    async def websocket(self, url: str) -> ClientWebSocketResponse:
        """Open a websocket as `AiohttpTransport.websocket` does: on a connection of its own where another transport,
        which knows none, carries the requests.
        """
        from ethora_async.transport.aiohttp import AiohttpTransport

        if isinstance(self._transport, AiohttpTransport):
            return await self._transport.websocket(url)
        if self._sockets is None:
            self._sockets = AiohttpTransport(**self._network)
        return await self._sockets.websocket(url)

    async def aclose(self) -> None:
        """Close connections. Calls under way fail with `NotSentError` or `ReplyLostError`. Idempotent."""
        try:
            if self._sockets is not None:
                await self._sockets.aclose()
        finally:
            if self._engine is not None:
                await self._engine.aclose()
            elif self._transport is not None:
                await self._transport.aclose()


__all__ = ["Wiring"]
