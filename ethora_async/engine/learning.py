"""Learn the platform's capacity from its replies: concurrent requests and requests per second."""

from __future__ import annotations

import math

START = 4
"""Concurrent requests with which bulk runs start."""

_AFTER_REFUSAL = 0.5
_AFTER_SLOWNESS = 0.9
_SLOW_FACTOR = 8.0
_SLOW_FLOOR = 0.5
"""In seconds: quicker replies never count as slow, however quick the quickest was."""
_HELD_FACTOR = 2.0
_HELD_FLOOR = 0.1
"""In seconds: latency is stable, and the limit grows, while replies take less than this or than twice the best latency.
"""
_SMOOTHING = 0.05
"""Weight of the latest reply in the average latency: single replies vary too much."""
_FIRST_REPLIES = 10
"""Replies of an operation that are averaged before the average counts as the best latency."""
_DRIFT = 1.002
"""Share of the best latency that each slower reply discounts, so that a permanently slower platform gets a new
baseline.
"""

_HOLD = 300
"""Good replies before a level that was too high is tried again; doubled each time it proves too high once more."""
_LONGEST_HOLD = 4_800

_PATIENCE = 0.25
_LONGEST_PATIENCE = 8.0
"""Seconds that bulk runs wait after a 429 without a time, from a platform that counts; doubled for each in a row."""
_PACE_START = 0.9
_PACE_CUT = 0.8
_PACE_HELD = 0.9
"""Share of a refused rate that is used next, until `_HOLD` good replies have come."""
_PACE_GROWTH = 1.25
"""Growth of the rate per second, and at most a tenth with one reply."""
_SLOWEST_PACE = 0.05
_STALE_AFTER = 60.0
"""Seconds without a reply after which a learned rate is forgotten."""


