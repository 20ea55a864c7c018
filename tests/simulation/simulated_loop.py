"""An event loop for one simulated process: its time is the world's, and it can be killed before any of its steps."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, TypeVar

from virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

START = 1_000.0
"""Seconds at which the time of every schedule begins."""


class Killed(BaseException):
    """The process was killed: nothing that it did not write down is left of it."""


class SimulatedLoop(VirtualLoop):
    """A loop that begins at a given time, and stops before step `kill_at`."""

    def __init__(self, began: float, kill_at: int | None) -> None:
        super().__init__()
        self.skipping.skipped = began - START
        self.steps = 0
        self.kill_at = kill_at

    def _run_once(self) -> None:
        self.steps += 1
        if self.steps == self.kill_at:
            self.stop()
        super()._run_once()  # type: ignore[misc]


def run_process(
    main: Coroutine[Any, Any, T], *, began: float, kill_at: int | None, bury: Callable[[], None]
) -> tuple[T | None, SimulatedLoop, list[str]]:
    """Run one process to its end, or until it is killed.

    Args:
        main: what it does.
        bury: called when it is killed, before its tasks are taken apart; from then on nothing may take effect.

    Returns:
        What `main` returned, None when the process was killed; its loop; and the tasks that it left running.
    """
    loop = SimulatedLoop(began, kill_at)
    asyncio.set_event_loop(loop)
    task = loop.create_task(main)
    killed = False
    result: T | None = None
    left: list[str] = []
    try:
        try:
            result = loop.run_until_complete(task)
        except RuntimeError:
            if task.done():
                raise
            killed = True
            bury()
        else:
            loop.kill_at = None
            # A task that was cancelled takes a step or two to end.
            for _ in range(3):
                loop.call_soon(loop.stop)
                loop.run_forever()
            left = sorted(repr(one.get_coro()) for one in asyncio.all_tasks(loop))
    finally:
        _take_apart(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
    return (None if killed else result), loop, left


def _take_apart(loop: SimulatedLoop) -> None:
    for _ in range(5):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    gc.collect()


__all__ = ["START", "Killed", "SimulatedLoop", "run_process"]
