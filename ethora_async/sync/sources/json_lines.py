"""JSON Lines files: one object a line."""

from __future__ import annotations

import codecs
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import attrs
import orjson

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.table import RawRow, Reader, guarded
from ethora_async.sync.sources.text_file import start_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_LINE = 1 << 20
"""Bytes. A longer line is no row, and is passed over without being kept in memory."""


@attrs.frozen
class JsonLinesTable:
    """A JSON Lines file as a table. Every row has its own columns."""

    path: Path
    counted: Literal["line", "row"] = "line"
    ordered: bool = True

    @property
    def name(self) -> str:
        """The path as it was given."""
        return str(self.path)

    def reader(self) -> Reader:
        """Its objects."""
        return _JsonLinesReader(self.path)


class _JsonLinesReader(Reader):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._lines: Iterator[bytes] = iter(())
        self._last = 0

    def columns(self) -> None:
        """Check that the file can be read, and begins with a line that can be one.

        Raises:
            InvalidInputError: it cannot, or holds one JSON array or an object spread over lines.
        """
        start_of(self._path, "UTF-8")
        try:
            with self._path.open("rb") as file:
                lines = _lines(file)
                first = next((line for line in lines if line.strip()), b"").lstrip()
        except OSError as error:
            raise unreadable(self._path, 0, error) from None
        if first.startswith(b"["):
            msg = f"{self._path} holds a JSON array: write one object a line, as `jq -c '.[]'` does"
            raise InvalidInputError(msg, file=str(self._path), row=1)
        if first.rstrip() == b"{":
            msg = f"{self._path} spreads its objects over several lines: write one object a line, as `jq -c .` does"
            raise InvalidInputError(msg, file=str(self._path), row=1)

    def read(self, count: int) -> list[RawRow]:
        return guarded(partial(self._read, count), OSError, lambda error: unreadable(self._path, self._last, error))

    def _read(self, count: int) -> list[RawRow]:
        if self._file is None:
            self._file = self._path.open("rb")
            self._lines = _lines(self._file)
        rows: list[RawRow] = []
        while len(rows) < count and (line := next(self._lines, None)) is not None:
            self._last += 1
            if not line.isspace():
                rows.append(_row(self._last, line))
        return rows

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines without a byte order mark; of one that is too long just over the longest there may be."""
    first = True
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield line.removeprefix(codecs.BOM_UTF8) if first else line
        first = False


def _row(number: int, line: bytes) -> RawRow:
    if len(line) > LONGEST_LINE:
        return RawRow(number, {}, f"the line is longer than {LONGEST_LINE} bytes")
    values, problem = _parsed(line)
    if isinstance(values, dict):
        return RawRow(number, values)
    text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
    return RawRow(number, {}, problem, (Secret(text),))


def _parsed(line: bytes) -> tuple[Mapping[str, Any] | None, str]:
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        # Nothing but its message is kept: the error holds the whole line.
        problem = f"the line is not valid JSON: {error.msg}, at character {error.colno}"
    else:
        if isinstance(values, dict):
            return values, ""
        return None, 'the line is no JSON object: write one such as {"id": "ann"}'
    try:
        line.decode()
    except UnicodeDecodeError:
        problem = "the line is not UTF-8: save the file as UTF-8"
    return None, problem
