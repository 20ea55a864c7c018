"""The command ``ethora`` with all its subcommands."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ethora_async._version import __version__
from ethora_async.cli import apply, chats, demo, doctor, plan, reset, resume, sandbox, token, users, verify
from ethora_async.cli.json_reply import replying
from ethora_async.cli.observing import LogFormat, choose_log_format, log_to_stderr
from ethora_async.cli.once import OnceCommand
from ethora_async.cli.outbox import command as outbox
from ethora_async.cli.platforms import ALL, ETHORA, MANAGING, Platform
from ethora_async.cli.runtime import Options
from ethora_async.cli.serve import command as serve
from ethora_async.cli.shared_options import on_no_platform, on_platforms
from ethora_async.cli.workers import runs, work


class _Group(TyperGroup):
    """The group of all commands; applies ``--json`` to errors too."""

    _args: tuple[str, ...] = ()

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        self._args = tuple(args)
        with replying(self._args):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with replying(self._args):
            return super().invoke(ctx)


app: typer.Typer = typer.Typer(
    cls=_Group,
    help="Keep the users, chats and access rights of an embedded chat platform in step with your own.",
    no_args_is_help=True,
    # Typer's pretty tracebacks print local variables, and some of ours are secrets.
    pretty_exceptions_enable=False,
)
app.command("demo")(on_platforms(*ETHORA)(demo.demo))
app.command("sandbox")(on_platforms(*ALL)(sandbox.sandbox))
app.add_typer(users.app, name="users")
app.add_typer(chats.app, name="chats")
app.add_typer(outbox.app, name="outbox")
for _name, _command in (("plan", plan.plan), ("apply", apply.apply), ("resume", resume.resume),
                        ("verify", verify.verify)):  # fmt: skip
    app.command(_name, cls=OnceCommand)(on_platforms(*MANAGING)(_command))
app.command("work")(on_platforms(*MANAGING)(work.work))
app.command("runs")(on_no_platform(runs.runs))
app.command("token")(on_platforms(*ALL)(token.token))
app.command("reset")(on_platforms(*ETHORA)(reset.reset))
app.command("doctor")(on_platforms(*ALL)(doctor.doctor))
app.command("serve")(on_platforms(*ALL)(serve.serve))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ethora-async {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    secrets: Annotated[
        str | None,
        typer.Option(
            envvar="ETHORA_SECRETS",
            show_envvar=True,
            metavar="URL",
            help="The secret store to read settings from, e.g. file:///run/secrets/ethora. Default: the environment.",
        ),
    ] = None,
    platform: Annotated[
        Platform, typer.Option(help="The platform to work with; may also follow the command.")
    ] = Platform.ethora,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every request to stderr.")] = False,
    log_format: Annotated[LogFormat, typer.Option(help="How log lines are written.")] = LogFormat.text,
    version: Annotated[  # noqa: ARG001  handled by its callback
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Define the options that go before the command."""
    choose_log_format(log_format)
    if verbose:
        log_to_stderr(logging.DEBUG)
        logging.getLogger("asyncio").setLevel(logging.INFO)
    context.obj = Options(secrets=secrets or None, platform=platform)
