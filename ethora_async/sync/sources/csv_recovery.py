"""Decide where reading may continue after an invalid CSV row. Everything here blocks.

After a misplaced quotation mark, two readings are possible: the row ends with its line, or its quoted field continues
over the following lines. The content of a field must not be read as rows. So the next line counts as a row only if
nothing contradicts that.
"""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, TextIO

from ethora_async.sync.sources.text_file import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_QUOTE = '"'
_TRIES = 8
"""Number of quotation marks of one line after which a row is tried: a line with a million marks must not take forever.
"""


class Recovery:
    """Reads ahead of a reader, with a separate file object, and only forward.

    Args:
        opened: Opens the file from its beginning, as text with its line ends untouched.
        delimiter: The character between fields.
    """

    def __init__(self, opened: Callable[[], TextIO], delimiter: str) -> None:
        self._opened = opened
        self._delimiter = delimiter
        self._file: TextIO | None = None
        self._line = 0
        self._text = ""
        self._fewest = self._most = 1

    def set_columns(self, columns: Sequence[str]) -> None:
        """State the header: a row has as many fields, but for columns without a name and empty cells at its end."""
        self._most = len(columns)
        self._fewest = max((place for place, name in enumerate(columns, 1) if name.strip()), default=1)

    def last_line_inside(self, line: int) -> int:
        """Return the last line that may be inside the broken row that begins on `line`; `line` itself if none is.

        A row whose marks pair up on its own line, with as many fields as the header has, ends there, unless the next
        line with marks is of another kind. Any other may go on to the last line of the file whose marks are misplaced,
        and to its very end if the lines behind that are not all whole rows.
        """
        text = self._skip_to(line)
        begun = len(self._row(text)[0])
        whole = settled = self._is_whole(text)
        last, fit = line, True
        while text := self._next_line():
            if _QUOTE not in text:
                fit = fit and (not text.strip() or self._fits(text))
                continue
            if whole and (self._is_well_quoted(text) or self._is_whole(text)):
                return last
            whole = False
            if self._is_well_quoted(text):
                fit = fit and self._fits(text)
            else:
                last, settled, fit = self._line, self._closes(text, begun), True
        return last if settled or fit else sys.maxsize

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _skip_to(self, line: int) -> str:
        # The line that stopped the last reading ahead may be the next that is broken.
        while self._line < line and self._next_line():
            pass
        return self._text

    def _next_line(self) -> str:
        """Return the next line with its end, or "" at the end of the file.

        Only the quotation marks of a very long line are kept, so that it matches no row.
        """
        if self._file is None:
            self._file = self._opened()
        text = piece = self._file.readline(LONGEST_LINE + 1)
        quoted = False
        while len(piece) > LONGEST_LINE and not piece.endswith(("\n", "\r")):
            quoted = quoted or _QUOTE in piece
            piece = self._file.readline(LONGEST_LINE + 1)
            text = f"x{_QUOTE}\n" if quoted or _QUOTE in piece else "\n"
        self._line += bool(text)
        self._text = text
        return text

    def _row(self, text: str) -> tuple[list[str], bool]:
        """Return the fields of one line as a lenient parser reads them, and whether they end with it."""
        reader = csv.reader([text.rstrip("\r\n") + "\n", "\n"], delimiter=self._delimiter)
        try:
            return next(reader), reader.line_num == 1
        except csv.Error:
            return [], False

    def _is_whole(self, text: str) -> bool:
        """Return whether a line is a row, but for marks in the middle of its fields."""
        return text.count(_QUOTE) % 2 == 0 and self._row(text)[1] and self._fits(text)

    def _fits(self, text: str) -> bool:
        return self._suffices(self._row(text)[0] if _QUOTE in text else text.split(self._delimiter))

    def _suffices(self, fields: Sequence[str]) -> bool:
        return len(fields) >= self._fewest and not any(field.strip() for field in fields[self._most :])

    def _is_well_quoted(self, text: str) -> bool:
        """Return whether every quotation mark of a line is at the edge of a field, or doubled within one."""
        first, *between, last = text.rstrip("\r\n").split(_QUOTE)
        mark = self._delimiter
        return (
            len(between) % 2 == 1
            and (not first or first.endswith(mark))
            and (not last or last.startswith(mark))
            and all(not part or (part.startswith(mark) and part.endswith(mark)) for part in between[1::2])
        )

    def _closes(self, text: str, begun: int) -> bool:
        """Return whether a row that is inside a field when this line begins may end with the line.

        Args:
            text: The line.
            begun: The row's fields so far, the open one counted.
        """
        text = text.rstrip("\r\n")
        marks = text.count(_QUOTE)
        at = text.find(_QUOTE)
        tries = 0
        while at >= 0 and tries < _TRIES:
            marks -= 1
            # All remaining marks must pair up, or the row would continue.
            if marks % 2 == 0 and (at + 1 == len(text) or text.startswith(self._delimiter, at + 1)):
                tries += 1
                fields, ended = self._row(text[at + 1 :])
                if ended and self._suffices([*[_QUOTE] * begun, *fields[1:]]):
                    return True
            if text.startswith(_QUOTE, at + 1):  # inside a field, a doubled mark is part of the text
                marks -= 1
                at += 1
            at = text.find(_QUOTE, at + 1)
        return False
