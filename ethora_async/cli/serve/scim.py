"""The SCIM side of ``ethora serve``: the endpoint, its records, and a worker that carries out what is written."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.outbox.opening import has_password
from ethora_async.outbox.worker import Worker
from ethora_async.web.scim.directory import ScimDirectory
from ethora_async.web.scim.endpoint import ScimEndpoint
from ethora_async.web.scim.mapping import EMAIL_DOMAIN, ScimMapping
from ethora_async.web.scim.tokens import ScimTokens

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
    "--scim-secrets", metavar="URL", help="Where ETHORA_SCIM_TOKEN is read from; else the environment."
)
URL = typer.Option("--scim-url", metavar="URL", help="The address at which identity providers see /scim/v2.")
USER_ID = typer.Option("--scim-user-id", metavar="id|externalId", help="The attribute that is the chat user's id.")
ROOM_ID = typer.Option("--scim-room-id", metavar="id|externalId", help="The attribute that is the room's id.")
INACTIVE = typer.Option(
    "--scim-inactive", metavar="keep|delete", help="What becomes of the chat users of whoever is made inactive."
)
EMAIL = typer.Option(
    "--scim-email-domain",
    metavar="DOMAIN",
    help="Users without an e-mail address get ID@DOMAIN; an empty text refuses them.",
)
WORKER = typer.Option(
    "--scim-worker/--no-scim-worker",
    help="Carry out here what is written; without it `ethora outbox work` does.",
)


@attrs.frozen(kw_only=True)
class ScimSettings:
    """What was said on the command line of SCIM."""

    database: str
    secrets: str | None
    url: str | None
    mapping: ScimMapping
    worker: bool


def settings_of(context: typer.Context, database: str | None, rest: Mapping[str, Any]) -> ScimSettings | None:
    """Return the settings of SCIM; None without a database.

    Args:
        context: of the command.
        database: its URL.
        rest: the values of the other options, by their names in `serve`.

    Raises:
        ConfigError: an option cannot be used, or is given without a database.
        InvalidInputError: the URL holds a password on the command line.
    """
    if not database:
        given = [name for name in rest if _given(context, name)]
        if given:
            msg = f"--{given[0].replace('_', '-')} makes no sense without --scim"
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
    """Open the records, check the token, and start the worker; `stack` ends them.

    Args:
        settings: what was said on the command line.
        chat: gives the client.
        stack: ends everything.
        watching: are told of what the worker does.

    Raises:
        ConfigError: there is no token, or the tables are foreign.
        OutboxDatabaseError: the database cannot be used.
    """
    tokens = ScimTokens(settings.secrets)
    stack.push_async_callback(tokens.aclose)
    directory = ScimDirectory(settings.database, mapping=settings.mapping)
    stack.push_async_callback(directory.aclose)
    endpoint = ScimEndpoint(directory, tokens, base_url=settings.url)
    await endpoint.check()
    if settings.worker:
        await stack.enter_async_context(Worker(chat, settings.database, on_event=tuple(watching)))
    return directory, endpoint


def _given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


__all__ = ["DATABASE", "EMAIL_DOMAIN", "ScimSettings", "opened", "settings_of"]
