"""A clock that a test controls."""

from __future__ import annotations

import asyncio


class FakeClock:
    """A clock that stands still until it is moved, and on which every sleep ends at once.

    Attributes:
        slept: every requested wait in seconds, in order.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += seconds
        self._monotonic += seconds

    async def sleep(self, delay: float, /) -> None:
        """Move the clock forward by `delay` seconds, without waiting."""
        self.slept.append(delay)
        self.advance(delay)
        await asyncio.sleep(0)
