"""Authenticate the reverse proxy in front of ``ethora serve``."""

from __future__ import annotations

import hmac
import logging
import re
from typing import Any, Protocol

import attrs

from ethora_async import codec
from ethora_async.cli.serve.keys import Keys
from ethora_async.errors import ConfigError, InvalidInputError, InvalidTokenError
from ethora_async.protocols import Clock
from ethora_async.records import id_text
from ethora_async.tokens.hs256 import HS256Key, read_unverified
from ethora_async.web.failures import BAD_IDENTITY, retry_after
from ethora_async.web.request import Endpoint, HTTPError, Request
from ethora_async.web_response import WebResponse
from ethora_async_secrets import CachedProvider, SecretError, SecretNotFoundError, SecretProvider

log: logging.Logger = logging.getLogger("ethora_async.web")

PROXY_SECRET = "ETHORA_PROXY_SECRET"  # noqa: S105  the name of the setting
SHORTEST = 16
"""In bytes: a shorter secret can be guessed."""
LEEWAY = 10
"""Seconds by which the proxy's clock may differ from ours."""

_LONGEST = 16_384
"""In characters; a longer JWT is rejected unread."""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}").fullmatch
_NOT_PROVEN = "unauthorized", "This request did not come through the proxy."
_NOT_READY = "not_ready", "The proof of the proxy cannot be checked now. Try again later."


def header_name(text: str, option: str) -> str:
    """Return a header's name in lower case.

    Raises:
        ConfigError: it is not a header name; `option` is the option that gave it.
    """
    if not _NAME(text):
        msg = f"{option} is not the name of a header: an example is X-User"
        raise ConfigError(msg)
    return text.lower()


class Proof(Protocol):
    """Proves that requests come from the proxy."""

    async def check(self) -> None:
        """Check that proofs can be verified now.

        Raises:
            ConfigError: the secret or the keys cannot be read or used.
        """
        ...

    async def user(self, request: Request, /) -> str | None:
        """Return the user that the proxy names; None when it names nobody.

        Raises:
            HTTPError: the request is not from the proxy (401), its headers contradict each other (400), or keys are
                missing (503).
        """
        ...

    async def aclose(self) -> None:
        """Close the secret store."""
        ...


class ProxySecret:
    """The secret shared with the proxy: re-read as it rotates, masked, compared in constant time.

    Args:
        provider: has ``ETHORA_PROXY_SECRET``; the values before and after a rotation are accepted too.
    """

    def __init__(self, provider: SecretProvider) -> None:
        self._cache = CachedProvider(provider)

    async def values(self) -> list[str]:
        """Return the accepted secrets, the current one first.

        Raises:
            ConfigError: the store cannot be read, has no secret, or one that is too short.
        """
        try:
            bundle = await self._cache.fetch()
            texts = [bundle.reveal(PROXY_SECRET)]
        except SecretNotFoundError:
            msg = (
                f"{PROXY_SECRET} is not set: the proxy and this process must share a secret of {SHORTEST} bytes or more"
            )
            raise ConfigError(msg) from None
        except SecretError as error:
            msg = f"{PROXY_SECRET} cannot be read: {error}"
            raise ConfigError(msg) from None
        texts += [side.get(PROXY_SECRET, "") for side in (bundle.previous, bundle.pending) if side is not None]
        found = [text for text in map(str.strip, texts) if len(_bytes(text)) >= SHORTEST]
        if not found or found[0] != texts[0].strip():
            msg = f"{PROXY_SECRET} is shorter than {SHORTEST} bytes and can be guessed: set a longer one"
            raise ConfigError(msg)
        return found

    async def newer(self) -> bool:
        """Return False: the cache refreshes often enough."""
        return False

    async def aclose(self) -> None:
        """Close the secret store."""
        await self._cache.aclose()


class SharedSecret:
    """Proof by a shared secret: the proxy sends it in one header, and the user's id in another.

    Args:
        identity: the name of the header with the user's id, in lower case.
        proof: the name of the header with the secret, in lower case.
        secret: the expected secret.
    """

    def __init__(self, identity: str, proof: str, secret: ProxySecret) -> None:
        self._identity = identity
        self._proof = proof
        self._secret = secret

    async def check(self) -> None:
        """Check that the secret is available.

        Raises:
            ConfigError: it is not.
        """
        await self._secret.values()

    async def user(self, request: Request, /) -> str | None:
        """Return the user of the request.

        Raises:
            HTTPError: see `Proof.user`.
        """
        presented = _bytes(request.header(self._proof) or "")
        right = False
        for value in await _available(self._secret):
            right |= hmac.compare_digest(presented, _bytes(value))
        if not right:
            raise HTTPError(401, *_NOT_PROVEN)
        return _said(request, self._identity)

    async def aclose(self) -> None:
        """Close the secret store."""
        await self._secret.aclose()


@attrs.frozen(kw_only=True)
class JWTRules:
    """Requirements on a JWT's claims.

    Attributes:
        claim: the claim with the user's id.
        audience, issuer: required if given; a JWT with an audience is rejected if `audience` is not given.
    """

    claim: str = "sub"
    audience: str | None = None
    issuer: str | None = None


