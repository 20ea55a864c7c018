"""Numbers on ImbaChat's wire: ids of users and widgets (docs/platforms/imbachat.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from ethora_async.records import Id

_DECIMAL = re.compile(r"[1-9][0-9]{0,18}")
_LARGEST = 2**63 - 1


def is_decimal(text: str) -> bool:
    """Return whether a text is a positive whole number in ASCII digits, without sign or leading zeros."""
    return _DECIMAL.fullmatch(text) is not None


def user_number(id: Id) -> int:
    """Return a user's id as ImbaChat's whole number: an `int`, or a text of its digits only.

    Raises:
        InvalidInputError: it is not, or not greater than 0.
    """
    number = id if isinstance(id, int) and not isinstance(id, bool) else None
    if isinstance(id, str) and is_decimal(id):
        number = int(id)
    if number is None or not 0 < number <= _LARGEST:
        # PHP's cast in the vendor's samples would turn a word into user 0, and "12abc" into user 12.
        msg = f"an ImbaChat user's id is a whole number from 1 to {_LARGEST}: {_kind(id)} is not one"
        raise InvalidInputError(msg, field="id")
    return number


def _kind(id: object) -> str:
    return repr(id) if isinstance(id, int) else f"a {type(id).__name__} of another form"
