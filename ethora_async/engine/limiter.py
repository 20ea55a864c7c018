"""How many requests may be in flight: a ceiling, and below it what the platform has shown to bear."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

    from ethora_async.config import Limits

_AFTER_REFUSAL = 0.5
_AFTER_SLOWNESS = 0.9
_SLOW_FACTOR = 8.0
_SLOW_FLOOR = 0.5
"""Seconds: quicker replies are never called slow, however much quicker the quickest was."""
_FLOOR_DRIFT = 1.01
"""How much of the quickest reply each slow one forgets: a platform that is slower for good is not held to it."""


class Limiter:
    """Slots for requests in flight, given out first come, first served.

    The limit starts at the ceiling. A 429 halves it, growing latency takes a tenth off it, each at most once per
    round of replies; every reply that came well adds its share back. Slots are given to waiters in order, and a
    cancelled waiter leaves none behind.
    """

    def __init__(self, limits: Limits) -> None:
        self._ceiling = limits.concurrency
        self._adaptive = limits.adaptive
        self._limit = float(limits.concurrency)
        self._in_flight = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._rate = limits.rate
        self._pace: AsyncLimiter | None = None
        self._until_next_cut = 0
        self._quickest: dict[str, float] = {}

    @property
    def limit(self) -> int:
        """How many may be in flight now."""
        return max(1, int(self._limit))

    @property
    def in_flight(self) -> int:
        """How many are."""
        return self._in_flight

    def try_acquire(self) -> bool:
        """Take a slot if one is free at once; matched by one `release`, as `acquire` is."""
        if self._rate is not None or self._waiters or self._in_flight >= self.limit:
            return False
        self._in_flight += 1
        return True

    async def acquire(self) -> None:
        """Wait for a slot. Every successful call must be matched by one `release`."""
        await self._slot()
        if self._rate is not None:
            # After the slot, not before: permissions to start would pile up in the queue and be used all at once.
            try:
                await self._paced(self._rate)
            except BaseException:
                self.release()
                raise

    async def _slot(self) -> None:
        if self._in_flight < self.limit and not self._waiters:
            self._in_flight += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()  # the slot had just been handed over
            else:
                # `_hand_out` may have passed over it already.
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            raise

    def release(self) -> None:
        """Give the slot back."""
        self._in_flight -= 1
        self._hand_out()

    def learn(self, operation: str, seconds: float, *, refused: bool) -> None:
        """Take in how one attempt went: how long its reply took, and whether it was a 429."""
        if not self._adaptive:
            return
        self._until_next_cut -= 1
        if refused:
            self._cut(_AFTER_REFUSAL)
            return
        quickest = self._quickest.get(operation, math.inf)
        if seconds < quickest:
            self._quickest[operation] = seconds
        elif seconds > _SLOW_FLOOR and seconds > _SLOW_FACTOR * quickest:
            self._quickest[operation] = quickest * _FLOOR_DRIFT
            self._cut(_AFTER_SLOWNESS)
            return
        if self._limit < self._ceiling:
            self._limit = min(self._ceiling, self._limit + 1 / self._limit)
            self._hand_out()

    def _cut(self, factor: float) -> None:
        # Replies to requests that left before the last cut say nothing about whether it was enough.
        if self._until_next_cut > 0:
            return
        self._until_next_cut = self._in_flight
        self._limit = max(1.0, min(self._limit, self._in_flight) * factor)

    def _hand_out(self) -> None:
        while self._waiters and self._in_flight < self.limit:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._in_flight += 1
                waiter.set_result(None)

    async def _paced(self, rate: float) -> None:
        if self._pace is None:
            from aiolimiter import AsyncLimiter

            # A bucket for one: a bigger one would let as many start at once on top of the rate.
            self._pace = AsyncLimiter(1, 1 / rate)
        await self._pace.acquire()
