"""CSV files read row by row, every complaint naming file, line and column."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import attrs

from ethora_async._distinct import Distinct
from ethora_async.errors import InvalidInput
from ethora_async.sync.csv_lines import Lines, RawRow, read_header, undecodable
from ethora_async.sync.source import BadRow, Row
from ethora_async_secrets._threads import run_blocking

T = TypeVar("T")

ROWS_AT_ONCE = 500
"""Rows read in one go, in the private thread pool: a file may lie on a slow disk."""


@attrs.frozen
class CsvFormat(Generic[T]):
    """What a file's rows hold.

    Attributes:
        required, optional: columns; their order in the file is free, upper and lower case are the same.
        make: builds the item from the row's trimmed fields; raises `InvalidInput` with `field` set to the column.
        key: what must not occur twice in the file, or None.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    make: Callable[[Mapping[str, str]], T]
    key: Callable[[T], str] | None = None


@attrs.define
class CsvFile(Generic[T]):
    """One file, opened by `open`.

    Attributes:
        unused: columns of the file that the format does not know.
    """

    path: Path
    format: CsvFormat[T]
    unused: tuple[str, ...]
    _columns: tuple[str, ...]

    @classmethod
    async def open(cls, path: str | Path, format: CsvFormat[T]) -> CsvFile[T]:  # noqa: A002
        """Check that the file can be read and has the columns, before anything is done with its rows.

        Raises:
            InvalidInput: the file does not exist, is a directory, cannot be read, is empty, is not UTF-8 or lacks a
            column.
        """
        columns = await run_blocking(read_header, Path(path))
        _check_columns(columns, format, str(path))
        known = {*format.required, *format.optional}
        return cls(Path(path), format, tuple(name for name in columns if name and name not in known), columns)

    async def rows(self) -> AsyncGenerator[Row[T] | BadRow, None]:
        """Every row, good or bad, in order. Blank lines are passed over. Memory does not grow with the file."""
        lines = await run_blocking(Lines, self.path)
        try:
            async with Distinct() as seen:
                while chunk := await run_blocking(lines.read, ROWS_AT_ONCE):
                    for row in await self._without_repeats([self._row(raw) for raw in chunk], seen):
                        yield row
        finally:
            await run_blocking(lines.close)

    async def _without_repeats(self, rows: list[Row[T] | BadRow], seen: Distinct) -> list[Row[T] | BadRow]:
        key = self.format.key
        if key is None:
            return rows
        good = [row for row in rows if isinstance(row, Row)]
        earlier = iter(await seen.add([(key(row.item), row.line) for row in good]))
        return [
            self._repeat(row, place) if isinstance(row, Row) and (place := next(earlier)) is not None else row
            for row in rows
        ]

    def _repeat(self, row: Row[T], first: int) -> BadRow:
        assert self.format.key is not None  # noqa: S101  for the type checkers: only called with a key
        id = self.format.key(row.item)
        return self._bad(id, f"id {id!r} was already used on line {first}", row.line, "id")

    def _row(self, raw: RawRow) -> Row[T] | BadRow:
        if isinstance(raw.fields, str):
            return self._bad("", raw.fields, raw.line, None)
        values = dict(zip(self._columns, (field.strip() for field in raw.fields), strict=False))
        id = "" if undecodable(values.get("id", "")) else values.get("id", "")
        if len(raw.fields) != len(self._columns):
            reason = f"the row has {len(raw.fields)} fields, the header {len(self._columns)}"
            return self._bad(id, reason, raw.line, None)
        for column, value in values.items():
            if undecodable(value):
                return self._bad(id, f"{column} is not UTF-8: save the file as UTF-8", raw.line, column)
        try:
            return Row(self.format.make(values), raw.line)
        except InvalidInput as error:
            return self._bad(id, error.message, raw.line, error.field)

    def _bad(self, id: str, reason: str, line: int, column: str | None) -> BadRow:
        return BadRow(id, InvalidInput(reason, file=str(self.path), row=line, column=column))


def _check_columns(columns: Sequence[str], format: CsvFormat[T], path: str) -> None:  # noqa: A002
    if not any(columns):
        msg = f"{path} is empty: its first line must be a header with {', '.join(format.required)}"
        raise InvalidInput(msg, file=path, row=1)
    missing = [name for name in format.required if name not in columns]
    if missing:
        msg = f"{path} lacks the column {missing[0]}: its header (line 1) must hold {', '.join(format.required)}"
        if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
            msg += ", separated by commas"
        raise InvalidInput(msg, file=path, row=1, column=missing[0])
    doubled = [name for name in columns if name and columns.count(name) > 1]
    if doubled:
        msg = f"{path} has the column {doubled[0]} more than once"
        raise InvalidInput(msg, file=path, row=1, column=doubled[0])
