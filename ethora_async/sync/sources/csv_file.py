"""CSV files read row by row, every complaint naming file, line and column."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.csv_lines import CsvRow, Lines, read_header
from ethora_async.sync.sources.mapping import ColumnMapping
from ethora_async.sync.sources.table import RawRow, Reader, guarded
from ethora_async.sync.sources.table_source import TableSource
from ethora_async.sync.sources.text_file import unreadable

if TYPE_CHECKING:
    from ethora_async.sync.sources.formats import RowFormat

T = TypeVar("T")


class CsvFile(TableSource[T]):
    """One CSV file, opened by `open`."""

    @classmethod
    async def open(
        cls,
        path: str | Path,
        format: RowFormat[T],  # noqa: A002
        mapping: ColumnMapping | None = None,
    ) -> CsvFile[T]:
        """Check that the file can be read and has the columns, before anything is done with its rows.

        Raises:
            InvalidInputError: the file does not exist, is a directory, cannot be read, is empty, is not UTF-8 or
            lacks a column.
        """
        return await cls.of(
            str(Path(path)), [CsvTable(Path(path), format.required)], format, mapping or ColumnMapping()
        )

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.name)


@attrs.frozen
class CsvTable:
    """A CSV file as a table. `wanted` are the columns named when it is empty."""

    path: Path
    wanted: tuple[str, ...]
    counted: Literal["line", "row"] = "line"
    ordered: bool = True

    @property
    def name(self) -> str:
        """The path as it was given."""
        return str(self.path)

    def reader(self) -> Reader:
        """Its rows below the header."""
        return _CsvReader(self)


class _CsvReader(Reader):
    def __init__(self, table: CsvTable) -> None:
        self._table = table
        self._lines: Lines | None = None
        self._columns: tuple[str, ...] = ()
        self._last = 1

    def columns(self) -> tuple[str, ...]:
        if not self._columns:
            path = self._table.path
            self._columns = read_header(path)
            if not any(self._columns):
                msg = f"{path} is empty: its first line must be a header with {', '.join(self._table.wanted)}"
                raise InvalidInputError(msg, file=str(path), row=1)
        return self._columns

    def read(self, count: int) -> list[RawRow]:
        rows = guarded(partial(self._read, count), OSError, partial(unreadable, self._table.path, self._last))
        if rows:
            self._last = rows[-1].line
        return rows

    def _read(self, count: int) -> list[RawRow]:
        if self._lines is None:
            self.columns()
            self._lines = Lines(self._table.path)
        return [self._raw(row) for row in self._lines.read(count)]

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()

    def _raw(self, row: CsvRow) -> RawRow:
        problem = row.problem
        if problem is None and len(row.fields) != len(self._columns):
            problem = f"the row has {len(row.fields)} fields, the header {len(self._columns)}"
        if problem is None:
            return RawRow(row.line, dict(zip(self._columns, row.fields, strict=True)))
        # A line that is no CSV has not been taken apart.
        values = {} if row.problem is not None else dict(zip(self._columns, row.fields, strict=False))
        return RawRow(row.line, values, problem, tuple(Secret(field) for field in row.fields))
