"""``ethora apply --workers``: push the plan, take part in carrying it out, and show one bar for all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethora_async.cli.observing import span
from ethora_async.cli.output import errors
from ethora_async.cli.progress import following
from ethora_async.cli.runtime import DONE, SOME_FAILED
from ethora_async.cli.workers.runs import print_status
from ethora_async.workers.pushing import do_local, follow, push
from ethora_async.workers.worker import Worker

if TYPE_CHECKING:
    from ethora_async.cli.runtime import SyncClient
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind
    from ethora_async.sync.store.journal import Journal


async def apply_with_workers(
    client: SyncClient, journal: Journal, sources: Mapping[Kind, Source[Any]], url: str, *, as_json: bool
) -> int:
    """Carry out the plan in a journal together with every `ethora work` on the database; return the exit code.

    Raises:
        StoppedByGuardError: the plan deletes too much.
        ChatError: the database or the platform cannot be used.
    """
    worker = Worker(client, url)
    run, local = await push(worker.ledger, journal)
    errors.print(f"run {run} on {worker.ledger.name}", markup=False)
    working = asyncio.ensure_future(worker.run())
    tasks: list[asyncio.Future[Any]] = [working]
    if local is not None:
        tasks.append(asyncio.ensure_future(do_local(client, worker.ledger, run, local, journal, sources)))
    try:
        with span("apply"), following() as on_progress:
            waiting = asyncio.ensure_future(follow(worker.ledger, run, on_progress=on_progress))
            tasks.append(waiting)
            await _until_done(tasks, waiting)
            status = waiting.result()
        failures = await worker.ledger.failures(run)
    except BaseException:
        errors.print(f"the run goes on wherever ethora work runs: ethora runs --run {run} shows it", markup=False)
        raise
    finally:
        worker.stop()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print_status(status, failures, as_json=as_json)
    return SOME_FAILED if failures else DONE


async def _until_done(tasks: list[asyncio.Future[Any]], waiting: asyncio.Future[Any]) -> None:
    """Wait for the run's end; raises what ends one of the others."""
    left = {*tasks}
    while not waiting.done():
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
