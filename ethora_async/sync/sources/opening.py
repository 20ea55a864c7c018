"""Open any kind of source."""

from __future__ import annotations

import codecs
import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.csv_dialect import named_delimiter
from ethora_async.sync.sources.csv_file import CsvTable
from ethora_async.sync.sources.encoding import named_encoding
from ethora_async.sync.sources.json_lines import JsonTable
from ethora_async.sync.sources.mapping import ColumnMapping
from ethora_async.sync.sources.parquet import ParquetTable
from ethora_async.sync.sources.sql import sql_table
from ethora_async.sync.sources.table_source import TableSource
from ethora_async.sync.sources.text_file import UNREADABLE, check_regular, open_bytes, unreadable
from ethora_async.sync.sources.where import Condition
from ethora_async.sync.sources.xlsx import XlsxTable
from ethora_async.wording import printable
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ethora_async.sync.sources.formats import RowFormat
    from ethora_async.sync.sources.table import Table

T = TypeVar("T")

_DATABASE = re.compile(r"[a-zA-Z][\w+.-]+:(?:/|[^/]*@)")
"""Matches a URL, or an attempt at one: it is never shown as a path, since it may contain a password."""

FORMS = ("csv", "json", "parquet", "xlsx")
"""The file formats."""

_BY_ENDING = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_PACKED = ".gz"

ENDINGS = tuple(_BY_ENDING)
"""The file name endings that `open_source` reads; text files may have ``.gz`` appended."""


def is_database(location: str) -> bool:
    """Return whether `open_source` treats this as a database rather than as files."""
    return _DATABASE.match(location) is not None


@attrs.frozen
class ReadOptions:
    """Options for reading files.

    Attributes:
        delimiter: The CSV delimiter: a character, or ``comma``, ``semicolon``, ``tab``, ``pipe``.
        encoding: The encoding of CSV, by Python's name.
        where: Conditions such as ``status=active`` that rows must satisfy.
        optional_where: Conditions that are ignored if their column is missing.
        lists: Names of the list of rows in a JSON file that is one object.
        default_form: The format of files without a known ending; None rejects them.
    """

    delimiter: str | None = None
    encoding: str | None = None
    where: tuple[str, ...] = ()
    optional_where: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    default_form: str | None = None


async def open_source(
    location: str | Path | Sequence[str | Path],
    format: RowFormat[T],  # noqa: A002
    *,
    mapping: ColumnMapping | Mapping[str, str] | None = None,
    query: str | None = None,
    options: ReadOptions | None = None,
    name: str | None = None,
    on_warning: Callable[[str], None] | None = None,
    on_selected: Callable[[str], None] | None = None,
) -> TableSource[T]:
    """Open users, chats or members (`USERS`, `CHATS`, `MEMBERS`), and check what can be checked before reading all
    rows.

    Args:
        location: A file (``.csv``, ``.tsv``, ``.txt``; ``.jsonl``, ``.ndjson``, ``.json``; ``.parquet``; ``.xlsx``;
            text formats also with ``.gz``), a pattern such as ``people/*.csv`` whose files form one source, read in the
            order of their names and of one or several formats, or a database as an SQLAlchemy URL. An existing path is
            that file, whatever characters it contains. A `Path` is never a pattern or a URL. Several locations form one
            source.
        format: The kind of rows.
        mapping: The names of the source's columns; a plain mapping is field → column.
        query: The SELECT, for a database.
        options: Options for reading files.
        name: The source's name in messages, in place of the location.
        on_warning: Called for values that look like a tool's placeholder for a missing value (``NULL``, ``nan``,
            ``#REF!``), and when no row satisfies the conditions.
        on_selected: Called after the first reading with the number of rows that satisfy the conditions.

    Raises:
        ConfigError: A library that is needed is not installed; the message says how to install it.
        InvalidInputError: The location cannot be read, no file matches, a column is missing, or the mapping or an
            option is invalid.
    """
    found = mapping if isinstance(mapping, ColumnMapping) else ColumnMapping(mapping or {})
    how = options or ReadOptions()
    places = [location] if isinstance(location, (str, Path)) else list(location)
    if len(places) > 1 and any(isinstance(place, str) and is_database(place) for place in places):
        msg = "a database cannot be combined with files: pass it alone, or pass files only"
        raise InvalidInputError(msg, field="location")
    conditions = [Condition.of(text) for text in how.where]
    conditions += [Condition.of(text, optional=True) for text in how.optional_where]
    found.check(format)
    tables: list[Table] = []
    for place in places:
        if isinstance(place, str) and is_database(place):
            tables.append(await run_blocking(sql_table, place, query))
            continue
        if query is not None:
            msg = f"{place} is not a database, so it takes no query: leave the query out, or pass a database URL"
            raise InvalidInputError(msg, field="query", file=str(place))
        paths = await run_blocking(_paths, place)
        tables += [await run_blocking(_table, path, name, format, found, how) for path in paths]
    title = name or ", ".join(
        tables[0].name if isinstance(place, str) and is_database(place) else printable(str(place)) for place in places
    )
    return await TableSource.of(
        title, tables, format, found, where=conditions, on_warning=on_warning, on_selected=on_selected
    )


