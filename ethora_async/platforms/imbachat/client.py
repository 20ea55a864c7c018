"""`ImbaChatClient`: a back end's client for one ImbaChat widget (docs/platforms/imbachat.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from ethora_async.engine.wiring import BaseClient, LocalOptions
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.platforms.imbachat import settings
from ethora_async.platforms.imbachat.handler import Lookup, Search, UserInfoHandler
from ethora_async.platforms.imbachat.numbers import user_number
from ethora_async.platforms.imbachat.tokens import Tokens
from ethora_async.platforms.imbachat.widget import Html, snippet
from ethora_async.redaction import Secret, masked_address, masked_argument, masked_credential
from ethora_async.tokens.rotating import RotatingKeys
from ethora_async.tokens.settings import RotatingSettings, passed_provider, provider_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ethora_async.records import ChatToken
    from ethora_async_secrets import SecretProvider


class ImbaChatSettings(LocalOptions, total=False):
    """The options of `ImbaChatClient.from_secrets`; `ImbaChatClient` describes them."""

    widget_id: int | str | None
    api_login: str | None
    api_password: str | Secret | None
    api_url: str | None
    token_cache_size: int


class ImbaChatOptions(ImbaChatSettings, total=False):
    """The options of `ImbaChatClient`; it describes them."""

    secret: str | Secret | SecretProvider | None


class ImbaChatClient(BaseClient):
    """A back end's client for one ImbaChat widget: mints tokens, answers the chat server, writes the snippet.

    It sends no requests, so it has no network options. Close it with ``async with`` or `aclose` if a secret provider
    must be closed.

    Args:
        widget_id: a whole number, the ``DEV_ID`` of the vendor's documentation; by default ``IMBACHAT_WIDGET_ID``. Only
            the snippet needs it.
        secret: the widget's Secret key, or a `SecretProvider` that reads and rotates it, and may also provide the other
            settings; by default the store that ``ETHORA_SECRETS`` names, else ``IMBACHAT_SECRET_KEY``.
        api_login: the chat server's login when it calls; by default ``IMBACHAT_API_LOGIN``. Only `user_info` needs
            it and the password.
        api_password: likewise; by default ``IMBACHAT_API_PASSWORD``.
        api_url: the origin of the widget's script; by default ``IMBACHAT_API_URL``, or else
            ``https://api.imbachat.com``.
        token_cache_size: maximum number of cached tokens (default 10,000; 0 disables the cache).
        options: ``on_event`` and ``clock``; see `LocalOptions`.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

    _ADDRESSES = frozenset({"api_url"})
    _CREDENTIALS = frozenset({"secret", "api_password"})

    def __init__(
        self,
        *,
        widget_id: int | str | None = None,
        secret: str | Secret | SecretProvider | None = None,
        api_login: str | None = None,
        api_password: str | Secret | None = None,
        api_url: str | None = None,
        token_cache_size: int = 10_000,
        **options: Unpack[LocalOptions],
    ) -> None:
        secret = masked_credential(secret)
        api_password, api_url = masked_argument(api_password), masked_address(api_url)
        super().__init__(options, LocalOptions)
        self._settings = RotatingSettings(
            settings.ARGUMENTS,
            {
                settings.WIDGET_ID: _text(widget_id),
                settings.SECRET_KEY: secret if isinstance(secret, Secret) else None,
                settings.API_LOGIN: api_login,
                settings.API_PASSWORD: api_password,
                settings.API_URL: api_url,
            },
            required=(settings.SECRET_KEY,),
            rotating=settings.ROTATING,
            provider=passed_provider(secret),
            anchors=(settings.SECRET_KEY,),
            clock=self._wiring.clock,
            emitter=self._wiring.emitter,
        )
        self._keys = RotatingKeys(
            self._settings, (settings.SECRET_KEY,), settings.signing_key, check=settings.warn_of_short
        )
        self._logins = RotatingKeys(self._settings, (settings.API_LOGIN, settings.API_PASSWORD), lambda values: values)
        ring = self._keys.peek() if not self._settings.has_store else None
        if ring is not None:
            settings.script_url(ring.settings.current)  # raises for an invalid one now
        self.tokens: Tokens = Tokens(
            self._keys, clock=self._wiring.clock, emitter=self._wiring.emitter, cache_size=token_cache_size
        )

    @classmethod
    def from_env(cls, **options: Unpack[ImbaChatOptions]) -> Self:
        """Return a client with its settings from ``ETHORA_SECRETS`` or the environment, as the constructor reads them.

        Args:
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: a setting is not set or empty, or cannot be used.
        """
        cls._mask(options)
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Unpack[ImbaChatSettings]) -> Self:
        """Return a client whose settings come from a provider.

        API login and password rotate with the Secret key, unless they are passed in. While the store still has the
        values before a rotation, those are accepted as well.

        Args:
            provider: a provider, or a provider URL such as ``file:///run/secrets/imbachat`` or
                ``env:?prefix=IMBACHAT_``.
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: the URL cannot be used.
        """
        provider = masked_credential(provider)
        cls._mask(options)
        return cls(secret=provider_of(provider, (settings.SECRET_KEY,)), **options)

    def user_info(
        self,
        lookup: Lookup,
        *,
        search: Search | None = None,
        prefix: str = "",
        separator: str = ",",
        id_pattern: str | None = None,
        max_ids: int = 200,
        max_found: int = 20,
    ) -> UserInfoHandler:
        """Return the handler of the chat server's callbacks, to be mounted in a web application.

        Below `prefix` it answers ``?user_ids=1,2``, ``?ids=1,2``, ``/1,2``, ``/users/1,2`` and ``/getusers/1,2``;
        ``/search/TERM`` and ``/searchusers/TERM`` where `search` is given; and, to everybody, the bare prefix with the
        version of the API. Its URL goes into the widget's settings as "Users info URL", with the part before the ids.

        Args:
            lookup: a coroutine function: a list of ids to the users among them, unknown ones left out.
            search: a coroutine function: a text to the users whose names hold it. Off unless given.
            prefix: the path under which it is mounted, if the framework does not remove it.
            separator: the text between the ids.
            id_pattern: a regular expression for ids that are text; by default ids are positive decimal numbers.
            max_ids: maximum number of ids in one request.
            max_found: maximum number of users that a search returns.

        Raises:
            ConfigError: API login or password is not set, or cannot be used.
        """
        return UserInfoHandler(
            self._logins,
            lookup,
            search=search,
            prefix=prefix,
            separator=separator,
            id_pattern=id_pattern,
            max_ids=max_ids,
            max_found=max_found,
        )

    async def widget_snippet(
        self, token: ChatToken | None = None, *, options: Mapping[str, Any] | None = None, nonce: str | None = None
    ) -> Html:
        """Return the HTML that loads the widget, for insertion into a page.

        No cache may store the page: send it with `ethora_async.platforms.imbachat.widget.NO_STORE`.

        Args:
            token: from `tokens`; None for a guest, if the widget allows guests.
            options: of the widget: ``language``, ``theme``, ``position``, ``resizable``, ``draggable``, …; any JSON.
            nonce: of the page's Content-Security-Policy.

        Raises:
            InvalidInputError: the token is another platform's, the nonce is invalid, or the options are not JSON.
            ConfigError: the widget's id is not set, or cannot be used.
        """
        version = self._settings.peek() or await self._settings.load()
        url = settings.script_url(version.current)
        if url is None:
            msg = f"{settings.WIDGET_ID} is not set or empty: set it in the environment, or pass widget_id= instead"
            raise ConfigError(msg)
        if token is not None and token.platform != "imbachat":
            msg = f"the token is for {token.platform}, not for ImbaChat"
            raise InvalidInputError(msg, field="token")
        return snippet(
            url,
            user_id=user_number(token.user_id) if token is not None else None,
            token=token.value if token is not None else None,
            options=options or {},
            nonce=nonce,
        )

    async def ready(self) -> None:
        """Check that this client could sign a token now; read the Secret key if necessary.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
        """
        await self._keys.load()

    async def _open(self) -> object:
        return await self._keys.load()

    def _closing(self) -> Sequence[Callable[[], Awaitable[object]]]:
        return self._wiring.aclose, self._settings.aclose

    def __repr__(self) -> str:
        return f"ImbaChatClient(widget_id={self._settings.known(settings.WIDGET_ID)!r})"


def _text(widget_id: object) -> str | None:
    """Return the widget's id as text."""
    if widget_id is None or isinstance(widget_id, str):
        return widget_id
    if isinstance(widget_id, bool) or not isinstance(widget_id, int):
        msg = f"widget_id must be a whole number, not {type(widget_id).__name__}"
        raise ConfigError(msg)
    return str(widget_id)
