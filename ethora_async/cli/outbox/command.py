"""``ethora outbox`` with its subcommands."""

from __future__ import annotations

import typer

from ethora_async.cli.lazy_group import CommandGroup
from ethora_async.cli.outbox import letters, reconcile, trigger, work
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.shared_options import on_no_platform, on_platforms

app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    help="Carry out what your application wrote in its own database transactions.",
    no_args_is_help=True,
)
app.command("init")(on_no_platform(letters.init))
app.command("work")(on_platforms(*MANAGING)(work.work))
app.command("trigger")(on_no_platform(trigger.trigger))
app.command("status")(on_no_platform(letters.status))
app.command("dead")(on_no_platform(letters.dead))
app.command("retry")(on_no_platform(letters.retry))
app.command("skip")(on_no_platform(letters.skip))
app.command("reconcile")(on_platforms(*MANAGING)(reconcile.reconcile))
