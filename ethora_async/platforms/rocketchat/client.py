"""`RocketChatClient`: a back end's client for one Rocket.Chat server."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, Unpack
from weakref import WeakSet

import attrs

from ethora_async.config import Seconds, seconds
from ethora_async.engine.open_requests import RequestsAsUser
from ethora_async.engine.patience import patiently, shared_by_callers
from ethora_async.engine.wiring import BaseClient, ClientOptions
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.platforms.rocketchat import operations, settings
from ethora_async.platforms.rocketchat.admin_session import AdminSession, Login
from ethora_async.platforms.rocketchat.api import NOBODY, Api, Shared
from ethora_async.platforms.rocketchat.context import PAGING, AdminContext, UserContext
from ethora_async.platforms.rocketchat.dialect import RocketChatDialect
from ethora_async.platforms.rocketchat.directory import Directory
from ethora_async.platforms.rocketchat.embedding import Embedding
from ethora_async.platforms.rocketchat.login import end_session, log_in
from ethora_async.platforms.rocketchat.messages import Messages
from ethora_async.platforms.rocketchat.names import lookup, own
from ethora_async.platforms.rocketchat.personal_tokens import PersonalTokens
from ethora_async.platforms.rocketchat.rooms import Rooms
from ethora_async.platforms.rocketchat.route_limits import RouteLimits
from ethora_async.platforms.rocketchat.server import Server
from ethora_async.platforms.rocketchat.server_info import ServerInfo, read_version
from ethora_async.platforms.rocketchat.tokens import Tokens, UserCredentials, token_headers
from ethora_async.platforms.rocketchat.two_factor import EmailCode, Factors
from ethora_async.platforms.rocketchat.user_client import UserClient
from ethora_async.platforms.rocketchat.users import Users
from ethora_async.records import ChatToken, required_text
from ethora_async.redaction import Secret, masked_address, masked_argument, masked_credential
from ethora_async.tokens.fixed import FixedCredentials
from ethora_async.tokens.rotating import RotatingKeys
from ethora_async.tokens.settings import provider_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ethora_async.platforms.rocketchat.realtime.connection import Realtime
    from ethora_async.platforms.rocketchat.settings import Admin
    from ethora_async.protocols import Credential, Credentials
    from ethora_async.records import Id
    from ethora_async.tokens.rotating import KeyRing
    from ethora_async.tokens.settings import Values
    from ethora_async_secrets import SecretProvider

_FAREWELL = 5.0
"""Seconds allowed for ending the admin's session."""


@attrs.frozen
class Ping:
    """The server's answer. `latency` is in seconds, `version` its major and minor version."""

    latency: float
    version: tuple[int, int]
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class RocketChatSettings(ClientOptions, total=False):
    """The options of `RocketChatClient.from_secrets`; `RocketChatClient` describes them."""

    url: str | None
    user: str | None
    password: str | Secret | None
    user_id: str | None
    token: str | Secret | None
    create_tokens_secret: str | Secret | None
    totp_secret: str | Secret | None
    email_code: EmailCode | None
    token_cache_size: int
    token_grace: Seconds


class RocketChatOptions(RocketChatSettings, total=False):
    """The options of `RocketChatClient`; it describes them."""

    secret: str | Secret | SecretProvider | None


