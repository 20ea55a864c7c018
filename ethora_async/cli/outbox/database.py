"""Open the database of an outbox command."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import typer

from ethora_async.cli.repeating import repeated
from ethora_async.cli.runtime import Options
from ethora_async.errors import ConfigError, InvalidInputError, SettingsUnavailableError
from ethora_async.outbox.lanes import Store
from ethora_async.outbox.opening import has_password, open_store
from ethora_async.tokens.settings import unread

DATABASE = "ETHORA_OUTBOX_DATABASE"

OPTION = typer.Option(
    "--database",
    metavar="URL",
    envvar=DATABASE,
    show_envvar=True,
    help="The outbox's database: postgresql://user@host/name or sqlite:///file.db. A password comes from PGPASSWORD,"
    " ~/.pgpass, or the URL in the environment variable or the secret store.",
)


@asynccontextmanager
async def store_of(context: typer.Context, database: str | None, *, patient: bool = False) -> AsyncIterator[Store]:
    """Open the outbox that the options describe, and close it at the end.

    Args:
        context: The command's.
        database: The URL, if one was given.
        patient: Whether to wait for a secret store that is away.

    Raises:
        ConfigError: No database is named, or its driver is not installed.
        InvalidInputError: The URL cannot be used, or holds a password on the command line.
    """
    found = await repeated(partial(_url, context, database), (SettingsUnavailableError,), math.inf if patient else 0.0)
    store = open_store(found)
    try:
        yield store
    finally:
        await store.aclose()


async def _url(context: typer.Context, database: str | None) -> str:
    if database:
        source = context.get_parameter_source("database")
        if source is not None and source.name == "COMMANDLINE" and has_password(database):
            msg = (
                "a password on the command line can be read by everybody on this machine: leave it out and set"
                f" PGPASSWORD, or put the whole URL into {DATABASE}"
            )
            raise InvalidInputError(msg, field="database")
        return database
    options: Options = context.obj
    if options.secrets is not None and (found := await _from_secrets(options.secrets)):
        return found
    msg = f"no database is named: pass --database, or set {DATABASE} in the environment or the secret store"
    raise ConfigError(msg)


async def _from_secrets(url: str) -> str | None:
    from ethora_async_secrets import SecretError, provider_from_url

    try:
        provider = provider_from_url(url)
        try:
            return (await provider.fetch()).get(DATABASE)
        finally:
            await provider.aclose()
    except SecretError as error:
        failure = unread(error, f"{DATABASE} cannot be read: {error}")
    raise failure
