"""Work on a run together with every ``ethora work``, with one progress bar for all: for ``apply`` and ``resume``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.cli.observing import listeners, span
from ethora_async.cli.output import errors
from ethora_async.cli.runtime import DONE, SOME_FAILED, Options
from ethora_async.cli.sources import reopen_lists
from ethora_async.cli.workers.rate import limited_client
from ethora_async.cli.workers.runs import print_status
from ethora_async.errors import InvalidInputError, StoppedByGuardError
from ethora_async.sync.plan.apply import result_of
from ethora_async.sync.plan.plan import PLANNED
from ethora_async.sync.store.journal import Journal
from ethora_async.workers.pushing import RUN, collect, do_local, follow, push
from ethora_async.workers.verifying import journal_of_run
from ethora_async.workers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.cli.reject_option import Rejects
    from ethora_async.cli.report_page.run_report import RunReport
    from ethora_async.cli.runtime import SyncClient
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind


@attrs.frozen
class Together:
    """The shared part of ``apply --workers`` and ``resume --workers``."""

    client: SyncClient
    url: str = attrs.field(repr=False)
    page: RunReport
    as_json: bool

    async def apply(self, journal: Journal, sources: Mapping[Kind, Source[Any]], rejects: Rejects | None) -> int:
        """Publish the plan of a journal and work on it; return the exit code.

        Raises:
            StoppedByGuardError: the plan deletes too much.
            ChatError: the database or the platform cannot be used.
        """
        async with self._working() as worker:
            run = await push(worker.ledger, journal)
            code = await self._carry_out(worker, run, journal, sources)
            if rejects is not None:
                await collect(worker.ledger, run, journal)
                await rejects.collect(self.client, journal)
        return code

    async def resume(self, run: str | None, journal: Journal | None, sources: Mapping[Kind, Source[Any]]) -> int:
        """Finish a run; return the exit code.

        Args:
            run: its id; None for the newest one.
            journal: of its planning process, which can create the users with passwords.
            sources: who has the passwords.

        Raises:
            InvalidInputError: there is no such run.
            ChatError: the database or the platform cannot be used.
        """
        async with self._working() as worker:
            await worker.ledger.check()
            if run is None:
                run = (await worker.ledger.newest()).run
            if journal is not None:
                await journal.take_up()
            await worker.ledger.retry(run, local=journal is not None)
            return await self._carry_out(worker, run, journal, sources)

    @asynccontextmanager
    async def _working(self) -> AsyncGenerator[Worker, None]:
        worker = Worker(self.client, self.url, on_event=listeners())
        try:
            yield worker
        finally:
            await worker.aclose()

    async def _carry_out(
        self, worker: Worker, run: str, journal: Journal | None, sources: Mapping[Kind, Source[Any]]
    ) -> int:
        errors.print(f"run {run} on {worker.ledger.name}", markup=False)
        working = asyncio.ensure_future(worker.run())
        tasks: list[asyncio.Future[Any]] = [working]
        if journal is not None:
            tasks.append(asyncio.ensure_future(do_local(self.client, worker.ledger, run, journal, sources)))
        try:
            with self.page.following() as on_progress:
                waiting = asyncio.ensure_future(follow(worker.ledger, run, on_progress=on_progress))
                tasks.append(waiting)
                await _until_done(tasks, waiting)
                status = waiting.result()
            failures = await worker.ledger.failures(run)
            await self._report(worker, run, journal)
        except BaseException:
            again = f"ethora resume --run {run} --workers with the same database takes part again"
            errors.print(f"the run goes on wherever ethora work runs; {again}", markup=False)
            raise
        finally:
            worker.stop()
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        print_status(status, failures, as_json=self.as_json)
        return SOME_FAILED if failures else DONE

    async def _report(self, worker: Worker, run: str, journal: Journal | None) -> None:
        """Pass the ledger's results to the report."""
        if not self.page.wanted:
            return
        if journal is not None:
            await collect(worker.ledger, run, journal)
            await self.page.take_result(journal, await result_of(journal), kept=False)
            return
        async with await journal_of_run(worker.ledger, run, known=True) as found:
            await self.page.take_result(found, await result_of(found), kept=False)


async def resume_together(
    options: Options,
    secret: str | None,
    path: Path | None,
    page: RunReport,
    *,
    url: str,
    run: str | None,
    rate: float | None,
    moved: Mapping[str, Sequence[str] | None],
    as_json: bool,
) -> int:
    """Carry out what is left of a run, with the journal of its planning process if that is here; return the exit code.

    Raises:
        StoppedByGuardError: the journal's plan was never confirmed.
        InvalidInputError: there is no such run or journal.
        ChatError: the database or the platform cannot be used.
    """
    async with page.running(), limited_client(options, secret, url, rate) as client:
        together = Together(client, url, page, as_json)
        with span("apply"):
            if path is None:
                return await together.resume(run, None, {})
            async with await Journal.open(path) as journal:
                recipe = await journal.meta("recipe") or {}
                handed = await journal.meta(RUN)
                if handed is None and (recipe.get("confirmed") is False or await journal.meta("state") != PLANNED):
                    msg = f"the plan in {path} was never confirmed or finished: run ethora apply again"
                    raise StoppedByGuardError(msg)
                if handed is not None and run not in (None, handed):
                    msg = f"the plan in {path} was handed to run {handed}, not to {run}: leave --run out"
                    raise InvalidInputError(msg, field="run")
                found = await reopen_lists(recipe.get("sources", {}), path, moved, needed=False)
                if handed is None:
                    return await together.apply(journal, found.by_kind, None)
                return await together.resume(handed, journal, found.by_kind)


async def _until_done(tasks: list[asyncio.Future[Any]], waiting: asyncio.Future[Any]) -> None:
    """Wait for the run's end, or raise the error that ended one of the tasks."""
    left = {*tasks}
    while not waiting.done():
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
