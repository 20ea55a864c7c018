"""JSON files: one object a line, one array of objects, or an object with such an array in it."""

from __future__ import annotations

import codecs
import json
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, cast

import attrs
import orjson

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.json_array import LISTS, ArrayReader, find_list
from ethora_async.sync.sources.table import RawRow, Reader, guarded
from ethora_async.sync.sources.text_file import LONGEST_LINE, UNREADABLE, check_text, open_bytes, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@attrs.frozen
class JsonTable:
    """A JSON file as a table. Every row has its own columns.

    Attributes:
        path: The file; it may be compressed with gzip.
        lists: Names of the list that holds the rows if the file is one object, the likeliest first.
        title: The name in messages; by default the path.
    """

    path: Path
    lists: tuple[str, ...] = ()
    title: str | None = None
    ordered: bool = True
    nested: bool = True

    @property
    def counted(self) -> Literal["line", "row"]:
        """``line``. In an array, where lines mean nothing, rows are counted from 1 in the same way."""
        return "line"

    @property
    def name(self) -> str:
        """The path as the caller wrote it."""
        return self.title or str(self.path)

    def reader(self) -> Reader:
        """Return a reader of its objects."""
        return _JsonReader(self.path, self.name, (*self.lists, *LISTS))


class _JsonReader(Reader):
    """Detects the form of the file, and delegates to its reader."""

    def __init__(self, path: Path, name: str, lists: tuple[str, ...]) -> None:
        self._path = path
        self._name = name
        self._lists = lists
        self._reader: Reader | None = None

    def columns(self) -> None:
        """Check that the file can be read, and detect its form.

        Raises:
            InvalidInputError: It cannot be read, or has none of the forms.
        """
        self._chosen()

    def notes(self) -> tuple[str, ...]:
        return self._chosen().notes()

    def read(self, count: int) -> Sequence[RawRow]:
        return self._chosen().read(count)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _chosen(self) -> Reader:
        if self._reader is None:
            self._reader = guarded(self._choose, UNREADABLE, partial(unreadable, self._name, 0))
        return self._reader

    def _choose(self) -> Reader:
        start = check_text(self._path, self._name, "JSON")
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start[:4]:
            msg = f"{self._name} is UTF-16, not UTF-8: save it as UTF-8"
            raise InvalidInputError(msg, file=self._name, row=1)
        with open_bytes(self._path) as file:
            lines = _lines(file)
            first = next((line for line in lines if line.strip()), b"")
            more = any(line.strip() for line in lines)
        begin = first.lstrip()
        if begin.startswith(b"["):
            return ArrayReader(self._path, self._name, "")
        if begin.startswith(b"{") and (self._opens(begin) if more else begin.rstrip() == b"{" or self._wraps(first)):
            return ArrayReader(self._path, self._name, find_list(self._path, self._name, self._lists))
        return _LinesReader(self._path, self._name)

    def _opens(self, line: bytes) -> bool:
        """Return whether the first of several lines begins an object that goes on below it."""
        if line.rstrip() == b"{":
            return True
        names = b"|".join(re.escape(name.encode()) for name in self._lists)
        return _parsed(line)[0] is None and re.search(rb'"(?:%s)"\s*:\s*(?:\[|$)' % names, line) is not None

    def _wraps(self, line: bytes) -> bool:
        """Return whether the only line contains a list of objects rather than one row."""
        if len(line) > LONGEST_LINE:
            return True
        values, _ = _parsed(line)
        found = (values or {}).values()
        return any(isinstance(one, list) and bool(one) and isinstance(one[0], dict) for one in found) and any(
            isinstance((values or {}).get(name), list) for name in self._lists
        )


class _LinesReader(Reader):
    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._file: BinaryIO | None = None
        self._lines: Iterator[bytes] = iter(())
        self._last = 0

    def columns(self) -> None:
        """Return None: every row has its own columns."""

    def read(self, count: int) -> list[RawRow]:
        return guarded(partial(self._read, count), UNREADABLE, lambda error: unreadable(self._name, self._last, error))

    def _read(self, count: int) -> list[RawRow]:
        if self._file is None:
            self._file = cast("BinaryIO", open_bytes(self._path))
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


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines without a byte order mark; a line that is too long is cut just above the maximum length."""
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
        # Only its message is kept: the error holds the whole line.
        problem = f"the line is not valid JSON: {error.msg}, at character {error.colno}"
    else:
        if isinstance(values, dict):
            doubled = _doubled_key(line, values)
            return (values, "") if doubled is None else (None, f"the line has the key {doubled!r} more than once")
        return None, 'the line is not a JSON object: write one such as {"id": "ann"}'
    if line.startswith(b"\xef\xbb\xbf"):
        problem = "the line begins with an invisible character, U+FEFF: remove it"
    try:
        line.decode()
    except UnicodeDecodeError:
        problem = "the line is not UTF-8: save the file as UTF-8"
    return None, problem


def _doubled_key(line: bytes, values: Mapping[str, Any]) -> str | None:
    # Every key of the line is followed by a colon: if there are as many colons as keys, no key is repeated.
    if line.count(b":") <= len(values):
        return None
    doubled: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                doubled.append(key)
            seen.add(key)

    with suppress(ValueError, RecursionError):
        json.loads(line, object_pairs_hook=look)
    return doubled[0] if doubled else None
