"""Names of users and rooms: your own ids are user names and room names; Rocket.Chat has record ids beside."""

from __future__ import annotations

import re
from typing import Self
from unicodedata import normalize

from ethora_async.errors import InvalidInputError
from ethora_async.records import Id, id_text, literal_id

_RECORD_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RecordId(str):
    """Rocket.Chat's own id of a user or a room (``_id``, ``rid``).

    Plain strings always mean user names and room names, even when they look like this; wrap a record id to say so.
    Direct rooms have no name, and are only known by it.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check the characters."""
        if not _RECORD_ID.fullmatch(value):
            msg = "a RecordId is Rocket.Chat's own id: up to 64 letters, digits, '-' or '_'"
            raise InvalidInputError(msg, field="id")
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"RecordId({str(self)!r})"


def own(id: Id, field: str = "id") -> str:
    """Return an id from outside, taken literally: a user name, character by character.

    Minting, creating and granting go by this. A `RecordId` stays what it is.

    Raises:
        InvalidInputError: it is empty, begins with ``@`` or ``#``, or holds what no user name holds.
    """
    if isinstance(id, RecordId):
        return id
    text = literal_id(id, field)
    if text[0] == "#":
        msg = f"{field} {text!r} begins with '#': pass the name alone"
        raise InvalidInputError(msg, field=field)
    return text


def lookup(id: Id, field: str = "id") -> str:
    """Return the name or `RecordId` of a record that exists, from any form in which an operator may write it.

    A leading ``@`` or ``#``, as people write names, is left out.

    Raises:
        InvalidInputError: it is empty, or not a `str`, `int` or `UUID`.
    """
    if isinstance(id, RecordId):
        return id
    text = id_text(id, field)
    bare = text[1:] if text[:1] in ("@", "#") else text
    return bare if bare is text else id_text(bare, field)


def key(name: str) -> str:
    """Return the form of a name in which two spellings of one account, or of one room, are equal.

    The server finds ``Alice`` when ``alice`` is asked for, and lets nobody register both.
    """
    if name.isascii():
        return name.lower()
    # It compares letter by letter: ß is not ss.
    letters = ((letter, letter.casefold()) for letter in normalize("NFC", name).lower())
    return "".join(folded if len(folded) == 1 else letter for letter, folded in letters)
