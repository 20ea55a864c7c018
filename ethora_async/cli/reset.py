"""``ethora reset``: empty an app, after its id was typed as confirmation."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ethora_async.cli.json_reply import complain
from ethora_async.cli.output import JSON_OPTION, errors, print_report
from ethora_async.cli.platforms import ETHORA
from ethora_async.cli.runtime import INTERRUPTED, STOPPED, Options, run, value_of


def reset(
    context: typer.Context,
    confirm: Annotated[
        str | None, typer.Option(metavar="APP_ID", help="The app's id, to confirm without a prompt.")
    ] = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for listings to catch up.")] = 120.0,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Delete all users and chats of the app, with their messages. This cannot be undone.

    The platform's own records stay: owner accounts, bots, widget visitors, default, 1-1 and widget rooms.
    """
    options: Options = context.obj
    secret = options.asked_secret()
    if confirm is None:
        if not sys.stdin.isatty():
            complain("stopped: stdin is not a terminal; pass --confirm APP_ID; nothing was deleted")
            raise typer.Exit(STOPPED)
        confirm = _asked(_app_id(options, secret))

    async def work() -> int:
        async with options.client(ETHORA, secret) as client:
            if confirm != client.app_id:
                complain(f"stopped: {confirm!r} is not the app's id; nothing was deleted")
                return STOPPED
            report = await client.reset(confirm=confirm, timeout=wait)
        return print_report(report, as_json=as_json)

    run(work())


def _app_id(options: Options, secret: str | None) -> str:
    """Return the app's id. It may be in the secret store, which is read in an event loop."""

    async def look() -> str:
        async with options.client(ETHORA, secret) as client:
            return str(client.app_id)

    return value_of(look())


def _asked(app_id: str) -> str:
    errors.print(f"This permanently deletes every user and every chat of the app {app_id}.", markup=False)
    errors.print("Type the app's id to continue: ", end="", markup=False)
    try:
        # Not input(): its prompt would go to stdout.
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(INTERRUPTED) from None
