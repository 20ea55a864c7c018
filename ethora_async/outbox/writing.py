"""Insert intents into the inbox table through the application's database library."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from ethora_async import codec
from ethora_async.errors import ConfigError, InvalidInputError

Intent = dict[str, Any]
"""One row of ``ethora_wish``: ``kind``, ``key``, ``other``, and optionally ``wanted`` and ``traceparent``."""

_PER_STATEMENT = 1000

# The parameter is text, whatever codec the application has set for jsonb.
_POSTGRES = (
    "INSERT INTO ethora_wish (kind, key, other, wanted, traceparent)"
    " SELECT kind, key, other, wanted, traceparent FROM jsonb_to_recordset(CAST(CAST({} AS text) AS jsonb))"
    " AS intent (kind text, key text, other text, wanted jsonb, traceparent text)"
)
_SQLITE = (
    "INSERT INTO ethora_wish (kind, key, other, wanted, traceparent)"
    " SELECT json_extract(intent.value, '$.kind'), json_extract(intent.value, '$.key'),"
    " json_extract(intent.value, '$.other'), json_extract(intent.value, '$.wanted'),"
    " json_extract(intent.value, '$.traceparent') FROM json_each({}) AS intent ORDER BY intent.key"
)
_STATEMENTS = {"postgresql": _POSTGRES, "sqlite": _SQLITE}


def write(connection: object, intents: list[Intent]) -> Awaitable[None]:
    """Insert the intents in order, with one statement for each thousand.

    Raises:
        InvalidInputError: the connection is of an unknown kind, or its database is neither PostgreSQL nor SQLite.
        ConfigError: the database has no outbox tables.
    """
    run = _writer(connection)
    batches = [
        codec.dumps(intents[start : start + _PER_STATEMENT]).decode()
        for start in range(0, len(intents), _PER_STATEMENT)
    ]
    return run(connection, batches)


class _Written:
    """The awaitable of a blocking connection, which does nothing."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield  # makes this a generator


_Writer = Callable[[Any, list[str]], Awaitable[None]]


def _blocking(insert: Callable[[Any, str], object]) -> _Writer:
    def run(connection: Any, batches: list[str]) -> Awaitable[None]:
        missing = False
        for batch in batches:
            try:
                insert(connection, batch)
            except Exception as error:
                missing = _names_missing_table(error)
                if not missing:
                    raise
                break
        # Raised outside the handler: the driver's error may contain the statement's parameters.
        if missing:
            raise _no_tables()
        return _Written()

    return run


def _awaited(insert: Callable[[Any, str], Awaitable[object]]) -> _Writer:
    async def run(connection: Any, batches: list[str]) -> None:
        missing = False
        for batch in batches:
            try:
                await insert(connection, batch)
            except Exception as error:
                missing = _names_missing_table(error)
                if not missing:
                    raise
                break
        if missing:
            raise _no_tables()

    return run


def _names_missing_table(error: Exception) -> bool:
    text = str(error)
    return "ethora_wish" in text and ("does not exist" in text or "no such table" in text)


def _no_tables() -> ConfigError:
    msg = "the database has no table ethora_wish: run `ethora outbox init`, or `manage.py migrate` in a Django project"
    return ConfigError(msg)


def _statement(dialect: str, placeholder: str) -> str:
    if dialect not in _STATEMENTS:
        msg = f"the outbox needs PostgreSQL or SQLite, and this connection is to {dialect}"
        raise InvalidInputError(msg, field="connection")
    return _STATEMENTS[dialect].format(placeholder)


def _session(session: Any, batch: str) -> None:
    from sqlalchemy import text

    # The row first: if two transactions change it, the later one then writes the later intent.
    session.flush()
    session.execute(text(_statement(session.connection().dialect.name, ":intents")), {"intents": batch})


def _sqlalchemy_connection(connection: Any, batch: str) -> None:
    from sqlalchemy import text

    connection.execute(text(_statement(connection.dialect.name, ":intents")), {"intents": batch})


