"""``ethora.tokens``: tokens with which front ends log in, minted in this process (docs/platforms/ethora.md#tokens)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async import engine
from ethora_async.config import Seconds, seconds
from ethora_async.errors import InvalidInputError, InvalidTokenError
from ethora_async.platforms.ethora.auth import SERVER_TOKEN_TTL, server_claims, sign
from ethora_async.records import ChatToken, Id, email_text
from ethora_async.redaction import Secret
from ethora_async.tokens.cache import TokenCache, margin
from ethora_async.tokens.hs256 import read_unverified

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.app_secret import Purpose, SigningKeys
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.tokens.rotating import KeyRing

USER_TOKEN_TTL = 3600.0
"""Default lifetime of a user's token in seconds."""


@attrs.frozen(kw_only=True)
class VerifiedToken:
    """A valid token, signed with this app's secret.

    Attributes:
        purpose: ``"client"`` for a user's token, ``"server"`` for a back end's.
        user_id: your own id of the user; None in a server's token.
        issued_at, expires_at: seconds since the epoch, None if the token does not say.
        claims: all its claims.
    """

    purpose: Literal["client", "server"]
    app_id: str
    user_id: str | None
    issued_at: float | None
    expires_at: float | None
    claims: Mapping[str, Any] = attrs.field(repr=False)


class Tokens:
    """Signs tokens with the app secret, and caches them until a minute before they expire. No request is sent."""

    def __init__(self, context: AppContext, *, cache_size: int) -> None:
        self._context = context
        self._cache: TokenCache[ChatToken] = TokenCache(context.clock, cache_size)

    async def for_user(self, id: Id, *, ttl: Seconds = USER_TOKEN_TTL) -> ChatToken:
        """Return the token with which one user's front end logs in: a client JWT
        (docs/platforms/ethora.md#client-token).

        The front end exchanges it for a session (``POST /v1/users/client``); the user must exist by then.

        Args:
            id: your own id of the user, taken literally: no prefixed name, no JID, no `MongoId`.
            ttl: its lifetime (default 1 h); whole seconds, at least 1.

        Returns:
            A token from the cache, or a new one when that would expire within a minute (or half its life, if
            shorter).

        Raises:
            InvalidInputError: the id cannot be one of yours; see docs/reference/identities.md.
            ConfigError: the secret cannot be read, or the ttl is not greater than 0.
        """
        app = self._context.app or await self._context.open()
        user = app.names.own(id)
        # The keys are in the vendor's order, so that the same claims give the same bytes.
        claims = {"data": {"type": "client", "userId": user, "appId": app.app_id}}
        return await self._minted(app, "client", user, ttl, claims)

    async def for_email(self, email: str, *, ttl: Seconds = USER_TOKEN_TTL) -> ChatToken:
        """Return a token that names the user by e-mail address: the flat payload of the older guide.

        See docs/platforms/ethora.md#tokens-by-e-mail-address.

        The current platform identifies users by id and rejects this form; use it only with a server that requires it.

        Raises:
            InvalidInputError: it is not a valid e-mail address.
            ConfigError: the secret cannot be read.
        """
        app = self._context.app or await self._context.open()
        address = email_text(email)
        claims = {"email": address, "type": "client", "appId": app.app_id}
        return await self._minted(app, "email", address, ttl, claims)

    async def for_server(self, *, ttl: Seconds = SERVER_TOKEN_TTL) -> ChatToken:
        """Return a server JWT (docs/platforms/ethora.md#server-token), for calls that this client does not support.
        Keep it in the back end.

        Its `user_id` is empty.
        """
        app = self._context.app or await self._context.open()
        return await self._minted(app, "server", "", ttl, server_claims(app.app_id))

    async def verify(self, token: str | ChatToken, *, leeway: Seconds | None = None) -> VerifiedToken:
        """Verify that a token was signed with this app's secret, and is valid.

        Accepted: HS256 only, signed with the scoped key of its type or with the raw secret, by the current or the
        previous secret, for this app, before its ``exp``. ``iat`` and ``exp`` are optional
        (docs/platforms/ethora.md#times-in-tokens). A leading ``Bearer`` is dropped.

        Args:
            leeway: how long after its ``exp`` it is still accepted (default 0).

        Raises:
            InvalidTokenError: it is not such a token; the message says why and quotes nothing of it.
        """
        app = self._context.app or await self._context.open()
        text = token.value if isinstance(token, ChatToken) else token
        if not isinstance(text, str):
            msg = f"a token must be text, not {type(token).__name__}"
            raise InvalidTokenError(msg)
        text = text.strip().removeprefix("Bearer ").strip()
        claims = read_unverified(text)
        verified = _read_claims(claims, app)
        self._check_signature(await self._context.secret.load(), verified.purpose, text)
        slack = seconds(leeway, "leeway") if leeway else 0.0
        if verified.expires_at is not None and self._context.clock.now() >= verified.expires_at + slack:
            msg = "the token has expired"
            raise InvalidTokenError(msg)
        return verified

    def _check_signature(self, ring: KeyRing[SigningKeys], purpose: Purpose, token: str) -> None:
        for keys in ring.inbound():
            if keys.verifies(purpose, token):
                return
        msg = "the token was not signed with this app's secret"
        raise InvalidTokenError(msg)

    async def _minted(
        self,
        app: App,
        purpose: Literal["client", "server", "email"],
        subject: str,
        ttl: Seconds,
        claims: dict[str, Any],
    ) -> ChatToken:
        ring = self._context.secret.peek() or await self._context.secret.load()
        keys = app.credentials.chosen(ring)
        signing_clock = self._context.signing_clock
        cache_key = ("ethora", purpose, subject, ttl, ring.version, keys.key, signing_clock.offset)
        token = self._cache.get(cache_key)
        if token is None:
            lifetime = max(1.0, seconds(ttl, "ttl"))
            # The older guide has no scoped keys.
            key = keys.raw() if purpose == "email" else keys.signing(purpose)
            now = signing_clock.now()
            value, expires = sign(key, claims, lifetime, now)
            # Tokens count whole seconds: this one expires up to a second early.
            lifetime = expires - now
            token = ChatToken(
                secret=Secret(value),
                user_id=subject,
                expires_at=expires,
                refresh_at=expires - margin(lifetime),
                platform="ethora",
            )
            self._cache.put(cache_key, token, lifetime)
            if self._context.emitter.wanted:
                self._context.emitter.emit(engine.TokenRefreshed(purpose, ring.version))
        return token


def _read_claims(claims: dict[str, Any], app: App) -> VerifiedToken:
    data = claims.get("data")
    if not isinstance(data, dict):
        msg = "the token's claims are not nested under data"
        raise InvalidTokenError(msg)
    purpose, user = data.get("type"), data.get("userId")
    if purpose not in ("client", "server"):
        msg = "the token's type is neither client nor server"
        raise InvalidTokenError(msg)
    if data.get("appId") != app.app_id:
        msg = "the token is for another app"
        raise InvalidTokenError(msg)
    return VerifiedToken(
        purpose=purpose,
        app_id=app.app_id,
        user_id=_user(user, app) if purpose == "client" else None,
        issued_at=_time(claims, "iat"),
        expires_at=_time(claims, "exp"),
        claims=claims,
    )


def _user(value: Any, app: App) -> str:
    try:
        if isinstance(value, str):
            return app.names.lookup(value)
    except InvalidInputError:
        pass
    msg = "the client token names no user"
    raise InvalidTokenError(msg)


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"the token's {name} is not a number"
        raise InvalidTokenError(msg)
    return float(value)
