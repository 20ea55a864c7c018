"""Tokens on the platform's side: verify those of customers, and sign its own.

See docs/platforms/ethora.md#tokens.

A customer's token may be signed with a key derived from the app secret for its purpose, or with the secret
itself; the derived key is tried first (docs/platforms/ethora.md#signing-keys). The platform's own tokens are opaque to
clients and carry the `JWT ` prefix.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import warnings
from typing import Any, cast

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OctKey

ALGORITHM = "HS256"
REMEMBERED = 4096


def derive_secret(secret: str, purpose: str) -> str:
    """Derive the signing secret for a purpose (`server` or `client`): 64 hex characters, used as text."""
    return hmac.new(secret.encode(), f"ethora:{purpose}:v1".encode(), hashlib.sha256).hexdigest()


def import_key(secret: str) -> OctKey:
    """Return a key for any non-empty text, without a warning for short secrets, which the platform accepts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return OctKey.import_key(secret)


class KeySet:
    """Keys, any of which may have signed a token. Caches valid tokens, which are reused for an hour."""

    def __init__(self, *keys: OctKey) -> None:
        self._keys = keys
        self._passed: set[str] = set()

    def accepts(self, token: str) -> bool:
        """Return whether one of the keys signed this token with HS256; the keys are tried in order."""
        if token in self._passed:
            return True
        if not any(_signed_with(token, key) for key in self._keys):
            return False
        if len(self._passed) >= REMEMBERED:
            self._passed.clear()
        self._passed.add(token)
        return True


class AppKeys:
    """The keys of an app by purpose: those derived from its secrets, then the raw secrets."""

    def __init__(self, *app_secrets: str) -> None:
        raw = [import_key(secret) for secret in app_secrets]
        self._sets = {
            purpose: KeySet(*[import_key(derive_secret(secret, purpose)) for secret in app_secrets], *raw)
            for purpose in ("server", "client")
        }

    def accepts(self, token: str, purpose: str) -> bool:
        """Return whether a `server` or `client` token was signed with a valid secret of the app."""
        return self._sets[purpose].accepts(token)


def strip_scheme(value: str) -> str:
    """Strip an optional `Bearer ` and then an optional `JWT ` from a header value.

    See docs/platforms/ethora.md#token-kinds.
    """
    value = value.strip()
    for scheme in ("bearer", "jwt"):
        word, _, rest = value.partition(" ")
        if word.lower() == scheme:
            value = rest.lstrip()
    return value


def peek(token: str) -> dict[str, Any] | None:
    """Read the payload of an unverified HS256 token; None for any other, such as `alg: none`."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    header, payload = _read_part(parts[0]), _read_part(parts[1])
    if header is None or header.get("alg") != ALGORITHM:
        return None
    return payload


def _read_part(part: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _signed_with(token: str, key: OctKey) -> bool:
    try:
        jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return False
    return True


class Signer:
    """Signs the platform's own tokens with a key that lives as long as the sandbox."""

    def __init__(self) -> None:
        self._key = import_key(secrets.token_hex(32))
        self.keys: KeySet = KeySet(self._key)

    def sign(self, data: dict[str, Any], *, now: float, ttl: float | None = None) -> str:
        """Sign `data`, nested as the platform nests it, with the `JWT ` prefix.

        Without `ttl` (seconds) the token never ends.
        """
        claims: dict[str, Any] = {"data": data, "iat": int(now)}
        if ttl is not None:
            claims["exp"] = int(now + ttl)
        return "JWT " + jwt.encode({"alg": ALGORITHM}, claims, self._key)

    def derive(self, purpose: str) -> str:
        """Return a stable random-looking value for `purpose`: XMPP passwords need no room in the store."""
        return hmac.new(self._key.raw_value, purpose.encode(), hashlib.sha256).hexdigest()[:32]
