"""``ethora chats``: the rooms and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ethora_async.cli.lazy_group import CommandGroup
from ethora_async.cli.output import JSON_OPTION, print_list, print_outcome, print_outcomes, print_report
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.runtime import DONE, run_with_client
from ethora_async.cli.shared_options import on_platforms
from ethora_async.cli.sync_options import usage
from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from ethora_async.bulk.outcome import Outcome
    from ethora_async.cli.platforms import ManagingClient
    from ethora_async.records import Id

app: typer.Typer = typer.Typer(
    cls=CommandGroup, help="Manage the chats of the app and their members.", no_args_is_help=True
)

_CHAT = typer.Argument(help="Your own id of the chat.")
_USERS = typer.Argument(help="Your own ids of users.")


def _user(outcome: Outcome[tuple[Id, Id]]) -> str:
    return str(outcome.item[1])


@app.command("create")
@on_platforms(*MANAGING)
def create(
    context: typer.Context,
    chat: Annotated[str, _CHAT],
    title: Annotated[str, typer.Option(help="The title that people see.")],
    access: Annotated[str, typer.Option(help="private (members only) or public.")] = "private",
    description: Annotated[str | None, typer.Option(help="A sentence below the title.")] = None,
    member: Annotated[list[str] | None, typer.Option(help="A user to add; repeatable.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create one chat. An existing chat is left as it is."""
    if access not in ("private", "public"):
        msg = f"--access must be private or public, not {access!r}"
        with usage():
            raise InvalidInputError(msg, field="access")

    async def work(client: ManagingClient) -> int:
        outcome = await client.chats.create(
            chat,
            title=title,
            access="public" if access == "public" else "private",
            description=description,
            members=member or (),
        )
        print_outcome(outcome, as_json=as_json)
        return DONE

    run_with_client(context.obj, MANAGING, work)


@app.command("list")
@on_platforms(*MANAGING)
def list_(context: typer.Context, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """List all chats."""

    async def work(client: ManagingClient) -> int:
        await print_list("chats", client.chats.list(), as_json=as_json)
        return DONE

    run_with_client(context.obj, MANAGING, work)


@app.command("delete")
@on_platforms(*MANAGING)
def delete(
    context: typer.Context,
    chats: Annotated[list[str], typer.Argument(help="Your own ids of chats.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Delete chats with all their messages. Deleting a missing chat is not an error."""

    async def work(client: ManagingClient) -> int:
        return await print_outcomes(client.chats.delete_many(chats, ordered=True), as_json=as_json)

    run_with_client(context.obj, MANAGING, work)


@app.command("grant")
@on_platforms(*MANAGING)
def grant(
    context: typer.Context,
    chat: Annotated[str, _CHAT],
    users: Annotated[list[str], _USERS],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Add users to a chat."""

    async def work(client: ManagingClient) -> int:
        report = await client.chats.grant_many([(chat, user) for user in users])
        return print_report(report, as_json=as_json, key=_user)

    run_with_client(context.obj, MANAGING, work)


@app.command("revoke")
@on_platforms(*MANAGING)
def revoke(
    context: typer.Context,
    chat: Annotated[str, _CHAT],
    users: Annotated[list[str], _USERS],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Remove users from a chat."""

    async def work(client: ManagingClient) -> int:
        report = await client.chats.revoke_many([(chat, user) for user in users])
        return print_report(report, as_json=as_json, key=_user)

    run_with_client(context.obj, MANAGING, work)
