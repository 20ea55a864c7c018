"""Time as something that can be passed in, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING


class SystemClock:
    """The real time. `ethora_async.testing.users` has one that a test moves."""

    __slots__ = ()

    if TYPE_CHECKING:

        def now(self) -> float:
            """Return the seconds since the epoch: what tokens carry."""
            ...

        def monotonic(self) -> float:
            """Return seconds that only ever grow: what durations and deadlines are measured with."""
            ...

        async def sleep(self, delay: float, /) -> None:
            """Wait `delay` seconds."""
            ...

    else:  # the built-in functions themselves: every request asks for the time
        now = staticmethod(time.time)
        monotonic = staticmethod(time.monotonic)
        sleep = staticmethod(asyncio.sleep)
