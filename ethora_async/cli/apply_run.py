"""Apply a plan from its journal and report the result, for ``apply`` and ``resume``."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethora_async.cli.observing import span
from ethora_async.cli.output import errors, print_document, shown
from ethora_async.cli.plan_view import LinePrinter
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.reject_option import Rejects
from ethora_async.cli.report_page.run_report import RunReport
from ethora_async.cli.runtime import DONE, SOME_FAILED, Options
from ethora_async.cli.sources import reopen_lists
from ethora_async.cli.sync_json import failure_fields, problem_fields, result_fields, summary_fields
from ethora_async.errors import ChatError, InvalidInputError, StoppedByGuardError
from ethora_async.sync.plan.apply import Applied, result_of
from ethora_async.sync.plan.plan import PLANNED, summary_of
from ethora_async.sync.plan.resume import resume_journal
from ethora_async.sync.store.journal import Journal
from ethora_async.workers.pushing import RUN

if TYPE_CHECKING:
    from ethora_async.cli.runtime import SyncClient
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind


async def finish_journal(
    options: Options,
    secret: str | None,
    path: Path,
    page: RunReport,
    *,
    moved: Mapping[str, Sequence[str] | None],
    as_json: bool,
) -> int:
    """Apply what is left in a journal; return the exit code.

    Raises:
        StoppedByGuardError: its plan was never confirmed, or deletes too much.
        InvalidInputError: there is no such journal, or its sources are needed and cannot be read.
        ChatError: the platform cannot be reached or refuses us.
    """
    async with page.running(), options.client(MANAGING, secret) as client, await Journal.open(path) as journal:
        recipe = await journal.meta("recipe") or {}
        if recipe.get("confirmed") is False:
            msg = f"the plan in {path} was never confirmed, and nothing of it was carried out: run ethora apply again"
            raise StoppedByGuardError(msg)
        if (handed := await journal.meta(RUN)) is not None:
            msg = (
                f"the plan in {path} was handed to run {handed}: go on with {options.command('resume')} JOURNAL"
                " --workers URL, or make a new plan with ethora apply"
            )
            raise InvalidInputError(msg, field="journal", file=str(path))
        unplanned = await journal.meta("state") != PLANNED
        found = await reopen_lists(recipe.get("sources", {}), path, moved, needed=unplanned)
        again = options.command("resume")
        return await apply_journal(client, journal, found.by_kind, page, as_json=as_json, again=again)


async def apply_journal(
    client: SyncClient,
    journal: Journal,
    sources: Mapping[Kind, Source[Any]],
    page: RunReport,
    *,
    as_json: bool,
    rejects: Rejects | None = None,
    again: str = "ethora resume",
) -> int:
    """Apply what is left and return the exit code. If interrupted, report what was done and how to resume.

    Raises:
        StoppedByGuardError: the plan deletes too much.
        ChatError: the platform cannot be reached or refuses us.
    """
    try:
        with span("apply"), page.following() as on_progress:
            done = await resume_journal(client, journal, sources=sources, on_progress=on_progress)
    except (ChatError, OSError, asyncio.CancelledError):
        await page.take_interrupted(journal)
        await report(client, journal, await result_of(journal), as_json=as_json, cut_off=True)
        place = shown(shlex.quote(str(journal.path)))
        errors.print(f"to go on from where it stopped: {again} {place}", markup=False)
        raise
    await page.take_result(journal, done)
    return await report(client, journal, done, as_json=as_json, rejects=rejects)


async def report(
    client: SyncClient,
    journal: Journal,
    done: Applied,
    *,
    as_json: bool,
    rejects: Rejects | None = None,
    cut_off: bool = False,
    kept: bool = True,
) -> int:
    """Print the result of the plan and return the exit code. `kept` says whether the journal stays."""
    if rejects is not None:
        await rejects.collect(client, journal)
    summary = await summary_of(journal)
    if as_json:
        head = {
            "platform": await journal.meta("platform"),
            "journal": str(journal.path) if kept else None,
            "applied": not cut_off,
            "summary": summary_fields(summary),
            "results": result_fields(done),
        }
        failed, problems = journal.failures(), journal.problems()
        await print_document(head, failures=(failed, failure_fields), problems=(problems, problem_fields))
    else:
        LinePrinter().applied(done)
    return DONE if done.ok and not summary.problems else SOME_FAILED
