"""Cancel async code at every point where it waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

T = TypeVar("T")


async def cancel_at_every_step(
    run: Callable[[], Coroutine[Any, Any, object]],
    *,
    check: Callable[[], Awaitable[None]] | None = None,
    steps: int = 1_000,
) -> int:
    """Run a coroutine repeatedly, cancelled at its first await, its second, … until it ends by itself.

    There are two passes: one cancels while the coroutine waits, the other just after its result has arrived, which is
    when slots and connections that are being handed over may be lost.

    Args:
        run: creates the coroutine for each round.
        check: awaited after each cancellation, to check that nothing was left behind.
        steps: number of awaits that counts as an endless loop (default 1,000).

    Returns:
        The number of awaits of an uncancelled run, the larger number of the two passes.

    Raises:
        AssertionError: a cancellation was swallowed, or the coroutine did not end.
    """
    return max([await _cancel_each(run, check, steps, late=late) for late in (False, True)])


async def _cancel_each(
    run: Callable[[], Coroutine[Any, Any, object]],
    check: Callable[[], Awaitable[None]] | None,
    steps: int,
    *,
    late: bool,
) -> int:
    for step in range(1, steps + 1):
        stepped = _Stepped(run(), step, late=late)
        task = asyncio.ensure_future(_finish(stepped))
        await asyncio.wait({task})
        if task.cancelled():
            if check is not None:
                await check()
            continue
        error = task.exception()
        if stepped.cancelled:
            msg = f"await number {step} swallowed its cancellation ({'error' if error else 'it returned'})"
            raise AssertionError(msg) from error
        if error is not None:
            raise error
        return step - 1
    msg = f"not finished after {steps} awaits"
    raise AssertionError(msg)


async def _finish(stepped: _Stepped[T]) -> T:
    return await stepped


class _Stepped(Generic[T]):
    """Runs a coroutine and cancels the task around it at one of its awaits."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], step: int, *, late: bool) -> None:
        self._coroutine = coroutine
        self._left = step
        self._late = late
        self.cancelled = False

    def __await__(self) -> Generator[Any, Any, T]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            self._left -= 1
            if self._left == 0:
                self._arrange(waits_for)
            try:
                yield waits_for
                error = None
            except BaseException as thrown:  # noqa: BLE001  any error is the coroutine's
                error = thrown

    def _arrange(self, waits_for: Any) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "not in a task"
            raise RuntimeError(msg)
        if self._late and isinstance(waits_for, asyncio.Future):
            # Added before the task's own callback, so called first: the result has arrived, but is not yet delivered.
            waits_for.add_done_callback(lambda _: self._cancel(task))
        else:
            self._cancel(task)

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self.cancelled = True
        task.cancel()


__all__ = ["cancel_at_every_step"]
