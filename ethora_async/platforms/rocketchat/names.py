"""Names of users and rooms: your own ids are user names and room names; Rocket.Chat also has record ids."""

from __future__ import annotations

import re
from typing import Self
from unicodedata import normalize

from ethora_async.errors import InvalidInputError
from ethora_async.records import Id, id_text, literal_id

_RECORD_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RecordId(str):
    """Rocket.Chat's own id of a user or a room (``_id``, ``rid``).

    Plain strings are always user names and room names, even if they look like this; wrap a record id in this class.
    Direct rooms have no name, only a record id.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Validate the characters."""
        if not _RECORD_ID.fullmatch(value):
            msg = "a RecordId is Rocket.Chat's own id: up to 64 letters, digits, '-' or '_'"
            raise InvalidInputError(msg, field="id")
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"RecordId({str(self)!r})"


def own(id: Id, field: str = "id") -> str:
    """Return an id from outside, taken literally: a user name, character by character.

    Minting, creating and granting use this. A `RecordId` is returned unchanged.

    Raises:
        InvalidInputError: it is empty, begins with ``@`` or ``#``, or contains a character that no user name contains.
    """
    if isinstance(id, RecordId):
        return id
    text = literal_id(id, field)
    if text[0] == "#":
        msg = f"{field} {text!r} begins with '#': pass the name alone"
        raise InvalidInputError(msg, field=field)
    return text


def lookup(id: Id, field: str = "id") -> str:
    """Return the name or `RecordId` of an existing record, from any form in which an operator may write it.

    A leading ``@`` or ``#`` is removed.

    Raises:
        InvalidInputError: it is empty, or not a `str`, `int` or `UUID`.
    """
    if isinstance(id, RecordId):
        return id
    text = id_text(id, field)
    bare = text[1:] if text[:1] in ("@", "#") else text
    return bare if bare is text else id_text(bare, field)


def key(name: str) -> str:
    """Return the canonical form of a name, equal for two spellings of one account or room.

    The server finds ``Alice`` when ``alice`` is requested, and does not allow both to register.
    """
    if name.isascii():
        return name.lower()
    # The server compares letter by letter: ß is not ss.
    letters = ((letter, letter.casefold()) for letter in normalize("NFC", name).lower())
    return "".join(folded if len(folded) == 1 else letter for letter, folded in letters)
