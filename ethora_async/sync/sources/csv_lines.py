"""The rows of a CSV file with the line that each starts on. Everything here blocks.

What is inside a row is never read as rows: a quoted field may hold any number of lines. Only where a row turns out to
be no CSV (a stray quotation mark swallows what follows it and never ends well) is its first line refused and the next
one read as a row of its own.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TextIO

import attrs

LONGEST_LINE = 1 << 20
"""Characters. Of a longer line, or a longer row, nothing is kept in memory."""


@attrs.frozen
class CsvRow:
    """A row as it stands in the file.

    Attributes:
        line: The line it starts on.
        fields: Its fields; when it is not valid CSV its first line alone, not taken apart.
        problem: Why it is not valid.
    """

    line: int
    fields: Sequence[str] = attrs.field(repr=False)
    problem: str | None = None


class Lines:
    """The rows of an open file; every method blocks.

    Args:
        opened: Opens the file from its beginning, as text with its line ends untouched.
        delimiter: What separates fields.
        skipped: Lines before the header, such as ``sep=;``.
    """

    def __init__(self, opened: Callable[[], TextIO], delimiter: str = ",", skipped: int = 0) -> None:
        self._source = _Source(opened)
        self._reader = csv.reader(self._source, delimiter=delimiter, strict=True)
        self._rows = self._raw_rows()
        for _ in range(skipped):
            self._source.skip_line()

    def header(self) -> CsvRow | None:
        """Return the first row, or None when there is none."""
        return next(self._rows, None)

    def read(self, count: int) -> list[CsvRow]:
        """Return the next rows, at most so many; none at the end. Rows without any text are passed over."""
        found = (row for row in self._rows if row.problem is not None or any(field.strip() for field in row.fields))
        return list(islice(found, count))

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _raw_rows(self) -> Iterator[CsvRow]:
        while True:
            line = self._source.start_row()
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._refused(line, error)
                continue
            yield CsvRow(line, fields)

    def _refused(self, line: int, error: csv.Error) -> CsvRow:
        if not isinstance(error, _TooLongError) and "field larger" not in str(error):
            return CsvRow(line, [self._source.keep_first_line()], _explain(error))
        if self._source.skip_row():
            return CsvRow(line, [], _TOO_LONG)
        # No end in the whole file: a stray quotation mark.
        return CsvRow(line, [self._source.go_back_behind(line)], _NEVER_ENDS)


_NEVER_ENDS = "a quoted field that begins here never ends: double a quotation mark that belongs to the text"
_TOO_LONG = f"the row has a field longer than {csv.field_size_limit()} characters, or is longer than {LONGEST_LINE}"


class _DoomedError(csv.Error):
    """From here the row is read into what is known to be no CSV."""


class _TooLongError(csv.Error):
    """A line or a row has more characters than any has."""


class _Source:
    """The lines of a file, for `csv.reader`, which can be taken back."""

    def __init__(self, opened: Callable[[], TextIO]) -> None:
        self._opened = opened
        self._file = opened()
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._size = 0
        self._line = 0
        # A row that was still inside quotation marks at the beginning of each line up to this one came to a bad end.
        # Any other that is inside them at the beginning of one of these lines comes to the same end: it reads the same.
        self._doomed_until = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._row and self._line < self._doomed_until:
            raise _DoomedError
        text = self._again.popleft() if self._again else self._file.readline(LONGEST_LINE + 1)
        if not text:
            raise StopIteration
        self._line += 1
        self._row.append(text)
        self._size += len(text)
        if self._size > LONGEST_LINE:
            raise _TooLongError
        return text

    def skip_line(self) -> None:
        """Pass over a line."""
        next(self)

    def start_row(self) -> int:
        """Return the number of the line that comes next."""
        self._row.clear()
        self._size = 0
        return self._line + 1

    def keep_first_line(self) -> str:
        """Take back all lines since `start_row` but the first, and return that without its end."""
        self._doomed_until = max(self._doomed_until, self._line)
        self._line -= len(self._row) - 1
        self._again.extendleft(reversed(self._row[1:]))
        return self._row[0].rstrip("\r\n")

    def skip_row(self) -> bool:
        """Pass over the rest of a row that is too long; False when it has no end.

        A row ends with the first line by which its quotation marks are all paired.
        """
        inside = sum(text.count('"') for text in self._row) % 2 == 1
        ended = self._row[-1].endswith(("\n", "\r"))
        self._row = self._row[:1]
        while inside or not ended:
            text = self._again.popleft() if self._again else self._file.readline(LONGEST_LINE + 1)
            if not text:
                return not inside
            # A line that is too long comes in pieces.
            self._line += ended
            ended = text.endswith(("\n", "\r"))
            inside ^= text.count('"') % 2 == 1
        return True

    def go_back_behind(self, line: int) -> str:
        """Continue after `line`, and return it without its end (cut short if it is very long)."""
        self._doomed_until = max(self._doomed_until, self._line + 1)
        first = self._row[0]
        self._file.close()
        self._file = self._opened()
        self._again.clear()
        ended = True
        self._line = 0
        while self._line < line or not ended:
            text = self._file.readline(LONGEST_LINE + 1)
            if not text:
                break
            self._line += ended
            ended = text.endswith(("\n", "\r"))
        return first.rstrip("\r\n")

    def close(self) -> None:
        self._file.close()


def _explain(error: csv.Error) -> str:
    if isinstance(error, _DoomedError) or "unexpected end" in str(error):
        return _NEVER_ENDS
    return f"the row is not valid CSV ({error}): double a quotation mark inside a quoted field"
