"""Connections to the database of the SCIM records. They block, and run in their own thread."""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from ethora_async import codec
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.outbox.errors import OutboxDatabaseError
from ethora_async.outbox.mismatch import mismatch_text as outbox_mismatch
from ethora_async.outbox.postgres import schema as postgres_outbox
from ethora_async.outbox.sqlite import schema as sqlite_outbox
from ethora_async.postgres import PostgresServer, postgres_url
from ethora_async.redaction import Secret, wrapped
from ethora_async.web.scim.database import schema
from ethora_async.web.scim.database import statements as sql

if TYPE_CHECKING:
    from collections.abc import Generator

_BUSY_SECONDS = 10.0
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_LIST = re.compile(r"\bLIST\(:([a-z_]+)\)")
_LIST_OF = re.compile(r"\bLIST_OF\(:([a-z_]+)\) AS (\w+)")


class DatabaseConnection(Protocol):
    """One connection; all of its methods block."""

    @property
    def native(self) -> Any:
        """The driver's own connection, for the outbox."""
        ...

    def transaction(self, *, write: bool) -> Any:
        """Begin a transaction, as a context manager; inside an open one it does nothing.

        Raises:
            ConfigError: the tables are foreign, older or newer.
            OutboxDatabaseError: the database cannot be used.
        """
        ...

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement and return its rows. Lists are passed as JSON."""
        ...

    def run(self, statement: str, **values: Any) -> int:
        """Run a statement and return the number of affected rows."""
        ...

    def close(self) -> None:
        """Close it; the next use opens it again."""
        ...


class SqliteConnection:
    """A connection to an SQLite file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.name: str = f"sqlite:///{path}"
        self._database: sqlite3.Connection | None = None
        self._inside = False

    @property
    def native(self) -> sqlite3.Connection:
        """The driver's own connection."""
        if self._database is None:
            msg = "a connection is used within a transaction"
            raise RuntimeError(msg)
        return self._database

    @contextmanager
    def transaction(self, *, write: bool) -> Generator[None]:
        """Begin a transaction. See `DatabaseConnection.transaction`."""
        if self._inside:
            yield
            return
        reason: str | None = None
        try:
            database = self._open()
            database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            self._inside = True
            try:
                yield
            except BaseException:
                database.rollback()
                raise
            else:
                database.commit()
            finally:
                self._inside = False
        except sqlite3.Error as error:
            reason = str(error)
            self.close()
        if reason is not None:
            raise _failure(self.name, reason)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement. See `DatabaseConnection.rows`."""
        return self.native.execute(_for_sqlite(statement), _plain(values)).fetchall()

    def run(self, statement: str, **values: Any) -> int:
        """Run a statement. See `DatabaseConnection.run`."""
        return self.native.execute(_for_sqlite(statement), _plain(values)).rowcount

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._database = database
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("BEGIN IMMEDIATE")
            try:
                _ensure(self, "sqlite", sqlite_outbox.CREATE, sqlite_outbox.VERSION)
            except BaseException:
                database.rollback()
                self.close()
                raise
            database.commit()
        return self._database


class PostgresConnection:
    """A connection to PostgreSQL, by psycopg."""

    def __init__(self, url: str | Secret) -> None:
        url = wrapped(url)
        self._server = PostgresServer(
            url,
            application="ethora scim",
            needed_by="SCIM records in PostgreSQL need",
            extra="outbox",
            called="the database URL",
            field="database",
        )
        self.name: str = self._server.name
        self._connection: Any = None
        self._inside = False

    @property
    def native(self) -> Any:
        """The driver's own connection."""
        return self._connection

    @contextmanager
    def transaction(self, *, write: bool) -> Generator[None]:
        """Begin a transaction. See `DatabaseConnection.transaction`."""
        if self._inside:
            yield
            return
        reason: str | None = None
        try:
            connection = self._open()
            with connection.transaction():
                self._inside = True
                if write:
                    connection.execute(sql.WRITE_LOCK)
                yield
        except self._server.errors as error:
            reason = self._server.reason(error)
            self.close()
        finally:
            self._inside = False
        if reason is not None:
            raise _failure(self.name, reason)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement. See `DatabaseConnection.rows`."""
        found: list[Any] = self._connection.execute(_for_postgres(statement), _plain(values)).fetchall()
        return found

    def run(self, statement: str, **values: Any) -> int:
        """Run a statement. See `DatabaseConnection.run`."""
        return int(self._connection.execute(_for_postgres(statement), _plain(values)).rowcount)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _open(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = self._server.connect()
            try:
                with self._connection.transaction():
                    self._connection.execute(sql.SCHEMA_LOCK)
                    _ensure(self, "postgresql", postgres_outbox.CREATE, postgres_outbox.VERSION)
            except BaseException:
                self.close()
                raise
        return self._connection


def connect(database: str | Secret) -> DatabaseConnection:
    """Return a connection to the database at a URL. Nothing is connected yet.

    The URL is one of the outbox's, see `ethora_async.outbox.open_store`.

    Raises:
        ConfigError: psycopg is not installed (extra ``outbox``).
        InvalidInputError: the URL cannot be used.
    """
    database = masked = wrapped(database)
    server = postgres_url(masked)
    if server is not None:
        return PostgresConnection(server)
    file = _sqlite_file(masked)
    if file is not None:
        return SqliteConnection(file)
    # The URL itself is not quoted: it may contain a password.
    msg = (
        "the database URL of the SCIM records cannot be used: write postgresql://user@host:port/database or"
        " sqlite:///file.db, the same as for the outbox"
    )
    raise InvalidInputError(msg, field="database")


def _sqlite_file(database: Secret) -> str | None:
    scheme, colon, rest = database.reveal().strip().partition("://")
    path = unquote(rest.partition("?")[0])
    usable = colon and scheme.partition("+")[0] == "sqlite" and path.startswith("/")
    return path.removeprefix("/") if usable and path not in ("/", "/:memory:") else None


def _ensure(connection: Any, dialect: str, outbox_tables: tuple[str, ...], outbox_version: int) -> None:
    """Create missing tables, including the outbox's; reject those of other versions."""
    there = {name for (name,) in connection.rows(sql.TABLES[dialect])}
    if not there & {"ethora_outbox", "ethora_wish", "ethora_lane"}:
        for statement in outbox_tables:
            connection.native.execute(statement)
    elif "ethora_outbox" in there:
        state = _number(connection.rows(sql.OUTBOX_VERSION))
        if state != outbox_version:
            raise ConfigError(outbox_mismatch(connection.name, state, outbox_version))
    else:
        raise ConfigError(outbox_mismatch(connection.name, f"{min(there)} without ethora_outbox", outbox_version))
    if not there & {"ethora_scim", "ethora_scim_user"}:
        for statement in schema.create(dialect):
            connection.native.execute(statement)
        return
    state = _number(connection.rows(sql.VERSION)) if "ethora_scim" in there else None
    if state != schema.VERSION:
        raise ConfigError(_mismatch(connection.name, state))


