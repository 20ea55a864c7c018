"""HTTP Basic authentication of the chat server.

See docs/platforms/imbachat.md#authentication-of-callbacks, #weaknesses-of-the-samples.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from ethora_async.platforms.imbachat.settings import API_LOGIN, API_PASSWORD

if TYPE_CHECKING:
    from ethora_async.tokens.settings import Values

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""A request's headers: a mapping, which may contain a name several times as multidict's do, or pairs."""

_LONGEST = 4_096
"""In characters; a longer header is rejected unread."""


def let_in(headers: Headers, accepted: Iterable[Values]) -> bool:
    """Return whether a request carries an accepted API login.

    The login is compared in lower case, the password exactly; both always, and in constant time. With missing or empty
    settings every request is rejected.
    """
    shown = presented(headers)
    if shown is None:
        return False
    found = False
    for values in accepted:
        login, password = values.get(API_LOGIN) or "", values.get(API_PASSWORD) or ""
        known = hmac.compare_digest(_folded(shown[0]), _folded(login.encode()))
        right = hmac.compare_digest(shown[1], password.encode())
        usable = bool(login.strip()) and bool(password.strip())
        found |= known & right & usable
    return found


def _folded(login: bytes) -> bytes:
    return login.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def presented(headers: Headers) -> tuple[bytes, bytes] | None:
    """Return the login and password that were sent; None if there are none, or two of them."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    values = [value for name, value in cast("Iterable[tuple[str, str]]", pairs) if name.lower() == "authorization"]
    if len(values) != 1 or len(values[0]) > _LONGEST:
        return None
    scheme, _, encoded = values[0].strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    login, colon, password = raw.partition(b":")
    return (login, password) if colon else None
