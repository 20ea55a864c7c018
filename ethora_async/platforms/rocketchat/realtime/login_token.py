"""The token of one `Realtime` stream: choose it, and interpret its rejection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import UnauthorizedError
from ethora_async.platforms.rocketchat.names import own
from ethora_async.platforms.rocketchat.tokens import token_headers
from ethora_async.records import ChatToken, Id
from ethora_async.tokens.fixed import FixedCredentials

if TYPE_CHECKING:
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.realtime.ddp_events import LoginRefused
    from ethora_async.platforms.rocketchat.tokens import Tokens


def revoked() -> UnauthorizedError:
    """Return the error that ends a stream whose token was revoked."""
    msg = "the token was revoked: the user was logged out"
    return UnauthorizedError(msg, operation="realtime")


def expired(code: str | None = None) -> UnauthorizedError:
    """Return the error that ends a stream whose token has expired, and is not ours to replace."""
    msg = "the token has expired: pass the user instead, to have it replaced in time"
    return UnauthorizedError(msg, operation="realtime", code=code)


class RealtimeToken:
    """A token created by the client's `Tokens` for a user, or passed in and then never replaced."""

    def __init__(self, tokens: Tokens, user: Id | ChatToken, *, allow_privileged: bool = False) -> None:
        self._tokens = tokens
        self._given = user if isinstance(user, ChatToken) else None
        self._user = user.user_id if isinstance(user, ChatToken) else own(user)
        self._allow_privileged = allow_privileged
        self._token: ChatToken | None = None
        self._renew = False
        self._renewed = False
        self._accepted = False

    async def current(self) -> ChatToken:
        """Return the token to log in with.

        Raises:
            NotFoundError: there is no such user.
            ChatError: no token could be created.
        """
        if self._given is not None:
            self._token = self._given
            return self._given
        token = await self._tokens.for_user(self._user, renew=self._renew, allow_privileged=self._allow_privileged)
        if self._token is None or token.secret != self._token.secret:
            self._accepted = False
        self._renewed, self._renew = self._renew, False
        self._token = token
        return token

    def accepted(self) -> None:
        """Note that the server accepted it."""
        self._accepted = True
        self._renewed = False

    def refused(self, refusal: LoginRefused) -> None:
        """Note that the server rejected it; return if another token may help.

        Raises:
            UnauthorizedError: none will: the token was revoked while it was in use, or is not ours to replace.
        """
        if refusal.why == "expired":
            if self._given is not None or self._renewed:
                raise expired(refusal.code)
        elif self._given is not None or self._renewed or self._accepted:
            raise revoked()
        # A cached token may have ended since it was created, unknown to us.
        self._renew = True

    def ended(self, now: float) -> None:
        """Note that the server ended it while it was in use; return if another token may help.

        The server deletes expired tokens, and `Tokens` logs replaced ones out: in neither case is the user logged out
            on purpose.

        Args:
            now: seconds since the epoch.

        Raises:
            UnauthorizedError: somebody ended it, or it is not ours to replace.
        """
        token = self._token
        over = token is not None and now >= token.expires_at
        if self._given is not None:
            raise expired() if over else revoked()
        if token is None or not (over or self._tokens.has_replaced(token.secret)):
            raise revoked()

    def signed(self, api: Api) -> Api:
        """Return the server, called with this token."""
        return api if self._token is None else api.signed_by(FixedCredentials(token_headers(self._token)))


def user_id(token: ChatToken) -> str:
    """Return the record id of a token's user."""
    return str(token.extra.get("userId") or "")
