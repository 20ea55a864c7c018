"""Platforms in virtual time, each with a line that it draws."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

from engine_parts import engine
from scripted_transport import reply
from virtual_time import VirtualClock

from ethora_async.config import Limits, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ethora_async.engine import Engine
    from ethora_async.request import Request, Response


class Platform:
    """A transport with a platform behind it.

    Args:
        at_once: how many requests it takes at the same time.
        per_second: how many it takes in each second of its own clock.
        takes: seconds for one request, by a random draw if it is a function.
        retry_after: what its refusals ask for.
        refuse: whether a request is to be refused all the same, and with which status.
    """

    def __init__(
        self,
        *,
        at_once: int | None = None,
        per_second: int | None = None,
        takes: float | Callable[[random.Random], float] = 0.02,
        retry_after: float | None = None,
        refuse: Callable[[int, float], int | None] = lambda count, now: None,
    ) -> None:
        self.at_once = at_once
        self.per_second = per_second
        self.takes = takes
        self.retry_after = retry_after
        self.refuse = refuse
        self.random = random.Random(7)
        self.under_way = 0
        self.most = 0
        self.log: list[tuple[float, int]] = []
        self._window: Counter[int] = Counter()

    async def send(self, request: Request, /) -> Response:
        now = asyncio.get_running_loop().time()
        status = self._judge(now)
        self.log.append((now, status))
        if status != 200:
            await asyncio.sleep(0.002)
            headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
            return reply(status, headers=headers)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.takes if isinstance(self.takes, float) else self.takes(self.random))
        finally:
            self.under_way -= 1
        return reply(200, {})

    async def aclose(self) -> None:
        pass

    def _judge(self, now: float) -> int:
        if (status := self.refuse(len(self.log), now)) is not None:
            return status
        if self.at_once is not None and self.under_way >= self.at_once:
            return 429
        if self.per_second is not None:
            self._window[int(now)] += 1
            if self._window[int(now)] > self.per_second:
                return 429
        return 200

    def refused_share(self, after: float = 1.0) -> float:
        """Which part of the calls after the first second was refused."""
        start = self.log[0][0] + after
        later = [status for at, status in self.log if at >= start]
        return sum(status != 200 for status in later) / max(1, len(later))

    def rate(self, after: float = 1.0) -> float:
        """Calls taken in a second, after the first."""
        start = self.log[0][0] + after
        taken = [at for at, status in self.log if status == 200 and at >= start]
        return len(taken) / max(1e-9, self.log[-1][0] - start)


def client(
    platform: Platform, limits: Limits | None = None, listeners: Sequence[Callable[[object], None]] = ()
) -> Engine:
    """An engine in virtual time."""
    draw = random.Random(3).random
    return engine(
        platform,
        clock=VirtualClock(),
        limits=limits or Limits(),
        retry=RetryPolicy(),
        draw=draw,
        listeners=list(listeners),
    )
