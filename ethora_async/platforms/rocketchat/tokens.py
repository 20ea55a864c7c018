"""``rocketchat.tokens``: tokens with which front ends log in (docs/platforms/rocketchat.md#minting-tokens,
#token-lifetime).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from ethora_async import engine
from ethora_async.engine.patience import joined, shared_by_callers
from ethora_async.errors import (
    ApiError,
    ChatError,
    ForbiddenError,
    NotFoundError,
    PrivilegedAccountError,
    ValidationFailedError,
)
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.admin_session import headers_for
from ethora_async.platforms.rocketchat.login import end_session
from ethora_async.platforms.rocketchat.names import RecordId, own
from ethora_async.platforms.rocketchat.token_store import Minted, TokenStore
from ethora_async.protocols import Credential
from ethora_async.records import ChatToken, Id
from ethora_async.redaction import Secret
from ethora_async.tokens.fixed import FixedCredentials
from ethora_async.tokens.rotating import Acceptance, first_accepted
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.platforms.rocketchat.server_info import ServerInfo
    from ethora_async.platforms.rocketchat.settings import CreateTokensSecret
    from ethora_async.tokens.rotating import RotatingKeys

PLATFORM = "rocketchat"

_WITH_SECRET = (8, 0)
"""The first version that requires the secret, and accepts only ``userId`` beside it."""
_FRESH_USER_BUG = "reading 'tokens'"
"""Part of the error with which 7.x fails for a user who was created a moment ago (server bug #40598)."""
_PAUSES = (0.2, 0.5)
"""Seconds before each further attempt."""
_SHARE, _AN_HOUR = 0.1, 3600.0
CHECKED_FOR = 600.0
"""Seconds after which a kept token is not handed out before the server was asked whose name and roles these are now."""
_CHECK_WITHIN, _UNANSWERED_FOR = 5.0, 30.0
"""Seconds that this may take, and for which nobody is checked after the server gave no answer."""
_REMEMBERED = 1_000
"""Number of revoked tokens that are remembered as replaced, until their streams have noticed."""


def margin(lifetime: float) -> float:
    """Return the seconds before its expiry from which a token is replaced: a tenth of its life, at most an hour."""
    return min(lifetime * _SHARE, _AN_HOUR)


class Tokens:
    """Tokens created by the server, one for each user, kept until shortly before they expire.

    Args:
        secrets: the server's ``CREATE_TOKENS_FOR_USERS_SECRET``, which 8.0 and later require, and those that may be
            valid in its place during a rotation.
        own_id: returns the record id of the client's own account.
        cache_size: maximum number of users.
        grace: seconds before a replaced token is revoked.
    """

    def __init__(
        self,
        context: ServerContext,
        server: ServerInfo,
        secrets: RotatingKeys[CreateTokensSecret],
        own_id: Callable[[], Awaitable[str]],
        *,
        cache_size: int,
        grace: float,
    ) -> None:
        self._context = context
        self._server = server
        self._secrets = secrets
        self._own_id = own_id
        # "Forbidden" may also mean a missing permission: calls wait only if a secret was accepted before.
        self._acceptance = Acceptance(rotates=secrets.rotates, clock=context.clock)
        self._store = TokenStore(context.clock, cache_size, grace)
        self._minting: dict[str, SingleFlight[Minted]] = {}
        self._checking: dict[str, SingleFlight[bool]] = {}
        self._unanswered_until = 0.0
        self._ended_meanwhile: dict[str, set[str]] = {}
        self._revoked: deque[Secret] = deque(maxlen=_REMEMBERED)
        self._sweeping = SingleFlight(self._revoke_due)

    async def for_user(self, id: Id, *, renew: bool = False, allow_privileged: bool = False) -> ChatToken:
        """Return the token with which one user's front end logs in; the user must exist.

        It is a session of the user. The server keeps fifty for each user and silently drops the oldest, which logs
        browsers out. So the same token is handed out until a tenth of its life, or an hour, is left, and the one before
        it is revoked after a grace period. Each process counts its own tokens only.

        The name may pass to another account, and the user may become an administrator: every ten minutes the server is
        asked again before the token is handed out. A server that does not answer leaves the token as it is.

        Args:
            id: the user name, taken literally, or a `RecordId`. The account must have exactly this name: the server
                itself would accept ``Alice`` for ``alice``.
            renew: True always creates a new token: for a front end whose token was rejected, because somebody logged
                out with it. The one before is revoked after the grace period.
            allow_privileged: True also creates tokens for administrators, bots, apps and the client's own account.
                Leave it False if the id comes from a request.

        Returns:
            The token; ``extra["userId"]`` is the record id that front ends also need, ``extra["url"]`` the site.

        Raises:
            InvalidInputError: the id cannot be a user name.
            NotFoundError: there is no such user.
            PrivilegedAccountError: the account is an administrator's, a bot's, an app's or the client's own, or the
                admin may not see its roles (the permission ``view-full-other-user-info``).
            ForbiddenError: the secret is wrong, the server lacks it, or the admin lacks ``user-generate-access-token``.
                The server does not say which.
            ConfigError: the server requires a secret, and none is configured.
        """
        name = own(id)
        key = repr(name)
        lifetime = await self._server.token_lifetime()
        if renew:
            self._context.directory.forget_user(name)
            self._store.retire(key)
        token = self._store.get(key)
        if token is None or token.age(self._context.clock) >= lifetime - margin(lifetime):
            token = await self._minted(key, name, allow_privileged)
        elif token.privileged and not allow_privileged:
            raise _privileged(str(name))
        elif token.unchecked_for(self._context.clock) >= CHECKED_FOR:
            token = await self._checked(key, name, token, allow_privileged)
        self._sweep()
        api = await self._context.open()
        ends = token.asked_at + lifetime
        return ChatToken(
            secret=token.secret,
            user_id=str(name),
            expires_at=ends,
            refresh_at=ends - margin(lifetime),
            platform=PLATFORM,
            extra={"userId": token.user_id, "url": api.url},
            request_id=token.request_id,
        )

    async def revoke(self, token: ChatToken) -> bool:
        """Revoke one token now: a log-out with the token itself, which does not affect the user's other sessions.

        Returns:
            False if it had already ended.

        Raises:
            NotFoundError: the token does not name its user, and the user is gone.
            ChatError: it could not be revoked.
        """
        api = await self._context.open()
        stated = token.extra.get("userId")
        user_id = stated if isinstance(stated, str) else await self._context.directory.user_id(api, token.user_id)
        self._store.drop(token.secret)
        return await end_session(api, FixedCredentials(headers_for(user_id, token.secret.reveal())))

    def forget(self, user_id: str) -> None:
        """Stop handing out this user's tokens: they have all ended. `user_id` is the record id.

        A token that is being created now may have been created before they ended: it is created again.
        """
        self._store.drop_user(user_id)
        for ended in self._ended_meanwhile.values():
            ended.add(user_id)

    def has_replaced(self, secret: Secret) -> bool:
        """Return whether this token was ended because `for_user` has created another one for the same user."""
        return secret in self._revoked

    async def aclose(self) -> None:
        """Cancel pending requests."""
        for flight in list(self._minting.values()):
            await flight.aclose()
        for check in list(self._checking.values()):
            await check.aclose()
        await self._sweeping.aclose()

    async def _checked(self, key: str, name: str, token: Minted, allow_privileged: bool) -> Minted:
        """Return the token after checking that the name still belongs to its user, and the user's rights.

        If the server does not answer, the token is kept: an outage logs nobody out.
        """
        if self._context.clock.monotonic() < self._unanswered_until:
            return token
        flight = self._checking.get(key)
        if flight is None:
            flight = self._checking[key] = SingleFlight(lambda: self._check(key, name, token))
        same = await joined(flight, self._context.clock)
        if not same:
            return await self._minted(key, name, allow_privileged)
        if token.privileged and not allow_privileged:
            raise _privileged(str(name))
        return token

    async def _check(self, key: str, name: str, token: Minted) -> bool:
        """Return whether the name still belongs to the token's user."""
        clock = self._context.clock
        try:
            api = await self._context.open()
            account = await self._context.directory.account(api, name, fresh=True, timeout=_CHECK_WITHIN)
            privileged = account.privileged or account.id == await self._own_id()
        except NotFoundError:
            self._store.retire(key)
            raise
        except ChatError:
            self._unanswered_until = clock.monotonic() + _UNANSWERED_FOR
            return True
        finally:
            self._checking.pop(key, None)
        if account.id != token.user_id:
            self._store.retire(key)
            return False
        token.privileged = privileged
        token.check(clock)
        return True

    async def _minted(self, key: str, name: str, allow_privileged: bool) -> Minted:
        # A caller that may not have such a token must not wait for one that somebody else may have.
        flying = f"{key} {allow_privileged}"
        flight = self._minting.get(flying)
        if flight is None:
            flight = SingleFlight(lambda: self._mint(key, flying, name, allow_privileged))
            self._minting[flying] = flight
        return await joined(flight, self._context.clock)

    async def _mint(self, key: str, flying: str, name: str, allow_privileged: bool) -> Minted:
        ended = self._ended_meanwhile[flying] = set()
        try:
            token = await self._made(name, allow_privileged)
            while token.user_id in ended:
                ended.clear()
                token = await self._made(name, allow_privileged)
            self._store.put(key, token)
        finally:
            # Later callers find the token in the store, or try again.
            self._minting.pop(flying, None)
            self._ended_meanwhile.pop(flying, None)
        if self._context.emitter.wanted:
            self._context.emitter.emit(engine.TokenRefreshed("client", token.user_id))
        return token

    async def _made(self, name: str, allow_privileged: bool) -> Minted:
        api = await self._context.open()
        whose = await self._account(api, name, allow_privileged)
        try:
            return await self._ask(api, whose)
        except NotFoundError:
            if isinstance(name, RecordId):
                raise
            # If the user was deleted and created again a moment ago, the record id is another.
            fresh = await self._account(api, name, allow_privileged)
            if fresh == whose:
                raise
            return await self._ask(api, fresh)
        except ValidationFailedError as error:
            # If the server was upgraded in the meantime, it requires the other form.
            known = await self._server.version()
            self._server.forget_version()
            if error.code not in ("invalid-params", "error-user-param-not-provided") or (
                await self._server.version() == known
            ):
                raise
            return await self._ask(api, whose)

    async def _account(self, api: Api, name: str, allow_privileged: bool) -> _Whose:
        # Read again for every token: the user may have been renamed, or made an administrator.
        account = await self._context.directory.account(api, name, fresh=True)
        privileged = account.privileged or account.id == await self._own_id()
        if privileged and not allow_privileged:
            raise _privileged(account.username)
        return _Whose(account.id, privileged)

    async def _ask(self, api: Api, whose: _Whose) -> Minted:
        if await self._server.version() < _WITH_SECRET:
            return await self._create(api, whose, {"userId": whose.id})

        async def with_secret(one: CreateTokensSecret) -> Minted:
            return await self._create(api, whose, {"userId": whose.id, "secret": one.secret})

        return await first_accepted(
            self._secrets,
            self._acceptance,
            with_secret,
            rejection=ForbiddenError,
            clock=self._context.clock,
            timeout=api.timeout,
        )

    async def _create(self, api: Api, whose: _Whose, body: Mapping[str, str | Secret]) -> Minted:
        clock = self._context.clock
        for wait in (*_PAUSES, None):
            # Before the request: the server counts from a later time.
            asked_at, asked_monotonic = clock.now(), clock.monotonic()
            try:
                reply = await api.call(operations.CREATE_TOKEN, data=body)
            except ApiError as error:
                if wait is None or _FRESH_USER_BUG not in error.message:
                    raise
                await clock.sleep(wait)
                continue
            token = _read_token(reply.data)
            if token is None:
                msg = "the platform's reply has an unexpected shape: no data.authToken"
                raise reply.origin.lost(msg)
            return Minted(
                whose.id,
                token,
                asked_at,
                asked_monotonic,
                privileged=whose.privileged,
                request_id=reply.request_id,
            )
        raise AssertionError  # the last round returns or raises

    def _sweep(self) -> None:
        if self._store.any_due():
            with shared_by_callers():
                self._sweeping.start()

    async def _revoke_due(self) -> None:
        api = await self._context.open()
        for token in self._store.due():
            self._revoked.append(token.secret)
            try:
                await end_session(api, FixedCredentials(headers_for(token.user_id, token.secret.reveal())))
            except ChatError:
                continue  # best effort: it expires by itself


@attrs.frozen
class _Whose:
    """The user of a token: the record id, and whether the account is privileged."""

    id: str
    privileged: bool


class UserCredentials:
    """Signs as one user, with their token from `Tokens`; a rejected token is replaced once by a new one."""

    def __init__(self, tokens: Tokens, user: Id, *, allow_privileged: bool = False) -> None:
        self._tokens = tokens
        self._user = user
        self._allow_privileged = allow_privileged
        self._credential: Credential | None = None
        self._until = 0.0
        self._renewals = 0

    def peek(self) -> Credential | None:
        """Return None: `Tokens` knows whether tokens are valid, and answers from memory."""
        return None

    async def acquire(self) -> Credential:
        """Return the user's token.

        Raises:
            ChatError: see `Tokens.for_user`.
        """
        return self._made(await self._token())

    def accepted(self, credential: Credential) -> None:
        """Do nothing: there is no choice to remember."""

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:  # noqa: ARG002
        """Return a new token, unless a new one has been rejected too."""
        current = self._made(await self._token())
        if current.key not in tried:
            return current
        if len(tried) > 1:
            return None
        return self._made(await self._token(renew=True))

    def may_change(self) -> bool:
        """Return False: waiting brings nothing that `replace` could not get."""
        return False

    async def _token(self, *, renew: bool = False) -> ChatToken:
        return await self._tokens.for_user(self._user, renew=renew, allow_privileged=self._allow_privileged)

    def _made(self, token: ChatToken) -> Credential:
        headers = token_headers(token)
        known = self._credential
        if known is None or known.headers != headers:
            self._renewals += 1
            known = self._credential = Credential(headers, f"token {self._renewals}")
        return known


def token_headers(token: ChatToken) -> Mapping[str, str]:
    """Return the headers that sign a request with a user's token."""
    return headers_for(str(token.extra.get("userId") or ""), token.secret.reveal())


def _privileged(name: str) -> PrivilegedAccountError:
    msg = (
        f"{name!r} is an administrator, a bot, an app or this client's own account, or its roles are not shown:"
        " to create a token for it anyway, pass allow_privileged=True (--allow-privileged of ethora token)"
    )
    return PrivilegedAccountError(msg)


def _read_token(data: object) -> Secret | None:
    # Raises nothing: its frame holds the token in clear.
    inner = data.get("data") if isinstance(data, dict) else None
    value = inner.get("authToken") if isinstance(inner, dict) else None
    return Secret(value) if isinstance(value, str) and value else None
