"""Credentials of the admin: a personal access token, or a session that the client opens once.

See docs/platforms/rocketchat.md#log-in.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from ethora_async import engine
from ethora_async.engine.patience import joined
from ethora_async.errors import ChatError, ConfigError, ForbiddenError, UnauthorizedError
from ethora_async.platforms.rocketchat.settings import Admin
from ethora_async.protocols import Credential
from ethora_async.tokens.rotating import Acceptance
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async.engine.emitter import Emitter
    from ethora_async.protocols import Clock
    from ethora_async.tokens.rotating import KeyRing, RotatingKeys

_REFUSED_FOR = 60.0
"""Seconds for which a rejected password is not retried: ten failures within five minutes lock the account."""
_JUST_NOW = 5.0
"""Seconds within which a second log-in would not help: a rejection during this time has another reason."""


@attrs.frozen(eq=False)
class Login:
    """A session of the admin: the record id and the headers that sign requests."""

    user_id: str
    headers: Mapping[str, str] = attrs.field(repr=False)


def headers_for(user_id: str, token: str) -> dict[str, str]:
    """Return the headers that sign a request as a user (docs/platforms/rocketchat.md#rest-rules)."""
    return {"X-User-Id": user_id, "X-Auth-Token": token}


@attrs.frozen(eq=False)
class _Session:
    credential: Credential
    admin: Admin
    user_id: str
    since: float


class AdminSession:
    """One session for the whole client.

    The first request opens it, once for all waiting calls, and a rejection opens a new one: never one for each request,
    since log-ins are limited by address, and each takes one of the admin's fifty tokens
    (docs/platforms/rocketchat.md#log-in). After a rejection the store is read again; the credentials before and after a
    rotation are tried once each, and those that the platform accepted are kept.

    Args:
        log_in: opens a session with a user name and password.
    """

    def __init__(
        self,
        admins: RotatingKeys[Admin],
        log_in: Callable[[Admin, KeyRing[Admin]], Awaitable[Login]],
        *,
        clock: Clock,
        emitter: Emitter,
    ) -> None:
        self._admins = admins
        # No retries with a wrong credential at the start: failed log-ins lock the account.
        self._acceptance = Acceptance(rotates=admins.rotates, clock=clock)
        self._log_in = log_in
        self._clock = clock
        self._emitter = emitter
        self._flight = SingleFlight(self._logging_in)
        self._session: _Session | None = None
        self._dead: Credential | None = None
        self._version = ""
        self._logins = 0
        self._logged_in_as = ""
        self._refused: dict[str, tuple[float, ChatError]] = {}

    @property
    def user_id(self) -> str | None:
        """The admin's record id; None before the first session."""
        return None if self._session is None else self._session.user_id

    def peek(self) -> Credential | None:
        """Return the available credential; None when one must be awaited."""
        ring = self._admins.peek()
        if ring is None:
            return None
        session = self._session
        if session is None or not self._holds(session, ring):
            return self._by_token(ring)
        return session.credential

    async def acquire(self) -> Credential:
        """Return a credential, after a log-in if necessary.

        Raises:
            ConfigError: the store cannot be read, or names no admin.
            UnauthorizedError, TwoFactorRequiredError, ForbiddenError: the platform rejected the log-in.
            ChatError: the log-in failed.
        """
        await self._admins.load()
        return self.peek() or await self._logged_in()

    def accepted(self, credential: Credential) -> None:
        """Note that the platform accepted it: a later rejection means a rotation, or the session's end."""
        if self._session is not None and credential is self._session.credential:
            self._acceptance.accept(credential)

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        """Return another token of the store, or a new session; or the current one if it is newer than the rejected one.

        Raises:
            UnauthorizedError, TwoFactorRequiredError, ForbiddenError: the platform rejected the admin's log-in.
        """
        current = self._session
        if current is not None and current.credential is not rejected and current.credential.key not in tried:
            return current.credential
        ring = await self._admins.newer(rejected.version)
        for admin in ring.candidates():
            if admin.by_token and admin.key not in tried:
                return self._take(admin, admin.user, headers_for(admin.user, admin.secret.reveal()), admin.key, ring)
        if ring.current.by_token:
            return None
        current = self._session
        if current is not None and current.credential is rejected:
            if self._clock.monotonic() < current.since + _JUST_NOW and not self._is_newer(ring, current):
                return None
            # It stays available: calls that start meanwhile are rejected too, and wait for a rotation as this one does.
            self._dead = rejected
        try:
            return await self._logged_in()
        except (UnauthorizedError, ForbiddenError):
            if self.may_change():
                return None
            raise

    def may_change(self) -> bool:
        """Return whether a rejection may be caused by a rotation in progress."""
        return self._acceptance.may_change()

    async def aclose(self) -> Credential | None:
        """Cancel a pending log-in; return the session that was opened here, so that the caller can end it."""
        await self._flight.aclose()
        session, self._session = self._session, None
        return session.credential if session is not None and not session.admin.by_token else None

    def _holds(self, session: _Session, ring: KeyRing[Admin]) -> bool:
        if self._version == ring.version:
            return True
        if session.admin.by_token:
            return session.admin.key == ring.current.key
        # A new password does not end the session; a session of another admin must not be used as ours.
        return not ring.current.by_token and session.admin.user == ring.current.user

    def _is_newer(self, ring: KeyRing[Admin], session: _Session) -> bool:
        return ring.version != self._version and ring.current.key != session.admin.key

    def _by_token(self, ring: KeyRing[Admin]) -> Credential | None:
        admin = ring.current
        if not admin.by_token:
            return None
        return self._take(admin, admin.user, headers_for(admin.user, admin.secret.reveal()), admin.key, ring)

    def _take(
        self, admin: Admin, user_id: str, headers: Mapping[str, str], key: str, ring: KeyRing[Admin]
    ) -> Credential:
        credential = Credential(headers, key, ring.version)
        self._session = _Session(credential, admin, user_id, self._clock.monotonic())
        self._version = ring.version
        return credential

    async def _logged_in(self) -> Credential:
        return await joined(self._flight, self._clock)

    async def _logging_in(self) -> Credential:
        ring = await self._admins.load()
        session = self._session
        if session is not None and session.credential is not self._dead and self._holds(session, ring):
            return session.credential  # another task was faster
        try:
            return await self._opened(ring)
        except UnauthorizedError as refusal:
            # The password may have been rotated since the store was read. One that was rejected is not tried again.
            try:
                newer = await self._admins.newer(ring.version)
            except ConfigError:
                raise refusal from None
            if newer.version == ring.version:
                raise
        return await self._opened(newer)

    async def _opened(self, ring: KeyRing[Admin]) -> Credential:
        """Log in with the first of the store's passwords that the platform accepts."""
        failure: ChatError | None = None
        queue = deque(ring.candidates())
        while queue:
            admin = queue.popleft()
            refused_until, earlier = self._refused.get(admin.key, (0.0, None))
            if earlier is not None and self._clock.monotonic() < refused_until:
                failure = failure or copy.copy(earlier)
                continue
            try:
                login = await self._log_in(admin, ring)
            except (UnauthorizedError, ForbiddenError) as error:
                if admin.key == self._logged_in_as:
                    # The platform has changed since it rejected the others: try them again.
                    self._logged_in_as = ""
                    queue.extend(other for other in ring.candidates() if self._refused.pop(other.key, None))
                self._refused[admin.key] = (self._clock.monotonic() + _REFUSED_FOR, error)
                if isinstance(error, ForbiddenError):
                    raise  # blocked, or without a second factor: another password does not help
                failure = failure or error
                continue
            self._refused.pop(admin.key, None)
            self._logged_in_as = admin.key
            self._logins += 1
            credential = self._take(admin, login.user_id, login.headers, f"login {self._logins}", ring)
            self._emitter.emit(engine.TokenRefreshed("admin", credential.key))
            return credential
        if failure is None:
            msg = "the admin could not be logged in: there is no user name and password"
            raise UnauthorizedError(msg)
        raise failure
