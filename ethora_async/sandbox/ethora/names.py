"""Normalise ids as callers write them (docs/platforms/ethora.md#names-and-ids).

Inside the sandbox a record is known by its *local* id: what follows `<appId>_` in its XMPP name. Callers may
send it plain, prefixed, prefixed twice, or as a JID.
"""

from __future__ import annotations

import secrets
import time
from unicodedata import normalize


def collapse(app_id: str, name: str) -> str:
    """Drop every leading `<appId>_` of `name`, doubled ones too (docs/platforms/ethora.md#doubled-prefixes)."""
    prefix = f"{app_id}_"
    while name.startswith(prefix):
        name = name[len(prefix) :]
    return name


def local_id(app_id: str, reference: str) -> str:
    """Return the local id that `reference` (plain, prefixed, JID with or without resource) refers to."""
    reference = reference.strip()
    at = reference.find("@")
    return collapse(app_id, reference if at < 0 else reference[:at])


def folded(uuid: str) -> str:
    """Fold a uuid as the chat server folds JIDs: uuids that fold to the same text are one account there."""
    return uuid.lower() if uuid.isascii() else normalize("NFC", normalize("NFKC", uuid).lower())


class RecordIds:
    """Mongo-like record ids: 24 hex characters, of which the last 8 count the records of this sandbox."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self._prefix = f"{int(time.time()):08x}{secrets.token_hex(4)}"
        self._count = 0

    def next(self) -> int:
        """Return the number of a new record."""
        self._count += 1
        return self._count

    def text(self, number: int) -> str:
        """Write the number of a record as its id."""
        return f"{self._prefix}{number:08x}"

    def number(self, text: str) -> int | None:
        """Read the number back; None when this sandbox never gave out such an id."""
        if len(text) != 24 or not text.startswith(self._prefix):
            return None
        try:
            number = int(text[16:], 16)
        except ValueError:
            return None
        return number if self.text(number) == text else None
