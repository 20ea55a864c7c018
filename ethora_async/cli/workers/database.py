"""Which database the workers share."""

from __future__ import annotations

import typer

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.outbox.opening import has_password

DATABASE = "ETHORA_WORKERS_DATABASE"


def workers_url(context: typer.Context, url: str | None, parameter: str) -> str:
    """Return the URL that an option or the environment names.

    Raises:
        ConfigError: Neither does.
        InvalidInputError: It holds a password on the command line.
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
