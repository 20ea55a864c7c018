"""The lines of a CSV file: its header, and its rows with the line that each starts on. Everything here blocks."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TextIO

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.text_file import start_of, unreadable
from ethora_async.sync.sources.values import undecodable

if TYPE_CHECKING:
    from pathlib import Path

LINES_IN_A_ROW = 100
"""A row of more lines than this is taken for one whose quotation mark is never closed.

Without an end to it, a file in which every line leaves one open would be read to its end once for each line.
"""


@attrs.frozen
class CsvRow:
    """A row as it stands in the file.

    Attributes:
        line: the line it starts on.
        fields: its fields; when it is no valid CSV its first line alone, not taken apart.
        problem: why it is none.
    """

    line: int
    fields: Sequence[str] = attrs.field(repr=False)
    problem: str | None = None


class Lines:
    """The open file; every method blocks."""

    def __init__(self, path: Path) -> None:
        self._file = _opened(path)
        self._source = _Source(self._file)
        self._reader = csv.reader(self._source, strict=True)
        self._rows = self._raw_rows()
        next(self._rows, None)  # the header

    def read(self, count: int) -> list[CsvRow]:
        """The next rows below the header, at most so many; none at the end. Blank lines are passed over."""
        return list(islice(self._rows, count))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _raw_rows(self) -> Iterator[CsvRow]:
        while True:
            line = self._source.start_row()
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield CsvRow(line, [self._source.keep_first_line()], _explain(error))
                continue
            if any(field.strip() for field in fields):
                yield CsvRow(line, fields)


class _NeverEnds(csv.Error):
    """A row has swallowed more lines than any has."""


class _Source:
    """The lines of a file, for `csv.reader`, which can be taken back.

    One stray quotation mark makes the reader swallow every line up to the next one: the lines after the first of such
    a row are read again, as rows of their own.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._line = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._row) == LINES_IN_A_ROW:
            raise _NeverEnds
        text = self._again.popleft() if self._again else next(self._file)
        self._line += 1
        self._row.append(text)
        return text

    def start_row(self) -> int:
        """The number of the line that comes next."""
        self._row.clear()
        return self._line + 1

    def keep_first_line(self) -> str:
        """Take back all lines since `start_row` but the first, and give that without its end."""
        self._line -= len(self._row) - 1
        self._again.extendleft(reversed(self._row[1:]))
        return self._row[0].rstrip("\r\n")


def _opened(path: Path) -> TextIO:
    # Bytes that are not UTF-8 are let in here and refused row by row, so that one bad row does not end the file.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _explain(error: csv.Error) -> str:
    if isinstance(error, _NeverEnds) or "unexpected end" in str(error):
        return "a quoted field that begins here never ends: double a quotation mark that belongs to the text"
    if "field larger" in str(error):
        return f"a field is longer than {csv.field_size_limit()} characters, or its quotation mark is never closed"
    return f"the row is not valid CSV ({error}): double a quotation mark inside a quoted field"


def read_header(path: Path) -> tuple[str, ...]:
    """The names in the first line, trimmed; none when the file is empty.

    Raises:
        InvalidInputError: the file does not exist, is no regular file, cannot be read, is not UTF-8 or begins blank.
    """
    start = start_of(path, "CSV UTF-8")
    try:
        with _opened(path) as file:
            header = next(csv.reader(file, strict=True), [])
    except OSError as error:
        raise unreadable(path, 0, error) from None
    except csv.Error as error:
        msg = f"the header of {path} is not valid CSV: {error}"
        raise InvalidInputError(msg, file=str(path), row=1) from None
    if any(undecodable(name) for name in header):
        msg = f"the header of {path} is not UTF-8: save the file as UTF-8"
        raise InvalidInputError(msg, file=str(path), row=1)
    if start and start != codecs.BOM_UTF8 and not any(name.strip() for name in header):
        msg = f"{path} begins with a blank line: its first line must be the header"
        raise InvalidInputError(msg, file=str(path), row=1)
    return tuple(name.strip() for name in header)
