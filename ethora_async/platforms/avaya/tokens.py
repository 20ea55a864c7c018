"""``avaya.tokens``: tokens with which a customer's chat logs in, from the Generate JWT call.

See docs/platforms/avaya.md#generate-jwt, #shape-of-the-chat-token, #lifetime-guests-and-verified-customers.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

from ethora_async import codec, engine
from ethora_async.errors import InvalidTokenError
from ethora_async.platforms.avaya import operations
from ethora_async.platforms.avaya.customers import Customer, Identifiers, whole_minutes
from ethora_async.records import ChatToken, Id
from ethora_async.redaction import Secret
from ethora_async.tokens.cache import TokenCache

if TYPE_CHECKING:
    from ethora_async.config import Seconds
    from ethora_async.platforms.avaya.connection import AccountContext, Connection
    from ethora_async.request import Reply

USER_TOKEN_TTL = 900.0
"""Default lifetime in seconds: Avaya's own default."""
LEAST_LEFT = 300.0
"""In seconds: a token with less time left is not handed out (docs/architecture.md#capabilities)."""
REMINDER = 180.0
"""Seconds before its expiry at which Avaya's front end requests the next token.

See docs/platforms/avaya.md#lifetime-guests-and-verified-customers.
"""

_LONGEST = 16_384
"""In characters; the claims of a longer token are not read."""
_YEAR_10000 = 253_402_300_800.0
_PREFIX = "jwt"


class Tokens:
    """Tokens fetched from Avaya, cached until five minutes before they expire."""

    def __init__(self, context: AccountContext, *, cache_size: int) -> None:
        self._context = context
        self._cache: TokenCache[ChatToken] = TokenCache(context.clock, cache_size)

    async def for_user(
        self,
        id: Id,
        *,
        verified: bool = False,
        name: str | None = None,
        identifiers: Identifiers | None = None,
        ttl: Seconds = USER_TOKEN_TTL,
    ) -> ChatToken:
        """Return the token with which one customer's chat starts.

        Take the customer from your own session, never from what a browser sent: otherwise anybody can claim to be any
        customer (docs/platforms/avaya.md#mistakes-of-the-sample-servers).

        Args:
            id: your own id of the customer, at most 256 characters, the same at every visit of a verified one. If it is
                an e-mail address or a telephone number, pass an HMAC of it instead.
            verified: True for a customer who is logged in on your site; a guest otherwise.
            name: at most 70 characters, shown to the agent.
            identifiers: for verified customers alone: 1 to 10 names of at most 50 characters (``emailAddresses``,
                ``phoneNumbers``, or those of your Customer Journey), each with one value or up to 5, of at most 256
                characters.
            ttl: 15 to 60 whole minutes, as a `timedelta` or in seconds (default 15 minutes).

        Returns:
            A token from the cache, or a new one when that would expire within five minutes. `value` is Avaya's,
            unchanged; `refresh_at` is three minutes before its end; `extra` holds ``app_key``, ``integration_id`` and
            ``host``, which a browser may know.

        Raises:
            InvalidInputError: an argument is invalid; nothing was sent.
            ConfigError: a setting is missing or cannot be used.
            InvalidTokenError: Avaya returned a token with less than five minutes left.
            NotSentError, ReplyLostError, ApiError: as `ethora_async.errors` describes them, after all attempts.
        """
        customer = Customer.of(id, verified=verified, name=name, identifiers=identifiers)
        minutes = whole_minutes(ttl)
        connection = await self._context.open()
        answer = self._context.settings.peek() or await self._context.settings.load()
        # The key contains everything that the token depends on
        # (docs/platforms/avaya.md#lifetime-guests-and-verified-customers).
        key = ("avaya", connection.integration_id, customer, minutes, answer.version)
        token = self._cache.get(key)
        if token is None:
            token = await self._minted(connection, customer, minutes)
            if self._context.emitter.wanted:
                self._context.emitter.emit(engine.TokenRefreshed("client", answer.version))
            self._cache.put(key, token, token.expires_at - self._context.clock.now(), early=LEAST_LEFT)
        return token

    async def for_guest(self, *, name: str | None = None, ttl: Seconds = USER_TOKEN_TTL) -> ChatToken:
        """Return a token for an unknown visitor, under a random id; otherwise as `for_user`."""
        return await self.for_user(secrets.token_urlsafe(24), name=name, ttl=ttl)

    async def _minted(self, connection: Connection, customer: Customer, minutes: int) -> ChatToken:
        asked = self._context.clock.now()
        reply = await connection.engine.call(
            operations.GENERATE_JWT,
            path={"account": connection.account_id},
            data=customer.body(connection.integration_id, minutes),
        )
        secret = _token(reply)
        if secret is None:
            msg = "the platform's reply holds no jwtToken"
            raise reply.origin.lost(msg)
        # Counted from before the request, unless the token states its expiry.
        expires = expiry(secret) or asked + minutes * 60
        left = expires - self._context.clock.now()
        if left < LEAST_LEFT:
            msg = (
                f"the platform gave a token that has {left:.0f} seconds left, and one with less than "
                f"{LEAST_LEFT:.0f} is not handed out: is this machine's clock right?"
            )
            raise InvalidTokenError(msg, operation=operations.GENERATE_JWT.name)
        return ChatToken(
            secret=secret,
            user_id=customer.id,
            expires_at=expires,
            refresh_at=expires - REMINDER,
            platform="avaya",
            extra=connection.for_browser(),
            request_id=reply.request_id,
        )


def _token(reply: Reply) -> Secret | None:
    value = reply.data.get("jwtToken") if isinstance(reply.data, dict) else None
    return Secret(value) if isinstance(value, str) and value else None


def expiry(token: Secret) -> float | None:
    """Return when a token expires, in seconds since the epoch; None if that cannot be read.

    Avaya's tokens have four parts, the first of them the word ``jwt``
    (docs/platforms/avaya.md#shape-of-the-chat-token); three are accepted as well. The signature is not verified, since
    no key for it is published.
    """
    text = token.reveal()
    parts = text.split(".") if len(text) <= _LONGEST else []
    if parts[:1] == [_PREFIX]:
        del parts[0]
    if len(parts) < 2:
        return None
    claims = _claims(parts[1])
    value = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _YEAR_10000:
        return None
    return float(value)


def _claims(part: str) -> Any:
    try:
        return codec.loads(base64.urlsafe_b64decode(part.rstrip("=") + "=" * (-len(part.rstrip("=")) % 4)))
    except ValueError:
        return None
