"""User sessions: opened by a login, renewed by a refresh, ended by a logout (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async.sandbox.ethora.records import User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.sandbox.ethora.tokens import Signer

ACCESS_TTL = 15 * 60.0
REFRESH_TTL = 7 * 24 * 3600.0
REFRESH_GRACE = 30.0
"""Seconds for which a refresh token that was replaced still works: a front end may refresh twice at once."""
XMPP_TTL = 10 * 60.0
CHALLENGE_TTL = 5 * 60.0


RefreshReuse = Literal["log_only", "reject", "revoke_family"]


@attrs.define(eq=False, repr=False)
class Session:
    """A login. `refresh_id` is the id of the valid refresh token. A logout does not end sessions of API keys.

    `replaced` are the ids of the refresh tokens before it, with the time until which each still works.
    """

    id: str
    user: User
    refresh_id: str
    api_key: bool = False
    replaced: deque[tuple[str, float]] = attrs.field(factory=deque[tuple[str, float]])


class Sessions:
    """All open sessions."""

    def __init__(self, signer: Signer, grace: float = REFRESH_GRACE, reuse: RefreshReuse = "log_only") -> None:
        self._signer = signer
        self._grace = grace
        self._reuse = reuse
        self._open: dict[str, Session] = {}
        self._challenges: dict[str, User] = {}

    def open(self, user: User, *, api_key: bool = False) -> Session:
        """Start a session."""
        session = Session(secrets.token_hex(12), user, secrets.token_hex(12), api_key)
        self._open[session.id] = session
        return session

    def of(self, claims: Mapping[str, Any]) -> Session | None:
        """Return the open session that a platform token belongs to, or None once it has ended."""
        session_id = claims.get("sessionId")
        return self._open.get(session_id) if isinstance(session_id, str) else None

    def takes_refresh(self, session: Session, refresh_id: object, now: float) -> bool:
        """Return whether a refresh token of a session still works; the reuse policy decides about old ones."""
        if refresh_id == session.refresh_id:
            return True
        while session.replaced and session.replaced[0][1] <= now:
            session.replaced.popleft()
        if any(refresh_id == known for known, _ in session.replaced):
            return True
        if self._reuse == "revoke_family":
            self.close(session)
        return self._reuse == "log_only"

    def renew(self, session: Session, refresh_id: object, now: float) -> None:
        """Replace the refresh token; does nothing if it has already been replaced."""
        if refresh_id == session.refresh_id:
            session.replaced.append((session.refresh_id, now + self._grace))
            session.refresh_id = secrets.token_hex(12)

    def end(self, chosen: Callable[[Session], bool]) -> None:
        """End every session that `chosen` selects, except those of API keys."""
        kept = {key: session for key, session in self._open.items() if session.api_key or not chosen(session)}
        self._open = kept

    def close(self, session: Session) -> None:
        """End one session, even that of an API key."""
        self._open.pop(session.id, None)

    def challenge(self, user: User, now: float) -> str:
        """Start a login that needs a code, and return its token."""
        challenge = secrets.token_hex(12)
        self._challenges[challenge] = user
        return self._signer.sign({"type": "mfa", "challengeId": challenge}, now=now, ttl=CHALLENGE_TTL)

    def challenged(self, claims: Mapping[str, Any]) -> User | None:
        """Return the user of a challenge; None once it was completed."""
        challenge = claims.get("challengeId")
        return self._challenges.get(challenge) if isinstance(challenge, str) else None

    def met(self, claims: Mapping[str, Any]) -> None:
        """Complete a challenge."""
        self._challenges.pop(claims["challengeId"], None)

    def tokens(self, session: Session, now: float) -> dict[str, str]:
        """Sign the access, refresh and websocket tokens of a session."""
        data = {"userId": session.user.id, "appId": session.user.app.id, "sessionId": session.id}
        sign = self._signer.sign
        return {
            "token": sign({**data, "type": "user"}, now=now, ttl=ACCESS_TTL),
            "refreshToken": sign(
                {**data, "type": "refresh", "refreshId": session.refresh_id}, now=now, ttl=REFRESH_TTL
            ),
            "wsToken": sign({**data, "type": "ws"}, now=now, ttl=ACCESS_TTL),
        }

    def xmpp_password(self, user: User, now: float) -> str:
        """Create a short-lived XMPP password, as `POST /v1/users/xmpp-token` returns it."""
        data = {"xmppUsername": user.xmpp_username, "jid": user.xmpp_username, "type": "xmpp"}
        signed = self._signer.sign(data, now=now, ttl=XMPP_TTL)
        return signed.removeprefix("JWT ")
