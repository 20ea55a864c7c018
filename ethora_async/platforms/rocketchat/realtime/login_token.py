"""The token of one `Realtime` stream: which one to log in with, and what its refusal means."""

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
    """Return the error that ends a stream whose token somebody has ended."""
    msg = "the token was revoked: the user was logged out"
    return UnauthorizedError(msg, operation="realtime")


def expired(code: str | None = None) -> UnauthorizedError:
    """Return the error that ends a stream whose token is past its end, and not ours to replace."""
    msg = "the token has expired: pass the user instead, to have it replaced in time"
    return UnauthorizedError(msg, operation="realtime", code=code)


class RealtimeToken:
    """Made by the client's `Tokens` for a user, or passed in and then never replaced."""

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
            ChatError: no token could be made.
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
        """The server took it."""
        self._accepted = True
        self._renewed = False

    def refused(self, refusal: LoginRefused) -> None:
        """Take in that the server did not: returns when the next token may do.

        Raises:
            UnauthorizedError: none will: the token was revoked while it was in use, or is not ours to replace.
        """
        if refusal.why == "expired":
            if self._given is not None or self._renewed:
                raise expired(refusal.code)
        elif self._given is not None or self._renewed or self._accepted:
            raise revoked()
        # One from the cache may have ended since it was made, without our knowing.
        self._renew = True

    def ended(self, now: float) -> None:
        """Take in that the server ended it while it was in use: returns when the next token may do.

        The server sweeps expired tokens out, and `Tokens` logs replaced ones out: neither means that somebody wants the
        user gone.

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
        """Return the server, asked with this very token."""
        return api if self._token is None else api.signed_by(FixedCredentials(token_headers(self._token)))


def user_id(token: ChatToken) -> str:
    """Return the record id of the user whom a token is for."""
    return str(token.extra.get("userId") or "")
