"""`EthoraClient`: a back end's client for one Ethora app.

Each part (`users`, `chats`, `tokens`, …) is imported when it is first used. Many processes use only one or two of them,
and most of the time that an import takes goes into the classes of the parts' records.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self, Unpack

import attrs

from ethora_async.engine.open_requests import RequestsAsUser
from ethora_async.engine.retry import read_date
from ethora_async.engine.wiring import BaseClient, ClientOptions
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora import operations
from ethora_async.platforms.ethora.app_secret import APP_SECRET, AppSecret
from ethora_async.platforms.ethora.auth import ServerCredentials, SigningSecret
from ethora_async.platforms.ethora.context import (
    API_URL,
    APP_ID,
    ARGUMENTS,
    PAGING,
    RESET_LAG,
    OtherAppContext,
    OwnAppContext,
)
from ethora_async.platforms.ethora.realtime.addresses import chat_host
from ethora_async.platforms.ethora.realtime.service import ChatService
from ethora_async.redaction import Secret, WrongType, masked_address, masked_credential, wrapped
from ethora_async.tokens.fixed import FixedCredentials
from ethora_async.tokens.settings import RotatingSettings, passed_provider, provider_of
from ethora_async.tokens.signing_clock import SigningClock
from ethora_async_secrets.lazy import made_once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ethora_async.bulk.report import Report
    from ethora_async.config import Seconds
    from ethora_async.platforms.ethora.apps.api import Apps
    from ethora_async.platforms.ethora.chats.api import Chats
    from ethora_async.platforms.ethora.chats.broadcasts import Broadcasts
    from ethora_async.platforms.ethora.in_app import InApp
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.platforms.ethora.realtime.account import Account
    from ethora_async.platforms.ethora.realtime.connection import Realtime
    from ethora_async.platforms.ethora.sessions.api import Sessions
    from ethora_async.platforms.ethora.sessions.credentials import OnRenewed, SessionCredentials
    from ethora_async.platforms.ethora.sessions.session import Session
    from ethora_async.platforms.ethora.sessions.user_client import UserClient
    from ethora_async.platforms.ethora.tokens import Tokens
    from ethora_async.platforms.ethora.users.api import Users
    from ethora_async.records import ChatToken, Id
    from ethora_async_secrets import SecretProvider

XMPP_HOST = "ETHORA_XMPP_HOST"
XMPP_SERVICE = "ETHORA_XMPP_SERVICE"
BOT_JID = "ETHORA_CHAT_BOT_JID"


class EthoraSettings(ClientOptions, total=False):
    """The options of `EthoraClient.from_secrets`; `EthoraClient` describes them."""

    app_id: str | None
    api_url: str | None
    xmpp_host: str | None
    xmpp_service: str | None
    bot_jid: str | None
    scoped: bool
    legacy_api: bool
    token_cache_size: int


class EthoraOptions(EthoraSettings, total=False):
    """The options of `EthoraClient`; it describes them."""

    secret: str | Secret | SecretProvider | None


@attrs.frozen
class Ping:
    """The platform's answer. `latency` is in seconds; `server_time` is its clock (whole seconds), if it reports it."""

    latency: float
    server_time: float | None
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class EthoraClient(BaseClient, RequestsAsUser["Session | UserClient"]):
    """A back end's client for one Ethora app.

    It is usable at once: the connection opens in the running event loop with the first request, and the client then
    belongs to that loop. End it with ``async with`` or `aclose`. Several clients in one process share nothing.

    Args:
        app_id: the app's id; by default ``ETHORA_CHAT_APP_ID`` from the environment.
        secret: the app secret, or a `SecretProvider` that reads and rotates it, and may also provide the other
            settings; by default the store that ``ETHORA_SECRETS`` names, else ``ETHORA_CHAT_APP_SECRET``. The store is
            read every 30 s, and at once when the platform rejects the token; while it does not answer, its last answer
            is used for up to an hour. A `CachedProvider` keeps its own times.
        api_url: the API's origin; by default ``ETHORA_CHAT_API_URL``. A trailing slash, ``/v1`` or ``/v2`` is left out.
        xmpp_host: for `chats.jid` and `realtime`; by default ``ETHORA_XMPP_HOST``.
        xmpp_service: the address of the chat's websocket, for `realtime`; by default ``ETHORA_XMPP_SERVICE``, else
            ``wss://<xmpp_host>/ws``.
        bot_jid: for `chats.grant_bot`, and as an account that syncs and `reset` never delete; by default
            ``ETHORA_CHAT_BOT_JID``.
        scoped: False signs with the raw secret in place of the key derived from it
            (docs/platforms/ethora.md#signing-keys), for old servers.
        legacy_api: True creates and deletes chats, and sets access, through the guide's ``/chats/`` and
            ``/chat-access/`` (docs/platforms/ethora.md#older-guide), for old servers. The current API has neither.
        token_cache_size: maximum number of cached tokens (default 10,000).
        options: what every client takes; see `ClientOptions`.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

    _ADDRESSES = frozenset({"api_url", "xmpp_host", "xmpp_service"})

    def __init__(
        self,
        *,
        app_id: str | None = None,
        secret: str | Secret | SecretProvider | None = None,
        api_url: str | None = None,
        xmpp_host: str | None = None,
        xmpp_service: str | None = None,
        bot_jid: str | None = None,
        scoped: bool = True,
        legacy_api: bool = False,
        token_cache_size: int = 10_000,
        **options: Unpack[ClientOptions],
    ) -> None:
        secret = masked_credential(secret)
        api_url, xmpp_host, xmpp_service = map(masked_address, (api_url, xmpp_host, xmpp_service))
        super().__init__(options)
        self._operations = operations.LEGACY_APP if legacy_api else operations.OWN_APP
        self._settings = RotatingSettings(
            ARGUMENTS,
            {APP_ID: app_id, API_URL: api_url, APP_SECRET: secret if isinstance(secret, Secret) else None},
            required=ARGUMENTS,
            rotating=(APP_SECRET,),
            provider=passed_provider(secret),
            anchors=(APP_SECRET,),
            clock=self._wiring.clock,
            emitter=self._wiring.emitter,
        )
        self._secret = AppSecret(self._settings, scoped=scoped)
        self._signing_clock = SigningClock(self._wiring.clock)
        self._context = OwnAppContext(
            self._settings,
            self._secret,
            self._connect,
            clock=self._wiring.clock,
            signing_clock=self._signing_clock,
            emitter=self._wiring.emitter,
        )
        RequestsAsUser.__init__(self, self._context.send, PAGING, self._view_of)
        self._xmpp_host = chat_host(_or_variable(xmpp_host, XMPP_HOST))
        self._chat = self._chat_service(xmpp_service)
        self._bot_jid = bot_jid or os.environ.get(BOT_JID, "").strip() or None
        self._legacy_api = legacy_api
        self._token_cache_size = token_cache_size

    @made_once
    def users(self) -> Users:
        """The users of the app."""
        from ethora_async.platforms.ethora.users.api import Users

        return Users(self._context, bot_jid=self._bot_jid)

    @made_once
    def chats(self) -> Chats:
        """The chats of the app, and their members."""
        from ethora_async.platforms.ethora.chats.api import Chats

        kind = Chats
        if self._legacy_api:
            from ethora_async.platforms.ethora.legacy import LegacyChats

            kind = LegacyChats
        return kind(self._context, self.users, xmpp_host=self._xmpp_host, bot_jid=self._bot_jid)

    @made_once
    def tokens(self) -> Tokens:
        """Tokens with which front ends log in."""
        from ethora_async.platforms.ethora.tokens import Tokens

        return Tokens(self._context, cache_size=self._token_cache_size)

    @made_once
    def sessions(self) -> Sessions:
        """Sessions of users: log-in, sign-up, refresh and log-out."""
        from ethora_async.platforms.ethora.sessions.api import Sessions

        return Sessions(self._context)

    @made_once
    def apps(self) -> Apps:
        """The apps of the tenant."""
        from ethora_async.platforms.ethora.apps.api import Apps

        return Apps(self._context)

    @made_once
    def broadcasts(self) -> Broadcasts:
        """Messages to many chats at once."""
        from ethora_async.platforms.ethora.chats.broadcasts import Broadcasts

        return Broadcasts(self._context)

    def _chat_service(self, service: str | Secret | None) -> ChatService:
        wiring = self._wiring
        service = _or_variable(service, XMPP_SERVICE)
        return ChatService(
            wiring.websocket, wiring.clock, timeout=wiring.timeout, service=service, host=self._xmpp_host
        )

    @classmethod
    def from_env(cls, **options: Unpack[EthoraOptions]) -> Self:
        """Return a client with its settings from ``ETHORA_SECRETS`` or the environment, as the constructor reads them.

        Args:
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: a setting is not set or empty, or cannot be used.
        """
        cls._mask(options)
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Unpack[EthoraSettings]) -> Self:
        """Return a client whose settings come from a provider.

        Args:
            provider: a provider, or a provider URL such as ``file:///run/secrets/ethora``.
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: the URL cannot be used.
        """
        provider = masked_credential(provider)
        cls._mask(options)
        return cls(secret=provider_of(provider, (APP_SECRET,)), **options)

    def in_app(self, app_id: str) -> InApp:
        """Return the same operations for another app, a child of this one
        (docs/platforms/ethora.md#which-token-opens-which-route). No request is sent.

        Raises:
            InvalidInputError: the id is empty.
        """
        from ethora_async.platforms.ethora.in_app import InApp
        from ethora_async.records import id_text

        other = id_text(app_id, "app_id")
        return InApp(OtherAppContext(self._context, other, None), other, xmpp_host=self._xmpp_host)

    def as_user(
        self,
        session: Session | None = None,
        *,
        api_key: str | Secret | None = None,
        on_renewed: OnRenewed | None = None,
    ) -> UserClient:
        """Return a client that acts as one user, with a session or an API key. No request is sent.

        Args:
            session: from `sessions`, or rebuilt from stored values.
            api_key: in place of a session; it is never renewed.
            on_renewed: called with every renewed session, to store it; it may be a coroutine function.

        Raises:
            InvalidInputError: there is neither a session nor an API key, or both.
        """
        from ethora_async.platforms.ethora.sessions.session import token_secret
        from ethora_async.platforms.ethora.sessions.user_client import UserClient

        if (session is None) == (api_key is None):
            msg = "pass a session or an api_key, and not both"
            raise InvalidInputError(msg, field="session")
        signer: SessionCredentials | FixedCredentials
        if session is not None:
            signer = self.sessions.signer(session, on_renewed)
        else:
            api_key = token_secret(wrapped(api_key) or "", "api_key")
            signer = FixedCredentials({"Authorization": f"Bearer {api_key.reveal()}"})
        return UserClient(self._context, self.sessions, signer, self._xmpp_host, self._chat)

    def realtime(self, user: Id | ChatToken, *, rooms: Id | Iterable[Id] = (), queue_size: int = 1000) -> Realtime:
        """Return a stream of the events in one user's chats; see `Realtime`. No request is sent before it is entered.

        Args:
            user: The user's id, for whom a token is minted; or an existing token. It is exchanged for a session, which
                is renewed as long as the stream lasts.
            rooms: The chats to enter at the start; `Realtime.subscribe` adds more.
            queue_size: Maximum number of unread events.
        """
        from ethora_async.records import ChatToken

        made: list[UserClient] = []

        async def account() -> Account:
            if not made:
                token = user if isinstance(user, ChatToken) else await self.tokens.for_user(user)
                made.append(self.as_user(await self.sessions.exchange(token)))
            return await made[0].chat_account()

        return self._chat.stream(account, rooms=rooms, queue_size=queue_size)

    @property
    def app_id(self) -> str:
        """The app's id.

        Raises:
            ConfigError: it comes from the secret store, which has not been read yet.
        """
        return self._context.known().app_id

    @property
    def signing_secret(self) -> SigningSecret:
        """The secret that signs now: ``"current"``, or ``"previous"`` or ``"pending"`` if the platform accepted that
        one during a rotation.
        """
        return self._context.app.credentials.signing_secret if self._context.app is not None else "current"

    async def ready(self) -> None:
        """Check that this client could sign a call now: its settings are complete, and the secret is available.

        No request is sent to the platform.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
        """
        await self._context.open()
        await self._secret.load()

    async def ping(self, *, timeout: Seconds | None = None) -> Ping:
        """Check that the platform answers; needs no permission.

        Raises:
            NotSentError, ReplyLostError, ApiError: it did not.
        """
        app = await self._context.open()
        started = self._wiring.clock.monotonic()
        reply = await app.engine.call(operations.PING, credentials=FixedCredentials(), timeout=timeout, decode=None)
        return Ping(
            self._wiring.clock.monotonic() - started, read_date(reply.headers.get("date")), request_id=reply.request_id
        )

    async def reset(self, *, confirm: str, timeout: Seconds = RESET_LAG) -> Report:
        """Empty the app: delete all its users and chats, with their messages. This cannot be undone.

        The platform's own records stay (docs/architecture.md#guards): owner accounts (``owner-…``), bots, widget
        visitors (``widget-…``), and default, 1-1 and widget rooms. Run it while nothing else writes to the app; it may
        be repeated.

        Args:
            confirm: the app's id again.
            timeout: how long to wait, after the last deletion, until listings no longer show deleted records (default
                two minutes).

        Returns:
            A report of what was ``deleted`` and what ``failed``. ``unknown`` records are still listed, although
            the platform reported them as deleted.

        Raises:
            InvalidInputError: `confirm` is not the app's id; nothing was deleted.
            ChatError: continuing is pointless; what has been deleted by then stays deleted.
        """
        from ethora_async.platforms.ethora.reset import reset

        return await reset(self._context, self.users, self.chats, confirm=confirm, timeout=timeout)

    def _view_of(self, user: Session | UserClient) -> UserClient:
        from ethora_async.platforms.ethora.sessions.session import Session
        from ethora_async.platforms.ethora.sessions.user_client import UserClient

        if isinstance(user, UserClient):
            return user
        if not isinstance(user, Session):
            msg = f"as_user must be a session or a client of a user, not {type(user).__name__}"
            raise InvalidInputError(msg, field="as_user")
        return self.as_user(user)

    async def _open(self) -> object:
        return await self._context.open()

    def _closing(self) -> Sequence[Callable[[], Awaitable[object]]]:
        sessions: Sessions | None = vars(self).get("sessions")  # unless nobody has used them
        parts = (self._chat,) if sessions is None else (self._chat, sessions)
        return *(part.aclose for part in parts), self._wiring.aclose, self._settings.aclose

    def __repr__(self) -> str:
        app = self._context.app
        return (
            f"EthoraClient(app_id={app.app_id!r}, api_url={app.api_url!r})" if app else "EthoraClient(not opened yet)"
        )

    def _connect(self, app_id: str, api_url: str) -> App:
        from ethora_async.platforms.ethora.dialect import EthoraDialect
        from ethora_async.platforms.ethora.names import Names
        from ethora_async.platforms.ethora.open_app import App

        credentials = ServerCredentials(
            app_id,
            self._secret,
            clock=self._wiring.clock,
            signing_clock=self._signing_clock,
            emitter=self._wiring.emitter,
        )
        engine = self._wiring.engine(api_url, EthoraDialect(), credentials)
        return App(Names(app_id), engine, credentials, api_url, self._operations)


def _or_variable(argument: str | Secret | None, variable: str) -> Secret:
    """Return the argument, masked, or the environment's value when it is None or empty."""
    if argument or isinstance(argument, WrongType):
        masked: Secret = wrapped(argument)
        return masked
    return Secret(os.environ.get(variable, "").strip())
