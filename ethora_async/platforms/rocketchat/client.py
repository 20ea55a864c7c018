"""`RocketChatClient`: everything that a back end does with one Rocket.Chat server."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import attrs

from ethora_async.config import Limits, RetryPolicy, Seconds, seconds
from ethora_async.engine.wiring import Wiring
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.platforms.rocketchat import operations, settings
from ethora_async.platforms.rocketchat.admin_session import AdminSession, Login
from ethora_async.platforms.rocketchat.api import NOBODY, Api, Shared
from ethora_async.platforms.rocketchat.context import OwnContext, UserContext
from ethora_async.platforms.rocketchat.dialect import RocketChatDialect
from ethora_async.platforms.rocketchat.directory import Directory
from ethora_async.platforms.rocketchat.embedding import Embedding
from ethora_async.platforms.rocketchat.login import end_session, log_in
from ethora_async.platforms.rocketchat.messages import Messages
from ethora_async.platforms.rocketchat.names import plain
from ethora_async.platforms.rocketchat.rooms import Rooms
from ethora_async.platforms.rocketchat.route_limits import RouteLimits
from ethora_async.platforms.rocketchat.server_info import ServerInfo, read_version
from ethora_async.platforms.rocketchat.tokens import Tokens, UserCredentials, token_headers
from ethora_async.platforms.rocketchat.two_factor import EmailCode, Factors
from ethora_async.platforms.rocketchat.user_client import UserClient
from ethora_async.platforms.rocketchat.users import Users
from ethora_async.records import ChatToken, required_text
from ethora_async.tokens.fixed import FixedCredentials
from ethora_async.tokens.stored import provider_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from ethora_async.engine.events import Listener
    from ethora_async.platforms.rocketchat.realtime.connection import Realtime
    from ethora_async.platforms.rocketchat.settings import Admin, Ring
    from ethora_async.protocols import Clock, Credential, Credentials, Transport
    from ethora_async.records import Id
    from ethora_async.redaction import Secret
    from ethora_async_secrets import SecretProvider

_FAREWELL = 5.0
"""Seconds that the end of the admin's session may take."""


@attrs.frozen
class Ping:
    """The server answered. `latency` is in seconds, `version` its major and minor version."""

    latency: float
    version: tuple[int, int]


