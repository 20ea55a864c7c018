"""The ids that callers pass in: their own, and the platform's record ids."""

from __future__ import annotations

import re
from string import hexdigits
from typing import TYPE_CHECKING, Self, overload
from unicodedata import category
from uuid import UUID

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

_MONGO_ID_LENGTH = 24
_MONGO_ID = re.compile(r"[0-9a-fA-F]{24}")


class MongoId(str):
    """A platform's own record id: 24 hex digits.

    Plain strings are always the caller's own ids, even if they look like a record id; wrap a record id in this class.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Validate the digits and convert them to lower case."""
        if not _MONGO_ID.fullmatch(value):
            msg = f"a MongoId is 24 hexadecimal digits, not {value!r}"
            raise InvalidInputError(msg, field="id")
        return super().__new__(cls, value.lower())

    def __repr__(self) -> str:
        return f"MongoId({str(self)!r})"


Id = str | int | UUID
"""A caller's own id of a user or a chat, or a `MongoId`."""


def record_id(value: str) -> str:
    """Return a record id from a reply: a `MongoId` if it has that form."""
    if len(value) != _MONGO_ID_LENGTH or value.strip(hexdigits):
        return value
    # `str.__new__` skips the check in MongoId's own, which has just been done.
    return str.__new__(MongoId, value.lower())


def id_text(value: Id, field: str = "id") -> str:
    """Return the id as text, trimmed; a `MongoId` is returned unchanged.

    Raises:
        InvalidInputError: it is empty, ``.`` or ``..``, or not a `str`, `int` or `UUID`.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, UUID)):
        msg = f"{field} must be a str, an int or a UUID, not {type(value).__name__}"
        raise InvalidInputError(msg, field=field)
    if isinstance(value, MongoId):
        return value
    # str() of an enum member gives the member's name, not its text.
    if isinstance(value, int) and value.bit_length() > _LONGEST_INT:  # Python itself refuses to write it out
        msg = f"{field} is a number of more than {LONGEST_ID} digits"
        raise InvalidInputError(msg, field=field)
    text = well_formed((value if isinstance(value, str) else str(value)).strip(), field)
    if not text:
        msg = f"{field} is empty: pass your own id of the user or chat"
        raise InvalidInputError(msg, field=field)
    if text in (".", ".."):
        msg = f"{field} {text!r} cannot be used: in a URL it names another path"
        raise InvalidInputError(msg, field=field)
    return text


@overload
def several(ids: Id | Iterable[Id]) -> Iterable[Id]: ...
@overload
def several(ids: Id | Iterable[Id] | AsyncIterable[Id]) -> Iterable[Id] | AsyncIterable[Id]: ...
def several(ids: Id | Iterable[Id] | AsyncIterable[Id]) -> Iterable[Id] | AsyncIterable[Id]:
    """Return ids to iterate over; a single text is one id, not a list of its letters."""
    return [ids] if isinstance(ids, Id) else ids


LONGEST_ID = 998
"""In bytes: the local part of a JID may hold this much beside the app's prefix (RFC 7622)."""

_LONGEST_INT = 3310
"""Bits of a number of 998 decimal digits, rounded down."""

PLAIN_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
"""Matches ids that need no further check: most ids."""

_UNFIT_FOR_ID = re.compile(r"[\"&'/:<>@\s\x00-\x1f\x7f-\x9f\ufffe\uffff]")


def literal_id(value: Id, field: str = "id") -> str:
    """Return an external id as text, character by character as it came.

    Raises:
        InvalidInputError: it is empty, or contains a space, a control character or one of ``" & ' / : < > @``: such ids
            cannot be part of a JID (docs/platforms/ethora.md#names-and-ids). Or it contains an invisible character, is
            longer than 998 bytes, or is one of the platform's record ids.
    """
    if type(value) is str and PLAIN_ID.fullmatch(value):
        return value
    if isinstance(value, MongoId):
        msg = f"{field} is a MongoId, which the platform gives out: pass an id of your own"
        raise InvalidInputError(msg, field=field)
    if isinstance(value, str) and value != value.strip() and value.strip():
        msg = f"{field} {value!r} begins or ends with white space: ids are taken literally, so remove it"
        raise InvalidInputError(msg, field=field)
    text = id_text(value, field)
    if found := _UNFIT_FOR_ID.search(text):
        character = found.group()
        culprit = "a space" if character == " " else character if character.isprintable() else "a control character"
        culprit = "white space" if character.isspace() and character != " " else culprit
        msg = f"{field} {text!r} holds {culprit}: use letters, digits, '-', '.' or '_'"
        raise InvalidInputError(msg, field=field)
    if not text.isascii() and any(category(character) == "Cf" for character in text):
        msg = f"{field} {text!r} holds an invisible character: remove it"
        raise InvalidInputError(msg, field=field)
    if len(text.encode()) > LONGEST_ID:
        msg = f"{field} is longer than {LONGEST_ID} bytes"
        raise InvalidInputError(msg, field=field)
    return text


def well_formed(text: str, field: str) -> str:
    """Return the text.

    Raises:
        InvalidInputError: it cannot be stored.
    """
    # No platform can store or send either: half a surrogate pair has no UTF-8 form, and NUL ends strings in C.
    if "\x00" in text or (not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text)):
        msg = f"{field} holds a NUL character or half of a surrogate pair"
        raise InvalidInputError(msg, field=field)
    return text
