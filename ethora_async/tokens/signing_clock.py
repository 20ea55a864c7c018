"""The time in tokens, corrected when the platform shows that this machine's clock is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.clock import LARGEST_SKEW

if TYPE_CHECKING:
    from ethora_async.protocols import Clock

LARGEST = 86_400.0
"""In seconds: a larger clock difference is ignored, because its tokens would be valid for days."""


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
        """Sign with another offset from now on; return False if the difference is negligible."""
        if abs(offset) > LARGEST or abs(offset - self.offset) <= LARGEST_SKEW:
            return False
        self.offset = offset
        return True
