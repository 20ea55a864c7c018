"""Replace invalid parts of JSON strings by a marker: a streaming parser then goes on, and only their row is refused."""

from __future__ import annotations

import codecs
import re

INVALID = "\ufdd0"
"""Stands in for a lone surrogate, an unknown escape, a control character or bytes that are not UTF-8.

Unicode reserves it for a program's own use: no text contains it.
"""

_ESCAPE = re.compile(
    r"(?P<cut>(?:\\u[dD][89abAB][0-9a-fA-F]{2})?\\(?:u[0-9a-fA-F]{0,3})?\Z|\\u[dD][89abAB][0-9a-fA-F]{2}\Z)"
    r"|(?P<good>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r'|\\["\\/bfnrt])'
    r"|\\(?:u[0-9a-fA-F]{0,4}|.)",
    re.DOTALL,
)
_CLEAN = re.compile(r'(?:[^\\]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*+')
_ANY_ESCAPE = re.compile(r"\\.", re.DOTALL)
_UNDECODED = re.compile("[\udc80-\udcff]")
_CONTROL = re.compile("[\x00-\x1f]")


class StringRepair:
    """Repairs a JSON text that arrives in pieces, and tells its strings from the rest.

    Attributes:
        marked: Whether a marker has been written, or was in the text.
    """

    def __init__(self) -> None:
        self.marked: bool = False
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._cut = ""
        self._in_string = False

    def repaired(self, data: bytes) -> tuple[bytes, str]:
        """Return the next piece with invalid parts of strings replaced, and what of it is outside strings.

        Args:
            data: The next bytes; none at the end.
        """
        text = self._cut + self._decoder.decode(data, not data)
        self._cut = ""
        if not text.isascii():
            text = _UNDECODED.sub(INVALID, text)
        if "\\" in text and data and not _CLEAN.fullmatch(text):
            text = _ESCAPE.sub(self._escape, text)
        # Of the same length, so that places in one are places in the other.
        parts = (_ANY_ESCAPE.sub("__", text) if "\\" in text else text).split('"')
        first = int(not self._in_string)
        if _CONTROL.search("".join(parts[first::2])):
            text = _without_control(text, parts, first)
        outside = "".join(parts[1 - first :: 2])
        self._in_string ^= not len(parts) % 2
        self.marked = self.marked or (not text.isascii() and INVALID in text)
        return text.encode(), outside

    def _escape(self, match: re.Match[str]) -> str:
        if match["good"]:
            return match[0]
        if match["cut"]:
            self._cut = match[0]
            return ""
        return INVALID


def _without_control(text: str, parts: list[str], first: int) -> str:
    """Return the text with control characters in strings replaced; every second part from `first` is a string."""
    found: list[str] = []
    place = 0
    for number, part in enumerate(parts):
        here = text[place : place + len(part)]
        found.append(_CONTROL.sub(INVALID, here) if number % 2 == first else here)
        place += len(part) + 1
    return '"'.join(found)
