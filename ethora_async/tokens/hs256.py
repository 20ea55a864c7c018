"""JSON Web Tokens signed with HMAC-SHA256, the only algorithm of Ethora and ImbaChat."""

from __future__ import annotations

import hmac
import warnings
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, NoReturn

from ethora_async import codec
from ethora_async.errors import InvalidTokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from joserfc.jwk import OctKey

_HEADER = {"alg": "HS256", "typ": "JWT"}
_ALGORITHMS = ("HS256",)
_LONGEST = 16_384
"""In characters; a longer token is rejected unread."""


class HS256Key:
    """One signing key. Its repr shows nothing of it.

    Signing is written out here: a compact token is three joined texts and one digest, and joserfc's own checks would
    double its cost. joserfc verifies tokens that others have signed.
    """

    __slots__ = ("_checking", "_key")

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._checking: OctKey | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a signing key cannot be pickled or copied, since that writes out the secret"
        raise TypeError(msg)

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, str] = _HEADER) -> str:
        """Return the compact token with these claims.

        The header is ``{"alg":"HS256","typ":"JWT"}`` (docs/platforms/ethora.md#server-token) unless another is given:
        the order of its members is part of the signed bytes.
        """
        first = _FIRST_SEGMENT if header is _HEADER else _segment(codec.dumps(header))
        text = b"%b.%b" % (first, _segment(codec.dumps(claims)))
        return (b"%b.%b" % (text, _segment(hmac.digest(self._key, text, "sha256")))).decode("ascii")

    def verifies(self, token: str) -> bool:
        """Return whether `token` was signed with this key, by HS256 and nothing else."""
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry, deserialize_compact

        # RFC 7515 §4: unknown header fields are ignored, unless `crit` names them.
        registry = JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        try:
            deserialize_compact(token, self._checking_key(), registry=registry)
        except (JoseError, ValueError, TypeError, RecursionError):  # header fields of a wrong type, such as "crit": 5
            return False
        return True

    def _checking_key(self) -> OctKey:
        if self._checking is None:
            # Imported here: joserfc loads `cryptography`, and `import ethora_async` must stay light.
            from joserfc.errors import SecurityWarning
            from joserfc.jwk import OctKey

            with warnings.catch_warnings():
                # The caller was already warned once about a short secret.
                warnings.simplefilter("ignore", SecurityWarning)
                self._checking = OctKey.import_key(self._key)
        return self._checking


def _segment(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


_FIRST_SEGMENT = _segment(codec.dumps(_HEADER))


def read_unverified(token: str) -> dict[str, Any]:
    """Return the claims of an unverified token: only for choosing the key to verify it with.

    Raises:
        InvalidTokenError: it is not a compact JSON Web Token, is not signed by HS256, or its claims are not a JSON
            object.
    """
    from joserfc.errors import JoseError
    from joserfc.jws import extract_compact

    if len(token) > _LONGEST:
        msg = f"the token is longer than {_LONGEST} characters"
        raise InvalidTokenError(msg)
    try:
        parts = extract_compact(token.encode())
        claims = codec.loads(parts.payload)
    except (JoseError, ValueError, RecursionError):  # joserfc recurses into a nested header
        msg = "it is not a JSON Web Token of three parts"
        raise InvalidTokenError(msg) from None
    # joserfc has looked for "alg" in the header, but not whether the header is an object.
    header: object = parts.protected
    if not isinstance(header, dict) or header.get("alg") != "HS256":
        msg = "the token is not signed with HS256"
        raise InvalidTokenError(msg)
    if not isinstance(claims, dict):
        msg = "the token's claims are not a JSON object"
        raise InvalidTokenError(msg)
    return claims