class RocketChatClient:
    """A back end's client for one Rocket.Chat server, asked as an admin or a bot with an admin's permissions.

    It is usable at once: the connection opens in the running event loop with the first request, and the client then
    belongs to that loop. End it with ``async with`` or `aclose`, which also ends the session that it logged in.

    Args:
        url: the server's address, with its sub-path if it has one; by default ``ROCKETCHAT_URL`` from the environment.
        user, password: the admin's; by default ``ROCKETCHAT_USER`` and ``ROCKETCHAT_PASSWORD``. With a personal access
            token, the password alone serves as second factor where the server asks for it.
        user_id, token: a personal access token in their place, which never expires; by default ``ROCKETCHAT_USER_ID``
            and ``ROCKETCHAT_TOKEN``.
        create_tokens_secret: the server's ``CREATE_TOKENS_FOR_USERS_SECRET``, which 8.0 and later want for
            `tokens`; by default ``ROCKETCHAT_CREATE_TOKENS_SECRET``.
        totp_secret: base32, for an admin with two-factor authentication; by default ``ROCKETCHAT_TOTP_SECRET``.
        email_code: called for the code that the server has sent by e-mail, with the name of the operation that needs
            it; it may be a coroutine function. For calls, and for the log-in.
        secret: reads and rotates all of these; see `from_secrets`.
        timeout: for a whole call: queueing, signing, all attempts and the waits between them (default 30 s).
        limits: how much to send at once.
        retry: how often and how patiently to try again.
        transport: anything that satisfies `ethora_async.protocols.Transport`, in place of aiohttp. It is closed with
            the client.
        proxy, trust_env, verify, cert: see `ethora_async.transport.AiohttpTransport`.
        on_event: one callable, or several, told of every event (`ethora_async.engine.events`).
        token_cache_size: how many users' tokens are kept (default 10,000).
        token_grace: for how long a replaced token lives on before it is revoked (default 5 minutes).
        clock: where time comes from.

    Raises:
        ConfigError: a setting is missing, empty or cannot be used; the text names it and where it was looked for.
    """

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
        secret: SecretProvider | None = None,
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
        token_grace: Seconds = 300.0,
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
        self._email_code = email_code
        stated = {
            settings.URL: url,
            settings.USER: user,
            settings.PASSWORD: password,
            settings.USER_ID: user_id,
            settings.TOKEN: token,
            settings.CREATE_TOKENS_SECRET: create_tokens_secret,
            settings.TOTP_SECRET: totp_secret,
        }
        # Beside a store the environment holds no secrets of ours: those would keep rotations out.
        given = settings.given_settings(stated, settings.NAMES if secret is None else (settings.URL,))
        told: dict[str, Any] = {"clock": self._wiring.clock, "emitter": self._wiring.emitter}
        self._settings = settings.Settings(given, secret, **told)
        self._session = AdminSession(self._settings, self._log_in, **told)
        self._context = OwnContext(self._settings, self._connect, Directory(), **told)
        self._streams: WeakSet[Realtime] = WeakSet()
        self._server = ServerInfo(self._context)
        self.tokens: Tokens = Tokens(
            self._context,
            self._server,
            self._create_tokens_secrets,
            cache_size=token_cache_size,
            grace=seconds(token_grace, "token_grace"),
        )
        self.users: Users = Users(self._context, self.tokens.forget)
        self.chats: Rooms = Rooms(self._context)
        self.messages: Messages = Messages(self._context)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A client with ``ROCKETCHAT_URL``, ``ROCKETCHAT_USER`` and ``ROCKETCHAT_PASSWORD`` (or ``ROCKETCHAT_USER_ID``
        and ``ROCKETCHAT_TOKEN``) from the environment. `options` are the constructor's.

        Raises:
            ConfigError: one is not set or empty.
        """
        return cls(**options)

    @classmethod
    def from_secrets(cls, provider: SecretProvider | str, **options: Any) -> Self:
        """A client whose credentials come from a provider, or from a provider URL such as ``file:///run/secrets/chat``.

        The bundle's names are those of the environment. What rotates is picked up: a rejected session or token reads
        the store again. The server's address may come from the arguments or the environment instead. The URL for the
        environment is ``env:?prefix=ROCKETCHAT_``.

        Raises:
            ConfigError: the URL cannot be used.
        """
        return cls(secret=provider_of(provider, ()), **options)

    async def logout(self, user: Id) -> None:
        """End all sessions of one user, their personal access tokens included, wherever they are logged in.

        Raises:
            NotFoundError: there is no such user.
            InvalidInputError: it is the admin whom this client asks as: that would end its own credentials.
            ForbiddenError: the admin lacks the permission ``logout-other-user``.
        """
        api = await self._context.open()
        user_id = await self._context.directory.user_id(api, user)
        # Without the id, the route would log the caller out: it is never left to a default
        # (docs/platforms/rocketchat.md#users).
        await self._session.acquire()
        if user_id == self._session.user_id:
            msg = f"{plain(user)!r} is the admin whom this client asks as: logging out would end its own credentials"
            raise InvalidInputError(msg, field="user")
        self.tokens.forget(user_id)
        try:
            await api.call(operations.LOGOUT_USER, data={"userId": user_id})
        finally:
            # Those made while the server was being asked may have been made just before it ended them.
            self.tokens.forget(user_id)

    def as_user(self, user: Id | ChatToken) -> UserClient:
        """What one user sees and does: their rooms, messages and events. No request is made.

        Args:
            user: the user name or `RecordId`, for whom `tokens` makes a token; or a token that is at hand.
        """
        signer: Credentials
        if isinstance(user, ChatToken):
            signer = FixedCredentials(token_headers(user))
        else:
            signer = UserCredentials(self.tokens, plain(user))
        return UserClient(UserContext(self._context, signer))

    def realtime(self, user: Id | ChatToken, *, rooms: Id | Iterable[Id] = (), queue_size: int = 1000) -> Realtime:
        """What happens in one user's rooms, as it happens; see `Realtime`. No request is made before it is entered.

        Args:
            user: the user name or `RecordId`, for whom `tokens` makes a token; or a token that is at hand, which is
                never replaced.
            rooms: whose messages to get from the start; `Realtime.subscribe` adds more.
            queue_size: how many events may wait to be read.
        """
        from ethora_async.platforms.rocketchat.realtime.connection import Realtime
        from ethora_async.platforms.rocketchat.realtime.login_token import RealtimeToken

        stream = Realtime(
            self._context,
            RealtimeToken(self.tokens, user),
            self._wiring.websocket,
            rooms=rooms,
            queue_size=queue_size,
            timeout=self._wiring.timeout,
        )
        self._streams.add(stream)
        return stream

    async def embedding(self) -> Embedding:
        """Addresses and scripts for showing rooms in a page of yours; see `Embedding`."""
        return Embedding((await self._context.open()).url)

    async def ready(self) -> None:
        """Pass when this client could sign a call now: it has a session or a token, or could log in.

        Raises:
            ConfigError: the secret store cannot be read, or a setting is missing.
            NotSentError, ReplyLostError, ApiError: the log-in failed.
        """
        await self._context.open()
        await self._session.acquire()

    async def ping(self, *, timeout: Seconds | None = None) -> Ping:
        """Ask the server for its version; needs no right.

        Raises:
            NotSentError, ReplyLostError, ApiError: there was no answer.
        """
        api = await self._context.open()
        started = self._wiring.clock.monotonic()
        reply = await api.call(operations.SERVER_INFO, credentials=NOBODY, timeout=timeout)
        return Ping(self._wiring.clock.monotonic() - started, read_version(reply.data))

    async def send_email_code(self, user: str) -> None:
        """Have the server send a new code for the second factor by e-mail: for an `email_code` that got none.

        Args:
            user: the user name or e-mail address. The server does not tell whether there is such a user.
        """
        api = await self._context.open()
        data = {"emailOrUsername": required_text(user, "user")}
        await api.call(operations.SEND_EMAIL_CODE, data=data, credentials=NOBODY)

    async def aclose(self) -> None:
        """End the session that was logged in, close connections and the secret provider.

        May be called more than once.
        """
        try:
            for stream in list(self._streams):
                await stream.aclose()
            await self.tokens.aclose()
            await self._server.aclose()
            await self._say_farewell(await self._session.aclose())
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
        api = self._context.api
        return f"RocketChatClient(url={api.url!r})" if api else "RocketChatClient(not opened yet)"

    async def _say_farewell(self, credential: Credential | None) -> None:
        api = self._context.api
        if credential is None or api is None:
            return
        with suppress(ChatError):
            await end_session(api, FixedCredentials(credential.headers), timeout=_FAREWELL)

    async def _log_in(self, admin: Admin, ring: Ring) -> Login:
        return await log_in(await self._context.open(), admin, self._factors_of(ring))

    async def _create_tokens_secrets(self, refused: bool) -> list[Secret]:
        return await self._settings.candidates(settings.CREATE_TOKENS_SECRET, refused=refused)

    def _factors(self) -> Factors:
        ring = self._settings.peek()
        return Factors(email_code=self._email_code) if ring is None else self._factors_of(ring)

    def _factors_of(self, ring: Ring) -> Factors:
        return Factors(
            totp_secret=self._settings.secret(settings.TOTP_SECRET, ring.bundle),
            password=self._settings.secret(settings.PASSWORD, ring.bundle),
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
