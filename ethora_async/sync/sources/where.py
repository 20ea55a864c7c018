"""Conditions that select rows: ``status=active``, ``role!=guest``, ``team in sales,support``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ethora_async.errors import InvalidInputError

_EQUAL = re.compile(r"([^=!]+)(!=|==?)(.*)", re.DOTALL)
_INDEX = re.compile(r"\[([0-9]+)\]")


@attrs.frozen
class Condition:
    """A row filter on one column.

    Values are compared as text, trimmed and ignoring case; JSON's true and false are those words, a missing value is
    the empty text. A list in the column satisfies ``=`` and ``in`` when one of its elements does.

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
            InvalidInputError: It has none of the known forms.
        """
        equal = _EQUAL.fullmatch(text.strip())
        if equal is not None and equal[1].strip():
            return cls(text, equal[1].strip(), frozenset({_folded(equal[3])}), equal[2] == "!=", optional)
        column, listed, values = text.strip().partition(" in ")
        negated = column.endswith(" not")
        column = column.removesuffix(" not").strip()
        if not (column and listed) or equal is not None:
            msg = f"--where {text!r} is not a condition: write COLUMN=VALUE, COLUMN!=VALUE or 'COLUMN in VALUE,VALUE'"
            raise InvalidInputError(msg, field="where")
        parts = values.strip().removeprefix("(").removesuffix(")").split(",")
        return cls(text, column, frozenset(map(_folded, parts)), negated, optional)

    def holds(self, value: Any) -> bool:
        """Return whether a row with this value is selected."""
        found = value if isinstance(value, (list, tuple)) else (value,)
        return any(_folded(_text(one)) in self.values for one in found) != self.negated


def _folded(text: str) -> str:
    return text.strip().casefold()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def lookup(columns: tuple[str, ...], path: str) -> Callable[[Mapping[str, Any]], Any] | None:
    """Return a function that reads a column, or a value inside one by its path; None when there is no such column.

    A column with exactly that name takes precedence. Otherwise ``name.first`` is the field ``first`` of the object in
    ``name``, and ``emails.0.address`` or ``emails[0].address`` the field ``address`` of the first element of the list
    ``emails``. Case is ignored.
    """
    written = {column.strip().lower(): column for column in columns if column.strip()}
    wanted = path.strip().lower()
    if wanted in written:
        exact = written[wanted]
        return lambda values: values.get(exact)
    first, *steps = _INDEX.sub(r".\1", wanted).split(".")
    if not steps or first not in written:
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
