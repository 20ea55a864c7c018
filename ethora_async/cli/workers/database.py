"""The database that the workers share."""

from __future__ import annotations

import os

import typer

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.outbox.opening import has_password

DATABASE = "ETHORA_WORKERS_DATABASE"

WORKERS = typer.Option(
    "--workers",
    metavar="URL",
    help=f"The PostgreSQL database of a run on many machines; with --run, {DATABASE} if this is left out.",
)
RUN_ID = typer.Option("--run", metavar="RUN", help="The run; by default the newest.")


def workers_url(context: typer.Context, url: str | None, parameter: str) -> str:
    """Return the URL from an option or the environment.

    Raises:
        ConfigError: Neither has one.
        InvalidInputError: The URL on the command line holds a password.
    """
    if not url:
        msg = f"no database is named: pass postgresql://user@host/name, or set {DATABASE}"
        raise ConfigError(msg)
    source = context.get_parameter_source(parameter)
    if source is not None and source.name == "COMMANDLINE" and has_password(url):
        msg = (
            "a password on the command line can be read by everybody on this machine: leave it out and set PGPASSWORD,"
            f" or put the whole URL into {DATABASE}"
        )
        raise InvalidInputError(msg, field=parameter)
    return url


def named_database(context: typer.Context, url: str | None, run: str | None) -> str | None:
    """Return the database of ``resume`` and ``verify``, whose runs are meant if ``--workers`` or ``--run`` is given.

    Raises:
        InvalidInputError: A run is named, and no database; or the URL holds a password on the command line.
    """
    if url is None and run is None:
        return None
    try:
        return workers_url(context, url or os.environ.get(DATABASE), "workers")
    except ConfigError as error:
        raise InvalidInputError(str(error), field="workers") from None
