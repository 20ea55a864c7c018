"""Work that a test can delay, observe and make fail."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from ethora_async.bulk import Outcome, Run
from ethora_async.bulk.outcome import failed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from ethora_async.errors import ChatError


class Work:
    """Ends every item as created, unless `spoil` raises or returns an error for its batch."""

    def __init__(self, spoil: Callable[[list[int]], ChatError | None] | None = None) -> None:
        self.spoil = spoil
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most = 0
        self.done: list[int] = []
        self.opened = 0

    async def __call__(self, batch: list[int]) -> Sequence[Outcome[int]]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            # Batches overtake each other: the earlier ones take more turns of the loop.
            for _ in range(1 + (97 - batch[0]) % 7):
                await asyncio.sleep(0)
            error = self.spoil(batch) if self.spoil else None
            self.done += batch
            if error is not None:
                return [failed(item, str(item), error) for item in batch]
            return [Outcome(item, str(item), "created") for item in batch]
        finally:
            self.running -= 1

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Any, None]:
        self.opened += 1
        try:
            yield self
        finally:
            self.opened -= 1

    def run(self, items: Any, *, batch_size: int = 1, concurrency: int = 4, **options: Any) -> Run[int]:
        return Run(items, self.open, batch_size=batch_size, concurrency=concurrency, **options)


class Source:
    """Numbers, counted as they are read; remembers whether it was closed."""

    def __init__(self, count: int, *, fail_at: int | None = None) -> None:
        self.count = count
        self.fail_at = fail_at
        self.read = 0
        self.closed = False

    def sync(self) -> Any:
        try:
            for number in range(self.count):
                self._reach(number)
                yield number
        finally:
            self.closed = True

    async def later(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.count):
                await asyncio.sleep(0)
                self._reach(number)
                yield number
        finally:
            self.closed = True

    def _reach(self, number: int) -> None:
        if number == self.fail_at:
            raise LookupError(f"line {number}")
        self.read += 1


async def one_by_one(batches: AsyncGenerator[Sequence[Outcome[int]], None]) -> AsyncGenerator[Outcome[int], None]:
    """Return the outcomes of the batches, one by one."""
    async with aclosing(batches):
        async for outcomes in batches:
            for outcome in outcomes:
                yield outcome


async def turns(count: int = 200) -> None:
    """Run all other tasks until they are blocked."""
    for _ in range(count):
        await asyncio.sleep(0)


def others() -> set[asyncio.Task[Any]]:
    """Return all other tasks of the loop."""
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


async def nothing_left_behind() -> None:
    """Check that no task still runs, and that no generator is left for the garbage collector."""
    gc.collect()
    await turns(20)
    assert not others()
