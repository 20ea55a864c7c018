"""Time as something that can be passed in, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The real time. `ethora_async.testing` has one that a test moves by hand."""

    __slots__ = ()

    now = staticmethod(time.time)
    """Seconds since the epoch; what tokens carry."""

    monotonic = staticmethod(time.monotonic)
    """Seconds that only ever grow; what durations and deadlines are measured with."""

    sleep = staticmethod(asyncio.sleep)
