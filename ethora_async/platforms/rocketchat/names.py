"""What users and rooms are called: your own ids are user names and room names; Rocket.Chat has record ids beside."""

from __future__ import annotations

import re
from typing import Self
from unicodedata import normalize

from ethora_async.errors import InvalidInputError
from ethora_async.records import Id, id_text

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


def plain(id: Id, field: str = "id") -> str:
    """An id as text, a `RecordId` as it is. A leading ``@`` or ``#``, as people write names, is left out.

    Raises:
        InvalidInputError: it is empty, or not a `str`, `int` or `UUID`.
    """
    if isinstance(id, RecordId):
        return id
    text = id_text(id, field)
    bare = text[1:] if text[:1] in ("@", "#") else text
    return bare if bare is text else id_text(bare, field)


def folded(name: str) -> str:
    """Return the key of a user name or room name: names with equal keys are one name to the server."""
    return normalize("NFC", name).lower()
