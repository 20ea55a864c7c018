"""Log in by SASL PLAIN, the platform's only mechanism."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Final

from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.tokens import peek

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import User


LONGEST_NAME: Final = 1023


class SaslError(Exception):
    """A log-in is refused. `condition` is sent to the client."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


def log_in(platform: Platform, message: str, now: float) -> User:
    """Return the user whom a PLAIN message, in base64, logs in.

    Raises:
        SaslError: it is malformed, or name and password do not go together.
    """
    if message == "=":  # how an empty message is written
        message = ""
    try:
        decoded = base64.b64decode(message, validate=True).decode()
    except (binascii.Error, ValueError):
        raise SaslError("incorrect-encoding") from None
    parts = decoded.split("\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise SaslError("malformed-request")
    authzid, name, password = parts
    name = name.partition("@")[0]
    if authzid and folded(authzid.partition("@")[0]) != folded(name):
        raise SaslError("invalid-authzid")
    user = find_user(platform, name)
    if user is None or not _opens(platform, user, password, now):
        raise SaslError("not-authorized")
    if user.app.archived:
        raise SaslError("account-disabled")
    return user


def find_user(platform: Platform, name: str) -> User | None:
    """Return the user with this XMPP name, `<appId>_<uuid>`, ignoring case, as JIDs are compared.

    App ids may contain `_`.
    """
    if len(name) > LONGEST_NAME:
        return None
    at = name.find("_")
    while at >= 0:
        app = platform.store.find_app(name[:at]) or platform.store.find_app(folded(name[:at]))
        user = None if app is None else app.users.sharing_jid(name[at + 1 :])
        if user is not None:
            return user
        at = name.find("_", at + 1)
    return None


def _opens(platform: Platform, user: User, password: str, now: float) -> bool:
    """Accept the stable password of a login reply, or a short-lived one of `POST /v1/users/xmpp-token`."""
    stable = platform.signer.derive(f"xmpp:{user.id}")
    if hmac.compare_digest(stable.encode(), password.encode()):
        return True
    payload = peek(password)
    claims = None if payload is None else payload.get("data")
    if payload is None or not isinstance(claims, dict) or not platform.signer.keys.accepts(password):
        return False
    end = payload.get("exp")
    return (
        claims.get("type") == "xmpp"
        and claims.get("xmppUsername") == user.xmpp_username
        and isinstance(end, int | float)
        and now < end
    )
