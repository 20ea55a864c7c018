"""Blocking calls in four private daemon threads.

The loop's default pool is shared with the host application; and a `ThreadPoolExecutor` is joined when the
interpreter exits, so that one read hanging on a dead network mount would keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_SIZE = 4


class _Pool:
    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0

    def submit(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        with self._lock:
            if self._started == _SIZE:
                return
            self._started += 1
            name = f"ethora-secrets-{self._started}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            job()
            # an idle thread must not keep the last result, a secret, alive
            del job


_pool = _Pool()


def _renew_pool() -> None:
    """Start afresh in a forked child: it inherits the pool, but not its threads."""
    global _pool  # noqa: PLW0603
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_pool)


async def run_blocking(func: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return `func(*args)`, run in a private thread with the caller's context variables.

    A cancelled call that waits for a thread never starts; one already running ends by itself, and its result
    or error is dropped. Raises what `func` raises.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(result: Callable[[], None]) -> None:
        # the loop may have closed while the call ran: nobody is left to tell
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(result)

    def job() -> None:
        if future.cancelled():
            return
        try:
            value = context.run(func, *args)
        except StopIteration:
            # a future refuses StopIteration, which would leave the waiter waiting for ever
            deliver(partial(_fail, future, RuntimeError("a blocking call raised StopIteration")))
        except BaseException as error:  # noqa: BLE001
            deliver(partial(_fail, future, error))
        else:
            deliver(partial(_settle, future, value))

    _pool.submit(job)
    return await future


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
