"""``ethora verify``: check that the platform agrees with the lists. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.observing import span
from ethora_async.cli.output import JSON_OPTION, errors, print_json
from ethora_async.cli.plan_view import LinePrinter, problem_line
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.report_page.run_report import ReportOption, RunReport
from ethora_async.cli.runtime import CANNOT_CHANGE, DONE, NOT_IN_STEP, SyncClient, run_with_client
from ethora_async.cli.shared_options import takes
from ethora_async.cli.sources import open_lists
from ethora_async.cli.sync_json import change_fields, problem_fields, summary_fields
from ethora_async.cli.sync_options import SourceOptions, usage
from ethora_async.cli.workers.database import RUN_ID, WORKERS, named_database
from ethora_async.errors import InvalidInputError
from ethora_async.sync.plan.directories import identity
from ethora_async.sync.plan.verify import Verification
from ethora_async.sync.plan.verify import verify as compare
from ethora_async.workers.database import Database
from ethora_async.workers.ledger import Ledger
from ethora_async.workers.verifying import verify_run

if TYPE_CHECKING:
    from ethora_async.sync.plan.progress import OnProgress


@takes(wanted=say.list_options)
def verify(
    context: typer.Context,
    wanted: SourceOptions,
    wait: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Compare again for at most this long: listings lag behind deletions."
        ),
    ] = 0.0,
    prune: Annotated[bool, typer.Option("--prune", help="Count items that are in no list as differences.")] = False,
    only: Annotated[list[say.Part] | None, say.ONLY] = None,
    part: Annotated[str | None, say.PART] = None,
    report: ReportOption = None,
    workers: Annotated[str | None, WORKERS] = None,
    run_id: Annotated[str | None, RUN_ID] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Check that the platform agrees with your lists. Changes nothing.

    With --workers no lists are needed: the plan of a run on many machines is compared with the platform.

    Exits with 0 if it does, 4 if it does not, and 6 if the only differences cannot be changed on the platform.
    """
    with usage():
        key_range = say.part_of(part)
        url = _database(context, workers, run_id, lists=bool(wanted.given or prune or only or part))
    parts: Any = [part.value for part in only] if only else None

    page = RunReport(context.obj.command("verify"), report)

    async def work(client: SyncClient) -> int:
        async with page.running():
            return await reported(client)

    async def compared(client: SyncClient) -> Verification:
        if url is not None:
            with span("verify"), page.following() as on_progress:
                return await _run_compared(client, url, run_id, wait, on_progress)
        found = await open_lists(wanted)
        with span("verify"), page.following() as on_progress:
            return await compare(
                client,
                users=found.sources.get("users"),
                chats=found.sources.get("chats"),
                members=found.sources.get("members"),
                prune=prune,
                only=parts,
                part=key_range,
                wait=wait,
                on_progress=on_progress,
            )

    async def reported(client: SyncClient) -> int:
        answer = await compared(client)
        await page.take_verification(answer, identity(client))
        if as_json:
            print_json(_fields(answer))
        else:
            _show(answer)
        return _CODES[answer.verdict]

    run_with_client(context.obj, MANAGING, work)


def _database(context: typer.Context, url: str | None, run: str | None, *, lists: bool) -> str | None:
    found = named_database(context, url, run)
    if found is not None and lists:
        msg = "--workers compares a run, not lists: leave out the lists, --prune, --only and --part"
        raise InvalidInputError(msg, field="workers")
    return found


async def _run_compared(
    client: SyncClient, url: str, run: str | None, wait: float, on_progress: OnProgress
) -> Verification:
    database = Database(url)
    ledger = Ledger(database)
    try:
        await ledger.check()
        status = await ledger.progress(run) if run is not None else await ledger.newest()
        if status.state == "running":
            errors.print(f"run {status.run} is under way: {status.done:,} of {status.total:,}", markup=False)
        return await verify_run(client, ledger, status.run, wait=wait, on_progress=on_progress)
    finally:
        await database.aclose()


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
