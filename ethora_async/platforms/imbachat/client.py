"""`ImbaChatClient`: everything that a back end does for one ImbaChat widget (docs/platforms/imbachat.md)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from ethora_async.engine.wiring import Wiring
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.platforms.imbachat import settings
from ethora_async.platforms.imbachat.handler import Lookup, Search, UserInfoHandler
from ethora_async.platforms.imbachat.tokens import Tokens, user_number
from ethora_async.platforms.imbachat.widget import Html, snippet
from ethora_async.tokens.stored import StoredSettings, provider_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from ethora_async.engine.events import Listener
    from ethora_async.protocols import Clock
    from ethora_async.records import ChatToken
    from ethora_async_secrets import SecretProvider


class ImbaChatClient:
    """A back end's client for one ImbaChat widget: signs users in, answers the chat server, writes the snippet.

    It sends no request, so that it has none of the other clients' words about the network. End it with ``async with``
    or `aclose` where a secret provider is to be closed.

    Args:
        widget_id: a whole number, the ``DEV_ID`` of the vendor's text; by default ``IMBACHAT_WIDGET_ID``. Only the
            snippet needs it.
        secret: the widget's Secret key, or a `SecretProvider` that reads and rotates it, and where the other
            settings may stand too; by default ``IMBACHAT_SECRET_KEY``.
        api_login: what the chat server shows when it calls; by default ``IMBACHAT_API_LOGIN``. Only `user_info` needs
            it and the password.
        api_password: likewise; by default ``IMBACHAT_API_PASSWORD``.
        api_url: where the widget's script comes from; by default ``IMBACHAT_API_URL``, or else
            ``https://api.imbachat.com``.
        on_event: one callable, or several, told of every event (`ethora_async.engine.events`).
        token_cache_size: how many users' tokens are kept (default 10,000; 0 keeps none).
        clock: where time comes from.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

    def __init__(
        self,
        *,
        widget_id: int | str | None = None,
        secret: str | SecretProvider | None = None,
        api_login: str | None = None,
        api_password: str | None = None,
        api_url: str | None = None,
        on_event: Listener | Sequence[Listener] = (),
        token_cache_size: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        wiring = Wiring(on_event=on_event, clock=clock)
        self._settings = StoredSettings(
            settings.ARGUMENTS,
            {
                settings.WIDGET_ID: _text(widget_id),
                settings.SECRET_KEY: secret if isinstance(secret, str) else None,
                settings.API_LOGIN: api_login,
                settings.API_PASSWORD: api_password,
                settings.API_URL: api_url,
            },
            required=(settings.SECRET_KEY,),
            rotating=settings.ROTATING,
            provider=None if isinstance(secret, str) else secret,
            clock=wiring.clock,
            emitter=wiring.emitter,
        )
        answer = self._settings.peek() if not self._settings.rotates else None
        if answer is not None:
            settings.script_url(answer.current)  # says now what is wrong with it
            settings.warn_of_short(answer.current[settings.SECRET_KEY])
        self.tokens: Tokens = Tokens(
            self._settings, clock=wiring.clock, emitter=wiring.emitter, cache_size=token_cache_size
        )

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A client with its settings from the environment: ``IMBACHAT_SECRET_KEY``, and as far as they are needed
        ``IMBACHAT_WIDGET_ID``, ``IMBACHAT_API_LOGIN``, ``IMBACHAT_API_PASSWORD`` and ``IMBACHAT_API_URL``.

        Where ``IMBACHAT_SECRET_KEY`` is not set and ``ETHORA_SECRETS`` is, everything missing comes from the provider
        that this names. `options` are the constructor's.

        Raises:
            ConfigError: one is not set or empty, or cannot be used.
        """
        urls = os.environ.get("ETHORA_SECRETS", "").strip()
        if urls and not os.environ.get(settings.SECRET_KEY, "").strip():
            return cls.from_secrets(urls, **options)
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Any) -> Self:
        """A client whose secrets come from a provider, or from a provider URL such as
        ``file:///run/secrets/imbachat`` or ``env:?prefix=IMBACHAT_``.

        API login and password are taken from there too, and rotate, unless they are passed in; the other settings
        where neither arguments nor environment have them. While the store still has the values before a rotation, the
        chat server is let in with these as well.

        Raises:
            ConfigError: the URL cannot be used.
        """
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
        """What answers the chat server, to be mounted in a web application.

        Below `prefix` it answers ``?user_ids=1,2``, ``?ids=1,2``, ``/1,2``, ``/users/1,2`` and ``/getusers/1,2``;
        ``/search/TERM`` and ``/searchusers/TERM`` where `search` is given; and, to everybody, the bare prefix with the
        version of the API. Its URL goes into the widget's settings as "Users info URL", with the part before the ids.

        Args:
            lookup: a coroutine function: a list of ids to the users among them, unknown ones left out.
            search: a coroutine function: a text to the users whose names hold it. Off unless given.
            prefix: the path under which it is mounted, where the framework does not take it off.
            separator: what stands between the ids.
            id_pattern: a regular expression for ids that are text; by default ids are positive decimal numbers.
            max_ids: how many may be asked for at once.
            max_found: how many a search finds at the most.

        Raises:
            ConfigError: API login or password is not set, or cannot be used.
        """
        return UserInfoHandler(
            self._settings,
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
        """The HTML that loads the widget, to be put into a page as it stands.

        The page must not be kept by any cache: send it with `ethora_async.platforms.imbachat.widget.NO_STORE`.

        Args:
            token: from `tokens`; None for a guest, where the widget lets guests in.
            options: of the widget: ``language``, ``theme``, ``position``, ``resizable``, ``draggable``, …; any JSON.
            nonce: of the page's Content-Security-Policy.

        Raises:
            InvalidInputError: the token is another platform's, the nonce is none, or the options are no JSON.
            ConfigError: the widget's id is not set, or cannot be used.
        """
        answer = self._settings.peek() or await self._settings.load()
        url = settings.script_url(answer.current)
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
        """Pass when this client could sign a token now: the Secret key is at hand, or was read.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
        """
        await self._settings.load()

    async def aclose(self) -> None:
        """Close the secret provider. May be called more than once."""
        await self._settings.aclose()

    async def __aenter__(self) -> Self:
        try:
            await self._settings.load()
        except BaseException:
            await self.aclose()  # nobody else will: a failed `async with` never reaches its end
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"ImbaChatClient(widget_id={self._settings.fixed(settings.WIDGET_ID)!r})"


def _text(widget_id: object) -> str | None:
    """The widget's id as text."""
    if widget_id is None or isinstance(widget_id, str):
        return widget_id
    if isinstance(widget_id, bool) or not isinstance(widget_id, int):
        msg = f"widget_id must be a whole number, not {type(widget_id).__name__}"
        raise ConfigError(msg)
    return str(widget_id)
