"""``ethora.sessions``: what a front end does with its token (contract §1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import InvalidInput, ReplyLost
from ethora_async.platforms.ethora import operations, wire
from ethora_async.protocols import Credential
from ethora_async.records import ChatToken, User
from ethora_async.redaction import Secret, sealed

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import Context


@attrs.frozen(kw_only=True)
class Session:
    """A user's session on the platform. Its tokens print masked; ``session.token.reveal()`` shows one.

    Attributes:
        token: opens the routes of users.
        refresh_token: for the next session, where the platform gave one.
        xmpp_password: logs in to the chat server as `user.xmpp_username`, where the platform gave one.
        extra: every other field of the reply.
    """

    user: User
    token: Secret
    refresh_token: Secret | None
    xmpp_password: Secret | None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)


class StaticCredentials:
    """One token that is passed in, and that nobody can renew here."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._credential = Credential(headers, "static")

    def peek(self) -> Credential:
        """The credential."""
        return self._credential

    async def acquire(self) -> Credential:
        """The credential."""
        return self._credential

    def accepted(self, credential: Credential) -> None:
        """Nothing to remember."""

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:  # noqa: ARG002
        """None: there is only the one."""
        return None

    def may_change(self) -> bool:
        """No."""
        return False


class Sessions:
    """Sessions of users, as the front end opens them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def exchange(self, token: ChatToken | str) -> Session:
        """Exchange a user's chat token for a session, as the front end does on start: proof that the token works.

        Raises:
            InvalidInput: the token is empty, or holds a control character.
            NotFound: the token is good, but its user does not exist (the platform never creates them here).
            Unauthorized: the platform refuses the token.
        """
        text = token.value if isinstance(token, ChatToken) else token.strip()
        if not text:
            msg = "the token is empty"
            raise InvalidInput(msg, field="token")
        if not text.isprintable():
            msg = "the token holds a control character: it was cut or pasted badly"
            raise InvalidInput(msg, field="token")
        app = await self._context.open()
        credentials = StaticCredentials({"x-custom-token": text})
        reply = await app.engine.call(operations.EXCHANGE, credentials=credentials)
        if not isinstance(reply.data, dict) or not isinstance(reply.data.get("token"), str):
            msg = "the platform's reply has an unexpected shape: reply.token: expected text"
            raise ReplyLost(msg, operation=operations.EXCHANGE.name, status=reply.status)
        data = dict(reply.data)
        user = wire.read_user(data.pop("user", None), app.names, operation=operations.EXCHANGE.name, path="reply.user")
        refresh = data.pop("refreshToken", None)
        password = user.extra.get("xmppPassword")
        return Session(
            user=user,
            token=Secret(data.pop("token")),
            refresh_token=Secret(refresh) if isinstance(refresh, str) else None,
            xmpp_password=password if isinstance(password, Secret) else None,
            extra=sealed(data),
        )
