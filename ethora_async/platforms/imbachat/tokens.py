"""``imbachat.tokens``: tokens with which a user's widget logs in, minted in this process.

See docs/platforms/imbachat.md#user-token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async import engine
from ethora_async.config import Seconds, seconds
from ethora_async.platforms.imbachat.numbers import user_number
from ethora_async.platforms.imbachat.settings import SigningKey, script_url, widget_id
from ethora_async.records import ChatToken, Id
from ethora_async.redaction import Secret
from ethora_async.tokens.cache import TokenCache, margin

if TYPE_CHECKING:
    from ethora_async.engine.emitter import Emitter
    from ethora_async.protocols import Clock
    from ethora_async.tokens.rotating import RotatingKeys
    from ethora_async.tokens.settings import Values

USER_TOKEN_TTL = 3600.0
"""Default lifetime of a user's token in seconds."""
# The members' order is part of the signed bytes: this is the order of the vendor's samples.
_HEADER = {"typ": "JWT", "alg": "HS256"}


class Tokens:
    """Signs tokens with the widget's Secret key, and caches them until a minute before expiry. No request is sent."""

    def __init__(self, keys: RotatingKeys[SigningKey], *, clock: Clock, emitter: Emitter, cache_size: int) -> None:
        self._keys = keys
        self._clock = clock
        self._emitter = emitter
        self._cache: TokenCache[ChatToken] = TokenCache(clock, cache_size)

    async def for_user(self, id: Id, *, ttl: Seconds = USER_TOKEN_TTL) -> ChatToken:
        """Return the token with which one user's widget logs in. Guests need none.

        It names neither widget nor audience and cannot be revoked: anyone who has it is that user until it expires, in
        every widget with the same Secret key. Use short lifetimes, and a separate key for each widget.

        Args:
            id: the user's id, a whole number greater than 0.
            ttl: its lifetime (default 1 h); whole seconds, at least 1.

        Returns:
            A token from the cache, or a new one when that would expire within a minute (or half its life, if
            shorter). `extra` holds ``widget_id`` and ``script_url`` if the widget's id is set.

        Raises:
            InvalidInputError: the id is no such number.
            ConfigError: the Secret key cannot be read, or the ttl is not greater than 0.
        """
        user = user_number(id)
        ring = self._keys.peek() or await self._keys.load()
        current = ring.settings.current
        cache_key = ("imbachat", user, ttl, current.key)
        token = self._cache.get(cache_key)
        if token is None:
            now = self._clock.now()
            lifetime = max(1.0, seconds(ttl, "ttl"))
            expires = int(now) + int(lifetime)
            value = ring.current.signing.sign({"exp": expires, "user_id": user}, _HEADER)
            left = expires - now
            token = ChatToken(
                secret=Secret(value),
                user_id=str(user),
                expires_at=float(expires),
                refresh_at=expires - margin(left),
                platform="imbachat",
                extra=_shown(current),
            )
            self._cache.put(cache_key, token, left)
            if self._emitter.wanted:
                self._emitter.emit(engine.TokenRefreshed("client", ring.version))
        return token


def _shown(values: Values) -> dict[str, str | int]:
    number, url = widget_id(values), script_url(values)
    return {"widget_id": number, "script_url": url} if number is not None and url is not None else {}
