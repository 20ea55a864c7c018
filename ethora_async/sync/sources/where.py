"""Conditions that select rows: ``status=active``, ``role!=guest``, ``team in sales,support``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.wording import quoted

_EQUAL = re.compile(r"([^=!]+)(!=|==?)(.*)", re.DOTALL)
_AMONG = re.compile(r"([^=!'\"]+?)(\s{1,9}not)?\s{1,9}in\s(?!\s{0,9}[=!])(.*)", re.DOTALL | re.IGNORECASE)
_LISTED = re.compile(r"""\s*(?:"((?:[^"]|"")*+)"|'((?:[^']|'')*+)'|([^,]*+))\s*(?:,|\Z)""")
_INDEX = re.compile(r"\[([0-9]+)\]")


@attrs.frozen
class Condition:
    """A row filter on one column.

    A value may be quoted as in CSV: ``'a, b'``, ``"it's"``; a quote inside is doubled. Values are compared as text,
    trimmed and ignoring case; JSON's true and false are those words, a missing value is the empty text. A list in the
    column satisfies ``=`` and ``in`` when one of its elements does.

    Attributes:
        text: As it was written.
        column: The source's column, or a path such as ``profile.status``.
        values: The texts to compare with, case-folded.
        negated: Whether the value must be none of them.
        optional: Whether a table may lack the column, which then counts as empty.
    """

    text: str
    column: str
    values: frozenset[str]
    negated: bool = False
    optional: bool = False

    @classmethod
    def of(cls, text: str, *, optional: bool = False) -> Condition:
        """Parse a condition.

        Raises:
            InvalidInputError: It has none of the known forms, or a quote is not closed.
        """
        if (among := _AMONG.fullmatch(text.strip())) is not None:
            column, negated, values = among.groups()
            values = values.strip()
            if values.startswith("(") and values.endswith(")"):
                values = values[1:-1]
            listed = frozenset(map(_folded, _listed(text, values)))
            return cls(text, column.strip(), listed, negated is not None, optional)
        equal = _EQUAL.fullmatch(text.strip())
        if equal is None or not equal[1].strip():
            forms = "COLUMN=VALUE, COLUMN!=VALUE or 'COLUMN in VALUE,VALUE'"
            msg = f"--where {quoted(text)} is not a condition: write {forms}"
            raise InvalidInputError(msg, field="where")
        return cls(text, equal[1].strip(), frozenset({_folded(_unquoted(text, equal[3]))}), equal[2] == "!=", optional)

    def holds(self, value: Any) -> bool:
        """Return whether a row with this value is selected."""
        found = value if isinstance(value, (list, tuple)) else (value,)
        return any(_folded(_text(one)) in self.values for one in found) != self.negated


def _unquoted(condition: str, value: str) -> str:
    value = value.strip()
    if value[:1] not in ("'", '"') or not value:
        return value
    found = _listed(condition, value)
    if len(found) != 1:
        raise _open_quote(condition)
    return found[0]


def _listed(condition: str, values: str) -> list[str]:
    """Return values separated by commas, quoted or not."""
    found: list[str] = []
    place = 0
    while True:
        match = _LISTED.match(values, place)
        double, single, bare = match.groups() if match is not None else (None, None, "'")
        if match is None or (bare or "").startswith(("'", '"')):
            raise _open_quote(condition)
        if double is not None:
            found.append(double.replace('""', '"'))
        else:
            found.append(bare if single is None else single.replace("''", "'"))
        if not match[0].endswith(","):
            return found
        place = match.end()


def _open_quote(condition: str) -> InvalidInputError:
    msg = (
        f"--where {quoted(condition)} has a quote that is not closed, or text after it: double a quote inside quotes,"
        " or use the other kind around it"
    )
    return InvalidInputError(msg, field="where")


def _folded(text: str) -> str:
    return text.strip().casefold()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def lookup(columns: tuple[str, ...], path: str, *, nested: bool = True) -> Callable[[Mapping[str, Any]], Any] | None:
    """Return a function that reads a column, or a value inside one by its path; None when there is no such column.

    A column with exactly that name takes precedence. Otherwise ``name.first`` is the field ``first`` of the object in
    ``name``, and ``emails.0.address`` or ``emails[0].address`` the field ``address`` of the first element of the list
    ``emails``. Case is ignored. Without `nested`, values are texts, and nothing is inside them.
    """
    written = {column.strip().lower(): column for column in columns if column.strip()}
    wanted = path.strip().lower()
    if wanted in written:
        exact = written[wanted]
        return lambda values: values.get(exact)
    first, *steps = _INDEX.sub(r".\1", wanted).split(".")
    if not nested or not steps or first not in written:
        return None
    top = written[first]

    def read(values: Mapping[str, Any]) -> Any:
        value = values.get(top)
        for step in steps:
            value = _inside(value, step)
        return value

    return read


def _inside(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if str(name).strip().lower() == step:
                return inner
    if isinstance(value, (list, tuple)) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None
