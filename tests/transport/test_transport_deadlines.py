"""One timer for many limits does what a timer for each would do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import run_virtual

from ethora_async.transport._deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMES = st.integers(1, 50).map(lambda tenths: tenths / 10 + 0.05)
WORK = st.tuples(st.integers(0, 30).map(lambda tenths: tenths / 10), TIMES, st.integers(1, 60).map(lambda t: t / 10))
"""When a task starts, how long it may take, and how long it takes."""


async def limited(deadlines: Deadlines, limit: float, work: float) -> None:
    task = asyncio.current_task()
    assert task is not None
    deadlines.begin(task, limit)
    try:
        await asyncio.sleep(work)
    except asyncio.CancelledError:
        if deadlines.end(task):
            raise TimeoutError from None
        raise
    finally:
        deadlines.end(task)


async def by_asyncio(_: Deadlines, limit: float, work: float) -> None:
    async with asyncio.timeout(limit):
        await asyncio.sleep(work)


async def ends(
    how: Callable[[Deadlines, float, float], Awaitable[None]], tasks: list[tuple[float, float, float]]
) -> list[tuple[str, float]]:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    began = loop.time()

    async def one(start: float, limit: float, work: float) -> tuple[str, float]:
        await asyncio.sleep(start)
        try:
            await how(deadlines, limit, work)
        except TimeoutError:
            return "late", round(loop.time() - began, 3)
        return "done", round(loop.time() - began, 3)

    result = await asyncio.gather(*(one(*task) for task in tasks))
    assert not deadlines._pending
    assert not deadlines._expired
    return result


@given(st.lists(WORK, max_size=12))
def test_it_ends_what_asyncio_would_end_and_when(tasks: list[tuple[float, float, float]]) -> None:
    assert run_virtual(ends(limited, tasks)) == run_virtual(ends(by_asyncio, tasks))


@pytest.mark.parametrize("first", [0.5, 1.0, 1.5])
def test_a_cancellation_by_somebody_else_goes_first(first: float) -> None:
    async def main() -> tuple[bool, bool]:
        deadlines = Deadlines()
        task = asyncio.ensure_future(limited(deadlines, 1.0, 5.0))
        await asyncio.sleep(first)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled(), not deadlines._pending and not deadlines._expired

    # At 1.5 s the limit has passed already: that is told as a time-out.
    assert run_virtual(main()) == (first < 1.5, True)


def test_another_loop_has_a_timer_of_its_own() -> None:
    deadlines = Deadlines()

    async def late(limit: float) -> str:
        try:
            await limited(deadlines, limit, 100.0)
        except TimeoutError:
            return "late"
        return "done"

    async def ends_early() -> None:
        await limited(deadlines, 1.0, 0.1)

    run_virtual(ends_early())
    assert run_virtual(late(30.0)) == "late"
