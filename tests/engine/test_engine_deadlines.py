"""Many deadlines on one timer: each block ends when it should, and for the reason it should."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.engine.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable


class LoopTime:
    """The running loop's clock, moved by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = loop.time()
        self.timers = 0
        call_at: Callable[..., asyncio.TimerHandle] = loop.call_at

        def counted(when: float, callback: Any, *args: Any) -> asyncio.TimerHandle:
            self.timers += 1
            return call_at(when, callback, *args)

        monkeypatch.setattr(loop, "time", lambda: self._now)
        monkeypatch.setattr(loop, "call_at", counted)

    async def advance(self, seconds: float) -> None:
        await asyncio.sleep(0)  # tasks just made begin before time passes
        self._now += seconds
        for _ in range(3):  # the timer, the task that it cancels, the one that waits for that
            await asyncio.sleep(0)


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> LoopTime:
    return LoopTime(asyncio.get_running_loop(), monkeypatch)


def blocked(deadlines: Deadlines, seconds: float) -> asyncio.Task[None]:
    async def wait() -> None:
        with deadlines.within(seconds):
            await asyncio.Event().wait()

    return asyncio.create_task(wait())


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_overdue_block_times_out_and_the_others_go_on(time: LoopTime) -> None:
    deadlines = Deadlines()
    long, short = blocked(deadlines, 10), blocked(deadlines, 5)
    await time.advance(4.9)
    assert not short.done()
    await time.advance(0.2)
    assert isinstance(short.exception(), TimeoutError)
    assert not long.done()
    await time.advance(5)
    assert isinstance(long.exception(), TimeoutError)


async def test_a_block_that_began_while_the_timer_stood_has_its_own_deadline(time: LoopTime) -> None:
    deadlines = Deadlines()
    first = blocked(deadlines, 10)
    await time.advance(6)
    second = blocked(deadlines, 10)
    await time.advance(4)
    assert first.done()
    assert not second.done()
    await time.advance(6)
    assert isinstance(second.exception(), TimeoutError)


async def test_any_number_of_blocks_in_a_row_need_one_timer(time: LoopTime) -> None:
    deadlines = Deadlines()
    for _ in range(100):
        with deadlines.within(10):
            pass
    assert time.timers == 1
    await time.advance(10)
    assert time.timers == 1  # nobody is left to watch
    with deadlines.within(10):
        pass
    assert time.timers == 2


async def test_a_block_that_ended_in_time_is_never_cancelled(time: LoopTime) -> None:
    deadlines = Deadlines()
    with deadlines.within(1):
        pass
    await time.advance(2)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_after_a_timeout_the_task_goes_on_uncancelled(time: LoopTime) -> None:
    deadlines = Deadlines()

    async def twice() -> int:
        for _ in range(2):
            with pytest.raises(TimeoutError), deadlines.within(1):
                await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    task = asyncio.create_task(twice())
    await time.advance(1)
    await time.advance(1)
    assert await task == 0


async def test_a_cancellation_by_somebody_else_is_no_timeout(time: LoopTime) -> None:
    task = blocked(Deadlines(), 1)
    await asyncio.sleep(0)
    await stop(task)
    assert task.cancelled()


async def test_cancelled_and_overdue_at_once_counts_as_cancelled(time: LoopTime) -> None:
    deadlines = Deadlines()
    cleaned = asyncio.Event()

    async def wait() -> None:
        with deadlines.within(1):
            try:
                await asyncio.Event().wait()
            finally:
                await cleaned.wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await time.advance(0)
    assert not task.done()
    await time.advance(1)  # the clean-up is overdue
    assert task.cancelled()


async def test_an_error_that_comes_with_the_timeout_is_not_hidden(time: LoopTime) -> None:
    deadlines = Deadlines()

    async def fail() -> None:
        with deadlines.within(1):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise KeyError from None

    task = asyncio.create_task(fail())
    await time.advance(1)
    assert isinstance(task.exception(), KeyError)


async def test_a_deadline_inside_asyncio_timeout_leaves_that_ones_cancellation_alone() -> None:
    deadlines = Deadlines()

    async def nested() -> str:
        try:
            async with asyncio.timeout(0):
                with deadlines.within(10):
                    await asyncio.Event().wait()
        except TimeoutError:
            return "outer"
        return "inner"

    assert await nested() == "outer"


async def test_outside_a_task_there_is_no_deadline() -> None:
    failures: list[str] = []

    def callback() -> None:
        try:
            with Deadlines().within(1):
                pass
        except RuntimeError as error:
            failures.append(str(error))

    asyncio.get_running_loop().call_soon(callback)
    await asyncio.sleep(0)
    assert failures == ["a deadline needs a task that it can cancel"]
