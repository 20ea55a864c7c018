"""`AvayaClient`: chat tokens of one Avaya Experience Platform account (docs/platforms/avaya.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack

from ethora_async.engine.open_requests import Paging, Requests
from ethora_async.engine.wiring import BaseClient, ClientOptions
from ethora_async.errors import ConfigError
from ethora_async.platforms.avaya import operations, settings
from ethora_async.platforms.avaya.connection import AccountContext
from ethora_async.platforms.avaya.dialect import AvayaDialect
from ethora_async.platforms.avaya.tokens import Tokens
from ethora_async.redaction import Secret, masked_address, masked_credential
from ethora_async.tokens.oauth2 import SHARE_OF_TIME, AccessTokens
from ethora_async.tokens.rotating import RotatingKeys
from ethora_async.tokens.settings import RotatingSettings, passed_provider, provider_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from ethora_async.engine.engine import Engine
    from ethora_async.request import Reply
    from ethora_async.tokens.oauth2 import Grant
    from ethora_async_secrets import SecretProvider


class AvayaSettings(ClientOptions, total=False):
    """The options of `AvayaClient.from_secrets`; `AvayaClient` describes them."""

    account_id: str | None
    app_key: str | None
    client_id: str | None
    integration_id: str | None
    region: str | None
    host: str | None
    token_cache_size: int


class AvayaOptions(AvayaSettings, total=False):
    """The options of `AvayaClient`; it describes them."""

    secret: str | Secret | SecretProvider | None


class AvayaClient(BaseClient, Requests):
    """A back end's client for one chat integration of an Avaya Experience Platform account.

    It is usable at once: the connection opens in the running event loop with the first request, and the client then
    belongs to that loop. End it with ``async with`` or `aclose`. Several clients in one process share nothing. It
    supports the Experience Platform; Avaya Infinity is a different product with a different API.

    Args:
        account_id: six letters; by default ``AVAYA_ACCOUNT_ID`` from the environment.
        app_key: the application key; by default ``AVAYA_APP_KEY``.
        client_id: of the OAuth 2.0 client; by default ``AVAYA_CLIENT_ID``.
        secret: the OAuth 2.0 client's secret, or a `SecretProvider` that reads and rotates it, and may also provide the
            other settings; by default the store that ``ETHORA_SECRETS`` names, else ``AVAYA_CLIENT_SECRET``.
        integration_id: the chat integration's UUID; by default ``AVAYA_INTEGRATION_ID``.
        region: a region's code, such as ``"eu"`` or ``"na"``; by default ``AVAYA_REGION``.
        host: a host name in place of a region; by default ``AVAYA_HOST``, which takes precedence over ``AVAYA_REGION``.
            Always https, except for this machine.
        token_cache_size: maximum number of cached tokens (default 10,000; 0 disables the cache).
        options: what every client takes; see `ClientOptions`.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

    _ADDRESSES = frozenset({"region", "host"})

    def __init__(
        self,
        *,
        account_id: str | None = None,
        app_key: str | None = None,
        client_id: str | None = None,
        secret: str | Secret | SecretProvider | None = None,
        integration_id: str | None = None,
        region: str | None = None,
        host: str | None = None,
        token_cache_size: int = 10_000,
        **options: Unpack[ClientOptions],
    ) -> None:
        secret = masked_credential(secret)
        region, host = masked_address(region), masked_address(host)
        super().__init__(options)
        self._settings = RotatingSettings(
            settings.ARGUMENTS,
            {
                settings.ACCOUNT_ID: account_id,
                settings.APP_KEY: app_key,
                settings.CLIENT_ID: client_id,
                settings.CLIENT_SECRET: secret if isinstance(secret, Secret) else None,
                settings.INTEGRATION_ID: integration_id,
                settings.HOST: _host(region, host),
            },
            required=settings.REQUIRED,
            rotating=settings.ROTATING,
            provider=passed_provider(secret),
            anchors=(settings.CLIENT_SECRET,),
            alternatives=((settings.HOST,), (settings.REGION,)),
            clock=self._wiring.clock,
            emitter=self._wiring.emitter,
        )
        self._logins = RotatingKeys(self._settings, settings.ROTATING, settings.login)
        self._context = AccountContext(
            self._settings, self._connect, clock=self._wiring.clock, emitter=self._wiring.emitter
        )
        Requests.__init__(self, self._context.send, _PAGING)
        self.tokens: Tokens = Tokens(self._context, cache_size=token_cache_size)

    @classmethod
    def from_env(cls, **options: Unpack[AvayaOptions]) -> Self:
        """Return a client with its settings from ``ETHORA_SECRETS`` or the environment, as the constructor reads them.

        Args:
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: a setting is not set or empty, or cannot be used.
        """
        cls._mask(options)
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Unpack[AvayaSettings]) -> Self:
        """Return a client whose settings come from a provider.

        The client id and the application key rotate with the secret, unless they are passed in.

        Args:
            provider: a provider, or a provider URL such as ``file:///run/secrets/avaya`` or ``env:?prefix=AVAYA_``.
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: the URL cannot be used.
        """
        provider = masked_credential(provider)
        cls._mask(options)
        return cls(secret=provider_of(provider, (settings.CLIENT_SECRET,)), **options)

    async def ready(self) -> None:
        """Check that this client could sign a call now: an access token is available, or can be fetched.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
            NotSentError, ReplyLostError, ApiError: no access token could be fetched.
        """
        await (await self._context.open()).access.acquire()

    async def _open(self) -> object:
        return await self._context.open()

    def _closing(self) -> Sequence[Callable[[], Awaitable[object]]]:
        connection = self._context.connection
        tokens = () if connection is None else (connection.access.aclose,)
        return *tokens, self._wiring.aclose, self._settings.aclose

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

        access = AccessTokens(fetch, self._logins, clock=self._wiring.clock, emitter=self._wiring.emitter)
        engine = self._wiring.engine(api_url, AvayaDialect(self._secrets), access)
        return engine, access

    def _secrets(self) -> Iterator[str]:
        for login in self._logins.known():
            yield login.client_secret.reveal()


_PAGING = Paging("pageSize", "pageNumber", 50, numbered=True)
"""See docs/platforms/avaya.md#pages."""
_NOT_OPENED = "AvayaClient(not opened yet)"


def _host(region: str | Secret | None, host: str | Secret | None) -> str | Secret | None:
    """Return the host from the arguments, if they name one."""
    if region is None:
        return host
    if host is not None:
        msg = "pass region= or host=, and not both"
        raise ConfigError(msg)
    return settings.region_origin(region)
