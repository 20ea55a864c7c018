"""``ethora resume``: carry out what an interrupted apply left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.apply_run import finish_journal
from ethora_async.cli.output import JSON_OPTION
from ethora_async.cli.report_page.run_report import ReportOption, RunReport
from ethora_async.cli.runtime import Options, run


def resume(
    context: typer.Context,
    journal: Annotated[Path, typer.Argument(help="What ethora apply kept.")],
    users: Annotated[list[str] | None, say.WHERE_NOW] = None,
    chats: Annotated[list[str] | None, say.WHERE_NOW] = None,
    members: Annotated[list[str] | None, say.WHERE_NOW] = None,
    report: ReportOption = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Resume an interrupted apply: carry out what is left, and retry what failed or is unknown.

    The lists are read from where they were, or beside the journal after a move to another machine.
    """
    options: Options = context.obj
    moved = {"users": users, "chats": chats, "members": members}
    page = RunReport(options.command("resume"), report)
    run(finish_journal(options, options.asked_secret(), journal, page, moved=moved, as_json=as_json))
