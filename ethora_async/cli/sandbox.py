"""``ethora sandbox``: a local chat platform to develop against."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ethora_async.cli.output import errors
from ethora_async.cli.platforms import Platform
from ethora_async.cli.runtime import DONE, USAGE, run
from ethora_async.cli.sandboxes import ADMIN_PASSWORD, SandboxOptions, SandboxServer, TwoFactor, setting
from ethora_async.errors import ConfigError, InvalidInputError


def sandbox(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault to inject: 'POST /v2/users/batch: status=503 times=2'. Repeatable."),
    ] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Ethora: accept one-character names.")] = False,
    seed: Annotated[
        Path | None, typer.Option(help="Ethora: a CSV file of users to start with, as for users import.")
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Ethora: serve TLS on a second port, with a generated certificate.")
    ] = False,
    cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ethora: serve TLS with this certificate (PEM).")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ethora: the key of --cert, unless that file holds it.")
    ] = None,
    bot: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Ethora: a function that answers in chats that let the bot in."),
    ] = None,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Do not serve the page at /_sandbox/.")] = False,
    server_version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Rocket.Chat: the server version, 6.0 to 9.x.")
    ] = None,
    two_factor: Annotated[
        TwoFactor | None, typer.Option(help="Rocket.Chat: require a second factor from the administrator.")
    ] = None,
    webhook_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Rocket.Chat: a host beside this machine that outgoing webhooks may call. Repeatable.",
        ),
    ] = None,
    users_info_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="ImbaChat: your site's users-info URL; the ids are appended."),
    ] = None,
) -> None:
    """Run a local chat platform until Ctrl-C, and print the settings that point a client at it.

    Settings in the environment are used: ids, secrets and the administrator's login, under the names that this command
    prints (for Ethora's administrator ETHORA_ADMIN_EMAIL and ETHORA_ADMIN_PASSWORD). The others are generated.
    """
    platform = context.obj.platform
    options = SandboxOptions(platform, host, port, lenient, seed, server_version, two_factor, users_info_url)
    options = attrs.evolve(
        options, tls=tls, cert=cert, key=key, bot=bot, ui=not no_ui, webhook_hosts=tuple(webhook_host or ())
    )
    run(_sandbox(options, fault or []))


async def _sandbox(options: SandboxOptions, faults: list[str]) -> int:
    _log_requests()
    try:
        server = options.make()
    except (ConfigError, InvalidInputError, ValueError) as error:
        errors.print(f"error: {error}", markup=False)
        return USAGE
    if not await _prepare(server, options.seed, faults):
        return USAGE
    try:
        await server.start()
    except (OSError, UnicodeError) as error:
        errors.print(f"error: cannot listen on {options.host} port {options.port}: {_reason(error)}", markup=False)
        return USAGE
    except ValueError as error:
        errors.print(f"error: {error}", markup=False)
        return USAGE
    try:
        for name, value in _settings(server).items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        _tell_more(server, options)
        if server.console_url is not None:
            errors.print(f"see what happens at {server.console_url}", markup=False)
        errors.print("listening; Ctrl-C stops it and discards all data", markup=False)
        await asyncio.Event().wait()
    finally:
        await server.aclose()
    return DONE


def _settings(server: SandboxServer) -> dict[str, str]:
    """Return the settings to print for the shell: a client's, and those of a front end if there are any."""
    from ethora_async.sandbox import EthoraSandbox

    further = server.front_end_environment if isinstance(server, EthoraSandbox) else {}
    return server.environment | further


def _tell_more(server: SandboxServer, options: SandboxOptions) -> None:
    """Print further information that is not a client setting."""
    from ethora_async.sandbox import EthoraSandbox

    if isinstance(server, EthoraSandbox) and setting(ADMIN_PASSWORD) is None:
        errors.print(f"the admin is {server.admin_email}, password {server.admin_password}", markup=False)
    if options.platform is Platform.imbachat and options.users_info_url is None:
        errors.print("no site is asked about users: pass your users-info URL with --users-info-url", markup=False)


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is not a host name"
    # asyncio's own text repeats the address.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


async def _prepare(server: SandboxServer, seed: Path | None, faults: list[str]) -> bool:
    """Seed users from a file and set the faults; on failure print the reason on stderr and return False."""
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