def _paths(location: str | Path) -> list[Path]:
    try:
        if isinstance(location, Path) or not glob.has_magic(location) or os.path.lexists(location):
            return [Path(location)]
        matches = sorted(path for name in glob.iglob(location, recursive=True) if (path := Path(name)).is_file())
    except (OSError, ValueError) as error:
        msg = f"{location} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidInputError(msg, file=str(location)) from None
    if not matches:
        msg = f"no file matches {location}"
        raise InvalidInputError(msg, file=location)
    return matches


def form_of(path: Path) -> str | None:
    """Return the format for a file's ending: ``csv``, ``json``, ``parquet`` or ``xlsx``; None for an unknown ending."""
    endings = [one.lower() for one in path.suffixes]
    if endings and endings[-1] == _PACKED:
        endings.pop()
        packed = _BY_ENDING.get(endings[-1]) if endings else None
        return packed if packed in ("csv", "json") else None
    return _BY_ENDING.get(path.suffix.lower())


def told_form(path: Path, name: str) -> str:
    """Return the format that a file's first bytes indicate; the fallback is CSV.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    check_regular(path)
    try:
        with open_bytes(path) as file:
            start = file.read(512)
    except UNREADABLE as error:
        raise unreadable(name, 0, error) from None
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    return "json" if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") else "csv"


_OTHER_WORKBOOKS = frozenset({".xls", ".xlsb", ".xlt", ".ods", ".numbers"})


def _table(
    path: Path,
    title: str | None,
    format: RowFormat[Any],  # noqa: A002
    mapping: ColumnMapping,
    options: ReadOptions,
) -> Table:
    title = title or (printable(str(path)) if printable(str(path)) != str(path) else None)
    form = form_of(path) or options.default_form
    if form is None:
        old = ", so save this workbook as .xlsx" if path.suffix.lower() in _OTHER_WORKBOOKS else ""
        msg = f"{path} has no supported extension: use one of {', '.join(ENDINGS)}{old}; text formats may end in .gz"
        raise InvalidInputError(msg, file=str(path))
    if form == "told":
        form = told_form(path, title or str(path))
    if form != "csv" and (options.delimiter is not None or options.encoding is not None):
        given = "--delimiter" if options.delimiter is not None else "--encoding"
        msg = f"{title or path} is not a CSV file, and {given} applies to CSV only: leave it out"
        raise InvalidInputError(msg, field=given[2:], file=str(path))
    if form == "parquet":
        return ParquetTable(path, title)
    if form == "xlsx":
        return XlsxTable(path, format.required, title)
    if form == "json":
        return JsonTable(path, (*options.lists, format.name), title)
    delimiter = None if options.delimiter is None else named_delimiter(options.delimiter)
    encoding = None if options.encoding is None else named_encoding(options.encoding)
    if delimiter is None and path.suffix.lower() == ".tsv":
        delimiter = "\t"
    return CsvTable(path, format.required, frozenset(mapping.names(format)), delimiter, encoding, title)
