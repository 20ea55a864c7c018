"""``ethora users``: who may chat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethora_async.cli.importing import carry_out, opened, print_report
from ethora_async.cli.output import JSON_OPTION, line, print_json, print_list, print_outcome, print_outcomes
from ethora_async.cli.runtime import DONE, SOME_FAILED, Options, run
from ethora_async.cli.tally import Tally

app = typer.Typer(help="The users of the app.", no_args_is_help=True)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: id,email,first_name,last_name[,password,profile_image]")],
    chats: Annotated[Path | None, typer.Option(help="CSV of chats to create: id,title[,access,description]")] = None,
    members: Annotated[Path | None, typer.Option(help="CSV of who may enter which chat: chat,user")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create everyone in a CSV file; whoever is there already is left as they are.

    Bad rows are named by their line, and the good ones go through all the same (exit code 1).
    """
    run(_import(context.obj, file, chats, members, as_json=as_json))


async def _import(options: Options, file: Path, chats: Path | None, members: Path | None, *, as_json: bool) -> int:
    with Tally() as tally:
        async with options.client() as client:
            steps = await opened(client, file, chats, members)
            try:
                await carry_out(steps, tally)
            finally:
                # Also after Ctrl-C, or when the platform has gone away: what was done until then.
                print_report(tally, as_json=as_json)
        return SOME_FAILED if tally.failed else DONE


@app.command("list")
def list_(
    context: typer.Context,
    chat: Annotated[str | None, typer.Option(help="Only the members of this chat.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List everyone, each once."""

    async def work(options: Options) -> int:
        async with options.client() as client:
            await print_list(client.users.list(chat=chat), as_json=as_json)
        return DONE

    run(work(context.obj))


@app.command("get")
def get(context: typer.Context, user: str, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Show one user, by your own id, the platform's name or a JID."""

    async def work(options: Options) -> int:
        async with options.client() as client:
            record = await client.users.get(user)
        if as_json:
            print_json(record)
        else:
            typer.echo(line(record))
        return DONE

    run(work(context.obj))


@app.command("create")
def create(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user.")],
    email: Annotated[str, typer.Option()],
    first_name: Annotated[str, typer.Option()],
    last_name: Annotated[str, typer.Option()],
    profile_image: Annotated[str | None, typer.Option(metavar="URL")] = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Prompt for the user's password.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create one user; somebody who is there already is left as they are."""
    # Never an option: it would stand in the shell's history and in the list of processes.
    password: str | None = typer.prompt("Password", hide_input=True, err=True) if ask_password else None

    async def work(options: Options) -> int:
        async with options.client() as client:
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

    run(work(context.obj))


@app.command("delete")
def delete(context: typer.Context, users: list[str], as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Delete users; one who is not there is no error."""

    async def work(options: Options) -> int:
        async with options.client() as client:
            return await print_outcomes(client.users.delete_many(users, ordered=True), as_json=as_json)

    run(work(context.obj))
