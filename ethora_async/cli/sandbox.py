"""``ethora sandbox``: a local chat platform to develop against."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ethora_async.cli.output import errors
from ethora_async.cli.runtime import DONE, USAGE, run
from ethora_async.cli.sandboxes import ADMIN_PASSWORD, Platform, Server, TwoFactor, Wishes, setting
from ethora_async.errors import InvalidInputError


def sandbox(
    platform: Annotated[Platform, typer.Option(help="Which platform to play.")] = Platform.ethora,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong: 'POST /v2/users/batch: status=503 times=2'. May be given again."),
    ] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Ethora: take names of one character.")] = False,
    seed: Annotated[
        Path | None, typer.Option(help="Ethora: a CSV file of users to start with, as for users import.")
    ] = None,
    server_version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Rocket.Chat: the server's version, 6.0 to 9.x.")
    ] = None,
    two_factor: Annotated[
        TwoFactor | None, typer.Option(help="Rocket.Chat: ask the administrator for a second factor.")
    ] = None,
    users_info_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="ImbaChat: where your site is asked about users; the ids are put at its end."),
    ] = None,
) -> None:
    """Run a local chat platform until Ctrl-C, and print the settings that point its client at it.

    Settings that are in the environment already are used (ids, secrets, the administrator's login under the names that
    it prints; for Ethora's administrator ETHORA_ADMIN_EMAIL and ETHORA_ADMIN_PASSWORD); others are made up.
    """
    wishes = Wishes(platform, host, port, lenient, seed, server_version, two_factor, users_info_url)
    run(_sandbox(wishes, fault or []))


async def _sandbox(wishes: Wishes, faults: list[str]) -> int:
    _log_requests()
    try:
        server = wishes.make()
    except (InvalidInputError, ValueError) as error:
        errors.print(f"error: {error}", markup=False)
        return USAGE
    if not await _prepare(server, wishes.seed, faults):
        return USAGE
    try:
        await server.start()
    except (OSError, UnicodeError) as error:
        errors.print(f"error: cannot listen on {wishes.host} port {wishes.port}: {_reason(error)}", markup=False)
        return USAGE
    try:
        for name, value in server.environment.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        _tell_more(server, wishes)
        errors.print("listening; Ctrl-C stops it and forgets everything", markup=False)
        await asyncio.Event().wait()
    finally:
        await server.aclose()
    return DONE


def _tell_more(server: Server, wishes: Wishes) -> None:
    """What is worth knowing and no setting of a client."""
    from ethora_async.sandbox import EthoraSandbox

    if isinstance(server, EthoraSandbox) and setting(ADMIN_PASSWORD) is None:
        errors.print(f"the admin is {server.admin_email}, password {server.admin_password}", markup=False)
    if wishes.platform is Platform.imbachat and wishes.users_info_url is None:
        errors.print("nobody is asked about users: name your site's users-info URL with --users-info-url", markup=False)


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is not a host name"
    # asyncio's own text repeats the address.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


async def _prepare(server: Server, seed: Path | None, faults: list[str]) -> bool:
    """Make the users of a file and set the faults; False, and why on stderr, when that cannot be done."""
    from ethora_async.sandbox import EthoraSandbox, SeedRefusedError

    try:
        for spec in faults:
            server.faults.load(spec)
        if seed is not None and isinstance(server, EthoraSandbox):
            errors.print(f"seeded {await server.seed(seed)} users from {seed}", markup=False)
    except SeedRefusedError as refused:
        for problem in refused.problems:
            errors.print(f"error: {seed} line {problem.row}: {problem.message}", markup=False)
        return False
    except (InvalidInputError, ValueError) as error:
        errors.print(f"error: {error}", markup=False)
        return False
    return True


def _log_requests() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("ethora_async.sandbox")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
