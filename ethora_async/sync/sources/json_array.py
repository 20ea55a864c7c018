"""Rows of one JSON array, at the top of a file or inside an object, streamed by ijson (extra ``sync``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any

from ethora_async.codec import DEEPEST
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.sources.json_repair import INVALID, LONGEST_WORD, NO_VALUE, JsonRepair
from ethora_async.sync.sources.table import RawRow, Reader, guarded
from ethora_async.sync.sources.text_file import open_bytes

if TYPE_CHECKING:
    from pathlib import Path

LISTS = ("users", "members", "chats", "rooms", "channels", "groups", "value", "items", "data", "results", "Resources")
"""Keys of the rows in an object that wraps them, as the list routes of many products name them."""

_LARGEST_ROW = 1 << 24
"""Maximum size of one row in bytes of JSON."""


_LONGEST_NUMBER = LONGEST_WORD
"""Maximum number of digits of a number. Python refuses to parse integers of more than some thousand digits, and ijson
then crashes the process. 640 is the lowest limit that Python accepts.
"""

_TOO_LONG = re.compile(rf"(?<![0-9])[0-9]{{{_LONGEST_NUMBER + 1}}}")

_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEPS)


class ArrayReader(Reader):
    """The objects of an array, numbered from 1.

    Args:
        path: The file.
        name: Its name in messages.
        wrapper: The key of the array in the object that wraps it; empty for an array at the top.
    """

    def __init__(self, path: Path, name: str, wrapper: str) -> None:
        self._path = path
        self._name = name
        self._wrapper = wrapper
        self._file: _Counted | None = None
        self._rows: Iterator[Any] = iter(())
        self._last = 0

    def columns(self) -> None:
        """Return None: every row has its own columns."""

    def notes(self) -> tuple[str, ...]:
        """Return the name of the list inside the object that wraps it."""
        return (f"{self._name}: rows of the list {self._wrapper!r}",) if self._wrapper else ()

    def read(self, count: int) -> list[RawRow]:
        """Return the next rows."""
        # ijson is not imported yet, so its errors cannot be named here.
        return guarded(partial(self._read, count), Exception, self._unreadable)

    def _read(self, count: int) -> list[RawRow]:
        if self._file is None:
            ijson = _ijson()
            self._file = _Counted(open_bytes(self._path))
            prefix = f"{self._wrapper}.item" if self._wrapper else "item"
            self._rows = iter(ijson.items(self._file, prefix, map_type=_Object))
        rows: list[RawRow] = []
        for value in self._rows:
            self._last += 1
            self._file.begin_row()
            rows.append(_row(self._last, value, repaired=self._file.repaired))
            if len(rows) == count:
                break
        return rows

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _unreadable(self, error: Exception) -> InvalidInputError:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        where = f" after row {self._last}" if self._last else ""
        msg = f"{self._name} cannot be read as JSON{where}: {reason}"
        return InvalidInputError(msg, file=self._name, row=self._last or None)


def find_list(path: Path, name: str, candidates: tuple[str, ...]) -> str:
    """Return the key of the array that holds the rows, in a file that is one object.

    Raises:
        InvalidInputError: It has no known key, or is not JSON.
    """
    found = guarded(partial(_arrays, path), Exception, partial(_no_object, name))
    for candidate in candidates:
        if candidate in found:
            return candidate
    has = f"; its lists are {', '.join(found)}" if found else ""
    msg = (
        f"{name} holds one object over several lines, and none of the lists"
        f" {', '.join(dict.fromkeys(candidates))}{has}: write one object a line, as `jq -c .` does"
    )
    raise InvalidInputError(msg, file=name, row=1)


def _arrays(path: Path) -> list[str]:
    ijson = _ijson()
    found: list[str] = []
    with open_bytes(path) as file:
        for prefix, event, _ in ijson.parse(_Counted(file, limited=False)):
            if event == "start_array" and prefix and "." not in prefix:
                found.append(prefix)
    return found


def _no_object(name: str, error: Exception) -> InvalidInputError:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    msg = f"{name} spreads its objects over several lines, and is not one JSON document ({reason}): write one object a"
    msg += " line, as `jq -c .` does"
    return InvalidInputError(msg, file=name, row=1)


def _ijson() -> Any:
    try:
        import ijson
    except ImportError:
        msg = "JSON arrays are read by ijson, which is not installed: pip install 'ethora-async[sync]'"
        raise ConfigError(msg) from None
    return ijson


class _Object(dict[str, Any]):
    """An object that remembers a repeated key."""

    doubled: str | None = None

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self:
            self.doubled = key
        super().__setitem__(key, value)


class _Counted:
    """A file with its strings and words repaired. It limits the bytes of a row, the digits of a number and the nesting.

    ijson builds the path of every open value, so that its memory grows with the square of the nesting.
    """

    def __init__(self, file: IO[bytes], *, limited: bool = True) -> None:
        self._file = file
        self._left = _LARGEST_ROW
        self._limited = limited
        self._strings = JsonRepair()
        self._digits = ""
        self._level = 0

    def read(self, size: int = -1) -> bytes:
        """Read for ijson."""
        if not size:
            return b""  # ijson asks which type it gets
        while data := self._file.read(size):
            self._left -= len(data)
            if self._limited and self._left < 0:
                msg = f"a row is larger than {_LARGEST_ROW} bytes"
                raise ValueError(msg)
            repaired, outside = self._strings.repaired(data)
            self._check(outside)
            if repaired:
                return repaired
        return self._strings.repaired(b"")[0]

    def _check(self, bare: str) -> None:
        # The end of the last piece may be the beginning of a number.
        if _TOO_LONG.search(self._digits + bare):
            msg = f"a number has more than {_LONGEST_NUMBER} digits"
            raise ValueError(msg)
        self._digits = (self._digits + bare)[-_LONGEST_NUMBER:]
        brackets = bare.encode().translate(None, _NO_BRACKETS)
        levels = list(accumulate((_STEPS[byte] for byte in brackets), initial=self._level))
        if max(levels) > DEEPEST:
            msg = f"it is nested deeper than {DEEPEST} levels"
            raise ValueError(msg)
        self._level = levels[-1]

    @property
    def repaired(self) -> bool:
        """Whether anything up to here was repaired."""
        return self._strings.marked

    def begin_row(self) -> None:
        """Reset the count for a new row."""
        self._left = _LARGEST_ROW

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(number: int, value: Any, *, repaired: bool) -> RawRow:
    if not isinstance(value, Mapping):
        return RawRow(number, {}, "the element is not a JSON object")
    if repaired and (problem := _invalid(value)) is not None:
        return RawRow(number, {}, problem)
    doubled = next(_doubled(value), None)
    if doubled is not None:
        return RawRow(number, {}, f"the object has the key {doubled!r} more than once")
    return RawRow(number, value)


_INVALID_STRING = (
    "the object holds half of a surrogate pair, an unknown escape, a control character or bytes that are not UTF-8"
)
_INVALID_KEY = "a key of the object is not a text in double quotation marks"
_NO_VALUE = "has no JSON value: write a text in double quotation marks, a number without leading zeros, true, false or"


def _invalid(value: Any, name: str = "the object") -> str | None:
    """Return what is invalid in a row, or None. The value itself is not repeated: it may be a password."""
    if isinstance(value, str):
        if value == NO_VALUE:
            return f"{name} {_NO_VALUE} null (NaN and Infinity are none)"
        return _INVALID_STRING if INVALID in value else None
    found: Iterator[str | None] = iter(())
    if isinstance(value, Mapping):
        if NO_VALUE in value:
            return _INVALID_KEY
        if any(INVALID in key for key in value):
            return _INVALID_STRING
        found = (_invalid(inner, repr(key)) for key, inner in value.items())
    elif isinstance(value, list):
        found = (_invalid(inner, name) for inner in value)
    return next(filter(None, found), None)


def _doubled(value: Any) -> Iterator[str]:
    if isinstance(value, _Object):
        if value.doubled is not None:
            yield value.doubled
        for inner in value.values():
            yield from _doubled(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _doubled(inner)
