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
_TO_LINE_END: Final = r"[^\S\n]*+(?:#[^\n]*+)?(?=\n|\Z)"
_DOUBLE_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"' + _TO_LINE_END, re.DOTALL)
_SINGLE_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*+)'" + _TO_LINE_END, re.DOTALL)
_RAW_QUOTED: Final = re.compile(r"'([^'\n]*+)'" + _TO_LINE_END)
# a single white space: \s+ would rescan a long run of it from each position
_COMMENT: Final = re.compile(r"\s#.*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_SINGLE_ESCAPE: Final = re.compile(r"\\([\\'])")
_KINDS: Final = {
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_ESCAPED: Final = dict(zip("abfnrtv'\"\\$", "\a\b\f\n\r\t\v'\"\\$", strict=True))


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
    return parse_dotenv if file_name.endswith(".env") else None


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


def parse_dotenv(text: str) -> Parsed:
    r"""Parse `KEY=value` lines with comments, `export` and quotes, as python-dotenv does.

    A quoted value may span lines. In double quotes, `\n \t \r \a \b \f \v \' \" \\ \$` are escapes; in single quotes,
    `\'` and `\\`. Nothing is expanded, and a blank value counts as missing. Every line must end with a newline, since a
    missing one is the only sign of a truncated file.

    An assignment that cannot be read, or repeats a name, makes that name unusable, but is no reason to reject the
    others. Raises `FormatError` if a line is not an assignment at all, or if nothing can be read.
    """
    # python-dotenv itself searches for comments in quadratic time: it takes an hour for a megabyte of white space.
    text = text.replace("\r\n", "\n")
    if text.rpartition("\n")[2].strip():
        number = text.count("\n") + 1
        raise FormatError(f"line {number} does not end with a newline, so the file may be half-written")
    parsed = Parsed({}, {})
    seen: set[str] = set()
    nameless = unclosed = ""
    start, number = 0, 1
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        name, equals = _name_and_equals(text[start:end])
        if name is None:
            start, number = end + 1, number + 1
            continue
        if not equals:
            # The line may continue a value whose quotes are wrong.
            raise FormatError(unclosed or f"line {number} is not of the form KEY=value")
        value, after = _value(text, start + equals, end)
        if not _NAME.fullmatch(name):
            nameless = nameless or f"line {number} is not of the form KEY=value"
        elif name in seen:
            parsed.values.pop(name, None)
            parsed.unusable[name] = f"line {number} gives {name} a second time"
        elif value is None:
            kind = "double" if text[start + equals : end].lstrip().startswith('"') else "single"
            unclosed = f"the {kind} quote of {name} on line {number} is not closed, or more text follows it"
            parsed.unusable[name] = unclosed
        elif value.strip():
            parsed.values[name] = without_newline(value)
        seen.add(name)
        number += text.count("\n", start, after) + 1
        start = after + 1
    if nameless and not parsed.values and not parsed.unusable:
        raise FormatError(nameless)
    return parsed


def _name_and_equals(line: str) -> tuple[str | None, int]:
    """Return the name that a line assigns to, and where its value begins.

    The name is None for a line that assigns nothing: blank, a comment, or `export NAME`. The place is 0 for a line that
    is not an assignment.
    """
    statement = line.strip()
    if not statement or statement.startswith("#"):
        return None, 0
    head, equals, _ = line.partition("=")
    name = head.strip()
    if name.startswith(("export ", "export\t")):
        name = name[len("export") :].lstrip()
        if not equals and _NAME.fullmatch(name):
            return None, 0
    if len(name) > 1 and name[0] == name[-1] == "'":
        name = name[1:-1]
    return name, len(head) + 1 if equals else 0


def _value(text: str, start: int, end: int) -> tuple[str | None, int]:
    """Return the value that begins at `start`, on a line that ends at `end`, and the end of its last line.

    The value is None if its quotes are wrong.
    """
    written = text[start:end]
    at = start + len(written) - len(written.lstrip())
    if text.startswith('"', at):
        match = _DOUBLE_QUOTED.match(text, at)
        return (_ESCAPE.sub(_unescape, match[1]), match.end()) if match else (None, end)
    if text.startswith("'", at):
        if match := _SINGLE_QUOTED.match(text, at):
            return _SINGLE_ESCAPE.sub(r"\1", match[1]), match.end()
        # A Windows path may end with a backslash.
        match = _RAW_QUOTED.match(text, at, end)
        return (match[1] if match else None), end
    return _COMMENT.sub("", written).strip(), end


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[0])


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise FormatError(f"key {name!r} is given twice")
        found[name] = value
    return found
