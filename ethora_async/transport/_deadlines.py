"""One timer for the time limits of all requests under way."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Task = asyncio.Task[object]


class Deadlines:
    """Cancels tasks whose time is up, as `asyncio.timeout` does, with one timer for all of them.

    Nearly every request ends long before its limit. A timer of its own for each would be set and called off for
    nothing, which costs a tenth of the request.

    `begin` and `end` come in pairs around what has a limit; between them a task has no second limit here.
    """

    __slots__ = ("_expired", "_loop", "_next", "_pending")

    def __init__(self) -> None:
        self._pending: dict[Task, tuple[float, int]] = {}
        self._expired: dict[Task, int] = {}
        self._next = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, task: Task, limit: float) -> None:
        """Cancel `task`, which is the current one, in `limit` seconds unless `end` comes first."""
        loop = task.get_loop()
        if loop is not self._loop:
            # The timer of an earlier loop will never come.
            self._loop, self._next = loop, math.inf
        due = loop.time() + limit
        # How often it has been cancelled so far: a cancellation by somebody else must win over ours.
        self._pending[task] = (due, task.cancelling())
        if due < self._next:
            self._wake_at(due, loop.call_at)

    def end(self, task: Task) -> bool:
        """Forget the limit of `task`; return whether it was cancelled for that limit and for no other reason."""
        if self._pending.pop(task, None) is not None or not self._expired:
            return False
        cancelled_before = self._expired.pop(task, None)
        return cancelled_before is not None and task.uncancel() <= cancelled_before

    def _wake_at(self, due: float, call_at: Callable[..., asyncio.TimerHandle]) -> None:
        self._next = due
        call_at(due, self._expire, due)

    def _expire(self, reached: float) -> None:
        if reached != self._next:
            return  # a timer for an earlier limit has been set since, and has looked already
        loop = asyncio.get_running_loop()
        # A loop calls a timer up to its clock's resolution too early.
        now = max(loop.time(), reached)
        for task, (due, cancelled_before) in list(self._pending.items()):
            if due <= now:
                del self._pending[task]
                self._expired[task] = cancelled_before
                task.cancel()
        self._next = math.inf
        if self._pending:
            self._wake_at(min(due for due, _ in self._pending.values()), loop.call_at)
