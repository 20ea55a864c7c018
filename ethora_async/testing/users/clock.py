"""Time that a test moves."""

from __future__ import annotations

import asyncio


class FakeClock:
    """A clock that stands still until it is moved, and on which every sleep is over at once.

    Attributes:
        slept: every wait asked for, in seconds, in order.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        self._monotonic += seconds

    async def sleep(self, delay: float, /) -> None:
        """Let `delay` seconds pass, without waiting for them."""
        self.slept.append(delay)
        self.advance(delay)
        await asyncio.sleep(0)
