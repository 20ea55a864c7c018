"""CSV files, read row by row; every error names file, line and column."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.csv_dialect import CsvDialect, detect_dialect
from ethora_async.sync.sources.csv_lines import CsvRow, Lines
from ethora_async.sync.sources.encoding import Encoding, detect_encoding
from ethora_async.sync.sources.mapping import ColumnMapping
from ethora_async.sync.sources.table import RawBlock, RawRow, Reader, guarded
from ethora_async.sync.sources.table_source import TableSource
from ethora_async.sync.sources.text_file import UNREADABLE, check_text, open_bytes, unreadable
from ethora_async.sync.sources.values import undecodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.sync.sources.formats import RowFormat

T = TypeVar("T")


class CsvFile(TableSource[T]):
    """One CSV file; create it with `open`."""

    @classmethod
    async def open(
        cls,
        path: str | Path,
        format: RowFormat[T],  # noqa: A002
        mapping: ColumnMapping | None = None,
    ) -> CsvFile[T]:
        """Check that the file can be read and has the columns, before any row is processed.

        Raises:
            InvalidInputError: The file does not exist, is a directory, cannot be read, is empty, is not CSV or lacks a
                column.
        """
        mapping = mapping or ColumnMapping()
        table = CsvTable(Path(path), format.required, frozenset(mapping.names(format)))
        return await cls.of(str(Path(path)), [table], format, mapping)

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(self.name)


@attrs.frozen
class CsvTable:
    """A CSV file as a table.

    Attributes:
        path: The file; it may be compressed with gzip.
        wanted: The columns to name in the error for an empty file.
        expected: Column names in lower case, for detecting the delimiter.
        delimiter: The character between fields; None detects it from the header.
        encoding: The file's encoding; None detects it from the bytes.
        title: The name in messages; by default the path.
    """

    path: Path
    wanted: tuple[str, ...]
    expected: frozenset[str] = frozenset()
    delimiter: str | None = None
    encoding: Encoding | None = None
    title: str | None = None
    counted: Literal["line", "row"] = "line"
    ordered: bool = True
    nested: bool = False

    @property
    def name(self) -> str:
        """The path as the caller wrote it."""
        return self.title or str(self.path)

    def reader(self) -> Reader:
        """Return a reader of its rows below the header."""
        return _CsvReader(self)


class _CsvReader(Reader):
    def __init__(self, table: CsvTable) -> None:
        self._table = table
        self._name = table.name
        self._lines: Lines | None = None
        self._columns: tuple[str, ...] = ()
        self._header: tuple[str, ...] = ()
        self._encoding = table.encoding or Encoding("utf-8")
        self._dialect = CsvDialect()
        self._last = 1

    def columns(self) -> tuple[str, ...]:
        if self._lines is None:
            guarded(self._open, UNREADABLE, partial(unreadable, self._name, 0))
        return self._columns

    def notes(self) -> tuple[str, ...]:
        """Return what is unusual about the file's format and was detected."""
        told = []
        if self._dialect.delimiter != ",":
            told.append(f"fields separated by {self._dialect.title}")
        if not self._encoding.usual:
            told.append(f"encoded in {self._encoding.title}")
        return (f"{self._name}: {', '.join(told)}",) if told else ()

    def read(self, count: int) -> Sequence[RawRow]:
        self.columns()
        rows = guarded(partial(self._read, count), UNREADABLE, partial(unreadable, self._name, self._last))
        if rows:
            self._last = rows[-1].line
        return rows

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()

    def _open(self) -> None:
        path = self._table.path
        start = check_text(path, self._name, "CSV")
        self._encoding = self._table.encoding or detect_encoding(partial(open_bytes, path))
        self._dialect = detect_dialect(self._text, self._table.expected, self._table.delimiter)
        self._lines = Lines(self._text, self._dialect.delimiter, self._dialect.skipped)
        self._columns = self._read_header(start)
        self._header = tuple(name.lower() for name in self._columns)

    def _text(self) -> TextIO:
        return self._encoding.text(open_bytes(self._table.path))

    def _read_header(self, start: bytes) -> tuple[str, ...]:
        assert self._lines is not None  # noqa: S101  for the type checkers
        header = self._lines.header()
        name, line = self._name, 1 + self._dialect.skipped
        if header is None:
            wanted = ", ".join(self._table.wanted)
            msg = f"{name} is empty: its first line must be a header with {wanted}"
            raise InvalidInputError(msg, file=name, row=line)
        if header.problem is not None:
            msg = f"the header of {name} is not valid CSV: {header.problem}"
            raise InvalidInputError(msg, file=name, row=line)
        columns = tuple(field.strip() for field in header.fields)
        if any(undecodable(column) for column in columns):
            msg = f"the header of {name} is not UTF-8: save the file as UTF-8, or name its encoding with --encoding"
            raise InvalidInputError(msg, file=name, row=line)
        if not any(columns):
            msg = f"{name} begins with a blank line: its first line must be the header"
            raise InvalidInputError(msg, file=name, row=line)
        if len(columns) == 1 and columns[0].startswith(("{", "[")) and start.lstrip()[:1] in (b"{", b"["):
            msg = f"{name} is JSON, not CSV: name it .json or .jsonl"
            raise InvalidInputError(msg, file=name, row=line)
        return columns

    def _read(self, count: int) -> Sequence[RawRow]:
        assert self._lines is not None  # noqa: S101  for the type checkers
        while True:
            first, plain = self._lines.read_plain(count)
            if plain and self._are_regular(plain):
                return RawBlock(first, self._columns, plain)
            rows = [CsvRow(line, fields) for line, fields in enumerate(plain, first)]
            rows = [row for row in rows if not row.is_blank] if plain else self._lines.read(count)
            # Concatenated files repeat the header.
            found = [self._raw(row) for row in rows if not self._is_header(row)]
            if found or not (plain or rows):
                return found

    def _are_regular(self, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether each row has a field for each column, and is neither blank nor the header."""
        if {*map(len, rows)} != {len(self._columns)}:
            return False
        begins = [row[0].strip().lower() for row in rows]
        return all(begins) and self._header[0] not in begins

    def _is_header(self, row: CsvRow) -> bool:
        fields = row.fields
        return (
            len(fields) == len(self._header)
            and fields[0].strip().lower() == self._header[0]
            and tuple(field.strip().lower() for field in fields) == self._header
        )

    def _raw(self, row: CsvRow) -> RawRow:
        if row.problem is not None:
            # A line that is not valid CSV has not been split into fields.
            return RawRow(row.line, {}, row.problem, tuple(Secret(field) for field in row.fields))
        width = len(self._columns)
        if len(row.fields) == width:
            return RawRow(row.line, dict(zip(self._columns, row.fields, strict=True)))
        if _only_empty_cells_differ(row.fields, self._columns):
            return RawRow(row.line, dict(zip(self._columns, self._fitted(row.fields), strict=True)))
        values = dict(zip(self._columns, row.fields, strict=False))
        problem = f"the row has {len(row.fields)} fields, the header {width}"
        return RawRow(row.line, values, problem, tuple(Secret(field) for field in row.fields))

    def _fitted(self, fields: Sequence[str]) -> list[str]:
        missing = len(self._columns) - len(fields)
        return [*fields[: len(self._columns)], *[""] * missing]


def _only_empty_cells_differ(fields: Sequence[str], columns: tuple[str, ...]) -> bool:
    """Return whether a row is longer only by empty cells, or shorter only by columns without a name."""
    if len(fields) > len(columns):
        return not any(field.strip() for field in fields[len(columns) :])
    return not any(columns[len(fields) :])
