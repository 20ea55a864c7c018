"""One timer for all calls under way, in place of one each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Deadlines:
    """The deadlines of the calls in one event loop.

    Nearly every call ends long before its deadline. A timer of its own, made, sorted in and struck out again, would
    cost as much as all else that the engine does for it. Here one timer stands at the earliest deadline; when it goes
    off it looks for what is overdue, mostly finds nothing, and is set to the earliest deadline of those then under way.
    """

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> Deadline:
        """For ``with``: cancels the block when it takes longer than `seconds`.

        Raises:
            TimeoutError: it took longer, and nobody else cancelled it.
        """
        return Deadline(self, seconds)

    def add(self, deadline: Deadline) -> None:
        """Watch it from now on."""
        self._running.add(deadline)
        if self._timer is None or deadline.when < self._timer.when():
            self._set(deadline.when)

    def remove(self, deadline: Deadline) -> None:
        """Watch it no more. The timer stays: the next call would only have to set another."""
        self._running.discard(deadline)

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._look, when)

    def _look(self, due: float) -> None:
        self._timer = None
        # The loop's clock may still be a tick short of the time that it woke us for.
        now = max(due, asyncio.get_running_loop().time())
        for deadline in [one for one in self._running if one.when <= now]:
            self._running.remove(deadline)
            deadline.expire()
        if self._running:
            self._set(min(one.when for one in self._running))


class Deadline:
    """One block's, entered once; tells its own cancelling from anybody else's as `asyncio.timeout` does."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_seconds", "_task", "when")

    _task: asyncio.Task[object]

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "a deadline needs a task that it can cancel"
            raise RuntimeError(msg)
        self._task = task
        self._cancelling = task.cancelling()
        self.when = asyncio.get_running_loop().time() + self._seconds
        self._deadlines.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._expired:
            self._deadlines.remove(self)
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel the block."""
        self._expired = True
        self._task.cancel()