class Learning:
    """The concurrency limit and the request rate that a client has learned. It reads no clock and never waits.

    *The limit* is the number of requests that may be in flight. It starts at `START`, doubles with every round of
    replies until the first bad one, and then grows by one a round, as long as latency is stable and the limit is what
    holds requests back. Until that first bad reply it binds only bulk runs (`untouched`). A 429 or a 503 halves it,
    growing latency lowers it by a tenth, each at most once per round of replies.

    *The pace* is the number of bulk requests that may start per second. It is None until the platform shows that it
    counts requests, by a 429 that names a time to wait, or by a 429 to a request that was alone. It starts a little
    below the number of replies in the last seconds, drops by a fifth after a refusal, and grows by a quarter a second
    while all is well.

    A level that caused a 429 is remembered and not tried again for some hundred good replies, so that a platform with a
    fixed limit rarely has to refuse.
    """

    def __init__(self, ceiling: int) -> None:
        self.pace: float | None = None
        self._ceiling = ceiling
        self._limit = float(min(START, ceiling))
        self.limit: int = int(self._limit)
        """The number of requests that may be in flight now."""
        self._doubling = True
        self._until_next_cut = 0
        self._latencies: dict[str, _Latency] = {}
        # The level known to be too high, and the number of good replies for which it is avoided.
        self._too_many = math.inf
        self._too_fast = math.inf
        self._last_refused = math.inf
        self._hold = _HOLD
        self._good = 0
        # Good replies in this second and in the one before.
        self._second = -math.inf
        self._now = self._before = 0
        self._last_good = -math.inf
        self._refusals = 0
        self._next_slowing = -math.inf

    @property
    def untouched(self) -> bool:
        """Whether there has been neither a refusal nor a slow reply so far."""
        return self._doubling

    def good(self, operation: str, seconds: float, *, in_flight: int, paced: bool, now: float) -> bool:
        """Record a reply that refused nothing, after `seconds`.

        Args:
            in_flight: number of requests in flight when it came, including its own.
            paced: whether requests are waiting for the pace.

        Returns:
            Whether it was so slow that the limit was lowered.
        """
        self._until_next_cut -= 1
        self._good += 1
        self._count(now)
        if self.pace is not None:
            self._quicken(now, paced=paced)
        self._last_good = now
        self._refusals = 0
        latency = self._latencies.get(operation)
        if latency is None:
            latency = self._latencies[operation] = _Latency()
        ratio = latency.add(seconds)
        if ratio > _HELD_FACTOR:
            return ratio > _SLOW_FACTOR and latency.usual > _SLOW_FLOOR and self._cut(in_flight, _AFTER_SLOWNESS)
        if self._limit < self._ceiling and 2 * in_flight >= self._limit:
            self._grow()
        return False

    def refused(self, status: int, retry_after: float | None, *, in_flight: int, now: float) -> float:
        """Record a 429 or a 503. Return how many seconds bulk runs should wait if the platform does not say."""
        self._until_next_cut -= 1
        level = self._level(in_flight)
        cut = self._cut(in_flight, _AFTER_REFUSAL)
        if status != 429:
            return 0.0
        self._good = 0
        if self.pace is None and retry_after is None and in_flight > 1:
            if cut:
                self._remember(level)
                self._too_many = level
            return 0.0
        if now >= self._next_slowing:
            self._slow_down(retry_after or 0.0, now)
        if retry_after is not None:
            return 0.0
        self._refusals += 1
        return float(min(_LONGEST_PATIENCE, _PATIENCE * 2.0 ** (self._refusals - 1)))

    def _cut(self, in_flight: int, factor: float) -> bool:
        # Replies to requests sent before the last cut say nothing about whether it was enough.
        if self._until_next_cut > 0:
            return False
        self._until_next_cut = in_flight
        self._limit = max(1.0, self._level(in_flight) * factor)
        self.limit = int(self._limit)
        self._doubling = False
        return True

    def _level(self, in_flight: int) -> float:
        """Return the level that was too high."""
        return float(in_flight if self._doubling else min(self._limit, in_flight))

    def _grow(self) -> None:
        top = float(self._ceiling)
        if self._good < self._hold:
            top = min(top, max(1.0, self._too_many - 1))
        else:
            self._too_many = math.inf
        step = 1.0 if self._doubling else 1 / self._limit
        self._limit = max(self._limit, min(top, self._limit + step))
        self.limit = int(self._limit)

    def _remember(self, level: float) -> None:
        # Refused again at the same level: that is the platform's limit. Refused at a lower one: the limit has moved.
        known = level >= 0.9 * self._last_refused
        self._hold = min(2 * self._hold, _LONGEST_HOLD) if known else _HOLD
        self._last_refused = level

    def _slow_down(self, retry_after: float, now: float) -> None:
        self._next_slowing = now + (retry_after or 1.0)
        if self.pace is None:
            # The number of replies, spread over the time that the platform asked to wait.
            if answered := self._now + self._before:
                lasting = max(1.0, now - self._second + (1.0 if self._before else 0.0) + retry_after)
                self.pace = max(_SLOWEST_PACE, _PACE_START * answered / lasting)
                self._last_refused = math.inf
            return
        self._remember(self.pace)
        self._too_fast = self.pace
        self.pace = max(_SLOWEST_PACE, _PACE_CUT * self.pace)

    def _quicken(self, now: float, *, paced: bool) -> None:
        assert self.pace is not None  # noqa: S101  for the type checkers
        since = now - self._last_good
        if since > _STALE_AFTER:
            self.pace, self._too_fast = None, math.inf
            return
        # A pace far above the actual rate does not bind, and need not grow.
        if not paced or self.pace > 2 * max(self._now, self._before) + 1:
            return
        top = math.inf
        if self._good < self._hold:
            top = _PACE_HELD * self._too_fast
        else:
            self._too_fast = math.inf
        grown = min(top, self.pace * min(1.1, _PACE_GROWTH ** max(0.0, since)))
        self.pace = max(self.pace, grown)

    def _count(self, now: float) -> None:
        if now - self._second >= 1.0:
            self._before = self._now if now - self._second < 2.0 else 0
            self._now = 0
            self._second = now
        self._now += 1


class _Latency:
    """The latency of one operation: recent, and at best."""

    __slots__ = ("_best", "_replies", "usual")

    def __init__(self) -> None:
        self.usual = 0.0
        self._best = math.inf
        self._replies = 0

    def add(self, seconds: float) -> float:
        """Record one more; return the ratio of the recent to the best latency, 1 while the difference is negligible."""
        self._replies += 1
        self.usual += (seconds - self.usual) * max(_SMOOTHING, 1 / self._replies)
        if self._replies < _FIRST_REPLIES:
            return 1.0
        if self.usual <= self._best:
            self._best = self.usual
        if self.usual <= _HELD_FLOOR:
            return 1.0
        ratio = self.usual / self._best
        if ratio > _HELD_FACTOR:
            self._best *= _DRIFT
        return ratio
