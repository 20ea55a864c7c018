"""SCIM in ``ethora serve``: the endpoint, its records, and a worker for the intents that it writes."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.outbox.opening import has_password
from ethora_async.outbox.passwords import OUTBOX_KEY, PasswordSeal
from ethora_async.outbox.worker import Worker
from ethora_async.web.scim.directory import ScimDirectory
from ethora_async.web.scim.endpoint import ScimEndpoint
from ethora_async.web.scim.mapping import EMAIL_DOMAIN, ScimMapping
from ethora_async.web.scim.tokens import ScimTokens
from ethora_async_secrets import SecretError, provider_from_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCIM_DATABASE = "ETHORA_SCIM_DATABASE"

DATABASE = typer.Option(
    "--scim",
    metavar="DATABASE",
    envvar=SCIM_DATABASE,
    show_envvar=True,
    help="Serve SCIM at /scim/v2; users and groups are kept in postgresql://user@host/name or sqlite:///file.db.",
)
SECRETS = typer.Option(
    "--scim-secrets",
    metavar="URL",
    help="Where ETHORA_SCIM_TOKEN is read from, and ETHORA_OUTBOX_KEY; else the environment. With that key passwords"
    " are passed on, encrypted at rest; without it they are left out.",
)
URL = typer.Option("--scim-url", metavar="URL", help="The address at which identity providers see /scim/v2.")
USER_ID = typer.Option("--scim-user-id", metavar="id|externalId", help="The attribute that is the chat user's id.")
ROOM_ID = typer.Option("--scim-room-id", metavar="id|externalId", help="The attribute that is the room's id.")
INACTIVE = typer.Option(
    "--scim-inactive", metavar="keep|delete", help="What to do with the chat user of a person who is made inactive."
)
EMAIL = typer.Option(
    "--scim-email-domain",
    metavar="DOMAIN",
    help="Users without an e-mail address get ID@DOMAIN; an empty text rejects them.",
)
WORKER = typer.Option(
    "--scim-worker/--no-scim-worker",
    help="Process the written intents here; otherwise run `ethora outbox work`.",
)


@attrs.frozen(kw_only=True)
class ScimSettings:
    """The SCIM options of the command line."""

    database: str
    secrets: str | None
    url: str | None
    mapping: ScimMapping
    worker: bool


def settings_of(context: typer.Context, database: str | None, rest: Mapping[str, Any]) -> ScimSettings | None:
    """Return the settings of SCIM; None without a database.

    Args:
        context: the command's context.
        database: the database's URL.
        rest: the other options, by their names in `serve`.

    Raises:
        ConfigError: an option cannot be used, or is given without a database.
        InvalidInputError: the URL holds a password on the command line.
    """
    if not database:
        given = [name for name in rest if _given(context, name)]
        if given:
            msg = f"--{given[0].replace('_', '-')} needs --scim"
            raise ConfigError(msg)
        return None
    if _given(context, "scim") and has_password(database):
        msg = (
            "a password on the command line can be read by everybody on this machine: leave it out and set PGPASSWORD,"
            f" or put the whole URL into {SCIM_DATABASE}"
        )
        raise InvalidInputError(msg, field="scim")
    mapping = ScimMapping(
        user_id=rest["scim_user_id"],
        room_id=rest["scim_room_id"],
        inactive=rest["scim_inactive"],
        email_domain=rest["scim_email_domain"] or None,
    )
    return ScimSettings(
        database=database,
        secrets=rest["scim_secrets"],
        url=rest["scim_url"],
        mapping=mapping,
        worker=rest["scim_worker"],
    )


async def opened(
    settings: ScimSettings, chat: Any, stack: AsyncExitStack, watching: Sequence[Callable[[object], None]]
) -> tuple[ScimDirectory, ScimEndpoint]:
    """Open the records, check the token, and start the worker; `stack` closes them.

    Args:
        settings: the options of the command line.
        chat: returns the client.
        stack: closes everything.
        watching: receive the worker's events.

    Raises:
        ConfigError: there is no token, or the tables belong to another program.
        OutboxDatabaseError: the database cannot be used.
    """
    tokens = ScimTokens(settings.secrets)
    stack.push_async_callback(tokens.aclose)
    keys = await _keys_of(settings)
    seal = None if keys is None else await PasswordSeal.from_secrets(keys)
    directory = ScimDirectory(settings.database, mapping=settings.mapping, seal=seal)
    stack.push_async_callback(directory.aclose)
    endpoint = ScimEndpoint(directory, tokens, base_url=settings.url)
    await endpoint.check()
    if settings.worker:
        await stack.enter_async_context(Worker(chat, settings.database, seal=keys, on_event=tuple(watching)))
    return directory, endpoint


async def _keys_of(settings: ScimSettings) -> str | None:
    """Return the provider URL of the key that encrypts passwords; None when there is no such key.

    Raises:
        ConfigError: the secret store cannot be read.
    """
    if os.environ.get(OUTBOX_KEY, "").strip():
        return "env:"
    if settings.secrets is None:
        return None
    reason = ""
    try:
        provider = provider_from_url(settings.secrets)
        try:
            return settings.secrets if (await provider.fetch()).get(OUTBOX_KEY) else None
        finally:
            await provider.aclose()
    except SecretError as error:
        reason = str(error)
    msg = f"--scim-secrets cannot be read: {reason}"
    raise ConfigError(msg)


def _given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


__all__ = ["DATABASE", "EMAIL_DOMAIN", "ScimSettings", "opened", "settings_of"]
