"""Parquet files, read by DuckDB (extra ``sync``)."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.sources.table import RawRow, Reader, guarded
from ethora_async.sync.sources.text_file import check_regular

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # one thread keeps the rows' order without a buffer
    "memory_limit": "256MB",
    "autoinstall_known_extensions": False,  # nothing is downloaded
    "autoload_known_extensions": False,
}


@attrs.frozen
class ParquetTable:
    """A Parquet file as a table; its rows are counted from 1."""

    path: Path
    title: str | None = None
    counted: Literal["line", "row"] = "row"
    ordered: bool = True
    nested: bool = True

    @property
    def name(self) -> str:
        """The path as the caller wrote it."""
        return self.title or str(self.path)

    def reader(self) -> Reader:
        """Return a reader of its rows."""
        return _ParquetReader(self.path)


class _ParquetReader(Reader):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: DuckDBPyConnection | None = None
        self._columns: tuple[str, ...] = ()
        self._last = 0

    def columns(self) -> tuple[str, ...]:
        guarded(self._open, Exception, partial(_unreadable, self._path, 0))
        return self._columns

    def read(self, count: int) -> list[RawRow]:
        # DuckDB is not imported yet, so its errors cannot be named here.
        fetched = guarded(
            lambda: self._open().fetchmany(count), Exception, partial(_unreadable, self._path, self._last)
        )
        rows = [
            RawRow(number, dict(zip(self._columns, values, strict=True)))
            for number, values in enumerate(fetched, self._last + 1)
        ]
        self._last += len(rows)
        return rows

    def _open(self) -> DuckDBPyConnection:
        if self._connection is None:
            check_regular(self._path)
            self._connection = _connected()
            # Folders called "year=2024" do not become columns.
            query = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
            self._connection.execute(query, [str(self._path)])
            self._columns = tuple(column[0] for column in self._connection.description or ())
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()

    def interrupt(self) -> None:
        connection = self._connection
        if connection is not None:
            with suppress(Exception):
                connection.interrupt()


def _connected() -> DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        msg = "Parquet files are read by DuckDB, which is not installed: pip install 'ethora-async[sync]'"
        raise ConfigError(msg) from None
    return duckdb.connect(config=_SETTINGS)


def _unreadable(path: Path, after: int, error: Exception) -> InvalidInputError:
    # Only its first line names the error; the others quote the query.
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    where = f" after row {after}" if after else ""
    msg = f"{path} cannot be read as Parquet{where}: {reason}"
    return InvalidInputError(msg, file=str(path), row=after or None)
