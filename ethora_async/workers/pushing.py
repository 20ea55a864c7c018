"""Push a plan from its journal, and take part in carrying it out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ethora_async.sync.plan.apply import apply_from_source
from ethora_async.sync.plan.guard import check_guard
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.workers.database import WorkersDatabaseError
from ethora_async.workers.ledger import CHUNK, Ledger, Result, RunStatus, Step
from ethora_async.workers.worker import engine_schema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Entry, Kind
    from ethora_async.sync.store.journal import Journal

_LOOK = 0.2


async def push(ledger: Ledger, journal: Journal) -> tuple[str, int | None]:
    """Push what is left of the plan in a journal.

    Returns:
        The run, and the step that has users whose passwords only their source holds, if there is one.

    Raises:
        StoppedByGuardError: the plan deletes too much; nothing was pushed.
        WorkersDatabaseError: the database cannot be reached; nothing was pushed.
    """
    check_guard(await journal.meta("guard"))
    await ledger.init(engine_schema())
    await journal.take_up()
    steps, local = [], None
    for number, kind, action in await journal.steps():
        waiting = 0
        if (kind, action) == ("user", "create"):
            pushed = sum([len(found) async for found in _chunks(journal, number)])
            waiting = await journal.remaining(number) - pushed
            local = number if waiting else local
        steps.append((Step(number, kind, action, waiting), _chunks(journal, number)))
    return await ledger.push(await journal.meta("platform"), steps), local


async def _chunks(journal: Journal, step: int) -> AsyncGenerator[list[Entry], None]:
    after = 0
    while found := await journal.sendable(step, after=after, limit=CHUNK):
        after = found[-1].number
        yield found


async def do_local(
    client: ManagesUsers, ledger: Ledger, run: str, step: int, journal: Journal, sources: Mapping[Kind, Source[Any]]
) -> None:
    """Create the users whose passwords only their source holds, when it is their turn."""
    while (chunk := await ledger.claim(run, step, 0)) is None:
        if (await ledger.status(run)).state != "running":
            return
        await asyncio.sleep(_LOOK)
    await apply_from_source(client, journal, sources, step)
    results = [
        Result(entry.number, entry.name, entry.status, entry.reason)
        async for entry in journal.everything()
        if entry.step == step and entry.needs_source and entry.status is not None
    ]
    await ledger.finish(chunk, results)


async def follow(ledger: Ledger, run: str, *, on_progress: OnProgress = silent) -> RunStatus:
    """Wait for a run's end, through restarts of the database."""
    while True:
        try:
            status = await ledger.status(run)
        except WorkersDatabaseError:
            await asyncio.sleep(1.0)
            continue
        on_progress(Progress(f"run {run}", status.done, status.total, status.failed))
        if status.state != "running":
            return status
        await asyncio.sleep(_LOOK)


__all__ = ["do_local", "follow", "push"]
