"""Publish a plan from its journal, and take part in applying it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from ethora_async.sync.plan.apply import apply_from_source
from ethora_async.sync.plan.guard import check_guard
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.workers.database import WorkersDatabaseError
from ethora_async.workers.ledger import CHUNK, ChunkItems, Ledger, Result, RunStatus, Step
from ethora_async.workers.worker import engine_schema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Entry, Kind
    from ethora_async.sync.store.journal import Journal

_LOOK = 0.2
_BEAT = 2.0

RUN = "workers_run"
"""The setting of a journal with the run of its plan."""


async def push(ledger: Ledger, journal: Journal) -> str:
    """Publish the remaining items of a journal, and return the run.

    Users whose passwords only their source has are published without them: their chunks wait for `do_local`.

    Raises:
        StoppedByGuardError: the plan deletes too much; nothing was pushed.
        WorkersDatabaseError: the database cannot be reached; nothing was pushed.
    """
    check_guard(await journal.meta("guard"))
    await ledger.init(engine_schema())
    await journal.take_up()
    steps = [(Step(number, kind, action), _parts(journal, number)) for number, kind, action in await journal.steps()]
    run = await ledger.push(await journal.meta("platform"), steps)
    await journal.set_meta(**{RUN: run})
    return run


async def _parts(journal: Journal, step: int) -> AsyncGenerator[ChunkItems, None]:
    after = 0
    waiting: dict[bool, list[Entry]] = {False: [], True: []}
    while found := await journal.unsent(step, after=after, limit=CHUNK):
        after = found[-1].number
        for entry in found:
            waiting[entry.needs_source].append(entry)
        for local, entries in waiting.items():
            while len(entries) >= CHUNK:
                yield ChunkItems(entries[:CHUNK], local)
                del entries[:CHUNK]
    for local, entries in waiting.items():
        if entries:
            yield ChunkItems(entries, local)


async def do_local(
    client: ManagesUsers, ledger: Ledger, run: str, journal: Journal, sources: Mapping[Kind, Source[Any]]
) -> None:
    """Create the users whose passwords only their source has, when it is their turn.

    While it runs, it sends the planning process's heartbeats; see `Ledger.give_up_local`.
    """
    steps = [number for number, kind, action in await journal.steps() if (kind, action) == ("user", "create")]
    beating = asyncio.ensure_future(_beat(ledger, run))
    try:
        for step in steps:
            if await ledger.local_chunks(run, step) and await _reached(ledger, run, step):
                await apply_from_source(client, journal, sources, step)
                await _record(ledger, run, step, journal)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(ledger: Ledger, run: str) -> None:
    while True:
        with suppress(WorkersDatabaseError):
            await ledger.heartbeat(run)
        await asyncio.sleep(_BEAT)


async def _reached(ledger: Ledger, run: str, step: int) -> bool:
    """Wait until a step is done; return whether the run reached it."""
    while True:
        with suppress(WorkersDatabaseError):
            status = await ledger.progress(run)
            if status.state != "running":
                return False
            if status.step == step:
                return True
        await asyncio.sleep(_LOOK)


async def _record(ledger: Ledger, run: str, step: int, journal: Journal) -> None:
    """Record the journal's results of the users with passwords, retrying while the database restarts."""
    left: list[int] | None = None
    while left is None or left:
        try:
            left = await ledger.local_chunks(run, step) if left is None else left
            while left:
                chunk = await ledger.claim(run, step, left[0])
                if chunk is not None:
                    wanted = {entry.number for entry in chunk.entries}
                    async with aclosing(journal.between(min(wanted), max(wanted))) as entries:
                        results = [
                            Result(entry.number, entry.name, entry.status, entry.reason)
                            async for entry in entries
                            if entry.number in wanted and entry.status is not None
                        ]
                    await ledger.finish(chunk, results)
                del left[0]
        except WorkersDatabaseError:
            await asyncio.sleep(1.0)


async def follow(ledger: Ledger, run: str, *, on_progress: OnProgress = silent) -> RunStatus:
    """Wait for a run's end, retrying while the database restarts."""
    while True:
        try:
            status = await ledger.progress(run)
            on_progress(Progress(f"run {run}", status.done, status.total, status.failed))
            if status.state != "running":
                return await ledger.status(run)
        except WorkersDatabaseError:
            await asyncio.sleep(1.0)
            continue
        await asyncio.sleep(_LOOK)


async def collect(ledger: Ledger, run: str, journal: Journal) -> None:
    """Copy a run's results into its journal, for the report."""
    async with aclosing(ledger.entries(run)) as pages:
        async for page in pages:
            await journal.mark_known(
                [(one.status, one.reason, 1, one.number) for one in page if one.status is not None]
            )


__all__ = ["collect", "do_local", "follow", "push"]
