"""One running call shared by any number of waiters."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_CLOSE_WAIT = 5.0


class FlightCancelledError(Exception):
    """The shared call was cancelled under a waiter that was not: the flight was closed."""


class FlightUnfinishedError(Exception):
    """The shared call took longer than this waiter would wait; it goes on."""


class SingleFlight(Generic[T]):
    """Run `call` once for everybody who asks while it runs.

    The call is a task of its own: cancelling waiters, all of them even, neither stops nor repeats it, and its
    error is read even when nobody is left to hear it. A task left behind by another event loop is not waited
    for: a new one starts.
    """

    __slots__ = ("_call", "_task")

    def __init__(self, call: Callable[[], Coroutine[object, object, T]]) -> None:
        self._call = call
        self._task: asyncio.Task[T] | None = None

    @property
    def running(self) -> bool:
        """Whether a call runs in the current event loop."""
        task = self._task
        return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()

    def start(self) -> None:
        """Start a call in the running loop, unless one runs there."""
        self._task = self._running_task()

    async def join(self, timeout: float | None = None) -> T:
        """Wait for the running call, or start one; an error comes as this waiter's own copy.

        Raises `FlightCancelledError` when the call was cancelled, `FlightUnfinishedError` when it has not ended
        within `timeout` seconds.
        """
        task = self._task = self._running_task()
        # Unlike awaiting the task or a shield, `wait` tells its own cancellation from the task's
        # and leaves the task alone.
        await asyncio.wait({task}, timeout=timeout)
        if not task.done():
            raise FlightUnfinishedError
        if task.cancelled():
            raise FlightCancelledError
        error = task.exception()
        if error is None:
            return task.result()
        raise own_copy(error).with_traceback(error.__traceback__)

    async def aclose(self) -> None:
        """Cancel the running call and wait for its end, 5 s at most; may be called again."""
        task = self._task
        if task is None or task.done():
            return
        loop = task.get_loop()
        if loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait({task}, timeout=_CLOSE_WAIT)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    def _running_task(self) -> asyncio.Task[T]:
        if self._task is not None and self.running:
            return self._task
        task = asyncio.get_running_loop().create_task(self._call())
        task.add_done_callback(_read_error)
        return task


def own_copy(error: BaseException) -> BaseException:
    """Return a copy of `error` without its traceback, or `error` itself when its class does not copy.

    One exception raised in many tasks grows one traceback out of all of them.
    """
    try:
        twin: object = copy.copy(error)
    except Exception:  # noqa: BLE001
        return error
    if not isinstance(twin, type(error)):
        return error
    twin.__cause__ = error.__cause__
    twin.__suppress_context__ = error.__suppress_context__
    return twin


def _read_error(task: asyncio.Task[T]) -> None:
    # asyncio prints "exception was never retrieved" for an error nobody has looked at
    if not task.cancelled():
        task.exception()
