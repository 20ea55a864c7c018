"""Admit requests: limit how many are in flight, and choose which waiting one is next."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from ethora_async import engine
from ethora_async.clock import SystemClock
from ethora_async.engine.emitter import Emitter
from ethora_async.engine.learning import Learning
from ethora_async.engine.patience import LONGEST_PAUSE
from ethora_async.errors import NotSentError

if TYPE_CHECKING:
    from ethora_async.config import Limits
    from ethora_async.protocols import Clock

_BULK_TURN = 8
"""While both kinds wait, every eighth slot goes to a bulk run."""


class Limiter:
    """Slots for requests in flight.

    There are two kinds of requests: those of a bulk run (*bulk*), and interactive ones (*foreground*). Each kind is
    served first come, first served; foreground goes first, except for every eighth slot, so that neither starves the
    other.

    * `limit` slots are shared. The limit starts low for bulk. It binds foreground only after the platform has refused a
      request or answered slowly, so a burst of calls is not held back before anything has been learned. Bulk never
      takes the last eighth of the ceiling, and foreground may exceed the limit by an eighth: a single foreground
      request finds a slot at once, whatever bulk runs are active. (With a ceiling of one it waits for the request in
      flight.)
    * `Limits.rate` spaces all starts.
    * A 429 or a 503 slows down bulk only: all bulk requests wait out a ``Retry-After`` together, and then keep to the
      pace that `Learning` has found. Foreground requests are never delayed by bulk traffic; each handles its own 429.

    A cancelled waiter leaves nothing behind.
    """

    def __init__(self, limits: Limits, *, clock: Clock | None = None, emitter: Emitter | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._emitter = emitter or Emitter()
        self._ceiling = limits.concurrency
        self._bulk_ceiling = max(1, self._ceiling - max(1, self._ceiling // 8))
        self._learning = Learning(self._ceiling) if limits.adaptive else None
        self._limit = self._learning.limit if self._learning else self._ceiling
        self._foreground_limit = self._ceiling
        self._in_flight = 0
        self._foreground = 0
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._waiting_bulk: deque[asyncio.Future[None]] = deque()
        self._interval = 1 / limits.rate if limits.rate is not None else 0.0
        self._next_start = -math.inf
        self._next_bulk_start = -math.inf
        self._paused_until = -math.inf
        self._ticker: asyncio.Task[None] | None = None
        self._tick_at = math.inf

    @property
    def limit(self) -> int:
        """The number of requests that may be in flight now."""
        return self._limit

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        return len(self._waiting) + len(self._waiting_bulk)

    @property
    def pace(self) -> float | None:
        """Bulk requests that may start per second; None until the platform has shown that it counts them."""
        return self._learning.pace if self._learning else None

    def try_acquire(self, *, bulk: bool = False) -> bool:
        """Take a slot if one is free now; call `release` once for it, as after `acquire`."""
        if self._interval or self._waiting:
            return False
        paced = self._learning is not None and self._learning.pace is not None
        if not bulk:
            if self._in_flight >= self._foreground_limit and not self._fits():
                return False
            self._foreground += 1
            self._in_flight += 1
            if paced:
                self._push_back_bulk(self._clock.monotonic())
            return True
        if self._waiting_bulk or paced or not self._fits_bulk():
            return False
        if self._paused_until > -math.inf and self._paused_until > self._clock.monotonic():
            return False
        self._in_flight += 1
        return True

    async def acquire(self, *, bulk: bool = False) -> None:
        """Wait for a slot. Call `release` once after every successful call.

        Raises:
            NotSentError: the request is `bulk`, and the platform asks for a longer wait than `LONGEST_PAUSE`;
                `retry_after` is that wait.
        """
        if bulk and (left := self._paused_until - self._clock.monotonic()) > LONGEST_PAUSE:
            raise _too_long(left)
        waiter = asyncio.get_running_loop().create_future()
        queue = self._waiting_bulk if bulk else self._waiting
        queue.append(waiter)
        self._hand_out()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(bulk=bulk)  # the slot had just been handed over
            else:
                # `_hand_out` may have passed over it already.
                with suppress(ValueError):
                    queue.remove(waiter)
                self._watch()
            raise

    def release(self, *, bulk: bool = False) -> None:
        """Release the slot."""
        self._in_flight -= 1
        if not bulk:
            self._foreground -= 1
        if self._waiting or self._waiting_bulk:
            self._hand_out()

    def learn(self, operation: str, seconds: float, now: float) -> None:
        """Record a reply that refused nothing. Called before its slot is released."""
        learning = self._learning
        if learning is None:
            return
        paced = bool(self._waiting_bulk) and self._in_flight <= self._limit
        pace = learning.pace
        slow = learning.good(operation, seconds, in_flight=self._in_flight, paced=paced, now=now)
        if slow or learning.limit != self._limit:
            self._adopt("slow replies" if slow else "replies come well")
        if pace is not None and learning.pace is None:
            if self._emitter.wanted:
                self._emitter.emit(engine.PaceChanged(None, "it was learned long ago"))
            self._hand_out()

    def refused(self, status: int, retry_after: float | None) -> None:
        """Record a 429 or a 503, and how long it asks to wait. Called before the slot of its request is released."""
        now = self._clock.monotonic()
        learning = self._learning
        wait = retry_after or 0.0
        if learning is not None:
            pace = learning.pace
            wait = max(wait, learning.refused(status, retry_after, in_flight=self._in_flight, now=now))
            self._adopt(f"HTTP {status}")
            if learning.pace != pace and self._emitter.wanted:
                self._emitter.emit(engine.PaceChanged(learning.pace, f"HTTP {status}"))
        if wait:
            self._pause(wait, now, status, asked=bool(retry_after))

    def _pause(self, wait: float, now: float, status: int, *, asked: bool) -> None:
        until = now + wait
        if until <= self._paused_until:
            return
        # Requests in flight at the same time are refused together: one pause, one event.
        news = until > self._paused_until + max(1.0, 0.1 * wait)
        self._paused_until = until
        if asked and news:
            self._emitter.emit(engine.Paused(wait, f"HTTP {status}"))
        if wait > LONGEST_PAUSE:
            for waiter in self._waiting_bulk:
                if not waiter.done():
                    waiter.set_exception(_too_long(wait))
            self._waiting_bulk.clear()
        self._watch()

    def _adopt(self, reason: str) -> None:
        assert self._learning is not None  # noqa: S101  for the type checkers
        limit = self._learning.limit
        changed = limit != self._limit
        self._limit = limit
        self._foreground_limit = self._ceiling if self._learning.untouched else limit
        if changed:
            if self._emitter.wanted:
                self._emitter.emit(engine.ConcurrencyChanged(limit, reason))
            self._hand_out()

    def _fits(self) -> bool:
        if self._in_flight < self._foreground_limit:
            return True
        return self._foreground < max(1, self._limit // 8) and self._in_flight < self._ceiling

    def _fits_bulk(self) -> bool:
        return self._in_flight < self._limit and self._in_flight - self._foreground < self._bulk_ceiling

    def _opens(self) -> float:
        """Return the earliest time at which the next foreground request may start."""
        return self._next_start

    def _opens_bulk(self) -> float:
        if self.pace is None:
            return max(self._next_start, self._paused_until)
        return max(self._next_start, self._paused_until, self._next_bulk_start)

    def _hand_out(self) -> None:
        now = self._clock.monotonic()
        while (queue := self._next_queue(now)) is not None:
            waiter = queue.popleft()
            if waiter.done():
                continue
            self._in_flight += 1
            if queue is self._waiting:
                self._foreground += 1
                self._passed += 1
            else:
                self._passed = 0
            self._push_back(now)
            waiter.set_result(None)
        self._watch()

    def _next_queue(self, now: float) -> deque[asyncio.Future[None]] | None:
        foreground = bool(self._waiting) and self._fits() and self._opens() <= now
        bulk = bool(self._waiting_bulk) and self._fits_bulk() and self._opens_bulk() <= now
        if not self._waiting_bulk:
            self._passed = 0
        if foreground and not (bulk and self._passed >= _BULK_TURN - 1):
            return self._waiting
        return self._waiting_bulk if bulk else None

    def _push_back(self, now: float) -> None:
        if self._interval:
            self._next_start = max(self._next_start, now) + self._interval
        self._push_back_bulk(now)

    def _push_back_bulk(self, now: float) -> None:
        if (pace := self.pace) is not None:
            self._next_bulk_start = max(self._next_bulk_start, now) + 1 / pace

    def _watch(self) -> None:
        """Set a timer for a waiter that needs only time to pass."""
        due = math.inf
        if self._waiting and self._fits():
            due = self._opens()
        if self._waiting_bulk and self._fits_bulk():
            due = min(due, self._opens_bulk())
        if due == self._tick_at:
            return
        self._tick_at = due
        if self._ticker is not None and self._ticker is not asyncio.current_task():
            self._ticker.cancel()
            self._ticker = None
        if due < math.inf and self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while self._tick_at < math.inf:
            await self._clock.sleep(max(0.0, self._tick_at - self._clock.monotonic()))
            self._tick_at = math.inf
            self._hand_out()
        self._ticker = None


def _too_long(seconds: float) -> NotSentError:
    msg = (
        f"the platform asked everyone to wait {seconds:.0f} s, longer than the {LONGEST_PAUSE:.0f} s for which a run"
        " waits: start it again then"
    )
    return NotSentError(msg, retry_after=seconds)
