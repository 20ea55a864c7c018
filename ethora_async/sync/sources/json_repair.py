"""Replace what is invalid in a JSON text by a marker: a streaming parser then goes on, and only its row is refused.

Two kinds are replaced: invalid parts of strings, and bare words and numbers that JSON does not have.
"""

from __future__ import annotations

import codecs
import re

INVALID = "\ufdd0"
"""Stands in for a lone surrogate, an unknown escape, a control character or bytes that are not UTF-8.

Unicode reserves it for a program's own use: no text contains it.
"""

NO_VALUE = "\ufdd1"
"""Stands in, as a string, for a word or number that JSON does not have, such as ``NaN`` or ``01``. Also reserved."""

LONGEST_WORD = 640
"""Maximum length of a bare word or number that is looked at whole. Longer ones are left to the parser."""

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
_VALUE = r"(?:true|false|null|-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?+[0-9]++)?+)(?![^\s\[\]{}:,\"])"
_ALL_VALUES = re.compile(rf"(?:[\s\[\]{{}}:,\"]++|{_VALUE})*+")
_WORD = re.compile(r"[^\s\[\]{}:,\"]++")
_WHOLE_VALUE = re.compile(_VALUE)


class JsonRepair:
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
        in_string = self._in_string ^ (not len(parts) % 2)
        if data and not in_string and (held := _last_word(parts[-1])):
            # The next piece may hold the rest of it.
            self._cut = held + self._cut
            text, parts[-1] = text[: -len(held)], parts[-1][: -len(held)]
        outside = parts[1 - first :: 2]
        if _CONTROL.search("".join(parts[first::2])) or not _ALL_VALUES.fullmatch('"'.join(outside)):
            text = _rebuilt(text, parts, first)
        self._in_string = in_string
        self.marked = self.marked or (not text.isascii() and (INVALID in text or NO_VALUE in text))
        return text.encode(), "".join(outside)

    def _escape(self, match: re.Match[str]) -> str:
        if match["good"]:
            return match[0]
        if match["cut"]:
            self._cut = match[0]
            return ""
        return INVALID


def _last_word(part: str) -> str:
    """Return the bare word at the end of a text; an empty text if there is none, or if it is too long."""
    end = part[-LONGEST_WORD - 1 :]
    words = _WORD.findall(end)
    found = str(words[-1]) if words and end.endswith(words[-1]) else ""
    return found if len(found) <= LONGEST_WORD else ""


def _rebuilt(text: str, parts: list[str], first: int) -> str:
    """Return the text with control characters in strings and bare words replaced.

    Args:
        text: The text.
        parts: What is between its quotation marks, with escapes masked.
        first: The first of `parts` that is a string; every second one from there is.
    """
    found: list[str] = []
    place = 0
    for number, part in enumerate(parts):
        here = text[place : place + len(part)]
        found.append(_CONTROL.sub(INVALID, here) if number % 2 == first else _WORD.sub(_checked_word, here))
        place += len(part) + 1
    return '"'.join(found)


def _checked_word(match: re.Match[str]) -> str:
    word = match[0]
    return word if len(word) > LONGEST_WORD or _WHOLE_VALUE.fullmatch(word) else f'"{NO_VALUE}"'
