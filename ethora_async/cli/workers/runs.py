"""``ethora runs``: show the current and past runs of workers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ethora_async.cli.output import JSON_OPTION, print_json, shown
from ethora_async.cli.runtime import DONE, SOME_FAILED, run
from ethora_async.cli.workers.database import DATABASE, workers_url
from ethora_async.workers.database import Database
from ethora_async.workers.ledger import Ledger, Result, RunStatus

_QUIET = 30.0


def runs(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="[URL]", envvar=DATABASE, show_envvar=True)] = None,
    run_id: Annotated[str | None, typer.Option("--run", metavar="RUN", help="This run, with its failures.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Retry items that failed or are unknown.")] = False,
    give_up_local: Annotated[
        bool,
        typer.Option("--give-up-local", help="Fail the users with passwords at once: their planning process is gone."),
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List the runs in a database, or show one and retry it. Exit code 1 if the shown run has failures."""

    async def work() -> int:
        database = Database(workers_url(context, url, "url"))
        ledger = Ledger(database)
        try:
            await ledger.check()
            if run_id is None:
                found = await ledger.runs()
                if as_json:
                    print_json({"runs": [status_fields(one) for one in found]})
                for one in [] if as_json else found:
                    typer.echo(_line(one))
                return DONE
            if give_up_local:
                await ledger.give_up_local(run_id)
            if retry:
                await ledger.retry(run_id)
            status, failures = await ledger.status(run_id), await ledger.failures(run_id)
        finally:
            await database.aclose()
        print_status(status, failures, as_json=as_json)
        return SOME_FAILED if failures else DONE

    run(work())


def print_status(status: RunStatus, failures: list[Result], *, as_json: bool) -> None:
    """Print one run on stdout."""
    if as_json:
        results, failed = _result_fields(status), [_failure_fields(one) for one in failures]
        print_json({**status_fields(status), "results": results, "failures": failed})
        return
    typer.echo(_line(status))
    for (kind, action, outcome), count in sorted(status.counts.items()):
        typer.echo(f"  {action} {kind}: {count:,} {outcome}")
    for one in failures:
        typer.echo(f"  {shown(one.name)}: {one.status}: {shown(one.reason or '')}")


def status_fields(status: RunStatus) -> dict[str, Any]:
    """Return a run as its JSON fields."""
    return {
        "run": status.run, "state": status.state, "created": status.created, "total": status.total,
        "done": status.done, "failed": status.failed,
    }  # fmt: skip


def _result_fields(status: RunStatus) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "action": action, "status": outcome, "count": count}
        for (kind, action, outcome), count in sorted(status.counts.items())
    ]


def _failure_fields(one: Result) -> dict[str, Any]:
    return {"name": one.name, "status": one.status, "reason": one.reason}


def _line(status: RunStatus) -> str:
    failed = f", {status.failed:,} failed or unknown" if status.failed else ""
    waits = ""
    if status.state == "running" and status.planner is not None and status.planner > _QUIET:
        waits = f"; nothing heard of its planning process for {status.planner:.0f} s"
    return f"{status.run} {status.state}: {status.done:,} of {status.total:,}{failed}{waits}"
