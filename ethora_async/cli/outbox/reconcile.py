"""``ethora outbox reconcile``: find drift between the platform and your database, and write intents that correct it."""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import Annotated, Any

import attrs
import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.outbox.database import OPTION, store_of
from ethora_async.cli.output import JSON_OPTION, print_json, shown
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.runtime import DONE, NOT_IN_STEP, STOPPED, SyncClient, run_with_client
from ethora_async.cli.shared_options import takes
from ethora_async.cli.sources import open_lists
from ethora_async.cli.sync_options import SourceOptions
from ethora_async.errors import InvalidInputError
from ethora_async.outbox.reconciling import LAG, Reconciliation
from ethora_async.outbox.reconciling import reconcile as once
from ethora_async.outbox.reconciling import reconcile_every as again

_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@takes(wanted=say.list_options)
def reconcile(
    context: typer.Context,
    wanted: SourceOptions,
    database: Annotated[str | None, OPTION] = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Repeat at this interval (30m, 1h) until Ctrl-C or SIGTERM."),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete items, and revoke memberships, that are in no list.")
    ] = False,
    allow_delete: Annotated[int | None, say.ALLOW_DELETE] = None,
    lag: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long listings may lag: newer changes are not compared."),
    ] = LAG,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Compare the platform with your lists, and write the differences as intents for workers.

    Differences that a waiting intent explains are ignored. Exit codes: 0 in step, 4 drift was found, 5 stopped by the
    guard: nothing was written. With --every one line (with --json one document) is printed for each run.
    """

    async def work(client: SyncClient) -> int:
        pause = None if every is None else _seconds(every)
        if allow_delete is not None and not prune:
            msg = "--allow-delete needs --prune: without it nothing is deleted"
            raise InvalidInputError(msg, field="allow_delete")
        lists = await open_lists(wanted)
        options: dict[str, Any] = {**lists.sources, "prune": prune, "allow_delete": allow_delete, "lag": lag}
        async with store_of(context, database) as store:
            if pause is None:
                found = await once(client, store, **options)
                _show(found, as_json)
                return STOPPED if found.guard is not None else DONE if found.in_step else NOT_IN_STEP
            async with aclosing(again(pause, client, store, **options)) as runs:
                async for found in runs:
                    _show(found, as_json)
        return DONE

    run_with_client(context.obj, MANAGING, work)


def _seconds(text: str) -> float:
    """Return ``30m``, ``1h`` or a number of seconds as seconds."""
    match = _TIME.fullmatch(text.strip())
    number = float(match.group(1)) * _UNITS[match.group(2)] if match else 0.0
    if number <= 0:
        msg = f"--every {text} is not a duration: write 90s, 30m or 1h"
        raise InvalidInputError(msg, field="every")
    return number


def _show(found: Reconciliation, as_json: bool) -> None:
    if as_json:
        print_json({**attrs.asdict(found), "in_step": found.in_step})
        return
    parts = [f"{count} {what}" for what, count in found.drift.items()] or ["no drift"]
    for name, counts in (("cannot change", found.cannot_change), ("extra", found.extras), ("unusable", found.problems)):
        parts += [f"{count} {kind} {name}" for kind, count in counts.items()]
    parts += [f"{found.pending} on their way"] if found.pending else []
    typer.echo(", ".join(parts) + f" ({found.seconds:.1f} s)")
    if found.guard is not None:
        typer.echo(f"nothing was written: {shown(found.guard)}", err=True)
