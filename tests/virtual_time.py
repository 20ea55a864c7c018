"""The time of event loops: one that advances only when all tasks wait, and jumps of the running one."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _Skipping(selectors.SelectSelector):
    """Returns at once, and reports to the loop how long it would have waited."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nobody will ever go on: a deadlock")
            self.skipped += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose timers fire at once, in order."""

    def __init__(self) -> None:
        self.skipping = _Skipping()
        super().__init__(self.skipping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return 1_000.0 + self.skipping.skipped


class VirtualClock:
    """The loop's time as a `Clock` for the engine."""

    def now(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, delay: float, /) -> None:
        await asyncio.sleep(delay)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end without waiting. A deadlock raises an error instead of hanging."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def jump(seconds: float) -> None:
    """Advance the time of the running event loop, so that the timers of those seconds fire at its next step.

    For a deadline that must come after something else: give it a minute, wait for the other thing, and jump.
    """
    loop: Any = asyncio.get_running_loop()
    inner = loop.time
    loop.time = lambda: inner() + seconds
