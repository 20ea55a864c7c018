"""The commands, put together."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ethora_async._version import __version__
from ethora_async.cli import apply, chats, demo, doctor, plan, reset, resume, sandbox, token, users, verify
from ethora_async.cli.runtime import Options, SyncPlatform
from ethora_async.cli.serve import command as serve

app = typer.Typer(
    help="Keep the users, chats and access rights of an embedded chat platform in step with your own.",
    no_args_is_help=True,
    # Their pretty form prints local variables, and there are secrets among ours.
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(users.app, name="users")
app.add_typer(chats.app, name="chats")
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("resume")(resume.resume)
app.command("verify")(verify.verify)
app.command("token")(token.token)
app.command("reset")(reset.reset)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)

_IN_STEP = ("plan", "apply", "resume", "verify")
"""Commands that know platforms by their capabilities alone."""


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
            help="Where the app secret is read from, e.g. file:///run/secrets/ethora; by default the environment.",
        ),
    ] = None,
    platform: Annotated[
        SyncPlatform, typer.Option(help="The platform that plan, apply, resume and verify keep in step.")
    ] = SyncPlatform.ethora,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every request to stderr.")] = False,
    version: Annotated[  # noqa: ARG001  handled by its callback
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options that go before the command."""
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(message)s")
        logging.getLogger("asyncio").setLevel(logging.INFO)
    if platform is not SyncPlatform.ethora and context.invoked_subcommand not in _IN_STEP:
        msg = f"before the command it goes with {', '.join(_IN_STEP)} only"
        raise typer.BadParameter(msg, param_hint="--platform")
    context.obj = Options(secrets=secrets or None, platform=platform)
