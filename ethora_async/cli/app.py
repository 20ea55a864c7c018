"""The command ``ethora`` with all its subcommands."""

from __future__ import annotations

import logging
from typing import Annotated, ClassVar

import typer

from ethora_async._version import __version__
from ethora_async.cli.lazy_group import CommandEntry, LazyGroup
from ethora_async.cli.observing import LogFormat, choose_log_format, log_to_stderr
from ethora_async.cli.platforms import ALL, ETHORA, MANAGING, Platform


class _Commands(LazyGroup):
    entries: ClassVar = {
        "demo": CommandEntry(
            "demo:demo",
            "Import a thousand users, fifty chats and their members into a local Ethora, and log one of them in.",
            ETHORA,
        ),
        "sandbox": CommandEntry(
            "sandbox:sandbox",
            "Run a local chat platform until Ctrl-C, and print the settings that point a client at it.",
            ALL,
        ),
        "users": CommandEntry("users:app", "Manage the users of the app."),
        "chats": CommandEntry("chats:app", "Manage the chats of the app and their members."),
        "outbox": CommandEntry(
            "outbox.command:app", "Carry out what your application wrote in its own database transactions."
        ),
        "plan": CommandEntry(
            "plan:plan",
            "Show what would make the platform agree with your lists. Changes nothing.",
            MANAGING,
            once=True,
        ),
        "apply": CommandEntry(
            "apply:apply",
            "Make the platform agree with your lists, after showing the plan and asking.",
            MANAGING,
            once=True,
        ),
        "resume": CommandEntry(
            "resume:resume",
            "Resume an interrupted apply: apply what is left, and retry what failed or is unknown.",
            MANAGING,
            once=True,
        ),
        "verify": CommandEntry(
            "verify:verify", "Check that the platform agrees with your lists. Changes nothing.", MANAGING, once=True
        ),
        "work": CommandEntry(
            "workers.work:work",
            "Work on runs until SIGTERM or Ctrl-C; running chunks are finished first, a second signal cancels them.",
            MANAGING,
        ),
        "runs": CommandEntry(
            "workers.runs:runs",
            "List the runs in a database, or show one and retry it. Exit code 1 if the shown run has failures.",
        ),
        "token": CommandEntry(
            "token:token",
            "Mint a chat token for one user and print it. Anyone who has it can act as that user until it expires.",
            ALL,
        ),
        "reset": CommandEntry(
            "reset:reset",
            "Delete all users and chats of the app, with their messages. This cannot be undone.",
            ETHORA,
        ),
        "doctor": CommandEntry(
            "doctor:doctor",
            "Check the secret store, settings, reachability, clocks, credentials and permissions. Changes nothing.",
            ALL,
        ),
        "serve": CommandEntry(
            "serve.command:serve",
            "Serve POST /chat/token, /healthz and /readyz on loopback or a unix socket, behind a proxy that"
            " authenticates.",
            ALL,
        ),
    }


app: typer.Typer = typer.Typer(
    cls=_Commands,
    help="Keep the users, chats and access rights of an embedded chat platform in step with your own.",
    no_args_is_help=True,
    # Plain text: Typer's boxes need rich, which takes longer to import than everything else that the help needs.
    rich_markup_mode=None,
    # Typer's pretty tracebacks print local variables, and some of ours are secrets.
    pretty_exceptions_enable=False,
)


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
    from ethora_async.cli.runtime import Options

    choose_log_format(log_format)
    if verbose:
        log_to_stderr(logging.DEBUG)
        logging.getLogger("asyncio").setLevel(logging.INFO)
    context.obj = Options(secrets=secrets or None, platform=platform)
