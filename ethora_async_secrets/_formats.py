"""Parse `.json` and `.env` text to names and values. Errors name a line or key, never a value."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, cast

import attrs

from ethora_async_secrets.text import is_text, without_newline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DOUBLE_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE_QUOTED: Final = re.compile(r"'([^']*)'\s*(?:#.*)?")
# a single white space: \s+ would rescan a long run of it from each position
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_ESCAPE: Final = re.compile(r"\\(.)")
_KINDS: Final = {
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


class FormatError(Exception):
    """Why a text is invalid. Callers must not see it: its traceback and context hold the text."""


@attrs.frozen
class Parsed:
    """A parsed text: values by name, and the names of unusable values, each with the reason."""

    values: dict[str, str] = attrs.field(repr=False)
    unusable: dict[str, str]


def parser_for(file_name: str) -> Callable[[str], Parsed] | None:
    """Return the parser for a file name's ending, or None for an unknown ending."""
    if file_name.endswith(".json"):
        return parse_json
    return _parse_env if file_name.endswith(".env") else None


def parse_json(text: str) -> Parsed:
    """Parse one JSON object; see `string_values`. Raises `FormatError`."""
    try:
        found: object = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        # error.msg is a fixed phrase of the decoder, as is str(error), but .doc is the whole file
        raise FormatError(f"line {error.lineno} column {error.colno} is not JSON ({error.msg})") from None
    except RecursionError:
        raise FormatError("it is nested too deeply: one flat object of strings is expected") from None
    except ValueError:
        # int() rejects more than some thousand digits, and its traceback holds the text
        raise FormatError("it holds a number too long to read: one object of strings is expected") from None
    if not isinstance(found, dict):
        raise FormatError(f"it holds a JSON {type(found).__name__}: one object of strings is expected")
    return string_values(cast("dict[str, object]", found))


def string_values(found: Mapping[str, object]) -> Parsed:
    """Return the strings of a decoded object; a blank one counts as missing.

    Stores keep other values beside secrets (AWS puts a numeric port beside a database password): a value that is not a
    string is unusable, but no reason to reject the others. Raises `FormatError` for a key that is not text.
    """
    parsed = Parsed({}, {})
    for name, value in found.items():
        if not name or not is_text(name):
            raise FormatError("a key is not text" if name else "a key is empty")
        if not isinstance(value, str):
            kind = _KINDS.get(type(value), "something else")
            parsed.unusable[name] = f"the value of key {name!r} is not a string but {kind}"
        elif not is_text(value):
            parsed.unusable[name] = f"the value of key {name!r} is not a string of text"
        elif value.strip():
            parsed.values[name] = without_newline(value)
    return parsed


def _parse_env(text: str) -> Parsed:
    return Parsed(parse_dotenv(text), {})


def parse_dotenv(text: str) -> dict[str, str]:
    r"""Parse `KEY=value` lines with comments, `export` and quotes; in double quotes, `\n \t \r \" \\ \$` are escapes.

    A blank value counts as missing; nothing is expanded. Every line must end with a newline, since a missing one is the
    only sign of a truncated file. Raises `FormatError`.
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
            values[name] = without_newline(value)
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
