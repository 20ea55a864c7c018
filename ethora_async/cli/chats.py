"""``ethora chats``: the rooms, and who may enter them."""

from __future__ import annotations

from typing import Annotated

import typer

from ethora_async.cli.output import JSON_OPTION, print_list, print_outcome, print_outcomes, print_report
from ethora_async.cli.runtime import DONE, USAGE, run_with_client
from ethora_async.platforms.ethora.client import EthoraClient

app = typer.Typer(help="The chats of the app, and who may enter them.", no_args_is_help=True)

_CHAT = typer.Argument(help="Your own id of the chat.")
_USERS = typer.Argument(help="Your own ids of users.")


@app.command("create")
def create(
    context: typer.Context,
    chat: Annotated[str, _CHAT],
    title: Annotated[str, typer.Option(help="What people see.")],
    access: Annotated[str, typer.Option(help="private (members only) or public.")] = "private",
    description: Annotated[str | None, typer.Option(help="A sentence below the title.")] = None,
    member: Annotated[list[str] | None, typer.Option(help="A user to add at once; may be repeated.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create one chat; one that is there already is left as it is."""
    if access not in ("private", "public"):
        typer.echo(f"error: --access must be private or public, not {access!r}", err=True)
        raise typer.Exit(USAGE)

    async def work(client: EthoraClient) -> int:
        outcome = await client.chats.create(
            chat,
            title=title,
            access="public" if access == "public" else "private",
            description=description,
            members=member or (),
        )
        print_outcome(outcome, as_json=as_json)
        return DONE

    run_with_client(context.obj, work)


@app.command("list")
def list_(context: typer.Context, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """List all chats, each once."""

    async def work(client: EthoraClient) -> int:
        await print_list(client.chats.list(), as_json=as_json)
        return DONE

    run_with_client(context.obj, work)


@app.command("delete")
def delete(
    context: typer.Context,
    chats: Annotated[list[str], typer.Argument(help="Your own ids of chats.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Delete chats with all their messages; one that is not there is no error."""

    async def work(client: EthoraClient) -> int:
        return await print_outcomes(client.chats.delete_many(chats, ordered=True), as_json=as_json)

    run_with_client(context.obj, work)


@app.command("grant")
def grant(
    context: typer.Context,
    chat: Annotated[str, _CHAT],
    users: Annotated[list[str], _USERS],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Let users into a chat."""

    async def work(client: EthoraClient) -> int:
        return print_report(await client.chats.grant(chat, users), as_json=as_json)

    run_with_client(context.obj, work)


@app.command("revoke")
def revoke(
    context: typer.Context,
    chat: Annotated[str, _CHAT],
    users: Annotated[list[str], _USERS],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Take users out of a chat."""

    async def work(client: EthoraClient) -> int:
        return print_report(await client.chats.revoke(chat, users), as_json=as_json)

    run_with_client(context.obj, work)
