"""``ethora sandbox``: a local Ethora to develop against."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ethora_async.cli.output import errors
from ethora_async.cli.runtime import DONE, USAGE, run
from ethora_async.errors import InvalidInput
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.platforms.ethora.context import APP_ID

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox


ADMIN_PASSWORD = "ETHORA_ADMIN_PASSWORD"  # noqa: S105  the name of the setting


def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    lenient: Annotated[bool, typer.Option("--lenient", help="Take names of one character.")] = False,
    seed: Annotated[Path | None, typer.Option(help="A CSV file of users to start with, as for users import.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong: 'POST /v2/users/batch: status=503 times=2'. May be given again."),
    ] = None,
) -> None:
    """Run a local Ethora until Ctrl-C, and print the settings that point every other command at it.

    App id, secret and the admin's login are taken from the environment (ETHORA_CHAT_APP_ID, ETHORA_CHAT_APP_SECRET,
    ETHORA_ADMIN_EMAIL, ETHORA_ADMIN_PASSWORD), or made up.
    """
    run(_sandbox(host, port, lenient=lenient, seed=seed, faults=fault or []))


async def _sandbox(host: str, port: int, *, lenient: bool, seed: Path | None, faults: list[str]) -> int:
    from ethora_async.sandbox import EthoraSandbox

    _log_requests()
    server = EthoraSandbox(
        app_id=_from_environment(APP_ID),
        secret=_from_environment(APP_SECRET),
        admin_email=_from_environment("ETHORA_ADMIN_EMAIL"),
        admin_password=_from_environment(ADMIN_PASSWORD),
        host=host,
        port=port,
        lenient=lenient,
    )
    if not await _prepare(server, seed, faults):
        return USAGE
    try:
        await server.start()
    except (OSError, UnicodeError) as error:
        errors.print(f"error: cannot listen on {host} port {port}: {_reason(error)}", markup=False)
        return USAGE
    try:
        for name, value in server.environment.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        if _from_environment(ADMIN_PASSWORD) is None:
            errors.print(f"the admin is {server.admin_email}, password {server.admin_password}", markup=False)
        errors.print("listening; Ctrl-C stops it and forgets everything", markup=False)
        await asyncio.Event().wait()
    finally:
        await server.aclose()
    return DONE


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is not a host name"
    # asyncio's own text repeats the address.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


async def _prepare(server: EthoraSandbox, seed: Path | None, faults: list[str]) -> bool:
    """Make the users of a file and set the faults; False, and why on stderr, when that cannot be done."""
    from ethora_async.sandbox import SeedRefused

    try:
        for spec in faults:
            server.faults.load(spec)
        if seed is not None:
            errors.print(f"seeded {await server.seed(seed)} users from {seed}", markup=False)
    except SeedRefused as refused:
        for problem in refused.problems:
            errors.print(f"error: {seed} line {problem.row}: {problem.message}", markup=False)
        return False
    except (InvalidInput, ValueError) as error:
        errors.print(f"error: {error}", markup=False)
        return False
    return True


def _from_environment(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _log_requests() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("ethora_async.sandbox")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
