"""Which of very many keys were seen before, without keeping them in memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Self

from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class Distinct:
    """An index of keys in a private temporary file that is deleted with it.

    A set of a million ids takes some 90 MB; this takes the database's page cache. The work is done in a thread of its
    own, which also closes the database, whoever is cancelled.
    """

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None
        self._thread = OwnThread("ethora-distinct")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A cancelled `add` may still be at work in the thread: this comes after it, and happens even if nobody waits.
        await self._thread.finish(self._close)

    async def add(self, entries: Sequence[tuple[str, int]]) -> list[int | None]:
        """Add keys, each with its place; return for each the place where it was seen before, or None if it is new."""
        return await self._thread.run(self._add, entries)

    def _add(self, entries: Sequence[tuple[str, int]]) -> list[int | None]:
        database = self._database = self._database or _temporary_database()
        database.execute("BEGIN")
        earlier = [_earlier(database, *entry) for entry in entries]
        database.execute("COMMIT")
        return earlier

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _earlier(database: sqlite3.Connection, key: str, place: int) -> int | None:
    if database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, place)).rowcount == 1:
        return None
    found: tuple[int] = database.execute("SELECT place FROM seen WHERE key = ?", (key,)).fetchone()
    return found[0]


def _temporary_database() -> sqlite3.Connection:
    # An empty name is SQLite's word for a database that spills to a temporary file and is deleted when closed.
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000;"
        "CREATE TABLE seen (key TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID;"
    )
    return database