class RocketChatClient(BaseClient, RequestsAsUser["Id | ChatToken | UserClient"]):
    """A back end's client for one Rocket.Chat server, used as an admin or a bot with an admin's permissions.

    It is usable at once: the connection opens in the running event loop with the first request, and the client then
    belongs to that loop. End it with ``async with`` or `aclose`, which also ends the session that it logged in.

    Args:
        url: the server's address, with its sub-path if it has one; by default ``ROCKETCHAT_URL`` from the environment.
        user, password: the admin's; by default ``ROCKETCHAT_USER`` and ``ROCKETCHAT_PASSWORD``. With a personal access
        token, the password alone serves as second factor if the server requires one. user_id, token: a personal access
            token in their place, which never expires; by default ``ROCKETCHAT_USER_ID`` and ``ROCKETCHAT_TOKEN``.
        create_tokens_secret: the server's ``CREATE_TOKENS_FOR_USERS_SECRET``, which 8.0 and later require for `tokens`;
            by default ``ROCKETCHAT_CREATE_TOKENS_SECRET``.
        totp_secret: base32, for an admin with two-factor authentication; by default ``ROCKETCHAT_TOTP_SECRET``.
        email_code: returns the code that the server has sent by e-mail; called with the name of the operation that
            needs it. It may be a coroutine function.
        secret: a `SecretProvider` that reads and rotates all of these; or, as text, the token if `user_id` is given,
            else the password. By default the store that ``ETHORA_SECRETS`` names.
        token_cache_size: maximum number of cached tokens (default 10,000).
        token_grace: time before a replaced token is revoked (default 5 minutes).
        options: what every client takes; see `ClientOptions`.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

    _ADDRESSES = frozenset({"url"})
    _CREDENTIALS = frozenset({"secret", "password", "token", "create_tokens_secret", "totp_secret"})

    def __init__(
        self,
        *,
        url: str | None = None,
        user: str | None = None,
        password: str | Secret | None = None,
        user_id: str | None = None,
        token: str | Secret | None = None,
        create_tokens_secret: str | Secret | None = None,
        totp_secret: str | Secret | None = None,
        email_code: EmailCode | None = None,
        secret: str | Secret | SecretProvider | None = None,
        token_cache_size: int = 10_000,
        token_grace: Seconds = 300.0,
        **options: Unpack[ClientOptions],
    ) -> None:
        secret, url = masked_credential(secret), masked_address(url)
        password, token = masked_argument(password), masked_argument(token)
        create_tokens_secret, totp_secret = masked_argument(create_tokens_secret), masked_argument(totp_secret)
        super().__init__(options)
        self._email_code = email_code
        by_name = {
            settings.URL: url,
            settings.USER: user,
            settings.PASSWORD: password,
            settings.USER_ID: user_id,
            settings.TOKEN: token,
            settings.CREATE_TOKENS_SECRET: create_tokens_secret,
            settings.TOTP_SECRET: totp_secret,
        }
        told: dict[str, Any] = {"clock": self._wiring.clock, "emitter": self._wiring.emitter}
        self._settings = settings.rotating(by_name, secret, **told)
        admin = RotatingKeys(self._settings, settings.ADMIN, settings.admin_of)
        self._session = AdminSession(admin, self._log_in, **told)
        self._context = AdminContext(self._settings, self._connect, Directory(self._wiring.clock), **told)
        RequestsAsUser.__init__(self, self._context.send, PAGING, self._view_of)
        self._streams: WeakSet[Realtime] = WeakSet()
        self._server = ServerInfo(self._context)
        self.tokens: Tokens = Tokens(
            self._context,
            self._server,
            RotatingKeys(self._settings, (settings.CREATE_TOKENS_SECRET,), settings.create_tokens_secret_of),
            self._own_id,
            cache_size=token_cache_size,
            grace=seconds(token_grace, "token_grace"),
        )
        self.users: Users = Users(self._context, self.tokens.forget)
        self.chats: Rooms = Rooms(self._context)
        self.messages: Messages = Messages(self._context)
        self.personal_tokens: PersonalTokens = PersonalTokens(self._context)
        self.server: Server = Server(self._context)

    @classmethod
    def from_env(cls, **options: Unpack[RocketChatOptions]) -> Self:
        """Return a client with its settings from ``ETHORA_SECRETS`` or the environment, as the constructor reads them.

        Args:
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: a setting is not set or empty, or cannot be used.
        """
        cls._mask(options)
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Unpack[RocketChatSettings]) -> Self:
        """Return a client whose settings come from a provider.

        Args:
            provider: a provider, or a provider URL such as ``file:///run/secrets/chat`` or ``env:?prefix=ROCKETCHAT_``.
            options: the constructor's; each replaces the setting of its name.

        Raises:
            ConfigError: the URL cannot be used.
        """
        provider = masked_credential(provider)
        cls._mask(options)
        return cls(secret=provider_of(provider, ()), **options)

    async def logout(self, user: Id) -> None:
        """End all sessions of one user, their personal access tokens included, wherever they are logged in.

        Raises:
            NotFoundError: there is no such user.
            InvalidInputError: it is this client's own admin: logging out would end its own credentials.
            ForbiddenError: the admin lacks the permission ``logout-other-user``.
        """
        api = await self._context.open()
        user_id = await self._context.directory.user_id(api, user, fresh=True)
        # Without the id, the route would log the caller out: it is always sent (docs/platforms/rocketchat.md#users).
        await self._signed_in()
        if user_id == self._session.user_id:
            msg = f"{lookup(user)!r} is the admin account of this client: logging out would end its own credentials"
            raise InvalidInputError(msg, field="user")
        self.tokens.forget(user_id)
        try:
            await api.call(operations.LOGOUT_USER, data={"userId": user_id})
        finally:
            # Sessions opened during the request may have been opened just before it ended them.
            self.tokens.forget(user_id)

    def forget_names(self) -> None:
        """Look up user and room names anew from now on.

        A name that was looked up is trusted for a minute. Call this when somebody else may have deleted a user or a
        room and created one of the same name since.
        """
        self._context.directory.forget_all()

    async def _own_id(self) -> str:
        await self._signed_in()
        return self._session.user_id or ""

    async def _signed_in(self) -> None:
        await patiently(self._session.acquire, self._wiring.clock)

    def as_user(self, user: Id | ChatToken, *, allow_privileged: bool = False) -> UserClient:
        """Return a client that acts as one user: rooms, messages and events. No request is sent.

        Args:
            user: the user name or `RecordId`, for whom `tokens` creates a token; or an existing token.
            allow_privileged: see `tokens.for_user`.
        """
        signer: Credentials
        if isinstance(user, ChatToken):
            signer = FixedCredentials(token_headers(user))
        else:
            signer = UserCredentials(self.tokens, own(user), allow_privileged=allow_privileged)
        return UserClient(UserContext(self._context, signer))

    def realtime(
        self,
        user: Id | ChatToken,
        *,
        rooms: Id | Iterable[Id] = (),
        queue_size: int = 1000,
        allow_privileged: bool = False,
    ) -> Realtime:
        """Return a stream of the events in one user's rooms; see `Realtime`. No request is sent before it is entered.

        Args:
            user: the user name or `RecordId`, for whom `tokens` creates a token; or an existing token, which is never
                replaced.
            rooms: the rooms to subscribe to at the start; `Realtime.subscribe` adds more.
            queue_size: maximum number of unread events.
            allow_privileged: see `tokens.for_user`.
        """
        from ethora_async.platforms.rocketchat.realtime.connection import Realtime
        from ethora_async.platforms.rocketchat.realtime.login_token import RealtimeToken

        stream = Realtime(
            self._context,
            RealtimeToken(self.tokens, user, allow_privileged=allow_privileged),
            self._wiring.websocket,
            rooms=rooms,
            queue_size=queue_size,
            timeout=self._wiring.timeout,
        )
        self._streams.add(stream)
        return stream

    async def embedding(self) -> Embedding:
        """Addresses and scripts for embedding rooms in your pages; see `Embedding`."""
        return Embedding((await self._context.open()).url)

    async def ready(self) -> None:
        """Check that this client could sign a call now: it has a session or a token, or can log in.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
            NotSentError, ReplyLostError, ApiError: the log-in failed.
        """
        await self._context.open()
        await self._signed_in()

    async def ping(self, *, timeout: Seconds | None = None) -> Ping:
        """Read the server's version; needs no permission.

        Raises:
            NotSentError, ReplyLostError, ApiError: there was no answer.
        """
        api = await self._context.open()
        started = self._wiring.clock.monotonic()
        reply = await api.call(operations.SERVER_INFO, credentials=NOBODY, timeout=timeout)
        return Ping(self._wiring.clock.monotonic() - started, read_version(reply.data), request_id=reply.request_id)

    async def send_email_code(self, user: str) -> None:
        """Request a new e-mail code for the second factor, for an `email_code` function that received none.

        Args:
            user: the user name or e-mail address. The server does not say whether there is such a user.
        """
        api = await self._context.open()
        data = {"emailOrUsername": required_text(user, "user")}
        await api.call(operations.SEND_EMAIL_CODE, data=data, credentials=NOBODY)

    def _view_of(self, user: Id | ChatToken | UserClient) -> UserClient:
        return user if isinstance(user, UserClient) else self.as_user(user)

    async def _open(self) -> object:
        return await self._context.open()

    def _closing(self) -> Sequence[Callable[[], Awaitable[object]]]:
        return self._end_sessions, self._wiring.aclose, self._settings.aclose

    def __repr__(self) -> str:
        api = self._context.api
        return f"RocketChatClient(url={api.url!r})" if api else "RocketChatClient(not opened yet)"

    async def _end_sessions(self) -> None:
        """Close streams, cancel pending tokens, and end the session that was opened here."""
        for stream in list(self._streams):
            await stream.aclose()
        await self.tokens.aclose()
        await self._server.aclose()
        await self._say_farewell(await self._session.aclose())

    async def _say_farewell(self, credential: Credential | None) -> None:
        api = self._context.api
        if credential is None or api is None:
            return
        with suppress(ChatError), shared_by_callers():  # nobody waits long for this
            await end_session(api, FixedCredentials(credential.headers), timeout=_FAREWELL)

    async def _log_in(self, admin: Admin, ring: KeyRing[Admin]) -> Login:
        return await log_in(await self._context.open(), admin, self._factors_of(ring.settings.current))

    def _factors(self) -> Factors:
        version = self._settings.peek()
        return Factors(email_code=self._email_code) if version is None else self._factors_of(version.current)

    def _factors_of(self, values: Values) -> Factors:
        return Factors(
            totp_secret=settings.masked(values, settings.TOTP_SECRET),
            password=settings.masked(values, settings.PASSWORD),
            email_code=self._email_code,
        )

    def _connect(self, url: str) -> Api:
        dialect = RocketChatDialect(self._wiring.clock)
        engine = self._wiring.engine(url, dialect, self._session)
        return Api(
            url=url,
            engine=engine,
            dialect=dialect,
            clock=self._wiring.clock,
            timeout=self._wiring.timeout,
            shared=Shared(RouteLimits(self._wiring.clock)),
            session=self._session,
            factors=self._factors,
        )
