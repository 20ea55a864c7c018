"""``ethora reset``: an app emptied, after its id was said back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ethora_async.cli.output import JSON_OPTION, errors, print_report
from ethora_async.cli.runtime import INTERRUPTED, STOPPED, Options, run, value_of


def reset(
    context: typer.Context,
    confirm: Annotated[
        str | None, typer.Option(metavar="APP_ID", help="The app's id, for scripts; else you are asked for it.")
    ] = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds for listings to stop showing what is gone.")] = 120.0,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Delete all users and chats of the app, with their messages. There is no way back.

    The platform's own records stay: owner accounts, bots, widget visitors, default, 1-1 and widget rooms.
    """
    options: Options = context.obj
    secret = options.asked_secret()
    if confirm is None:
        if not sys.stdin.isatty():
            typer.echo("stopped: there is nobody to ask: pass --confirm APP_ID; nothing was deleted", err=True)
            raise typer.Exit(STOPPED)
        confirm = _asked(_app_id(options, secret))

    async def work() -> int:
        async with options.client(secret) as client:
            if confirm != client.app_id:
                typer.echo(f"stopped: {confirm!r} is not the app's id; nothing was deleted", err=True)
                return STOPPED
            report = await client.reset(confirm=confirm, timeout=wait)
        return print_report(report, as_json=as_json)

    run(work())


def _app_id(options: Options, secret: str | None) -> str:
    """The app's id; it may stand in the secret store, which takes a loop of its own to ask."""

    async def look() -> str:
        async with options.client(secret) as client:
            return client.app_id

    return value_of(look())


def _asked(app_id: str) -> str:
    errors.print(f"This deletes every user and every chat of the app {app_id}, for good.", markup=False)
    errors.print("Its id, to go on: ", end="", markup=False)
    try:
        # Not input(): a prompt of its own would land on stdout.
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
