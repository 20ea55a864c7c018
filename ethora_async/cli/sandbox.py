"""``ethora sandbox``: a local Ethora to develop against."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import sys
from typing import Annotated

import typer

from ethora_async.cli.output import errors
from ethora_async.cli.runtime import DONE, USAGE, run
from ethora_async.platforms.ethora.auth import APP_SECRET
from ethora_async.platforms.ethora.context import APP_ID


def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    lenient: Annotated[bool, typer.Option("--lenient", help="Take names of one character.")] = False,
) -> None:
    """Run a local Ethora until Ctrl-C, and print the settings that point every other command at it.

    App id, secret and the admin's login are taken from the environment (ETHORA_CHAT_APP_ID, ETHORA_CHAT_APP_SECRET,
    ETHORA_ADMIN_EMAIL, ETHORA_ADMIN_PASSWORD), or made up.
    """
    run(_sandbox(host, port, lenient=lenient))


async def _sandbox(host: str, port: int, *, lenient: bool) -> int:
    from ethora_async.sandbox import EthoraSandbox

    _log_requests()
    server = EthoraSandbox(
        app_id=_from_environment(APP_ID),
        secret=_from_environment(APP_SECRET),
        admin_email=_from_environment("ETHORA_ADMIN_EMAIL"),
        admin_password=_from_environment("ETHORA_ADMIN_PASSWORD"),
        host=host,
        port=port,
        lenient=lenient,
    )
    try:
        await server.start()
    except (OSError, UnicodeError) as error:
        errors.print(f"error: cannot listen on {host} port {port}: {_reason(error)}", markup=False)
        return USAGE
    try:
        for name, value in server.environment.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
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


def _from_environment(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _log_requests() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("ethora_async.sandbox")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
