"""Rows of an SQL query, by SQLAlchemy (extra ``sync``) and the database's own driver."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.redaction import Secret, scrub, sensitive_values
from ethora_async.sync.sources.table import RawRow, Reader, guarded

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine
    from sqlalchemy.engine import URL

PASSWORD_VARIABLE = "ETHORA_SOURCE_PASSWORD"  # noqa: S105  the name of a setting
"""The environment variable with the password, for a URL with a user but no password. Drivers also have their own ways:
``PGPASSWORD`` and ``~/.pgpass`` for PostgreSQL.
"""

_LOG_NAME = "ethora_source"
_ROWS_FETCHED = 500
_CONNECT_SECONDS = 15
_BETWEEN_INTERRUPTIONS = 0.05


@attrs.frozen
class SqlTable:
    """A query as a table; its rows are counted from 1. Created by `sql_table`.

    Each read is a separate read-only transaction, rolled back at its end. The query also runs when the source is
    opened, for its columns and the first rows.
    """

    name: str
    _url: Secret = attrs.field(repr=False)
    _query: str = attrs.field(repr=False)
    counted: Literal["line", "row"] = "row"
    ordered: bool = False
    nested: bool = True

    def reader(self) -> Reader:
        """Return a reader of its rows."""
        return _SqlReader(self.name, self._url, self._query)


def sql_table(location: str, query: str | None) -> SqlTable:
    """Return the rows of `query` as a table, for an SQLAlchemy URL such as ``postgresql://user@host/name`` or
    ``sqlite:///file.db``.

    ``postgresql://`` and ``postgres://`` use psycopg. The password may be in the URL or in `PASSWORD_VARIABLE`.

    Raises:
        ConfigError: SQLAlchemy or the database's driver is not installed.
        InvalidInputError: the URL cannot be used, or there is no query.
    """
    url = _url(location)
    name = url.set(query={}).render_as_string(hide_password=True)
    if not (query or "").strip():
        msg = f"{name} needs a query: pass the SELECT that gives the rows"
        raise InvalidInputError(msg, field="query", file=name)
    password = os.environ.get(PASSWORD_VARIABLE)
    if url.username and url.password is None and password:
        url = url.set(password=password)
    _check_driver(url, name)
    text = Secret(url.render_as_string(hide_password=False))
    return SqlTable(name, text, (query or "").strip().rstrip(";"))


def shareable_url(location: str) -> str:
    """Return the URL in a form that can be stored and shown: without a password, and with SQLite's path made absolute.

    Raises:
        ConfigError: SQLAlchemy is not installed.
        InvalidInputError: the URL contains a password, or cannot be used.
    """
    url = _url(location)
    if url.password or any(sensitive_values(dict(url.query))):
        msg = (
            "a database URL must not hold a password here, where others can read it: leave it out and set"
            f" {PASSWORD_VARIABLE} in the environment (for PostgreSQL PGPASSWORD or ~/.pgpass do as well)"
        )
        raise InvalidInputError(msg, field="location")
    file = url.database
    if url.get_backend_name() == "sqlite" and file and file != ":memory:" and not file.startswith("file:"):
        url = url.set(database=os.path.abspath(file))
    return url.render_as_string(hide_password=False)


def _url(location: str) -> URL:
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        msg = "SQL sources are read by SQLAlchemy, which is not installed: pip install 'ethora-async[sync]'"
        raise ConfigError(msg) from None
    url: URL | None = None
    # Raised outside the handler: SQLAlchemy's error may contain the text with the password.
    with suppress(ArgumentError, ValueError):
        url = make_url(location)
    # A password with an unencoded @ or / is parsed as the host or the database, which messages show.
    if url is None or "@" in f"{url.host}{'' if url.drivername.startswith('sqlite') else url.database}":
        scheme = location.partition(":")[0]
        msg = f"the {scheme} URL cannot be read: write it as {scheme}://user@host:port/database, special characters"
        msg += " of the password percent-encoded"
        raise InvalidInputError(msg, field="location")
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _check_driver(url: URL, name: str) -> None:
    from sqlalchemy.exc import NoSuchModuleError

    try:
        dialect = url.get_dialect()
    except NoSuchModuleError:
        msg = f"{name}: SQLAlchemy does not know the database {url.drivername}: install the package that adds it"
        raise ConfigError(msg) from None
    try:
        dialect.import_dbapi()
    except ImportError as error:
        missing = error.name or url.drivername
        package = "psycopg[binary]" if missing == "psycopg" else missing
        msg = f"{name} needs the driver {missing}, which is not installed: pip install '{package}'"
        raise ConfigError(msg) from None
    if dialect.is_async:
        msg = f"{name}: {url.drivername} is an asynchronous driver: name one that is not, such as postgresql+psycopg"
        raise InvalidInputError(msg, field="location", file=name)


class _SqlReader(Reader):
    def __init__(self, name: str, url: Secret, query: str) -> None:
        self._name = name
        self._url = url
        self._query = query
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._result: CursorResult[Any] | None = None
        self._columns: tuple[str, ...] = ()
        self._last = 0
        self._stopped = False
        self._closed = Event()

    def columns(self) -> tuple[str, ...]:
        guarded(self._opened, Exception, self._unreadable)
        return self._columns

    def read(self, count: int) -> list[RawRow]:
        fetched = guarded(lambda: self._opened().fetchmany(count), Exception, self._unreadable)
        rows = [
            RawRow(number, dict(zip(self._columns, values, strict=True)))
            for number, values in enumerate(fetched, self._last + 1)
        ]
        self._last += len(rows)
        return rows

    def close(self) -> None:
        self._closed.set()
        for part in (self._result, self._connection):
            if part is not None:
                with suppress(Exception):
                    part.close()
        if self._engine is not None:
            with suppress(Exception):
                self._engine.dispose()

    def interrupt(self) -> None:
        self._stopped = True
        # Repeated: a call that comes between two statements stops neither.
        while not self._closed.wait(_BETWEEN_INTERRUPTIONS):
            with suppress(Exception):
                if self._connection is not None:
                    driver: Any = self._connection.connection.dbapi_connection
                    # psycopg and most other drivers have cancel; sqlite3 has interrupt. Both may be called from any
                    # thread.
                    (getattr(driver, "cancel", None) or driver.interrupt)()

    def _opened(self) -> CursorResult[Any]:
        if self._result is None:
            self._engine = _engine(self._url)
            self._connection = connection = self._engine.connect()
            _begin_read_only(connection)
            if self._stopped:
                msg = f"{self._name}: reading was stopped"
                raise InvalidInputError(msg, file=self._name)
            # `no_parameters`: a per cent sign or a colon in the query has no special meaning.
            options = {"stream_results": True, "max_row_buffer": _ROWS_FETCHED, "no_parameters": True}
            self._result = connection.exec_driver_sql(self._query, execution_options=options)
            if not self._result.returns_rows:
                msg = f"{self._name}: the query gives no rows: pass a SELECT"
                raise InvalidInputError(msg, field="query", file=self._name)
            self._columns = tuple(self._result.keys())
        return self._result

    def _unreadable(self, error: Exception) -> InvalidInputError:
        where = f" after row {self._last}" if self._last else ""
        msg = f"{self._name} cannot be read{where}: {_reason(error, self._url)}"
        return InvalidInputError(msg, file=self._name, row=self._last or None)


def _engine(url: Secret) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.pool import NullPool

    # With a DEBUG level for SQLAlchemy, it would log every row, passwords included.
    for kind in ("Engine", "OptionEngine"):
        logging.getLogger(f"sqlalchemy.engine.{kind}.{_LOG_NAME}").setLevel(logging.WARNING)
    target = make_url(url.reveal())
    kind = target.get_backend_name()
    arguments: dict[str, Any] = {}
    if kind == "sqlite":
        _check_database_file(target)
        # interrupted from another thread
        arguments["check_same_thread"] = False
    elif target.drivername == "postgresql+psycopg" and "connect_timeout" not in target.query:
        arguments["connect_timeout"] = _CONNECT_SECONDS
    return create_engine(
        target, poolclass=NullPool, connect_args=arguments, hide_parameters=True, logging_name=_LOG_NAME
    )


def _check_database_file(url: URL) -> None:
    path = url.database
    if path and path != ":memory:" and not path.startswith("file:") and not os.path.isfile(path):
        # SQLite would create an empty one.
        msg = f"{path} cannot be read: no such file"
        raise InvalidInputError(msg, file=path)


def _begin_read_only(connection: Connection) -> None:
    kind = connection.dialect.name
    if kind == "postgresql":
        connection.execution_options(postgresql_readonly=True)
    elif kind == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        driver: Any = connection.connection.dbapi_connection
        # Bytes that are not UTF-8 are accepted here and rejected row by row.
        driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    elif kind in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()


def _reason(error: Exception, url: Secret) -> str:
    from sqlalchemy.engine import make_url

    target = make_url(url.reveal())
    options = [part for value in target.query.values() for part in ([value] if isinstance(value, str) else value)]
    original = getattr(error, "orig", None) or error
    text = next((line for line in str(original).splitlines() if line.strip()), type(original).__name__)
    return scrub(text, [part for part in (target.password, url.reveal(), *options) if part])
