"""``ethora outbox`` with its subcommands."""

from __future__ import annotations

import typer

from ethora_async.cli.outbox import letters, reconcile, trigger, work
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.shared_options import on_platforms

app: typer.Typer = typer.Typer(
    help="Carry out what your application wrote in its own database transactions.", no_args_is_help=True
)
app.command("init")(letters.init)
app.command("work")(on_platforms(*MANAGING)(work.work))
app.command("trigger")(trigger.trigger)
app.command("status")(letters.status)
app.command("dead")(letters.dead)
app.command("retry")(letters.retry)
app.command("skip")(letters.skip)
app.command("reconcile")(on_platforms(*MANAGING)(reconcile.reconcile))
