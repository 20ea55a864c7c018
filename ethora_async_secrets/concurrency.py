"""Run blocking calls off the event loop, and share one running call between any number of waiters.

Blocking calls run in four private daemon threads, or in a thread of the caller's own. The loop's default pool is shared
with the host application, and a `ThreadPoolExecutor` is joined when the interpreter exits: one read that hangs on a
dead network mount would keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import os
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["FlightCancelledError", "FlightUnfinishedError", "OwnThread", "SingleFlight", "own_copy", "run_blocking"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_SIZE = 4


class _Pool:
    def __init__(
        self,
        name: str = "ethora-secrets",
        size: int = _SIZE,
        start: Callable[[threading.Thread], None] = threading.Thread.start,
    ) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._name = name
        self._size = size
        self._start = start

    def submit(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        with self._lock:
            if self._started == self._size:
                return
            self._started += 1
            name = f"{self._name}-{self._started}"
        self._start(threading.Thread(target=self._work, name=name, daemon=True))

    def end(self) -> None:
        """End the threads once everything submitted before is done."""
        with self._lock:
            for _ in range(self._started):
                self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
            # an idle thread must not keep the last result, a secret, alive
            del job


_pool = _Pool()


def _renew_pool() -> None:
    """Replace the pool in a forked child: it inherits the pool, but not its threads."""
    global _pool  # noqa: PLW0603
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_pool)


async def run_blocking(func: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return `func(*args)`, run in a private thread with the caller's context variables.

    A cancelled call that waits for a thread never starts; one already running runs to its end, and its result or error
    is dropped. Raises the errors of `func`.
    """
    return await _run_in(_pool, func, *args)


class OwnThread:
    """A dedicated daemon thread, for calls that must stay in one thread or may occupy it for minutes.

    It starts with the first call and runs one at a time. `finish` ends it.
    """

    def __init__(self, name: str) -> None:
        # `start` waits until the new thread runs, which on a busy machine would block the loop for too long.
        self._thread = _Pool(name, 1, lambda thread: _pool.submit(thread.start))
        self._asked = self._ended = 0

    @property
    def busy(self) -> bool:
        """Whether a call is running, even if its caller was cancelled."""
        return self._asked > self._ended

    async def run(self, func: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return `func(*args)`, as `run_blocking` does."""
        self._asked += 1

        def counted() -> T:
            try:
                return func(*args)
            finally:
                # written only by this thread, as `_asked` is only by the loop's
                self._ended += 1

        return await _run_in(self._thread, counted)

    def finish(self, last: Callable[[], object]) -> asyncio.Future[object]:
        """Call `last` after everything else, then end the thread; this happens whether or not it is awaited.

        `last` must not raise: nobody might see the error.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[object] = loop.create_future()

        def job() -> None:
            try:
                value = last()
            except BaseException as error:  # noqa: BLE001
                _deliver(loop, partial(_fail, done, error))
            else:
                _deliver(loop, partial(_settle, done, value))

        self._thread.submit(job)
        self._thread.end()
        return done


async def _run_in(pool: _Pool, func: Callable[[*Ts], T], *args: *Ts) -> T:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def job() -> None:
        if future.cancelled():
            return
        try:
            value = context.run(func, *args)
        except StopIteration:
            # a future rejects StopIteration, which would leave the waiter waiting for ever
            _deliver(loop, partial(_fail, future, RuntimeError("a blocking call raised StopIteration")))
        except BaseException as error:  # noqa: BLE001
            _deliver(loop, partial(_fail, future, error))
        else:
            _deliver(loop, partial(_settle, future, value))

    pool.submit(job)
    return await future


def _deliver(loop: asyncio.AbstractEventLoop, result: Callable[[], None]) -> None:
    # the loop may have closed while the call ran: there is no waiter left
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(result)


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


_CLOSE_WAIT = 5.0


class FlightCancelledError(Exception):
    """The shared call was cancelled because the flight was closed, while this waiter was not cancelled."""


class FlightUnfinishedError(Exception):
    """The shared call took longer than this waiter's timeout; it continues."""


class SingleFlight(Generic[T]):
    """Run `call` once for all callers that ask while it runs.

    The call runs in its own task: cancelling waiters, even all of them, neither stops nor repeats it, and its error is
    retrieved even when no waiter is left. A task left behind by another event loop is not awaited: a new one starts.
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
        """Wait for the running call, or start one; every waiter gets its own copy of an error.

        Raises `FlightCancelledError` when the call was cancelled, `FlightUnfinishedError` when it has not ended within
        `timeout` seconds.
        """
        task = self._task = self._running_task()
        # Unlike awaiting the task or a shield, `wait` distinguishes its own cancellation from the task's and leaves the
        # task running.
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
        """Cancel the running call and wait for its end, 5 s at most. Safe to call more than once."""
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
    """Return a copy of `error` without its traceback, or `error` itself when its class cannot be copied.

    One exception raised in many tasks would collect the tracebacks of all of them.
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
    # asyncio prints "exception was never retrieved" for an error that was not retrieved
    if not task.cancelled():
        task.exception()
