"""Convert values of files and databases to text, and define which types a column may have."""

from __future__ import annotations

import math
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from ethora_async.errors import InvalidInputError

_EXACT = 2**53
_LONGEST_DECIMAL = 10**38

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    ((float, Decimal), "a decimal number"),
    ((date, time, timedelta), "a date or time"),
    (UUID, "a UUID"),
    ((bytes, bytearray, memoryview), "binary data"),
    ((list, tuple, set, frozenset), "a list"),
    (dict, "an object"),
)


@attrs.frozen
class CellError:
    """What a spreadsheet's cell with an error shows, such as ``#N/A``: no value."""

    shown: str

    def __str__(self) -> str:
        return self.shown


def text_of(value: Any, column: str, *, is_id: bool) -> str:
    """Return the value as trimmed text; missing values (NULL, null) are empty.

    Text stays unchanged. In an id column, integers and UUIDs are converted; a fractional number, a boolean or a date is
    never guessed at: cast it in the source. No message contains the value itself, since it may be a password.

    Raises:
        InvalidInputError: it has a type that the column cannot have, or is not UTF-8; `field` is the column.
    """
    if isinstance(value, str):
        # An enum member is a str whose str() is the member's name.
        text = str.__str__(value).strip()
        if undecodable(text):
            msg = f"{column} is not UTF-8: save the file as UTF-8, or name its encoding with --encoding"
            raise InvalidInputError(msg, field=column)
        return text
    if value is None:
        return ""
    if is_id and isinstance(value, (int, UUID)) and not isinstance(value, bool):
        return str(value)
    if is_id and isinstance(value, (float, Decimal)) and _is_whole(value):
        # Data frame tools store whole numbers as floats if a column has gaps.
        return str(int(value))
    if isinstance(value, CellError):
        msg = f"{column} shows {value}, the error of a formula: mend it in the workbook"
        raise InvalidInputError(msg, field=column)
    wanted = "text, an integer or a UUID" if is_id else "text"
    msg = f"{column} must be {wanted}, not {_kind(value)}"
    raise InvalidInputError(msg, field=column)


def _is_whole(value: float | Decimal) -> bool:
    # Above this, a float no longer distinguishes neighbouring whole numbers.
    largest = _EXACT if isinstance(value, float) else _LONGEST_DECIMAL
    return math.isfinite(value) and value == int(value) and abs(int(value)) < largest


def undecodable(text: str) -> bool:
    """Return whether the original bytes were not UTF-8."""
    return not text.isascii() and any("\udc80" <= one <= "\udcff" for one in text)


def _kind(value: Any) -> str:
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return f"of the type {type(value).__name__}"