async def _async_session(session: Any, batch: str) -> None:
    from sqlalchemy import text

    await session.flush()
    dialect = (await session.connection()).dialect.name
    await session.execute(text(_statement(dialect, ":intents")), {"intents": batch})


async def _async_sqlalchemy_connection(connection: Any, batch: str) -> None:
    from sqlalchemy import text

    await connection.execute(text(_statement(connection.dialect.name, ":intents")), {"intents": batch})


def _django(connection: Any, batch: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_statement(connection.vendor, "%s"), [batch])


def _psycopg(connection: Any, batch: str) -> None:
    plain = _psycopg_connection(connection)
    plain.execute(_statement("postgresql", _psycopg_placeholder(plain)), [batch])


async def _async_psycopg(connection: Any, batch: str) -> None:
    plain = _psycopg_connection(connection)
    await plain.execute(_statement("postgresql", _psycopg_placeholder(plain)), [batch])


def _psycopg_connection(connection: Any) -> Any:
    """Return the connection of a cursor: a cursor may be one on the server, which can only read."""
    return getattr(connection, "connection", connection)


def _psycopg_placeholder(connection: Any) -> str:
    """Return the form of parameters in the connection's cursors: a raw cursor takes that of PostgreSQL."""
    raw = any(kind.__name__ in ("RawCursor", "AsyncRawCursor") for kind in connection.cursor_factory.__mro__)
    return "$1" if raw else "%s"


async def _asyncpg(connection: Any, batch: str) -> None:
    await connection.execute(_statement("postgresql", "$1"), batch)


def _sqlite3(connection: Any, batch: str) -> None:
    connection.execute(_statement("sqlite", "?"), [batch])


async def _aiosqlite(connection: Any, batch: str) -> None:
    await connection.execute(_statement("sqlite", "?"), [batch])


_WRITERS: dict[tuple[str, str], _Writer] = {
    ("sqlalchemy", "AsyncSession"): _awaited(_async_session),
    ("sqlalchemy", "async_scoped_session"): _awaited(_async_session),
    ("sqlalchemy", "AsyncConnection"): _awaited(_async_sqlalchemy_connection),
    ("sqlalchemy", "Session"): _blocking(_session),
    ("sqlalchemy", "scoped_session"): _blocking(_session),
    ("sqlalchemy", "Connection"): _blocking(_sqlalchemy_connection),
    ("django", "BaseDatabaseWrapper"): _blocking(_django),
    ("django", "ConnectionProxy"): _blocking(_django),
    ("psycopg", "AsyncConnection"): _awaited(_async_psycopg),
    ("psycopg", "AsyncCursor"): _awaited(_async_psycopg),
    ("psycopg", "Connection"): _blocking(_psycopg),
    ("psycopg", "Cursor"): _blocking(_psycopg),
    ("asyncpg", "Connection"): _awaited(_asyncpg),
    ("asyncpg", "PoolConnectionProxy"): _awaited(_asyncpg),
    ("sqlite3", "Connection"): _blocking(_sqlite3),
    ("aiosqlite", "Connection"): _awaited(_aiosqlite),
}


def is_awaited(connection: object) -> bool:
    """Return whether writing through this connection must be awaited.

    Raises:
        InvalidInputError: the connection is of an unknown kind.
    """
    return inspect.iscoroutinefunction(_writer(connection))


def _writer(connection: object) -> _Writer:
    # By name: this imports none of these packages, and also finds subclasses.
    for kind in type(connection).__mro__:
        found = _WRITERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if found is not None:
            return found
    msg = (
        f"the outbox cannot write through a {type(connection).__module__}.{type(connection).__name__}: pass the"
        " connection or session of your transaction: SQLAlchemy, Django, psycopg, asyncpg, sqlite3 or aiosqlite"
    )
    raise InvalidInputError(msg, field="connection")


__all__ = ["Intent", "is_awaited", "write"]