def _number(rows: list[Any]) -> int | None:
    if not rows:
        return None
    value = rows[0][0]
    return int(value) if str(value).isdecimal() else None


def _mismatch(name: str, state: int | None) -> str:
    if state is None:
        return f"{name} has tables of the SCIM records' names that are not theirs: use another schema or database"
    if state > schema.VERSION:
        return (
            f"{name} has SCIM records of schema version {state}, made by a newer ethora-async: this one knows version"
            f" {schema.VERSION}; upgrade the package"
        )
    return f"{name} has SCIM records of schema version {state}, and this ethora-async needs version {schema.VERSION}"


def _failure(name: str, reason: str) -> OutboxDatabaseError:
    return OutboxDatabaseError(f"the database of the SCIM records, {name}, cannot be used: {reason}")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: codec.dumps(value).decode() if isinstance(value, list) else value for name, value in values.items()}


@cache
def _for_sqlite(statement: str) -> str:
    statement = _LIST_OF.sub(r"json_each(:\1) AS \2", statement)
    return _LIST.sub(r"(SELECT value FROM json_each(:\1))", statement)


@cache
def _for_postgres(statement: str) -> Any:
    statement = statement.replace("%", "%%")
    statement = _LIST_OF.sub(r"jsonb_array_elements_text(CAST(:\1 AS jsonb)) AS \2 (value)", statement)
    statement = _LIST.sub(r"(SELECT jsonb_array_elements_text(CAST(:\1 AS jsonb)))", statement)
    return _PARAMETER.sub(r"%(\1)s", statement)


__all__ = ["DatabaseConnection", "PostgresConnection", "SqliteConnection", "connect"]
