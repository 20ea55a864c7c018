"""Verify users' tokens as the chat server does, with the standard library only.

See docs/platforms/imbachat.md#user-token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, TypeGuard

import orjson

LONGEST = 4_096


class TokenRefusedError(PermissionError):
    """A user's token is rejected; the message says why."""


def user_of(token: str, secret_key: str, now: float) -> int:
    """Return the id of the user that a token names.

    Raises TokenRefusedError when it is not three parts of base64url without padding, not signed by HS256 with this key,
    past its end, or names no user.
    """
    parts = token.split(".")
    if len(token) > LONGEST or len(parts) != 3:
        msg = "The token does not have three parts."
        raise TokenRefusedError(msg)
    header, claims, signature = (_decoded(part) for part in parts)
    expected = hmac.new(secret_key.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(signature, expected):
        msg = "The token was not signed with the widget's Secret key."
        raise TokenRefusedError(msg)
    if _object(header).get("alg") != "HS256":
        msg = "The token's algorithm is not HS256."
        raise TokenRefusedError(msg)
    stated = _object(claims)
    ends, user = stated.get("exp"), stated.get("user_id")
    if not _whole(ends) or now >= ends:
        msg = "The token has expired."
        raise TokenRefusedError(msg)
    if not _whole(user) or user < 1:
        msg = "The token names no user."
        raise TokenRefusedError(msg)
    return user


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _decoded(part: str) -> bytes:
    try:
        if "=" in part:
            raise ValueError
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        msg = "The token is not base64url without padding."
    raise TokenRefusedError(msg)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value: object = orjson.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        msg = "A part of the token is not a JSON object."
        raise TokenRefusedError(msg)
    return value
