"""Detect the delimiter of a CSV file. Everything here blocks."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, TextIO

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.text_file import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", ":": "colons", " ": "spaces"}
_WORDS = {"comma": ",", "semicolon": ";", "tab": "\t", r"\t": "\t", "pipe": "|", "colon": ":", "space": " "}
_CANDIDATES = (",", ";", "\t", "|")
_SEP = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)


@attrs.frozen
class CsvDialect:
    """The delimiter and quoting of a file.

    Attributes:
        delimiter: The character between fields.
        skipped: Lines before the header: 1 for a first line such as ``sep=;``, else 0.
    """

    delimiter: str = ","
    skipped: int = 0

    @property
    def title(self) -> str:
        """The delimiter's name for messages."""
        return _NAMES.get(self.delimiter, repr(self.delimiter))


def named_delimiter(text: str) -> str:
    """Return the delimiter for a user's option: a character, or ``comma``, ``semicolon``, ``tab``, ``pipe``.

    Raises:
        InvalidInputError: It cannot be a delimiter.
    """
    found = _WORDS.get(text.strip().lower(), text)
    if len(found) != 1 or found in '"\r\n\0' or found.isalnum():
        msg = f"--delimiter {text!r} cannot separate fields: pass one character, or comma, semicolon, tab or pipe"
        raise InvalidInputError(msg, field="delimiter")
    return found


def detect_dialect(opened: Callable[[], TextIO], expected: Collection[str], delimiter: str | None) -> CsvDialect:
    """Detect the delimiter from the first line: ``sep=;``, or the header.

    Of comma, semicolon, tab and vertical bar, the one that finds most of the expected columns in the header is chosen,
    then the one that gives most fields, then the first.

    Args:
        opened: Opens the file as text.
        expected: Names of columns in lower case.
        delimiter: The caller's choice; then only the presence of a ``sep=`` line is detected.

    Raises:
        OSError: The file cannot be read.
    """
    with opened() as file:
        first = file.readline(LONGEST_LINE)
        said = _SEP.fullmatch(first)
        header = file.readline(LONGEST_LINE) if said else first
    skipped = 1 if said else 0
    if delimiter is not None:
        return CsvDialect(delimiter, skipped)
    if said:
        return CsvDialect(said[1], skipped)
    return CsvDialect(max(_CANDIDATES, key=lambda one: _score(header, one, expected)))


def _score(header: str, delimiter: str, expected: Collection[str]) -> tuple[int, int, int]:
    try:
        fields = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return 0, 0, 0
    found = sum(field.strip().lower() in expected for field in fields)
    return found, len(fields), -_CANDIDATES.index(delimiter)