class SignedIdentity:
    """Proof by a JWT that the proxy, or the login service before it, has signed; ``exp`` is required.

    If the user's id comes in another header than the JWT, both must name the same user, so that nobody can combine
    their own name with somebody else's JWT.

    Args:
        identity: the name of the header with the user's id, in lower case.
        header: the name of the header with the JWT, in lower case; a value may begin with ``Bearer``.
        keys: a shared secret (HS256), or public keys (RS256, ES256).
        rules: the required claims.
        clock: the source of time.
    """

    def __init__(self, identity: str, header: str, keys: Keys, rules: JWTRules, *, clock: Clock) -> None:
        self._identity = identity
        self._header = header
        self._keys = keys
        self._rules = rules
        self._clock = clock

    async def check(self) -> None:
        """Check that the keys are available.

        Raises:
            ConfigError: they are not.
        """
        await self._keys.values()

    async def user(self, request: Request, /) -> str | None:
        """Return the user of the request.

        Raises:
            HTTPError: see `Proof.user`.
        """
        text = request.header(self._header) or ""
        scheme, space, rest = text.partition(" ")
        if space and scheme.lower() == "bearer":
            text = rest.strip()
        claims = await self._claims(text) if 0 < len(text) <= _LONGEST else None
        if claims is None:
            raise HTTPError(401, *_NOT_PROVEN)
        named = claims.get(self._rules.claim)
        if isinstance(named, bool) or not isinstance(named, (str, int)):
            log.warning("a JWT from the proxy has no claim %s that is a text or a number", self._rules.claim)
            raise HTTPError(401, *_NOT_PROVEN)
        user = _usable(str(named))
        if self._identity != self._header and _said(request, self._identity) != user:
            raise HTTPError(401, "unauthorized", "The proxy's JWT is not for the user whom it names.")
        return user

    async def aclose(self) -> None:
        """Close the secret store."""
        await self._keys.aclose()

    async def _claims(self, text: str) -> dict[str, Any] | None:
        """Return the claims of a valid JWT; for an invalid one log the reason and return None."""
        from joserfc.errors import JoseError
        from joserfc.jwt import JWTClaimsRegistry

        reason = "its signature matches none of the keys"
        signed = await self._signed(text)
        if not signed and await self._keys.newer():
            signed = await self._signed(text)
        for claims in signed:
            if "aud" in claims and self._rules.audience is None:
                # RFC 7519 §4.1.3: the JWT has an audience, and it is unknown whether that is this service.
                reason = "it names an audience, but --jwt-audience is not set"
                continue
            registry = JWTClaimsRegistry(now=int(self._clock.now()), leeway=LEEWAY, **self._options())
            try:
                registry.validate(claims)
            except (JoseError, ValueError, TypeError) as error:
                # The errors' messages name claims, and contain no values.
                reason = str(error)
                continue
            return claims
        log.warning("a JWT from the proxy was refused: %s", reason)
        return None

    async def _signed(self, text: str) -> list[dict[str, Any]]:
        """Yield the claims once for every key whose signature matches."""
        found = (_verified(text, key) for key in await _available(self._keys))
        return [claims for claims in found if claims is not None]

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"exp": {"essential": True}}
        if self._rules.issuer is not None:
            options["iss"] = {"essential": True, "value": self._rules.issuer}
        if self._rules.audience is not None:
            options["aud"] = {"essential": True, "value": self._rules.audience}
        return options


class Gate:
    """Passes the proxy's requests to an endpoint, which finds the user in `Request.native`.

    A preflight request carries no data and gets none; it passes.
    """

    def __init__(self, proof: Proof, endpoint: Endpoint) -> None:
        self._proof = proof
        self._endpoint = endpoint

    async def handle(self, request: Request, /) -> WebResponse:
        """Answer one request.

        Raises:
            ClientDisconnectError: the client has disconnected.
        """
        try:
            user = None if request.method == "OPTIONS" else await self._proof.user(request)
        except HTTPError as refusal:
            return refusal.answer
        return await self._endpoint.handle(attrs.evolve(request, native=user))


async def named_by_the_proxy(native: str | None) -> str | None:
    """Return the user that a `Gate` has found; the ``identify`` of a `TokenEndpoint`."""
    return native


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


async def _available(keys: Any) -> Any:
    try:
        return await keys.values()
    except ConfigError as error:
        log.error("requests are refused: %s", error)
        raise HTTPError(503, *_NOT_READY, retry_after(1.0)) from None


def _said(request: Request, header: str) -> str | None:
    """Return the user's id in a header, which must occur once.

    Raises:
        HTTPError: it occurs several times, or is a list, or contains characters that no id contains (400).
    """
    text = request.header(header)
    if not text:
        return None
    if "," in text:
        # RFC 9110 §5.3: a proxy may have joined two headers, one of them sent by the visitor.
        raise HTTPError(400, "repeated_header", "The identity must be given once, without a comma.")
    return _usable(text)


def _usable(text: str) -> str:
    """Return an identity, character by character as it came.

    Raises:
        HTTPError: it is invalid: it begins or ends with white space, or cannot be stored (400).
    """
    try:
        text.encode()
        usable = id_text(text, "identity") == text
    except (InvalidInputError, UnicodeError):
        usable = False
    if not usable:
        raise HTTPError(400, *BAD_IDENTITY)
    return text


def _verified(text: str, key: Any) -> dict[str, Any] | None:
    """Return the claims of a compact JWS that this key has signed, else None.

    A shared secret is used only with HS256, and a public key never: otherwise a public key could serve as a shared
    secret.
    """
    from joserfc.errors import JoseError
    from joserfc.jws import JWSRegistry, deserialize_compact, extract_compact

    try:
        if isinstance(key, str):
            return read_unverified(text) if HS256Key(key).verifies(text) else None
        # RFC 7515 §4: unknown header fields are ignored, unless `crit` names them.
        registry = JWSRegistry(algorithms=["RS256", "ES256"], strict_check_header=False)
        named = extract_compact(text.encode()).protected.get("kid")
        if named is not None and key.kid is not None and key.kid != named:
            return None
        payload = codec.loads(deserialize_compact(text.encode(), key, registry=registry).payload)
    except (JoseError, InvalidTokenError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
