"""A run over many items: workers that pull batches, and a stream of outcomes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import islice
from typing import Any, Generic, TypeVar

from ethora_async.bulk.events import BatchFinished, BatchStarted, RunFinished, RunStarted
from ethora_async.bulk.outcome import ItemFinished, Outcome, Outcomes, all_ok
from ethora_async.bulk.report import Report
from ethora_async.engine.patience import mark_bulk
from ethora_async.errors import (
    ConfigError,
    InvalidInputError,
    RateLimitedError,
    ServerFaultError,
    TransportError,
    UnauthorizedError,
    WrongLoopError,
)

T = TypeVar("T")

Work = Callable[[Sequence[T]], Awaitable[Sequence[Outcome[T]]]]
"""Processes one batch. Errors about its items are returned as outcomes."""

WorkGenerator = AsyncGenerator[Work[T], None]
"""Opens the resources of a run, yields its work function once, and closes them."""

CONCURRENCY = 16
"""Default number of batches in progress. The client decides how many of their requests are in flight: it starts with
a few and learns the platform's capacity (`ethora_async.engine.limiter`).
"""

GIVE_UP_AFTER = 10
"""Number of consecutive batches that could not be delivered after which a run ends."""

_NUMBERS = itertools.count(1)

_POINTLESS = (UnauthorizedError, ConfigError, WrongLoopError)
"""Errors that every further batch would meet as well."""

_UNDELIVERED = (*_POINTLESS, TransportError, ServerFaultError, RateLimitedError)
"""Errors that are not about the items of a batch."""


class Run(Generic[T]):
    """A run over many items.

    ``await run`` processes all items and returns the `Report`; ``async for outcome in run`` streams the outcomes as
    they arrive. A run can be consumed once. Leaving the loop early, or cancelling, stops the workers; requests already
    sent are not undone. `report` counts every finished item, whether or not the loop has read it, and the items that
    were in progress when the run was stopped: those may have taken effect.

    All requests of a run, including those that read its `items`, yield to the client's other requests: see
    `ethora_async.engine.limiter.Limiter`. While the platform asks for a pause, the whole run waits.

    Nothing is sent before the run is consumed. An error that every further item would meet as well (the platform
    rejects the token, a setting is wrong, or ten consecutive batches could not be delivered) ends the run: it is raised
    after the outcomes of everything that was sent, and `report` says what was done.

    Args:
        items: read on demand. A generator is closed when the run ends early.
        working: opens the resources of the work and yields the function that processes one batch of at most
            `batch_size`.
        ordered: whether outcomes come in the order of `items` instead of the order of completion.

    Raises:
        InvalidInputError: `batch_size` or `concurrency` is less than 1.
    """

    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        working: Callable[[], AbstractAsyncContextManager[Work[T]]],
        *,
        batch_size: int,
        concurrency: int,
        ordered: bool = False,
        emit: Callable[[object], None] | None = None,
    ) -> None:
        if batch_size < 1:
            msg = f"batch_size must be at least 1, not {batch_size}"
            raise InvalidInputError(msg, field="batch_size")
        if concurrency < 1:
            msg = f"concurrency must be at least 1, not {concurrency}"
            raise InvalidInputError(msg, field="concurrency")
        self._items = items
        self._working = working
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._ordered = ordered
        self._emit = emit
        self._started = False
        self._with_records = True
        self.report: Report = Report()

    def __await__(self) -> Generator[Any, None, Report]:
        return self._finish().__await__()

    async def __aiter__(self) -> AsyncIterator[Outcome[T]]:
        async with aclosing(self.by_batch()) as batches:
            async for outcomes in batches:
                for outcome in outcomes:
                    yield outcome

    async def by_batch(self, *, records: bool = True) -> AsyncGenerator[Sequence[Outcome[T]], None]:
        """Iterate over the outcomes one batch at a time, as a third way to consume the run.

        Args:
            records: False forgets the platform's records of batches without failures, which is faster: the `value` of
                their outcomes is None.
        """
        if self._started:
            msg = "a run is carried out once: call the method again for another one"
            raise InvalidInputError(msg)
        self._started = True
        self._with_records = records
        run, started = next(_NUMBERS), time.monotonic()
        self._tell(RunStarted(run))
        error: BaseException | None = None
        try:
            async with aclosing(self._outcomes(run)) as batches:
                async for outcomes in batches:
                    yield outcomes
        except BaseException as ended:
            error = None if isinstance(ended, GeneratorExit) else ended
            raise
        finally:
            report, name = self.report, None if error is None else type(error).__name__
            counts = {str(status): count for status, count in report.counts.items()}
            self._tell(RunFinished(run, counts, report.interrupted, time.monotonic() - started, name))

    async def _outcomes(self, run: int) -> AsyncGenerator[Sequence[Outcome[T]], None]:
        async with self._working() as work:

            async def told(batch: Sequence[T]) -> Sequence[Outcome[T]]:
                started = time.monotonic()
                self._tell(BatchStarted(run, len(batch)))
                try:
                    return await work(batch)
                finally:
                    self._tell(BatchFinished(run, len(batch), time.monotonic() - started))

            carry_out = work if self._emit is None else told

            async def counted(batch: Sequence[T]) -> Sequence[Outcome[T]]:
                try:
                    outcomes = await carry_out(batch)
                except BaseException:
                    self.report.interrupted += len(batch)
                    raise
                # Counted here and not when the loop reads it: a finished item stays finished.
                self._count(outcomes)
                if not self._with_records and isinstance(outcomes, Outcomes):
                    outcomes.drop_records()
                return outcomes

            batches = chunked(self._items, self._batch_size)
            running = fan_out(batches, counted, concurrency=self._concurrency, ordered=self._ordered)
            # Without `aclosing` the workers would continue until the garbage collector finds the generator.
            async with aclosing(running) as done:
                async for outcomes in done:
                    yield outcomes

    def _tell(self, event: object) -> None:
        if self._emit is not None:
            self._emit(event)

    def _count(self, outcomes: Sequence[Outcome[T]]) -> None:
        self.report.add_all(outcomes)
        if self._emit is not None:
            for outcome in outcomes:
                error = type(outcome.error).__name__ if outcome.error is not None else None
                self._emit(ItemFinished(outcome.key, outcome.status, error))

    async def _finish(self) -> Report:
        async with aclosing(self.by_batch(records=False)) as batches:
            async for _ in batches:
                pass
        return self.report


async def fan_out(
    batches: AsyncIterator[Sequence[T]],
    work: Work[T],
    *,
    concurrency: int,
    ordered: bool = False,
    give_up_after: int = GIVE_UP_AFTER,
) -> AsyncGenerator[Sequence[Outcome[T]], None]:
    """Yield the outcomes of `work` on every batch, a batch at a time, with at most `concurrency` batches in progress.

    Workers pull: a batch is read when a worker is free, so memory grows neither with the input nor with a slow
    consumer. `ordered` keeps the input's order at the cost of waiting for the slowest batch.

    Raises:
        ChatError: continuing is pointless; raised after the outcomes of everything that was sent.
        BaseException: any error of `batches` or `work`, likewise.
    """
    pool = _Workers(batches, work, concurrency, give_up_after)
    try:
        async with aclosing(pool.results(ordered=ordered)) as results:
            async for outcomes in results:
                yield outcomes
    finally:
        await pool.stop()


class _Workers(Generic[T]):
    def __init__(
        self, batches: AsyncIterator[Sequence[T]], work: Work[T], concurrency: int, give_up_after: int
    ) -> None:
        self._source = batches
        self._work = work
        self._give_up_after = give_up_after
        self._undelivered = 0
        self._failure: BaseException | None = None
        self._pulling = asyncio.Lock()
        self._pulled = 0
        # Results that have not been consumed keep their place here, so that workers cannot run ahead of the consumer.
        self._places = asyncio.Semaphore(2 * concurrency)
        self._done: asyncio.Queue[tuple[int, Sequence[Outcome[T]]] | None] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._until_empty()) for _ in range(concurrency)]
        self._at_work = concurrency

    async def results(self, *, ordered: bool) -> AsyncGenerator[Sequence[Outcome[T]], None]:
        waiting: dict[int, Sequence[Outcome[T]]] = {}
        following = 0
        while (result := await self._done.get()) is not None:
            number, outcomes = result
            if not ordered:
                self._places.release()
                yield outcomes
                continue
            waiting[number] = outcomes
            while following in waiting:
                self._places.release()
                yield waiting.pop(following)
                following += 1
        for number in sorted(waiting):  # behind a batch that failed and has no results
            yield waiting[number]
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            # Even when cancelled again, this returns only after every task has ended.
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            if isinstance(self._source, AsyncGenerator):
                await self._source.aclose()

    async def _until_empty(self) -> None:
        mark_bulk()
        try:
            while await self._one():
                pass
        except BaseException as error:  # raised by `results`, once the others have finished
            self._failure = self._failure or error
            # Results behind the missing one occupy their places: no worker may wait for those now.
            for _ in self._tasks:
                self._places.release()
            if not isinstance(error, Exception):
                raise
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._done.put_nowait(None)

    async def _one(self) -> bool:
        await self._places.acquire()
        async with self._pulling:
            if self._failure is not None:
                return False
            try:
                batch = await anext(self._source)
            except StopAsyncIteration:
                self._places.release()
                return False
            number = self._pulled
            self._pulled += 1
        outcomes = await self._work(batch)
        self._done.put_nowait((number, outcomes))
        self._check_delivery(outcomes)
        return True

    def _check_delivery(self, outcomes: Sequence[Outcome[T]]) -> None:
        if all_ok(outcomes):
            if outcomes:
                self._undelivered = 0
            return
        # Items that were rejected locally say nothing about the platform.
        errors = [outcome.error for outcome in outcomes if not isinstance(outcome.error, InvalidInputError)]
        for error in errors:
            if isinstance(error, _POINTLESS):
                raise error
        if not errors:
            return
        if not isinstance(errors[0], _UNDELIVERED) or not all(isinstance(error, _UNDELIVERED) for error in errors):
            self._undelivered = 0
            return
        self._undelivered += 1
        if self._undelivered >= self._give_up_after:
            raise errors[0]


class Batched(AsyncIterable[T]):
    """Items that are read in batches. A batch stays together as far as the run's batch size allows.

    Args:
        batches: closed if the items are not read to their end.
    """

    def __init__(self, batches: AsyncGenerator[list[T], None]) -> None:
        self.batches: AsyncGenerator[list[T], None] = batches

    async def __aiter__(self) -> AsyncIterator[T]:
        async with aclosing(self.batches) as batches:
            async for batch in batches:
                for item in batch:
                    yield item


async def chunked(items: Iterable[T] | AsyncIterable[T], size: int) -> AsyncGenerator[list[T], None]:
    """Yield the items in lists of `size`, the last one shorter."""
    if not isinstance(items, AsyncIterable):
        parts = _slices(items, size)
    elif isinstance(items, Batched):
        parts = items.batches
    else:
        parts = _singly(items)
    chunk: list[T] = []
    # Close generators here instead of leaving it to the garbage collector: they may hold files open.
    async with aclosing(parts):
        async for part in parts:
            if not chunk and len(part) == size:
                yield part
                continue
            chunk += part
            if len(chunk) >= size:
                whole = len(chunk) - len(chunk) % size
                for start in range(0, whole, size):
                    yield chunk[start : start + size]
                chunk = chunk[whole:]
    if chunk:
        yield chunk


async def _slices(items: Iterable[T], size: int) -> AsyncGenerator[list[T], None]:
    iterator = iter(items)
    try:
        while part := list(islice(iterator, size)):
            yield part
    finally:
        if isinstance(items, Generator):
            items.close()


async def _singly(items: AsyncIterable[T]) -> AsyncGenerator[list[T], None]:
    try:
        async for item in items:
            yield [item]
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
