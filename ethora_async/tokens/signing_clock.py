"""The time that tokens carry, corrected once the platform has shown that this machine's clock is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.engine.engine import LARGEST_SKEW

if TYPE_CHECKING:
    from ethora_async.protocols import Clock

LARGEST = 86_400.0
"""Seconds beyond which a stated time is not believed: such tokens would be good for days to come."""


class SigningClock:
    """A clock for `iat` and `exp`.

    Args:
        clock: This machine's clock.

    Attributes:
        offset: Seconds that the platform's clock is ahead of this machine's; 0 until `correct` is called.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offset: float = 0.0

    def now(self) -> float:
        """Return the platform's time in seconds since the epoch, as far as it is known."""
        return self._clock.now() + self.offset

    def correct(self, offset: float) -> bool:
        """Sign with another offset from now on; return False when that would change nothing of importance."""
        if abs(offset) > LARGEST or abs(offset - self.offset) <= LARGEST_SKEW:
            return False
        self.offset = offset
        return True
