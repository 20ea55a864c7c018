"""``ethora demo``: a complete import on a local Ethora."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ethora_async.cli.demo_live import stay_live
from ethora_async.cli.demo_rotation import rotating
from ethora_async.cli.import_report import Tally
from ethora_async.cli.import_run import import_lists, import_steps, print_import_report
from ethora_async.cli.json_reply import complain
from ethora_async.cli.output import errors
from ethora_async.cli.runtime import DONE, SOME_FAILED, USAGE, run
from ethora_async.cli.sync_options import KINDS, SourceOptions
from ethora_async.platforms.ethora.client import EthoraClient

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox

_NEXT = """
Next:
  ethora demo --live                  two of these users chat in your browser
  ethora sandbox                      keep a local Ethora running; paste its export lines into another terminal
  ethora users import people.csv      your own people: id,email,first_name,last_name
  ethora doctor                       check the settings of the real thing
"""


def demo(
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Rotate the app secret during the import, and count failed calls.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Let two of the imported users chat in your browser, until Ctrl-C.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --live: print the links as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Import a thousand users, fifty chats and their members into a local Ethora, and log one of them in.

    A few rows are invalid on purpose, to show how they are reported; the exit code is 0 all the same.
    """
    if rotate and live:
        complain("error: --rotate and --live are two demonstrations: choose one")
        raise typer.Exit(USAGE)
    if as_json and not live:
        complain("error: --json goes with --live, and prints its links")
        raise typer.Exit(USAGE)
    run(_live(as_json=as_json) if live else _demo(rotate=rotate))


async def _live(*, as_json: bool) -> int:
    from ethora_async.sandbox import EthoraSandbox

    with as_file(files("ethora_async.cli") / "demo_data") as data, Tally() as tally:
        async with EthoraSandbox() as sandbox, _client(sandbox, secret=sandbox.secret) as client:
            errors.print(f"A local Ethora is listening at {sandbox.url}", markup=False)
            await import_lists(await import_steps(client, _lists(data)), tally)
            if not as_json:
                print_import_report(tally, as_json=False)
            return await stay_live(client, sandbox, tally, as_json=as_json)


async def _demo(*, rotate: bool) -> int:
    from ethora_async.sandbox import EthoraSandbox

    with as_file(files("ethora_async.cli") / "demo_data") as data, Tally() as tally:
        async with EthoraSandbox() as sandbox, rotating(sandbox, wanted=rotate) as rotation:
            typer.echo(f"A local Ethora is listening at {sandbox.url}")
            provider = rotation.provider if rotation else sandbox.secret
            async with _client(sandbox, secret=provider, on_event=rotation.on_event if rotation else ()) as client:
                await import_lists(await import_steps(client, _lists(data)), tally)
                await _log_in(client, data)
                print_import_report(tally, as_json=False)
                await _show_agreement(client, sandbox)
    typer.echo(_NEXT)
    if rotation:
        typer.echo(str(rotation))
        return DONE if not rotation.failed else SOME_FAILED
    return DONE


def _client(sandbox: EthoraSandbox, **settings: Any) -> EthoraClient:
    return EthoraClient(app_id=sandbox.app_id, api_url=sandbox.url, xmpp_host="xmpp.localhost", **settings)


def _lists(data: Path) -> SourceOptions:
    return SourceOptions({name: [str(data / f"{name}.csv")] for name in KINDS})


async def _log_in(client: EthoraClient, data: Path) -> None:
    user = next(iter((data / "members.csv").read_text("utf-8").splitlines()[1:])).partition(",")[2]
    token = await client.tokens.for_user(user, ttl=900)
    typer.echo(f"\nMinted a chat token for {user}, good for 15 minutes: {token!r}")
    session = await client.sessions.exchange(token)
    typer.echo(f"Exchanged it as their front end would: logged in as {session.user.xmpp_username}")
    chats = [chat.id async for chat in client.users.chats(user)]
    typer.echo(f"They may enter {len(chats)} chat{'s' * (len(chats) != 1)}: {', '.join(chats)}\n")


async def _show_agreement(client: EthoraClient, sandbox: EthoraSandbox) -> None:
    users = {user.id async for user in client.users.list()}
    chats = {chat.id async for chat in client.chats.list()}
    typer.echo(f"\nThe platform lists {len(users)} users (its own owner account among them) and {len(chats)} chats.")
    typer.echo(f"It answered {len(sandbox.requests)} requests for all of this.")
