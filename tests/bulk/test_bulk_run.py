"""Runs: concurrency, order of results, and what remains after an early end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest
from bulk_helpers import Source, Work, nothing_left_behind, one_by_one, others, turns
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.bulk import ItemFinished, Outcome
from ethora_async.bulk.outcome import Outcomes
from ethora_async.bulk.run import GIVE_UP_AFTER, Batched, Run, chunked, fan_out
from ethora_async.errors import (
    ChatError,
    ConfigError,
    InvalidInputError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence

    from ethora_async.bulk import Status


def _source_of(source: Source, kind: str) -> Any:
    return source.sync() if kind == "sync" else source.later()


async def _read(outcomes: AsyncIterable[Outcome[int]], seen: list[Outcome[int]]) -> None:
    async for outcome in outcomes:
        seen.append(outcome)  # noqa: PERF401  what came before an error is kept


@pytest.mark.parametrize("kind", ["sync", "later"])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
async def test_every_item_ends_once(kind: str, ordered: bool, batch_size: int) -> None:
    work = Work()
    run = work.run(_source_of(Source(95), kind), batch_size=batch_size, ordered=ordered)
    items = [outcome.item async for outcome in run]
    assert sorted(items) == list(range(95))
    assert not ordered or items == sorted(items)
    assert run.report.counts == {"created": 95}
    await nothing_left_behind()


class _Record:
    """Something that a reply held."""


def _run_with_records(kept: WeakSet[_Record]) -> Run[int]:
    async def work(batch: Sequence[int]) -> Outcomes[int]:
        records = [_Record() for _ in batch]
        kept.update(records)
        status: Status = "created" if batch[0] % 2 else "existed"
        return Outcomes(
            batch, [str(one) for one in batch], [status] * len(batch), records, lambda one, _: one, 2, "r-1"
        )

    @asynccontextmanager
    async def working() -> AsyncGenerator[Any, None]:
        yield work

    return Run(range(20), working, batch_size=3, concurrency=2, ordered=True)


async def test_only_who_reads_outcomes_keeps_the_records_of_replies() -> None:
    kept: WeakSet[_Record] = WeakSet()
    streamed = _run_with_records(kept)
    outcomes = [outcome async for outcome in streamed]
    assert [type(outcome.value) for outcome in outcomes] == [_Record] * 20
    bare_run = _run_with_records(kept)
    bare = [outcome async for batch in bare_run.by_batch(records=False) for outcome in batch]
    assert [outcome.value for outcome in bare] == [None] * 20
    for one, other in zip(outcomes, bare, strict=True):
        names = ("item", "key", "status", "error", "attempts", "request_id")
        assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]
    del outcomes, one
    counted = await _run_with_records(kept)
    assert counted.counts == streamed.report.counts == bare_run.report.counts
    assert len(kept) == 0


async def test_without_order_the_quick_do_not_wait_for_the_slow() -> None:
    slow = asyncio.Event()

    async def work(batch: list[int]) -> list[Outcome[int]]:
        if batch == [0]:
            await slow.wait()
        return [Outcome(item, str(item), "created") for item in batch]

    async with aclosing(one_by_one(fan_out(chunked(range(50), 1), work, concurrency=2))) as outcomes:
        first = [(await anext(outcomes)).item for _ in range(49)]
        slow.set()
        assert first + [outcome.item async for outcome in outcomes] == [*range(1, 50), 0]


@pytest.mark.parametrize("concurrency", [1, 3, 8])
@pytest.mark.parametrize("ordered", [False, True])
async def test_exactly_as_many_are_under_way_as_asked_for(concurrency: int, ordered: bool) -> None:
    work = Work()
    work.gate.clear()
    task = asyncio.ensure_future(work.run(range(100), concurrency=concurrency, ordered=ordered)._finish())
    await turns()
    assert work.running == concurrency
    work.gate.set()
    await task
    assert work.most == concurrency


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_stalled_consumer_stalls_the_reading(ordered: bool) -> None:
    source = Source(10_000)
    work = Work()
    async with aclosing(aiter(work.run(source.later(), batch_size=5, concurrency=3, ordered=ordered))) as outcomes:  # type: ignore[type-var]
        for consumed in range(0, 200, 5):
            await anext(outcomes)
            await turns()
            # Two places for each worker, and the batch in the consumer's hand.
            assert source.read <= consumed + 5 * (2 * 3 + 1)
            for _ in range(4):
                await anext(outcomes)
    assert source.closed


async def test_a_slow_first_batch_does_not_let_an_ordered_run_pile_up() -> None:
    source, slow = Source(10_000), asyncio.Event()

    async def work(batch: list[int]) -> list[Outcome[int]]:
        if batch[0] == 0:
            await slow.wait()
        return [Outcome(item, str(item), "created") for item in batch]

    async with aclosing(one_by_one(fan_out(chunked(source.sync(), 1), work, concurrency=4, ordered=True))) as outcomes:
        first = asyncio.ensure_future(anext(outcomes))
        await turns()
        assert source.read <= 8
        slow.set()
        assert (await first).item == 0


async def test_nothing_is_read_or_opened_before_the_run_is_asked_for() -> None:
    source, work = Source(5), Work()
    run = work.run(source.sync())
    await turns()
    assert (source.read, work.opened, run.report.total) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["sync", "later"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_breaking_out_stops_everything(kind: str, ordered: bool) -> None:
    source, work = Source(10_000), Work()
    run = work.run(_source_of(source, kind), batch_size=3, ordered=ordered)
    async for outcome in run:
        if outcome.item >= 30:
            break
    await turns()
    done = len(work.done)
    await nothing_left_behind()
    assert (len(work.done), work.opened, source.closed) == (done, 0, True)
    assert run.report.total == done  # what was done is counted, read by the loop or not


@pytest.mark.parametrize("kind", ["sync", "later"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_cancelling_at_any_point_leaves_nothing_behind(kind: str, ordered: bool) -> None:
    for point in range(60):
        source, work = Source(12), Work()
        run = work.run(_source_of(source, kind), batch_size=2, concurrency=3, ordered=ordered)
        task = asyncio.ensure_future(run._finish())
        await turns(point)
        finished = task.done()
        task.cancel()
        if finished:
            assert (await task).total == 12
        else:
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not others()
        assert work.opened == work.running == 0
        assert run.report.total == len(work.done)
        assert source.closed or source.read == 0
    await nothing_left_behind()
    assert finished, "the last point must be past the end, or not all points were tried"


async def test_what_was_under_way_when_a_run_was_stopped_is_told_of() -> None:
    work = Work()
    run = work.run(range(100), batch_size=5, concurrency=3)
    task = asyncio.ensure_future(run._finish())
    await turns(5)
    work.gate.clear()
    await turns()
    done, under_way = len(work.done), work.running
    assert under_way == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (run.report.total, run.report.interrupted) == (done, 5 * under_way)
    assert str(run.report).endswith("15 interrupted")


async def test_cancelling_twice_still_ends_every_worker() -> None:
    class Slow(Work):
        async def __call__(self, batch: list[int]) -> Any:
            try:
                return await super().__call__(batch)
            finally:
                await turns(10)  # cleaning up takes its time

    source, work = Source(100), Slow()
    task = asyncio.ensure_future(work.run(source.sync())._finish())
    await turns(5)
    task.cancel()
    await turns(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed
    await nothing_left_behind()


@pytest.mark.parametrize("kind", ["sync", "later"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_a_source_that_fails_is_told_after_the_outcomes_of_what_was_sent(kind: str, ordered: bool) -> None:
    work, source = Work(), Source(100, fail_at=23)
    run = work.run(_source_of(source, kind), batch_size=5, ordered=ordered)
    seen: list[Outcome[int]] = []
    with pytest.raises(LookupError, match="line 23"):
        await _read(run, seen)
    assert sorted(outcome.item for outcome in seen) == list(range(20))
    assert run.report.total == 20
    await nothing_left_behind()


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_work_that_breaks_ends_the_run_and_blocks_nobody(ordered: bool, concurrency: int) -> None:
    first = asyncio.Event()

    async def work(batch: list[int]) -> list[Outcome[int]]:
        if batch == [0]:
            await first.wait()
            raise ZeroDivisionError
        return [Outcome(item, str(item), "created") for item in batch]

    outcomes = one_by_one(fan_out(chunked(range(100), 1), work, concurrency=concurrency, ordered=ordered))
    seen: list[Outcome[int]] = []
    task = asyncio.ensure_future(_read(outcomes, seen))
    await turns()  # the others run as far ahead as they may
    first.set()
    async with asyncio.timeout(30):
        with pytest.raises(ZeroDivisionError):
            await task
    items = [outcome.item for outcome in seen]
    assert 0 not in items
    assert not ordered or items == sorted(items)
    await nothing_left_behind()


async def test_a_worker_that_is_cancelled_from_outside_is_not_taken_for_the_end() -> None:
    async def work(batch: list[int]) -> list[Outcome[int]]:
        if batch == [3]:
            raise asyncio.CancelledError
        return [Outcome(item, str(item), "created") for item in batch]

    with pytest.raises(asyncio.CancelledError):
        async for _ in fan_out(chunked(range(10), 1), work, concurrency=1):
            pass


@pytest.mark.parametrize("kind", [UnauthorizedError, ConfigError])
async def test_an_error_that_all_would_meet_ends_the_run_after_what_was_sent(kind: type[ChatError]) -> None:
    error = kind("no longer")
    work = Work(lambda batch: error if batch[0] >= 40 else None)
    run = work.run(range(10_000), batch_size=10, concurrency=2)
    outcomes: list[Outcome[int]] = []
    with pytest.raises(kind) as caught:
        await _read(run, outcomes)
    assert caught.value is error
    assert {outcome.item for outcome in outcomes} == set(work.done)
    assert run.report.counts["created"] == 40
    assert run.report.counts["failed"] in (10, 20)  # the other worker's batch was on its way
    await nothing_left_behind()


async def test_one_refused_token_among_unfit_items_is_enough() -> None:
    async def work(batch: list[int]) -> list[Outcome[int]]:
        return [
            Outcome(batch[0], "0", "failed", InvalidInputError("twice")),
            Outcome(batch[1], "1", "failed", UnauthorizedError("no")),
        ]

    with pytest.raises(UnauthorizedError):
        async for _ in fan_out(chunked(range(10_000), 2), work, concurrency=1):
            pass


@pytest.mark.parametrize("kind", [NotSentError, ReplyLostError, ServerFaultError, RateLimitedError])
async def test_ten_batches_in_a_row_that_could_not_be_delivered_end_the_run(kind: type[ChatError]) -> None:
    work = Work(lambda batch: kind("down"))
    run = work.run(range(10_000), batch_size=10, concurrency=1)
    with pytest.raises(kind):
        await run
    assert run.report.total == 10 * GIVE_UP_AFTER
    assert run.report.counts == {"failed" if kind("").effect == "none" else "unknown": 100}


async def test_failures_with_successes_between_them_never_end_the_run() -> None:
    work = Work(lambda batch: ServerFaultError("down") if batch[0] % 10 else None)
    report = await work.run(range(300), concurrency=1)
    assert report.counts == {"unknown": 270, "created": 30}


async def test_items_that_are_unfit_neither_end_a_run_nor_break_a_row_of_failures() -> None:
    assert (await Work(lambda batch: InvalidInputError("bad")).run(range(50))).counts == {"failed": 50}
    assert (await Work(lambda batch: ValidationFailedError("bad")).run(range(50))).counts == {"failed": 50}
    work = Work(lambda batch: InvalidInputError("bad") if batch[0] % 2 else NotSentError("down"))
    with pytest.raises(NotSentError):
        await work.run(range(10_000), concurrency=1)
    assert len(work.done) == 2 * GIVE_UP_AFTER - 1


async def test_a_run_is_carried_out_once() -> None:
    run = Work().run(range(3))
    await run
    for again in (lambda: run, lambda: anext(aiter(run))):
        with pytest.raises(InvalidInputError, match="carried out once"):
            await again()
    assert run.report.total == 3


@pytest.mark.parametrize(("batch_size", "concurrency", "field"), [(0, 1, "batch_size"), (1, 0, "concurrency")])
def test_impossible_sizes_are_refused_at_once(batch_size: int, concurrency: int, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field) as caught:
        Run([], Work.open, batch_size=batch_size, concurrency=concurrency)  # type: ignore[arg-type]
    assert caught.value.field == field


async def test_a_listener_is_told_of_every_item_and_of_nothing_but_its_key() -> None:
    events: list[object] = []
    work = Work(lambda batch: ValidationFailedError("secret reason") if batch[0] == 1 else None)
    await work.run(range(3), concurrency=1, emit=events.append)
    assert "secret reason" not in repr(events)
    assert [event for event in events if isinstance(event, ItemFinished)] == [
        ItemFinished("0", "created"),
        ItemFinished("1", "failed", "ValidationFailedError"),
        ItemFinished("2", "created"),
    ]


async def test_what_the_work_needs_is_closed_even_when_it_fails() -> None:
    work = Work(lambda batch: UnauthorizedError("no"))
    with pytest.raises(UnauthorizedError):
        await work.run(range(3))
    assert work.opened == 0


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (6, [3, 3]), (7, [3, 3, 1])])
async def test_chunks_are_full_but_for_the_last(count: int, sizes: list[int]) -> None:
    async def later() -> AsyncIterator[int]:
        for number in range(count):
            yield number

    for items in (range(count), later()):
        chunks = [chunk async for chunk in chunked(items, 3)]
        assert [len(chunk) for chunk in chunks] == sizes
        assert [item for chunk in chunks for item in chunk] == list(range(count))


@given(st.lists(st.lists(st.integers(), max_size=7), max_size=6), st.integers(1, 5))
def test_items_that_come_many_at_a_time_are_cut_as_any_others(parts: list[list[int]], size: int) -> None:
    closed: list[bool] = []

    async def batches() -> AsyncGenerator[list[int], None]:
        try:
            for part in parts:
                yield part
        finally:
            closed.append(True)

    async def cut(items: Any) -> list[list[int]]:
        return [chunk async for chunk in chunked(items, size)]

    flat = [item for part in parts for item in part]
    assert asyncio.run(cut(Batched(batches()))) == asyncio.run(cut(flat))
    assert closed == [True]
