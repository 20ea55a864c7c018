"""``ethora users``: who may chat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.import_report import Tally
from ethora_async.cli.import_run import carry_out, opened, print_report
from ethora_async.cli.output import JSON_OPTION, line, print_json, print_list, print_outcome, print_outcomes
from ethora_async.cli.runtime import DONE, SOME_FAILED, prompt, run_with_client
from ethora_async.platforms.ethora.client import EthoraClient

app = typer.Typer(help="The users of the app.", no_args_is_help=True)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Rows of id, email, first_name, last_name and perhaps password, profile_image: a CSV, JSON Lines or"
            " Parquet file, a quoted pattern of them, or an SQLAlchemy URL without a password.",
        ),
    ],
    chats: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Chats to create: id, title and perhaps access, description."),
    ] = None,
    members: Annotated[str | None, typer.Option(metavar="SOURCE", help="Who may enter which chat: chat, user.")] = None,
    users_query: Annotated[str | None, say.USERS_QUERY] = None,
    chats_query: Annotated[str | None, say.CHATS_QUERY] = None,
    members_query: Annotated[str | None, say.MEMBERS_QUERY] = None,
    map_: Annotated[list[str] | None, say.MAP] = None,
    mapping: Annotated[str | None, say.MAPPING] = None,
    reject: Annotated[Path | None, say.REJECT] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create everyone in a list; whoever is there already is left as they are.

    Bad rows are named by their line, and the good ones go through all the same (exit code 1).
    """
    queries = {"users": users_query, "chats": chats_query, "members": members_query}
    with say.usage():
        lists = say.SourceOptions({"users": file, "chats": chats, "members": members}, queries, map_ or [], mapping)

    async def work(client: EthoraClient) -> int:
        steps = await opened(client, lists, reject)
        with Tally() as tally:
            try:
                await carry_out(steps, tally)
            finally:
                # Also after Ctrl-C, or when the platform has gone away: what was done until then.
                print_report(tally, as_json=as_json)
            return SOME_FAILED if tally.failed else DONE

    run_with_client(context.obj, work)


@app.command("list")
def list_(
    context: typer.Context,
    chat: Annotated[str | None, typer.Option(help="Only the members of this chat.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List everyone, each once."""

    async def work(client: EthoraClient) -> int:
        await print_list(client.users.list(chat=chat), as_json=as_json)
        return DONE

    run_with_client(context.obj, work)


@app.command("get")
def get(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user, the platform's name, or a JID.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show one user, by your own id, the platform's name or a JID."""

    async def work(client: EthoraClient) -> int:
        record = await client.users.get(user)
        if as_json:
            print_json(record)
        else:
            typer.echo(line(record))
        return DONE

    run_with_client(context.obj, work)


@app.command("create")
def create(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user.")],
    email: Annotated[str, typer.Option(help="No two users of an app share one.")],
    first_name: Annotated[str, typer.Option(help="The given name.")],
    last_name: Annotated[str, typer.Option(help="The family name; for somebody with a single name repeat it.")],
    profile_image: Annotated[str | None, typer.Option(metavar="URL", help="A picture.")] = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Prompt for the user's password.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create one user; somebody who is there already is left as they are."""
    # Never an option: it would stand in the shell's history and in the list of processes.
    password = prompt("Password") if ask_password else None

    async def work(client: EthoraClient) -> int:
        outcome = await client.users.create(
            user,
            email=email,
            first_name=first_name,
            last_name=last_name,
            password=password,
            profile_image=profile_image,
        )
        print_outcome(outcome, as_json=as_json)
        return DONE

    run_with_client(context.obj, work)


@app.command("delete")
def delete(
    context: typer.Context,
    users: Annotated[list[str], typer.Argument(help="Your own ids of users.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Delete users; one who is not there is no error."""

    async def work(client: EthoraClient) -> int:
        return await print_outcomes(client.users.delete_many(users, ordered=True), as_json=as_json)

    run_with_client(context.obj, work)
