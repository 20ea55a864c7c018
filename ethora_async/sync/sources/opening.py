"""One door for every kind of source."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.csv_file import CsvTable
from ethora_async.sync.sources.json_lines import JsonLinesTable
from ethora_async.sync.sources.mapping import ColumnMapping
from ethora_async.sync.sources.parquet import ParquetTable
from ethora_async.sync.sources.sql import sql_table
from ethora_async.sync.sources.table_source import TableSource
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.sync.sources.formats import RowFormat
    from ethora_async.sync.sources.table import Table

T = TypeVar("T")

_DATABASE = re.compile(r"[a-zA-Z][\w+.-]+:(?:/|[^/]*@)")
"""A URL, or what was meant to be one: that is never shown as a path, since a password may be in it."""

_KINDS: dict[str, Callable[[Path, RowFormat[Any]], Table]] = {
    ".csv": lambda path, format: CsvTable(path, format.required),  # noqa: A006
    ".jsonl": lambda path, _: JsonLinesTable(path),
    ".ndjson": lambda path, _: JsonLinesTable(path),
    ".json": lambda path, _: JsonLinesTable(path),
    ".parquet": lambda path, _: ParquetTable(path),
}

ENDINGS = tuple(_KINDS)
"""What the names of files end in that `open_source` reads."""


def is_database(location: str) -> bool:
    """Whether `open_source` takes this for a database, and not for files."""
    return _DATABASE.match(location) is not None


async def open_source(
    location: str | Path,
    format: RowFormat[T],  # noqa: A002
    *,
    mapping: ColumnMapping | Mapping[str, str] | None = None,
    query: str | None = None,
) -> TableSource[T]:
    """Users, chats or members (`USERS`, `CHATS`, `MEMBERS`) wherever they are, checked as far as it goes without rows.

    Args:
        location: a file (``.csv``; ``.jsonl``, ``.ndjson`` or ``.json`` with one object a line; ``.parquet``), a
            pattern such as ``people/*.csv`` whose files are one source, read in the order of their names and of one
            kind or several, or a database as an SQLAlchemy URL. A `Path` is never a pattern nor a URL.
        mapping: how columns are called there; a plain mapping is ours → theirs.
        query: the SELECT, for a database.

    Raises:
        ConfigError: a library that is needed is not installed; the text says how to install it.
        InvalidInputError: the location cannot be read, no file matches, a column is missing, or the mapping cannot be
        meant.
    """
    found = mapping if isinstance(mapping, ColumnMapping) else ColumnMapping(mapping or {})
    if isinstance(location, str) and is_database(location):
        table = await run_blocking(sql_table, location, query)
        return await TableSource.of(table.name, [table], format, found)
    if query is not None:
        msg = f"{location} is no database, so that a query makes no sense: leave it out, or pass a database URL"
        raise InvalidInputError(msg, field="query", file=str(location))
    paths = await run_blocking(_paths, location)
    return await TableSource.of(str(location), [_table(path, format) for path in paths], format, found)


def _paths(location: str | Path) -> list[Path]:
    try:
        if isinstance(location, Path) or not glob.has_magic(location) or Path(location).exists():
            return [Path(location)]
        matches = sorted(path for name in glob.iglob(location, recursive=True) if (path := Path(name)).is_file())
    except (OSError, ValueError) as error:
        msg = f"{location} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidInputError(msg, file=str(location)) from None
    if not matches:
        msg = f"no file matches {location}"
        raise InvalidInputError(msg, file=location)
    return matches


def _table(path: Path, format: RowFormat[Any]) -> Table:  # noqa: A002
    make = _KINDS.get(path.suffix.lower())
    if make is None:
        msg = f"{path} has no ending that says what it is: known are {', '.join(_KINDS)}"
        raise InvalidInputError(msg, file=str(path))
    return make(path, format)
