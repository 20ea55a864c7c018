"""Create and drop the outbox's tables in a Django migration."""

from __future__ import annotations

from typing import Any

from ethora_async.errors import ConfigError
from ethora_async.outbox.postgres import schema as postgres
from ethora_async.outbox.sqlite import schema as sqlite

_SCHEMAS = {
    "postgresql": (postgres.CREATE, postgres.DROP),
    "sqlite": (sqlite.CREATE, sqlite.DROP),
}


def create(apps: Any, editor: Any) -> None:  # noqa: ARG001  Django passes the models
    """Create the tables of schema version 1.

    Raises:
        ConfigError: the database is neither PostgreSQL nor SQLite.
    """
    _run(editor, 0)


def drop(apps: Any, editor: Any) -> None:  # noqa: ARG001
    """Drop the tables."""
    _run(editor, 1)


def _run(editor: Any, which: int) -> None:
    vendor = editor.connection.vendor
    if vendor not in _SCHEMAS:
        msg = (
            f"the outbox needs PostgreSQL or SQLite, and this database is {vendor}: keep the application"
            " ethora_outbox out of it with a database router"
        )
        raise ConfigError(msg)
    for statement in _SCHEMAS[vendor][which]:
        editor.execute(statement, params=None)
