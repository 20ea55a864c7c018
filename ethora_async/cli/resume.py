"""``ethora resume``: finish an interrupted apply."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.apply_run import finish_journal
from ethora_async.cli.output import JSON_OPTION
from ethora_async.cli.report_page.run_report import ReportOption, RunReport
from ethora_async.cli.runtime import Options, run
from ethora_async.cli.sync_options import usage
from ethora_async.cli.workers.apply import resume_together
from ethora_async.cli.workers.database import RUN_ID, WORKERS, named_database
from ethora_async.cli.workers.rate import RATE
from ethora_async.errors import InvalidInputError


def resume(
    context: typer.Context,
    journal: Annotated[Path | None, typer.Argument(help="The journal of ethora apply.")] = None,
    users: Annotated[list[str] | None, say.WHERE_NOW] = None,
    chats: Annotated[list[str] | None, say.WHERE_NOW] = None,
    members: Annotated[list[str] | None, say.WHERE_NOW] = None,
    report: ReportOption = None,
    workers: Annotated[str | None, WORKERS] = None,
    run_id: Annotated[str | None, RUN_ID] = None,
    rate: Annotated[float | None, RATE] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Resume an interrupted apply: apply what is left, and retry what failed or is unknown.

    The lists are read from where they were, or beside the journal after a move to another machine. With --workers, a
    run on many machines is resumed from any of them; JOURNAL is needed only for users with passwords, which only the
    planning machine has.
    """
    options: Options = context.obj
    moved = {"users": users, "chats": chats, "members": members}
    page = RunReport(options.command("resume"), report)
    with usage():
        url = named_database(context, workers, run_id)
        if url is None and rate is not None:
            msg = "--rate needs --workers: a single process finds its rate by itself"
            raise InvalidInputError(msg, field="rate")
    if url is not None:
        secret = options.asked_secret()
        run(resume_together(
            options, secret, journal, page, url=url, run=run_id, rate=rate, moved=moved, as_json=as_json
        ))  # fmt: skip
    with usage():
        if journal is None:
            msg = "name the JOURNAL that ethora apply kept, or the run's database with --workers"
            raise InvalidInputError(msg, field="journal")
    run(finish_journal(options, options.asked_secret(), journal, page, moved=moved, as_json=as_json))
