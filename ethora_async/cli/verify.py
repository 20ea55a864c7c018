"""``ethora verify``: check that the platform agrees with the lists. Changes nothing."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.observing import span
from ethora_async.cli.output import JSON_OPTION, print_json
from ethora_async.cli.plan_view import LinePrinter, problem_line
from ethora_async.cli.report_page.run_report import ReportOption, RunReport
from ethora_async.cli.runtime import CANNOT_CHANGE, DONE, NOT_IN_STEP, SyncClient, run_with_client
from ethora_async.cli.shared_options import takes
from ethora_async.cli.sources import open_lists
from ethora_async.cli.sync_json import change_fields, problem_fields, summary_fields
from ethora_async.cli.sync_options import SourceOptions
from ethora_async.sync.plan.directories import identity
from ethora_async.sync.plan.verify import Verification
from ethora_async.sync.plan.verify import verify as compare


@takes(wanted=say.list_options)
def verify(
    context: typer.Context,
    wanted: SourceOptions,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Ask again for so long: listings lag behind deletions.")
    ] = 0.0,
    prune: Annotated[bool, typer.Option("--prune", help="Count what is there and in no list.")] = False,
    only: Annotated[list[say.Part] | None, say.ONLY] = None,
    report: ReportOption = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Check that the platform agrees with your lists. Changes nothing.

    Exits with 0 if it does, 4 if it does not, and 6 if only what the platform does not let us change differs.
    """
    parts: Any = [part.value for part in only] if only else None

    page = RunReport(context.obj.command("verify"), report)

    async def work(client: SyncClient) -> int:
        async with page.running():
            return await reported(client)

    async def reported(client: SyncClient) -> int:
        found = await open_lists(wanted)
        with span("verify"), page.following() as on_progress:
            answer = await compare(
                client,
                users=found.sources.get("users"),
                chats=found.sources.get("chats"),
                members=found.sources.get("members"),
                prune=prune,
                only=parts,
                wait=wait,
                on_progress=on_progress,
            )
        await page.take_verification(answer, identity(client))
        if as_json:
            print_json(_fields(answer))
        else:
            _show(answer)
        return _CODES[answer.verdict]

    run_with_client(context.obj, work)


_CODES = {"in step": DONE, "cannot change": CANNOT_CHANGE, "not in step": NOT_IN_STEP}


def _fields(answer: Verification) -> dict[str, Any]:
    return {
        "in_step": answer.in_step,
        "verdict": answer.verdict,
        "waited": round(answer.waited, 1),
        "summary": summary_fields(answer.summary),
        "examples": [change_fields(entry) for entry in answer.examples],
        "problems": [problem_fields(row) for row in answer.problems],
    }


def _show(answer: Verification) -> None:
    view = LinePrinter()
    summary = answer.summary
    view.differences(summary)
    for entry in answer.examples:
        view.change(entry)
    differences = summary.total + sum(summary.cannot_change.values())
    if differences > len(answer.examples):
        view.line(f"      … and {differences - len(answer.examples):,} more; ethora plan --json lists all")
    for row in answer.problems:
        view.line(f"    {problem_line(row)}", "red")
