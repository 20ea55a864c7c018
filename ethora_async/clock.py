"""Time as a dependency, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

LARGEST_SKEW = 60.0
"""Seconds that this machine's clock may differ from a platform's before a rejected token is put down to it."""


class SystemClock:
    """The real time. `ethora_async.testing.users` has a clock that tests control."""

    __slots__ = ()

    if TYPE_CHECKING:

        def now(self) -> float:
            """Return seconds since the epoch, as tokens carry them."""
            ...

        def monotonic(self) -> float:
            """Return seconds from an arbitrary start that never go back, for durations and deadlines."""
            ...

        async def sleep(self, delay: float, /) -> None:
            """Wait `delay` seconds."""
            ...

    else:  # The built-in functions themselves, for speed: every request asks for the time.
        now = staticmethod(time.time)
        monotonic = staticmethod(time.monotonic)
        sleep = staticmethod(asyncio.sleep)
