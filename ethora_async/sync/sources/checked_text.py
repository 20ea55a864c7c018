"""Check values for damage by a spreadsheet, a database tool or an editor: reject, repair or warn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_QUOTED_FORMULA = re.compile(r'="([^"]*)"')
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-][0-9]+")
_WHOLE_DECIMAL = re.compile(r"([0-9]+)[.,]0+")

_PLACEHOLDERS = (
    "null",
    "nil",
    "none",
    "nan",
    r"\n",
    "n/a",
    "undefined",
    "(null)",
    "<null>",
    "[null]",
    "-",
    "--",
    "nat",
)
_SHEET_ERRORS = ("#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!")

SUSPICIOUS = frozenset(
    (
        *_SHEET_ERRORS,
        *(form(text) for text in _PLACEHOLDERS for form in (str.lower, str.upper, str.title)),
        "NaN",
        "NaT",
    )
)
"""Texts that tools write for a missing value, and spreadsheets for an error. They might be real names, so they only
cause a warning.
"""


def check_line(text: str, column: str, *, multiline: bool = False) -> None:
    """Reject line breaks and control characters in a value; a multi-line text may contain line breaks and tabs.

    Raises:
        InvalidInputError: There is one; `field` is the column.
    """
    found = (_CONTROL_IN_TEXT if multiline else _CONTROL).search(text)
    if found is None:
        return
    character = found[0]
    if character in "\r\n\u2028\u2029":
        what = "a line break (in CSV, was a quotation mark in the row not closed?)"
    elif character == "\0":
        what = "a NUL character"
    else:
        what = f"the control character {character!r}"
    msg = f"{column} holds {what}"
    raise InvalidInputError(msg, field=column)


_BEGINS_WITH_A_LETTER = re.compile(r"(?:[A-Za-z_][^\n]*\n)*+")


def are_plain_ids(texts: Sequence[str]) -> bool:
    """Return whether `plain_id` returns each of these printable ids as it is."""
    if _BEGINS_WITH_A_LETTER.fullmatch("\n".join([*texts, ""])):
        return True
    try:
        return all(text.isalnum() or plain_id(text, "id") == text for text in texts)
    except InvalidInputError:
        return False


def plain_id(text: str, column: str) -> str:
    """Return an id without a spreadsheet's wrapping.

    Raises:
        InvalidInputError: A spreadsheet has changed it in a way that cannot be undone reliably; `field` is the column.
    """
    first = text[:1]
    if not (first in "='#+-" or first.isdigit()):
        return text
    if (wrapped := _QUOTED_FORMULA.fullmatch(text)) is not None:
        return wrapped[1].strip()
    if first == "=":
        reason = "is a formula: save its value"
    elif first == "'":
        reason = "begins with an apostrophe, by which spreadsheets mark text: remove it if it is not part of the id"
    elif _SCIENTIFIC.fullmatch(text):
        reason = "is a number in scientific notation, with digits lost: format the column as text and re-enter the ids"
    elif (whole := _WHOLE_DECIMAL.fullmatch(text)) is not None:
        reason = f"is a number with a decimal: write {whole[1]}, or format the column as text"
    elif text in _SHEET_ERRORS:
        reason = "is a spreadsheet's error value"
    else:
        return text
    msg = f"{column} {text!r} {reason}"
    raise InvalidInputError(msg, field=column)
