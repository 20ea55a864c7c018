"""Reading `.json` and `.env` text into names and values. Problems name a line or key, never a value."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DOUBLE_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE_QUOTED: Final = re.compile(r"'([^']*)'\s*(?:#.*)?")
# one white space and not all of it: \s+ would try a long run of it from each of its places
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


class FormatError(Exception):
    """Why a text is unreadable. Keep it from callers: its traceback and context hold the text."""


def parser_for(file_name: str) -> Callable[[str], dict[str, str]] | None:
    """Return the parser that the end of `file_name` calls for, or None when it calls for no known one."""
    if file_name.endswith(".json"):
        return parse_json
    return parse_dotenv if file_name.endswith(".env") else None


def is_text(value: str) -> bool:
    """Say whether `value` can be written as UTF-8; lone surrogates, from undecodable bytes, cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_json(text: str) -> dict[str, str]:
    """Read one JSON object of strings; a blank string counts as missing. Raises `FormatError`."""
    try:
        found: object = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        # error.msg is the decoder's fixed phrase; str(error) is too, but .doc is the whole file
        raise FormatError(f"line {error.lineno} column {error.colno} is not JSON ({error.msg})") from None
    except RecursionError:
        raise FormatError("it is nested too deeply: one flat object of strings is expected") from None
    except ValueError:
        # int refuses more than some thousand digits, and its error comes with the text in its frames
        raise FormatError("it holds a number too long to read: one object of strings is expected") from None
    if not isinstance(found, dict):
        raise FormatError(f"it holds a JSON {type(found).__name__}: one object of strings is expected")
    return string_values(cast("dict[str, object]", found))


def string_values(found: Mapping[str, object]) -> dict[str, str]:
    """Return the values of a decoded object of strings; a blank one counts as missing. Raises `FormatError`."""
    values: dict[str, str] = {}
    for name, value in found.items():
        if not isinstance(value, str) or not is_text(value):
            raise FormatError(f"the value of key {name!r} is not a string of text")
        if not name or not is_text(name):
            raise FormatError("a key is not text" if name else "a key is empty")
        if value.strip():
            values[name] = value
    return values


def parse_dotenv(text: str) -> dict[str, str]:
    r"""Read `KEY=value` lines: comments, `export`, quotes, which in double ones `\n \t \r \" \\ \$` escape.

    A blank value counts as missing; nothing is expanded. Every line must end with a newline, the only sign a
    cut file lacks. Raises `FormatError`.
    """
    *lines, rest = text.split("\n")
    if rest.strip():
        raise FormatError(f"line {len(lines) + 1} does not end with a newline, so the file may be half-written")
    values: dict[str, str] = {}
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        statement = line.strip()
        if not statement or statement.startswith("#"):
            continue
        name, value = _assignment(statement, number)
        if name in seen:
            raise FormatError(f"line {number} gives {name} a second time")
        seen.add(name)
        if value.strip():
            values[name] = value
    return values


def _assignment(statement: str, number: int) -> tuple[str, str]:
    if statement.startswith(("export ", "export\t")):
        statement = statement[len("export") :].lstrip()
    name, equals, written = statement.partition("=")
    name = name.rstrip()
    if not equals or not _NAME.fullmatch(name):
        raise FormatError(f"line {number} is not of the form KEY=value")
    written = written.strip()
    if written.startswith('"'):
        if not (match := _DOUBLE_QUOTED.fullmatch(written)):
            raise FormatError(f"the double quote of {name} on line {number} is not closed at the end of the line")
        return name, _ESCAPE.sub(_unescape, match[1])
    if written.startswith("'"):
        if not (match := _SINGLE_QUOTED.fullmatch(written)):
            raise FormatError(f"the single quote of {name} on line {number} is not closed at the end of the line")
        return name, match[1]
    return name, _COMMENT.sub("", written).rstrip()


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[0])


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise FormatError(f"key {name!r} is given twice")
        found[name] = value
    return found
