"""One timer for the time limits of all pending requests."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Task = asyncio.Task[object]


class Deadlines:
    """Cancels tasks at their time limit, as `asyncio.timeout` does, with one timer for all of them.

    Nearly every request ends long before its limit. Setting and cancelling a separate timer for each costs a tenth of
    the request.

    Call `begin` and `end` in pairs around the limited code; a task has at most one limit at a time.
    """

    __slots__ = ("_expired", "_loop", "_next", "_pending")

    def __init__(self) -> None:
        self._pending: dict[Task, tuple[float, int]] = {}
        self._expired: dict[Task, int] = {}
        self._next = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, task: Task, limit: float) -> None:
        """Cancel `task`, the current one, in `limit` seconds unless `end` is called first."""
        loop = task.get_loop()
        if loop is not self._loop:
            # The timer of an earlier loop will never fire.
            self._loop, self._next = loop, math.inf
        due = loop.time() + limit
        # The number of cancellations so far: a cancellation by other code takes precedence over ours.
        self._pending[task] = (due, task.cancelling())
        if due < self._next:
            self._wake_at(due, loop.call_at)

    def end(self, task: Task) -> bool:
        """Remove the limit of `task`; return whether it was cancelled because of that limit and for no other reason."""
        if self._pending.pop(task, None) is not None or not self._expired:
            return False
        cancelled_before = self._expired.pop(task, None)
        return cancelled_before is not None and task.uncancel() <= cancelled_before

    def at_most_one(self) -> bool:
        """Return whether no more than one task has a limit now."""
        return len(self._pending) <= 1

    def _wake_at(self, due: float, call_at: Callable[..., asyncio.TimerHandle]) -> None:
        self._next = due
        call_at(due, self._expire, due)

    def _expire(self, reached: float) -> None:
        if reached != self._next:
            return  # a timer for an earlier limit has been set since, and has already checked
        loop = asyncio.get_running_loop()
        # A loop may call a timer early by its clock's resolution.
        now = max(loop.time(), reached)
        for task, (due, cancelled_before) in list(self._pending.items()):
            if due <= now:
                del self._pending[task]
                self._expired[task] = cancelled_before
                task.cancel()
        self._next = math.inf
        if self._pending:
            self._wake_at(min(due for due, _ in self._pending.values()), loop.call_at)
