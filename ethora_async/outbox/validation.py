"""Reject intents that no platform could carry out, when they are written, and for triggers in the worker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ethora_async import codec
from ethora_async.errors import InvalidInputError

LONGEST_INTENT = 64 * 1024
"""Maximum size of an intent's fields as JSON in bytes: far more than a platform accepts for a name, an address or a
description.
"""

LONGEST_TRACEPARENT = 512

# Chat servers use XML, which allows none of these; a line break or a tab is allowed.
_UNFIT_FOR_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_TRACEPARENT = re.compile(f"[\x21-\x7e]{{1,{LONGEST_TRACEPARENT}}}")


def check_fields(fields: Mapping[str, Any]) -> None:
    """Check that the texts of fields can be sent.

    Raises:
        InvalidInputError: a text contains a control character, or all of them together are too long.
    """
    for name, value in fields.items():
        if isinstance(value, str) and (found := _UNFIT_FOR_TEXT.search(value)):
            msg = f"{name} holds the control character U+{ord(found.group()):04X}: remove it"
            raise InvalidInputError(msg, field=name)
    size = len(codec.dumps(dict(fields)))
    if size > LONGEST_INTENT:
        name = max(fields, key=lambda one: len(str(fields[one])))
        msg = f"{name} is too long: an intent of {size} bytes is more than the {LONGEST_INTENT} that are allowed"
        raise InvalidInputError(msg, field=name)


def checked_traceparent(value: object) -> str | None:
    """Return a trace context; None for none.

    Raises:
        InvalidInputError: it is not text, or cannot be a header.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _TRACEPARENT.fullmatch(value):
        msg = "traceparent must be the text of the W3C header, such as 00-<trace id>-<span id>-01"
        raise InvalidInputError(msg, field="traceparent")
    return value


def listed(values: object, field: str, what: str) -> list[Any]:
    """Return the items of an iterable.

    Raises:
        InvalidInputError: it is not iterable, or a single text.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        msg = f"{field} must be a list of {what}, not {type(values).__name__}"
        raise InvalidInputError(msg, field=field)
    return list(values)


def of_type(value: object, kind: type, field: str) -> None:
    """Check the class of a record.

    Raises:
        InvalidInputError: it is something else.
    """
    if not isinstance(value, kind):
        msg = f"{field} must be a {kind.__name__}, not {type(value).__name__}"
        raise InvalidInputError(msg, field=field)


__all__ = ["LONGEST_INTENT", "LONGEST_TRACEPARENT", "check_fields", "checked_traceparent", "listed", "of_type"]
