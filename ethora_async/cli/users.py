"""``ethora users``: the users of the app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.import_report import Tally
from ethora_async.cli.import_run import import_lists, import_steps, print_import_report
from ethora_async.cli.lazy_group import CommandGroup
from ethora_async.cli.once import OnceCommand
from ethora_async.cli.output import JSON_OPTION, line, print_json, print_list, print_outcome, print_outcomes
from ethora_async.cli.platforms import MANAGING, Platform, check_only_on
from ethora_async.cli.runtime import DONE, SOME_FAILED, prompt, run_with_client
from ethora_async.cli.shared_options import on_platforms, takes
from ethora_async.cli.users_export import ExportFormat, export_users

if TYPE_CHECKING:
    from ethora_async.cli.platforms import ManagingClient

app: typer.Typer = typer.Typer(cls=CommandGroup, help="Manage the users of the app.", no_args_is_help=True)


@app.command("import", cls=OnceCommand)
@on_platforms(*MANAGING)
@takes(lists=say.import_options)
def import_(
    context: typer.Context,
    lists: say.SourceOptions,
    reject: Annotated[Path | None, say.REJECT] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create every user in a list. Existing users are left as they are.

    Invalid rows are reported by line, and the valid ones are imported nevertheless (exit code 1).
    """

    async def work(client: ManagingClient) -> int:
        steps = await import_steps(client, lists, reject)
        with Tally() as tally:
            try:
                await import_lists(steps, tally)
            finally:
                # Also after Ctrl-C, or when the platform becomes unreachable: what was done until then.
                print_import_report(tally, as_json=as_json)
            return SOME_FAILED if tally.failed else DONE

    run_with_client(context.obj, MANAGING, work)


@app.command("export", cls=OnceCommand)
@on_platforms(*MANAGING)
def export(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A new file: .csv, .json (an array) or .jsonl. Default: stdout.")
    ] = None,
    format: Annotated[  # noqa: A002
        ExportFormat | None, typer.Option("--format", help="Default: by the file's ending, else csv.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With FILE print a summary as JSON; without, an object with the list users.")
    ] = False,
) -> None:
    """Write all users to a file or stdout, in the columns that users import reads.

    The platform's own accounts (owners, bots, widget visitors) are left out. The file must not exist yet; it appears
    when it is complete, readable by you alone.
    """

    async def work(client: ManagingClient) -> int:
        return await export_users(client, file, format, as_json=as_json)

    run_with_client(context.obj, MANAGING, work)


@app.command("list")
@on_platforms(*MANAGING)
def list_(
    context: typer.Context,
    chat: Annotated[str | None, typer.Option(help="Only the members of this chat.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List all users."""

    async def work(client: ManagingClient) -> int:
        await print_list("users", client.users.list() if chat is None else client.chats.members(chat), as_json=as_json)
        return DONE

    run_with_client(context.obj, MANAGING, work)


@app.command("get")
@on_platforms(*MANAGING)
def get(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user, the platform's name, or a JID.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show one user."""

    async def work(client: ManagingClient) -> int:
        record = await client.users.get(user)
        if as_json:
            print_json(record)
        else:
            typer.echo(line(record))
        return DONE

    run_with_client(context.obj, MANAGING, work)


@app.command("create")
@on_platforms(*MANAGING)
def create(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user.")],
    email: Annotated[str, typer.Option(help="The user's e-mail address.")],
    first_name: Annotated[str, typer.Option(help="The first name.")],
    last_name: Annotated[str, typer.Option(help="The last name.")],
    profile_image: Annotated[str | None, typer.Option(help="Ethora: the URL of a picture.")] = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Prompt for a password; without it the user gets none.")
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create one user. An existing user is left as they are."""
    image: dict[str, Any] = {} if profile_image is None else {"profile_image": profile_image}
    if image:
        with say.usage():
            check_only_on("--profile-image", context.obj.platform, Platform.ethora)
    # Never as an argument: arguments are visible to other processes and in the shell's history.
    password = prompt("Password") if ask_password else None

    async def work(client: ManagingClient) -> int:
        outcome = await client.users.create(
            user, email=email, first_name=first_name, last_name=last_name, password=password, **image
        )
        print_outcome(outcome, as_json=as_json)
        return DONE

    run_with_client(context.obj, MANAGING, work)


@app.command("delete")
@on_platforms(*MANAGING)
def delete(
    context: typer.Context,
    users: Annotated[list[str], typer.Argument(help="Your own ids of users.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Delete users. Deleting a missing user is not an error."""

    async def work(client: ManagingClient) -> int:
        return await print_outcomes(client.users.delete_many(users, ordered=True), as_json=as_json)

    run_with_client(context.obj, MANAGING, work)
