"""Open an outbox's database by its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from ethora_async.errors import InvalidInputError
from ethora_async.postgres import postgres_url
from ethora_async.redaction import Secret, wrapped

if TYPE_CHECKING:
    from ethora_async.outbox.lanes import Store

_FORMS = "write postgresql://user@host:port/database or sqlite:///file.db"


def open_store(database: str | Secret | Store) -> Store:
    """Return the outbox in the database at a URL. Nothing is connected yet.

    ``postgresql://…`` is libpq's URL; the password may be part of it, or come from ``PGPASSWORD`` or ``~/.pgpass``.
    ``sqlite:///file.db`` is a relative path, ``sqlite:////var/lib/app.db`` an absolute one. A driver's name, as in
    ``postgresql+asyncpg://``, is ignored.

    Raises:
        ConfigError: psycopg is not installed (extra ``outbox``).
        InvalidInputError: the URL cannot be used.
    """
    # The URL may contain a password: neither the message nor a frame of the error shows it.
    database = given = wrapped(database)
    if not isinstance(given, Secret):
        return cast("Store", given)
    server = postgres_url(given)
    if server is not None:
        from ethora_async.outbox.postgres.store import PostgresStore

        return PostgresStore(server)
    rest = _sqlite_rest(given)
    if rest is not None:
        from ethora_async.outbox.sqlite.store import SqliteStore

        return SqliteStore(_file(rest))
    msg = f"the outbox's database URL cannot be used: {_FORMS}"
    raise InvalidInputError(msg, field="database")


def _sqlite_rest(database: Secret) -> str | None:
    """Return what follows ``sqlite://`` in a URL; None when it names another database."""
    scheme, colon, rest = database.reveal().strip().partition("://")
    return rest if colon and scheme.partition("+")[0] == "sqlite" else None


def _file(rest: str) -> str:
    path = unquote(rest.partition("?")[0])
    if not path.startswith("/") or path in ("/", "/:memory:"):
        msg = f"an outbox in SQLite must be a file that the workers and the application share: {_FORMS}"
        raise InvalidInputError(msg, field="database")
    return path.removeprefix("/")


def has_password(database: str) -> bool:
    """Return whether a database URL contains a password."""
    authority = database.partition("://")[2].partition("/")[0]
    login, at, _ = authority.rpartition("@")
    query: Any = database.partition("?")[2]
    return bool(at and ":" in login) or "password=" in query


__all__ = ["has_password", "open_store"]
