"""``ethora outbox work``: a worker as a separate process."""

from __future__ import annotations

import math
import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ethora_async.cli.observing import METRICS, listeners, measured
from ethora_async.cli.outbox.database import OPTION, store_of
from ethora_async.cli.output import JSON_OPTION, errors, print_json
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.repeating import opened
from ethora_async.cli.runtime import DONE, SOME_FAILED, Options, run
from ethora_async.cli.signals import work_until_told
from ethora_async.errors import SettingsUnavailableError
from ethora_async.outbox.events import IntentFinished, TurnFinished
from ethora_async.outbox.passwords import OUTBOX_KEY
from ethora_async.outbox.worker import BATCH, DEADLINE, PARALLEL, Worker

if TYPE_CHECKING:
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.engine.emitter import Listener


def work(
    context: typer.Context,
    database: Annotated[str | None, OPTION] = None,
    once: Annotated[bool, typer.Option("--once", help="Exit when no waiting intent can be processed now.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Maximum number of intents per turn.")] = BATCH,
    parallel: Annotated[int, typer.Option(min=1, help="Number of concurrent turns.")] = PARALLEL,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Time limit of a call, including its retries; raise it for a slow platform.",
        ),
    ] = DEADLINE,
    lease: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="How long a worker claims intents; those of a killed worker wait this long. Longer than --timeout;"
            " default: 1.6 times --timeout.",
        ),
    ] = None,
    metrics: Annotated[str | None, METRICS] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Carry out intents until SIGTERM or Ctrl-C; running turns are finished first, a second signal cancels them.

    Any number of workers may run, on any number of machines. With --once, exit code 1 says that an intent was given
    up, 3 that the platform or the database could not be reached.
    """

    async def working(client: ManagesUsers, watching: tuple[Listener, ...]) -> int:
        tally = _Tally()
        async with store_of(context, database, patient=not once) as store:
            worker = Worker(
                client,
                store,
                batch=batch,
                parallel=parallel,
                deadline=timeout,
                lease=lease,
                seal=_seal(context.obj),
                on_event=listeners((tally.note, *watching)),
            )
            try:
                if once:
                    await worker.run_once()
                    code = SOME_FAILED if tally.counts["dead"] else DONE
                else:
                    # The worker waits for a database that is away: one that restarts while workers start ends none.
                    code = await work_until_told(worker, store.name, "turns")
            finally:
                if as_json:
                    print_json(tally.counts)
                else:
                    errors.print(", ".join(f"{count} {name}" for name, count in tally.counts.items()), markup=False)
            return code

    async def observed() -> int:
        with measured(metrics) as watching:
            make = partial(context.obj.client, MANAGING, secret, timeout=timeout, on_event=watching)
            async with opened(make, (SettingsUnavailableError,), 0.0 if once else math.inf) as client:
                return await working(client, watching)

    secret = context.obj.asked_secret()
    run(observed())


class _Tally:
    def __init__(self) -> None:
        self.counts = {"done": 0, "dead": 0, "retries": 0}

    def note(self, event: object) -> None:
        if isinstance(event, IntentFinished):
            self.counts[event.state] += 1
        elif isinstance(event, TurnFinished):
            self.counts["retries"] += event.again


def _seal(options: Options) -> str | None:
    """Return the source of the key for passwords; a worker without one reports that when it meets a password."""
    if os.environ.get(OUTBOX_KEY, "").strip():
        return "env:"
    return options.secrets
