"""A cache of tokens until shortly before they expire; the least recently used is dropped first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ethora_async.protocols import Clock

T = TypeVar("T")

RENEWAL_MARGIN = 60.0
"""Seconds before a token's expiry from which it is no longer handed out (docs/architecture.md#defaults)."""


def margin(ttl: float) -> float:
    """Return how many seconds before its expiry a token is renewed: 60, or half its lifetime if it is short."""
    return min(RENEWAL_MARGIN, ttl / 2)


class TokenCache(Generic[T]):
    """An expiry-aware LRU cache.

    The key should contain everything that the token depends on, including the version of the secret: after a rotation
    the cache then misses. Age is measured on the monotonic and on the wall clock: the first is immune to a corrected
    system time, the second to a suspended machine.

    Args:
        size: maximum number of tokens (default 10,000).
    """

    def __init__(self, clock: Clock, size: int = 10_000) -> None:
        self._clock = clock
        self._size = size
        self._tokens: OrderedDict[Hashable, tuple[float, float, T]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """Return the token, or None when there is none that may still be handed out."""
        entry = self._tokens.get(key)
        if entry is None:
            return None
        until, wall_until, token = entry
        if self._clock.monotonic() >= until or self._clock.now() >= wall_until:
            del self._tokens[key]
            return None
        self._tokens.move_to_end(key)
        return token

    def put(self, key: Hashable, token: T, ttl: float, *, early: float | None = None) -> None:
        """Add a token that was just created and lives `ttl` seconds.

        It is handed out until `early` seconds before it expires; by default see `margin`.
        """
        lifetime = ttl - (margin(ttl) if early is None else early)
        self._tokens[key] = (self._clock.monotonic() + lifetime, self._clock.now() + lifetime, token)
        self._tokens.move_to_end(key)
        if len(self._tokens) > self._size:
            self._tokens.popitem(last=False)

    def clear(self) -> None:
        """Remove all tokens."""
        self._tokens.clear()

    def __len__(self) -> int:
        return len(self._tokens)
