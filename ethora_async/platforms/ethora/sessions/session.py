"""A user's session as a value: its tokens, and how to read replies that open one.

See docs/platforms/ethora.md#sessions, #token-kinds.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import codec
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.names import Names
from ethora_async.records import User
from ethora_async.redaction import Secret, sealed, wrapped

if TYPE_CHECKING:
    from ethora_async.errors import ReplyLostError
    from ethora_async.request import Origin

_LONGEST_READ = 16_384
"""In characters; nothing is read from a longer token."""
_APP_PREFIX = re.compile(r"([a-f0-9]{24})_")


def token_secret(value: str | Secret, field: str = "token") -> Secret:
    """Return a token that was passed in, without surrounding white space and ``Bearer``.

    Raises:
        InvalidInputError: it is empty, or contains a control character; the message quotes nothing of it.
    """
    value = wrapped(value)  # the frames of the errors below show it
    if not isinstance(value, Secret):
        msg = f"{field} must be text, not {type(value).__name__}"
        raise InvalidInputError(msg, field=field)
    token = _bare(value)
    if not token:
        msg = f"the {field} is empty"
        raise InvalidInputError(msg, field=field)
    if not token.reveal().isprintable():
        msg = f"the {field} holds a control character: it was cut or pasted badly"
        raise InvalidInputError(msg, field=field)
    return token


def _bare(token: Secret) -> Secret:
    return Secret(f"{token.reveal().strip()} ".removeprefix("Bearer ").strip())


def _token(value: str | Secret) -> Secret:
    return token_secret(value)


def _refresh_token(value: str | Secret | None) -> Secret | None:
    return None if value is None else token_secret(value, "refresh_token")


def _password(value: str | Secret | None) -> Secret | None:
    return Secret(value) if isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class Session:
    """A user's session on the platform. Its tokens print masked; ``session.token.reveal()`` shows one.

    Rebuild a stored session from its parts: ``Session(user=User(id="u1"), token=…, refresh_token=…)``.

    Attributes:
        token: the token for the routes of users.
        refresh_token: for the next session, if the platform returned one.
        xmpp_password: logs in to the chat server as `user.xmpp_username`, if the platform returned one.
        app_id: the app that the user belongs to; None for the client's own.
        extra: every other field of the reply.

    Raises:
        InvalidInputError: a token is empty, or contains a control character.
    """

    user: User
    token: Secret = attrs.field(converter=_token)
    refresh_token: Secret | None = attrs.field(default=None, converter=_refresh_token)
    xmpp_password: Secret | None = attrs.field(default=None, converter=_password)
    app_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


def authorization(token: Secret) -> dict[str, str]:
    """Return the header for a platform's token: unchanged with its ``JWT`` prefix, else as a bearer token."""
    text = token.reveal()
    return {"Authorization": text if text.startswith("JWT ") else f"Bearer {text}"}


def read_session(data: Any, app_id: str, *, origin: Origin, before: Session | None = None) -> Session:
    """Read a session from the reply to an exchange, a log-in or ``me``.

    Args:
        app_id: the app that the user belongs to, unless the reply names another.
        before: the session whose tokens apply if the reply has none.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    fields, data = sealed(data) if isinstance(data, dict) else {}, None  # the frames of the errors below show both
    token = _stated(fields.pop("token", None)) or (before.token if before else None)
    if token is None:
        raise _unexpected("reply.token: expected text", origin)
    record = fields.pop("user", None)
    app_id = _app_of(record) or app_id
    user = wire.read_user(record, Names(app_id), origin=origin, path="reply.user")
    refresh = _stated(fields.pop("refreshToken", None)) or (before.refresh_token if before else None)
    password = user.extra.get("xmppPassword")
    if not isinstance(password, Secret):
        password = before.xmpp_password if before else None
    return Session(
        user=user,
        token=token,
        refresh_token=refresh,
        xmpp_password=password,
        app_id=app_id,
        extra=fields,
        request_id=origin.request_id,
    )


def read_renewed(data: Any, before: Session, *, origin: Origin) -> Session:
    """Read the session after a refresh, whose reply contains only tokens.

    Raises:
        ReplyLostError: it contains no token.
    """
    fields, data = sealed(data) if isinstance(data, dict) else {}, None
    token = _stated(fields.pop("token", None))
    if token is None:
        raise _unexpected("reply.token: expected text", origin)
    refresh = _stated(fields.pop("refreshToken", None)) or before.refresh_token
    return attrs.evolve(
        before, token=token, refresh_token=refresh, extra={**before.extra, **fields}, request_id=origin.request_id
    )


def life(token: Secret) -> tuple[float | None, float | None]:
    """Return a token's times of issue and expiry; None for a time that it does not state.

    See docs/platforms/ethora.md#tokens-of-the-platform.
    """
    _, _, text = token.reveal().rpartition(" ")
    parts = text.split(".") if len(text) <= _LONGEST_READ else []
    if len(parts) != 3:
        return None, None
    try:
        payload = codec.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None, None
    claims = payload if isinstance(payload, dict) else {}
    return _moment(claims.get("iat")), _moment(claims.get("exp"))


def _moment(value: Any) -> float | None:
    # Twelve digits and more are milliseconds, or an impossible time.
    return float(value) if type(value) in (int, float) and 0 < value < 1e11 else None


def _stated(value: Any) -> Secret | None:
    return value if isinstance(value, Secret) and value.reveal().strip() and value.reveal().isprintable() else None


def _app_of(record: Any) -> str | None:
    if not isinstance(record, dict):
        return None
    app_id, name = record.get("appId"), record.get("xmppUsername")
    if isinstance(app_id, str) and app_id:
        return app_id
    prefix = _APP_PREFIX.match(name) if isinstance(name, str) else None
    return prefix.group(1) if prefix else None


def _unexpected(what: str, origin: Origin) -> ReplyLostError:
    msg = f"the platform's reply has an unexpected shape: {what}"
    return origin.lost(msg)
