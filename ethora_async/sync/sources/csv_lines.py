"""The rows of a CSV file with the line that each starts on. Everything here blocks.

The content of a row is never read as rows: a quoted field may contain any number of lines. An invalid row is rejected
together with every line that its quoted field may contain; see `csv_recovery`.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TextIO

import attrs

from ethora_async.sync.sources.csv_recovery import Recovery
from ethora_async.sync.sources.text_file import LONGEST_LINE

_BLOCK = 1 << 16
"""Characters that are read together."""


@attrs.define
class CsvRow:
    """A row of the file.

    Attributes:
        line: The line it starts on.
        fields: Its fields; for an invalid row only its first line, unsplit.
        problem: Why it is invalid.
    """

    line: int
    fields: Sequence[str] = attrs.field(repr=False)
    problem: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether it is a valid row without any text."""
        return self.problem is None and not any(field.strip() for field in self.fields)


class Lines:
    """The rows of an open file; every method blocks.

    Args:
        opened: Opens the file from its beginning, as text with unchanged line ends.
        delimiter: The character between fields.
        skipped: Lines before the header, such as ``sep=;``.
    """

    def __init__(self, opened: Callable[[], TextIO], delimiter: str = ",", skipped: int = 0) -> None:
        self._source = _Source(opened)
        self._recovery = Recovery(opened, delimiter)
        self._delimiter = delimiter
        self._reader = csv.reader(self._source, delimiter=delimiter, strict=True)
        self._rows = self._raw_rows()
        self._plain: deque[list[str]] = deque()
        self._plain_line = 0
        self._repairing = False
        for _ in range(skipped):
            self._source.skip_line()

    def header(self) -> CsvRow | None:
        """Return the first row, or None when there is none."""
        row = next(self._rows, None)
        if row is not None:
            self._recovery.set_columns(row.fields)
        return row

    def read(self, count: int) -> list[CsvRow]:
        """Return the next rows, at most so many; none at the end. Rows without any text are skipped."""
        return list(islice((row for row in self._rows if not row.is_blank), count))

    def read_plain(self, count: int) -> tuple[int, list[list[str]]]:
        """Return the next rows, at most so many, blank ones among them, if each is one line without quotation marks.

        Returns:
            The line of the first, and the rows; none where `read` must be used.
        """
        if self._repairing or not (self._plain or self._read_block()):
            return 0, []
        rows = [self._plain.popleft() for _ in range(min(count, len(self._plain)))]
        first = self._plain_line
        self._plain_line += len(rows)
        return first, rows

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        self._recovery.close()

    def _raw_rows(self) -> Iterator[CsvRow]:
        while True:
            while self._plain or self._read_block():
                self._plain_line += 1
                yield CsvRow(self._plain_line - 1, self._plain.popleft())
            line = self._source.start_row()
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._repairing = True
                yield from self._refused(line, error)
                self._repairing = False
                continue
            yield CsvRow(line, fields)

    def _read_block(self) -> bool:
        """Read many rows at once, if the next lines hold no quotation mark: without one, every line is a row."""
        block = self._source.read_block()
        if not block:
            return False
        try:
            rows = list(csv.reader(io.StringIO(block, newline=""), delimiter=self._delimiter, strict=True))
        except csv.Error:
            self._source.put_back(block)
            return False
        self._plain_line = self._source.passed(len(rows))
        self._plain.extend(rows)
        return bool(rows)

    def _refused(self, line: int, error: csv.Error) -> Iterator[CsvRow]:
        if not isinstance(error, _TooLongError) and "field larger" not in str(error):
            first, problem = self._source.keep_first_line(), _explain(error)
        elif self._source.skip_row():
            yield CsvRow(line, [], _TOO_LONG)
            return
        else:
            # The quotation mark is never closed in the whole file: it is a stray one, or the file was cut off.
            first, problem = self._source.go_back_behind(line), _NEVER_ENDS
        yield CsvRow(line, [first], problem)
        last = self._recovery.last_line_inside(line)
        while (number := self._source.start_row()) <= last and (text := self._source.take_line()) is not None:
            if text.strip():
                yield CsvRow(number, [text], f"the line is part of {_BROKEN.format(line)}")


_NEVER_ENDS = "a quoted field that begins here never ends: double a quotation mark that belongs to the text"
_BROKEN = "the quoted field that begins on line {}, which is not valid CSV: repair that one"
_TOO_LONG = f"the row has a field longer than {csv.field_size_limit()} characters, or is longer than {LONGEST_LINE}"


class _DoomedError(csv.Error):
    """The row continues into a region that is known to be invalid CSV."""


class _TooLongError(csv.Error):
    """A line or a row exceeds the maximum length."""


class _Source:
    """The lines of a file for `csv.reader`, with the ability to go back."""

    def __init__(self, opened: Callable[[], TextIO]) -> None:
        self._opened = opened
        self._file = opened()
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._size = 0
        self._line = 0
        # A row that was inside quotation marks at the start of each line up to this one turned out invalid. Any other
        # row that is inside quotation marks at the start of one of these lines reads the same text, and is invalid too.
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
        """Skip a line."""
        next(self)

    def read_block(self) -> str:
        """Return whole lines that come next and hold no quotation mark; empty when the lines are to be read singly."""
        if self._again:
            return ""
        block = self._file.read(_BLOCK)
        if not block.endswith("\n"):
            block += self._file.readline(LONGEST_LINE + 1)
        if '"' in block or len(block) > LONGEST_LINE:
            self.put_back(block)
            return ""
        return block

    def put_back(self, block: str) -> None:
        """Have the lines of a block read singly."""
        self._again.extend(io.StringIO(block, newline=""))

    def passed(self, lines: int) -> int:
        """Count lines that were read as a block; return the number of the first."""
        first = self._line + 1
        self._line += lines
        return first

    def take_line(self) -> str | None:
        """Return the next line without its line end (truncated if it is very long); None at the end of the file."""
        text = self._again.popleft() if self._again else self._file.readline(LONGEST_LINE + 1)
        if not text:
            return None
        self._line += 1
        piece = text
        while len(piece) > LONGEST_LINE and not piece.endswith(("\n", "\r")):
            piece = self._again.popleft() if self._again else self._file.readline(LONGEST_LINE + 1)
        return text[:LONGEST_LINE].rstrip("\r\n")

    def start_row(self) -> int:
        """Start a row, and return the number of its line."""
        self._row.clear()
        self._size = 0
        return self._line + 1

    def keep_first_line(self) -> str:
        """Go back to the second line since `start_row`, and return the first without its line end."""
        self._doomed_until = max(self._doomed_until, self._line)
        self._line -= len(self._row) - 1
        self._again.extendleft(reversed(self._row[1:]))
        return self._row[0].rstrip("\r\n")

    def skip_row(self) -> bool:
        """Skip the rest of a row that is too long; return False when it has no end.

        A row ends with the first line at which all its quotation marks are paired.
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
        """Continue after `line`, and return it without its line end (truncated if it is very long)."""
        self._doomed_until = max(self._doomed_until, self._line + 1)
        first = self._row[0][:LONGEST_LINE]
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
