"""``ethora runs``: what several machines carry out, and have carried out."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from ethora_async.cli.output import JSON_OPTION, print_json, shown
from ethora_async.cli.runtime import DONE, SOME_FAILED, run
from ethora_async.cli.workers.database import DATABASE, workers_url
from ethora_async.workers.database import Database
from ethora_async.workers.ledger import Ledger, Result, RunStatus

_WITHOUT_PLANNER = (
    "its password stands in the source alone, which only the process that planned the run has: plan anew with the same"
    " source"
)


def runs(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(metavar="[URL]", envvar=DATABASE, show_envvar=True)] = None,
    run_id: Annotated[str | None, typer.Option("--run", metavar="RUN", help="This run, with its failures.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Carry out again what failed or is unknown.")] = False,
    give_up_local: Annotated[
        bool,
        typer.Option("--give-up-local", help="Fail the users with passwords of a planning process that is gone."),
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List the runs in a database, or show one and retry it. Exit code 1 when the run that is shown has failures."""

    async def work() -> int:
        database = Database(workers_url(context, url, "url"))
        ledger = Ledger(database)
        try:
            await ledger.check()
            if run_id is None:
                found = await ledger.runs()
                if as_json:
                    print_json([status_fields(one) for one in found])
                for one in [] if as_json else found:
                    typer.echo(_line(one))
                return DONE
            if give_up_local:
                await ledger.give_up_local(run_id, _WITHOUT_PLANNER)
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
        print_json({**status_fields(status), "failures": [_failure_fields(one) for one in failures]})
        return
    typer.echo(_line(status))
    for (kind, action, outcome), count in sorted(status.counts.items()):
        typer.echo(f"  {action} {kind}: {count:,} {outcome}")
    for one in failures:
        typer.echo(f"  {shown(one.name)}: {one.status}: {shown(one.reason or '')}")


def status_fields(status: RunStatus) -> dict[str, Any]:
    """Return a run as its JSON fields."""
    results = [
        {"kind": kind, "action": action, "status": outcome, "count": count}
        for (kind, action, outcome), count in sorted(status.counts.items())
    ]
    return {
        "run": status.run, "state": status.state, "created": status.created, "total": status.total,
        "done": status.done, "failed": status.failed, "results": results,
    }  # fmt: skip


def _failure_fields(one: Result) -> dict[str, Any]:
    return {"name": one.name, "status": one.status, "reason": one.reason}


def _line(status: RunStatus) -> str:
    sums: Counter[str] = Counter()
    for (_, _, outcome), count in status.counts.items():
        sums[outcome] += count
    told = "".join(f", {count:,} {outcome}" for outcome, count in sorted(sums.items()))
    return f"{status.run} {status.state}: {status.done:,} of {status.total:,}{told}"
