"""Options, life cycle and network access, shared by the clients of all platforms."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, cast

from ethora_async import transport as transports
from ethora_async._version import __version__
from ethora_async.clock import SystemClock
from ethora_async.config import Limits, RetryPolicy, Seconds, seconds
from ethora_async.engine.emitter import Emitter
from ethora_async.redaction import masked_argument, masked_credential

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from aiohttp import ClientWebSocketResponse

    from ethora_async.engine.emitter import Listener
    from ethora_async.engine.engine import Engine
    from ethora_async.protocols import Clock, Credentials, Dialect, Transport
    from ethora_async.redaction import Secret
    from ethora_async.transport import AiohttpTransport


class LocalOptions(TypedDict, total=False):
    """The options of a client that sends no requests.

    Attributes:
        on_event: One callable, or several, called with every event (`ethora_async.engine.events`).
        clock: The source of time.
    """

    on_event: Listener | Sequence[Listener]
    clock: Clock | None


class ClientOptions(LocalOptions, total=False):
    """The options that every client takes beside its platform's settings.

    Attributes:
        timeout: For a whole call: queueing, signing, all attempts and the waits between them (default 30 s).
        limits: Concurrency, request rate and reply size.
        retry: The number of attempts and the pauses between them.
        transport: Anything that satisfies `ethora_async.protocols.Transport`, in place of aiohttp. It is closed with
            the client.
        proxy, trust_env, verify, cert: See `ethora_async.transport.AiohttpTransport`.
    """

    timeout: Seconds
    limits: Limits | None
    retry: RetryPolicy | None
    transport: Transport | None
    proxy: str | Secret | None
    trust_env: bool
    verify: bool | str | Path | ssl.SSLContext
    cert: str | Path | tuple[str | Path, str | Path] | None


class BaseClient(abc.ABC):
    """The life cycle that every client shares.

    A client can be used at once. Close it with ``async with`` or `aclose`.

    Args:
        options: The shared options that were passed in.
        known: The shared options that this client takes.
    """

    _CREDENTIALS: ClassVar[frozenset[str]] = frozenset({"secret"})
    """The arguments of the constructor that are secrets."""

    _ADDRESSES: ClassVar[frozenset[str]] = frozenset()
    """The arguments of the constructor that name a server: a password may have been typed into them."""

    def __init__(self, options: LocalOptions, known: type = ClientOptions) -> None:
        self._mask(options)
        given = cast("Mapping[str, Any]", options)
        _refuse_unknown(type(self), given, known)
        self._wiring = Wiring(**given)

    async def aclose(self) -> None:
        """Close connections and the secret provider. Safe to call more than once."""
        async with AsyncExitStack() as stack:  # every step runs, even if one before it fails
            for close in reversed(self._closing()):
                stack.push_async_callback(close)

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self.aclose()  # a failed `async with` never reaches `__aexit__`
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @classmethod
    def _mask(cls, options: object) -> None:
        """Mask, in place, the options that are secrets or may be: the frames of an error show them.

        An option that the client does not know may be a misspelt one.
        """
        given = cast("dict[str, Any]", options)
        known = ClientOptions.__annotations__.keys() | (cls.__init__.__kwdefaults__ or {}).keys()
        for name, value in given.items():
            if name in cls._CREDENTIALS:
                given[name] = masked_credential(value)
            elif name == "proxy" or name in cls._ADDRESSES or name not in known:
                given[name] = masked_argument(value)

    @abc.abstractmethod
    async def _open(self) -> object:
        """Read what must be known before the first call."""

    @abc.abstractmethod
    def _closing(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """Return the steps of `aclose` in their order."""


class Wiring:
    """The clock, events and network access of one client.

    Args:
        timeout: for a whole call: queueing, signing, all attempts and the waits between them (default 30 s).
        limits: concurrency, request rate and reply size.
        retry: the number of attempts and the pauses between them.
        transport: in place of the default one; closed with the client.
        proxy, trust_env, verify, cert: see `ethora_async.transport.AiohttpTransport`.
        on_event: one callable, or several, called with every event (`ethora_async.engine.events`).
        clock: the source of time.

    Attributes:
        timeout: in seconds.

    Raises:
        ConfigError: the timeout is not a duration.
    """

    def __init__(
        self,
        *,
        timeout: Seconds = 30.0,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        transport: Transport | None = None,
        proxy: str | Secret | None = None,
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
        """Return the client's engine, created on the first call, for an origin, a dialect and `credentials`.

        Raises:
            ConfigError: a network setting cannot be used.
        """
        from ethora_async.engine.engine import Engine  # loads what only a client that is used needs

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
            # Constant: Rocket.Chat remembers a second factor by this text and the IP address.
            user_agent=f"ethora-async/{__version__}",
        )
        return self._engine

    async def websocket(self, url: str, protocols: tuple[str, ...] = ()) -> ClientWebSocketResponse:
        """Open a websocket as `AiohttpTransport.websocket` does. If the client's transport has no websockets, use a
        separate aiohttp connection.
        """
        from ethora_async.transport.aiohttp import AiohttpTransport

        if isinstance(self._transport, AiohttpTransport):
            return await self._transport.websocket(url, protocols)
        if self._sockets is None:
            self._sockets = AiohttpTransport(**self._network)
        return await self._sockets.websocket(url, protocols)

    async def aclose(self) -> None:
        """Close connections. Pending calls fail with `NotSentError` or `ReplyLostError`. Idempotent."""
        try:
            if self._sockets is not None:
                await self._sockets.aclose()
        finally:
            if self._engine is not None:
                await self._engine.aclose()
            elif self._transport is not None:
                await self._transport.aclose()


def _refuse_unknown(client: type, given: Mapping[str, Any], known: type) -> None:
    """Reject a misspelt option, and suggest the one that was meant."""
    import inspect
    from difflib import get_close_matches

    shared = [name for base in known.__mro__ for name in getattr(base, "__annotations__", {})]
    unknown = sorted(given.keys() - set(shared))
    if not unknown:
        return
    own = [
        name
        for name, parameter in inspect.signature(client).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    options = sorted({*shared, *own})
    near = get_close_matches(unknown[0], options, n=1)
    hint = f": did you mean {near[0]}?" if near else f"; it takes {', '.join(options)}"
    msg = f"{client.__name__} has no option {unknown[0]}{hint}"
    raise TypeError(msg)


__all__ = ["BaseClient", "ClientOptions", "LocalOptions", "Wiring"]
