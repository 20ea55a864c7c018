"""`AvayaClient`: chat tokens of one Avaya Experience Platform account (docs/platforms/avaya.md)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from ethora_async.engine.wiring import Wiring
from ethora_async.errors import ConfigError
from ethora_async.platforms.avaya import operations, settings
from ethora_async.platforms.avaya.connection import Context
from ethora_async.platforms.avaya.dialect import AvayaDialect
from ethora_async.platforms.avaya.tokens import Tokens
from ethora_async.tokens.oauth2 import SHARE_OF_TIME, AccessTokens
from ethora_async.tokens.stored import StoredSettings, provider_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from ethora_async.config import Limits, RetryPolicy, Seconds
    from ethora_async.engine.engine import Engine
    from ethora_async.engine.events import Listener
    from ethora_async.protocols import Clock, Transport
    from ethora_async.request import Reply
    from ethora_async.tokens.oauth2 import Grant
    from ethora_async_secrets import SecretProvider


class AvayaClient:
    """A back end's client for one chat integration of an Avaya Experience Platform account.

    It is usable at once: the connection opens in the running event loop with the first request, and the client then
    belongs to that loop. End it with ``async with`` or `aclose`. Several clients in one process share nothing. It knows
    the Experience Platform; Avaya Infinity is another product with another contract.

    Args:
        account_id: six letters; by default ``AVAYA_ACCOUNT_ID`` from the environment.
        app_key: the application key; by default ``AVAYA_APP_KEY``.
        client_id: of the OAuth 2.0 client; by default ``AVAYA_CLIENT_ID``.
        secret: the OAuth 2.0 client's secret, or a `SecretProvider` that reads and rotates it, and where the
            other settings may stand too; by default ``AVAYA_CLIENT_SECRET``.
        integration_id: the chat integration's UUID; by default ``AVAYA_INTEGRATION_ID``.
        region: a region's code, such as ``"eu"`` or ``"na"``; by default ``AVAYA_REGION``.
        host: a host name in place of a region; by default ``AVAYA_HOST``, which goes before ``AVAYA_REGION``.
            Always https, but for this machine.
        timeout: for a whole call: queueing, the access token, all attempts and the waits between them (default 30 s).
        limits: how much to send at once.
        retry: how often and how patiently to try again.
        transport: anything that satisfies `ethora_async.protocols.Transport`, in place of aiohttp. It is closed with
            the client.
        proxy, trust_env, verify, cert: see `ethora_async.transport.AiohttpTransport`.
        on_event: one callable, or several, told of every event (`ethora_async.engine.events`).
        token_cache_size: how many customers' tokens are kept (default 10,000; 0 keeps none).
        clock: where time comes from.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

    def __init__(
        self,
        *,
        account_id: str | None = None,
        app_key: str | None = None,
        client_id: str | None = None,
        secret: str | SecretProvider | None = None,
        integration_id: str | None = None,
        region: str | None = None,
        host: str | None = None,
        timeout: Seconds = 30.0,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        transport: Transport | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        verify: bool | str | Path | ssl.SSLContext = True,
        cert: str | Path | tuple[str | Path, str | Path] | None = None,
        on_event: Listener | Sequence[Listener] = (),
        token_cache_size: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        self._wiring = Wiring(
            timeout=timeout,
            limits=limits,
            retry=retry,
            transport=transport,
            proxy=proxy,
            trust_env=trust_env,
            verify=verify,
            cert=cert,
            on_event=on_event,
            clock=clock,
        )
        self._settings = StoredSettings(
            settings.ARGUMENTS,
            {
                settings.ACCOUNT_ID: account_id,
                settings.APP_KEY: app_key,
                settings.CLIENT_ID: client_id,
                settings.CLIENT_SECRET: secret if isinstance(secret, str) else None,
                settings.INTEGRATION_ID: integration_id,
                settings.HOST: _host(region, host),
            },
            required=settings.REQUIRED,
            rotating=settings.ROTATING,
            provider=None if isinstance(secret, str) else secret,
            clock=self._wiring.clock,
            emitter=self._wiring.emitter,
        )
        self._context = Context(self._settings, self._connect, clock=self._wiring.clock, emitter=self._wiring.emitter)
        self.tokens: Tokens = Tokens(self._context, cache_size=token_cache_size)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A client with its settings from the environment: ``AVAYA_ACCOUNT_ID``, ``AVAYA_APP_KEY``,
        ``AVAYA_CLIENT_ID``, ``AVAYA_CLIENT_SECRET``, ``AVAYA_INTEGRATION_ID``, and ``AVAYA_REGION`` or ``AVAYA_HOST``.

        Where ``AVAYA_CLIENT_SECRET`` is not set and ``ETHORA_SECRETS`` is, everything missing comes from the provider
        that this names. `options` are the constructor's.

        Raises:
            ConfigError: one is not set or empty, or cannot be used.
        """
        urls = os.environ.get("ETHORA_SECRETS", "").strip()
        if urls and not os.environ.get(settings.CLIENT_SECRET, "").strip():
            return cls.from_secrets(urls, **options)
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Any) -> Self:
        """A client whose secret comes from a provider, or from a provider URL such as ``file:///run/secrets/avaya`` or
        ``env:?prefix=AVAYA_``.

        The client id and the application key are taken from there too, and rotate with the secret, unless they are
        passed in; the other settings where neither arguments nor environment have them.

        Raises:
            ConfigError: the URL cannot be used.
        """
        return cls(secret=provider_of(provider, (settings.CLIENT_SECRET,)), **options)

    async def ready(self) -> None:
        """Pass when this client could sign a call now: an access token is at hand, or was given.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
            NotSentError, ReplyLostError, ApiError: there was no access token to be had.
        """
        await (await self._context.open()).access.acquire()

    async def aclose(self) -> None:
        """Close connections and the secret provider. May be called more than once."""
        connection = self._context.connection
        try:
            if connection is not None:
                await connection.access.aclose()
        finally:
            try:
                await self._wiring.aclose()
            finally:
                await self._settings.aclose()

    async def __aenter__(self) -> Self:
        try:
            await self._context.open()
        except BaseException:
            await self.aclose()  # nobody else will: a failed `async with` never reaches its end
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        made = self._context.connection
        return f"AvayaClient(account_id={made.account_id!r}, api_url={made.api_url!r})" if made else _NOT_OPENED

    def _connect(self, api_url: str, account: str) -> tuple[Engine, AccessTokens]:
        async def fetch(grant: Grant) -> Reply:
            return await engine.call(
                operations.ACCESS_TOKEN,
                path={"account": account},
                upload=grant,
                credentials=grant,
                timeout=self._wiring.timeout * SHARE_OF_TIME,
            )

        access = AccessTokens(
            fetch, self._settings, settings.login, clock=self._wiring.clock, emitter=self._wiring.emitter
        )
        engine = self._wiring.engine(api_url, AvayaDialect(self._secrets), access)
        return engine, access

    def _secrets(self) -> Iterator[str]:
        for values in self._settings.values():
            yield values[settings.CLIENT_SECRET]


_NOT_OPENED = "AvayaClient(not opened yet)"


def _host(region: str | None, host: str | None) -> str | None:
    """The host that the arguments name, if they do."""
    if region is None:
        return host
    if host is not None:
        msg = "pass region= or host=, and not both"
        raise ConfigError(msg)
    return settings.region_origin(region)
