"""``ethora work``: apply the plans of ``ethora apply --workers``, on any number of machines."""

from __future__ import annotations

from typing import Annotated

import typer

from ethora_async.cli.observing import METRICS, listeners, measured
from ethora_async.cli.runtime import run
from ethora_async.cli.signals import work_until_told
from ethora_async.cli.workers.database import DATABASE, workers_url
from ethora_async.cli.workers.rate import RATE, RESTART, limited_client
from ethora_async.workers.worker import DEADLINE, PARALLEL, Worker

URL = typer.Argument(
    metavar="[URL]",
    envvar=DATABASE,
    show_envvar=True,
    help="The database that apply --workers names. A password comes from PGPASSWORD, ~/.pgpass or the variable.",
)


def work(
    context: typer.Context,
    url: Annotated[str | None, URL] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Number of concurrent chunks.")] = PARALLEL,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="Time limit of a call, including its retries.")
    ] = DEADLINE,
    rate: Annotated[float | None, RATE] = None,
    metrics: Annotated[str | None, METRICS] = None,
) -> None:
    """Work on runs until SIGTERM or Ctrl-C; running chunks are finished first, a second signal cancels them."""

    async def working() -> int:
        with measured(metrics) as watching:
            database = workers_url(context, url, "url")
            settings = {"timeout": timeout, "on_event": watching}
            async with limited_client(context.obj, secret, database, rate, patience=RESTART, **settings) as client:
                worker = Worker(client, database, parallel=parallel, deadline=timeout, on_event=listeners(watching))
                return await work_until_told(worker, worker.ledger.name, "chunks")

    secret = context.obj.asked_secret()
    run(working())
