"""Find repeated keys among millions without keeping all of them in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from types import TracebackType


IN_MEMORY = 4_000
"""Keys that are kept in memory, in half a megabyte, unless the caller says otherwise. With more, all move to a file."""

_AT_ONCE = 500
"""Keys that one statement looks up."""


class Distinct:
    """An index of the keys seen so far. Above a number of keys it moves to a private temporary file, deleted on close.

    A set of a million ids takes some 90 MB; the file takes only the database's page cache. One dedicated thread does
    the work and also closes the database, even when the caller is cancelled.

    Args:
        in_memory: keys that are kept in memory; `IN_MEMORY` by default.
    """

    def __init__(self, in_memory: int | None = None) -> None:
        self._in_memory = IN_MEMORY if in_memory is None else in_memory
        self._seen: dict[str, int] = {}
        self._on_disk = False
        self._database: sqlite3.Connection | None = None
        self._calls = 0
        self._thread = OwnThread("ethora-distinct")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A cancelled `add` may still run in the thread. Closing is queued behind it, and happens even if nobody waits.
        await self._thread.finish(self._close)

    async def add(self, entries: Sequence[tuple[str, int]]) -> list[int | None]:
        """Add keys, each with its place; return for each the place where it was seen before, or None if it is new."""
        # Once this is true, only the thread uses `_seen`; calls run one after another.
        self._on_disk = self._on_disk or len(self._seen) + len(entries) > self._in_memory
        return await self._thread.run(self._add, entries) if self._on_disk else _added(self._seen, entries)

    def add_new(self, keys: Sequence[str]) -> bool:
        """Add keys, all with the place 0, if this can be done at once: none occurs twice, and none has moved to a file.

        Return whether they were added. If not, `add` tells what each of them is.
        """
        if self._on_disk or len(self._seen) + len(keys) > self._in_memory:
            return False
        new = dict.fromkeys(keys, 0)
        if len(new) < len(keys) or not self._seen.keys().isdisjoint(new):
            return False
        self._seen.update(new)
        return True

    def _add(self, entries: Sequence[tuple[str, int]]) -> list[int | None]:
        database = self._database = self._database or _temporary_database()
        database.execute("BEGIN")
        database.executemany("INSERT INTO seen VALUES (?, ?, 0)", self._seen.items())
        self._seen.clear()
        self._calls += 1
        before = database.total_changes
        database.executemany(f"INSERT OR IGNORE INTO seen VALUES (?, ?, {self._calls})", entries)  # noqa: S608  a number
        earlier: list[int | None] = [None] * len(entries)
        if database.total_changes - before < len(entries):
            earlier = _added(_found(database, [key for key, _ in entries], before_call=self._calls), entries)
        database.execute("COMMIT")
        return earlier

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _added(seen: dict[str, int], entries: Sequence[tuple[str, int]]) -> list[int | None]:
    """Return where each key was seen before; the new entries are in `seen` afterwards."""
    new = dict(entries)
    if len(new) == len(entries) and seen.keys().isdisjoint(new):  # the usual case
        seen.update(new)
        return [None] * len(entries)
    earlier: list[int | None] = []
    for key, place in entries:
        first = seen.get(key)
        if first is None:
            seen[key] = place
        earlier.append(first)
    return earlier


def _found(database: sqlite3.Connection, keys: Sequence[str], *, before_call: int) -> dict[str, int]:
    """Return the places of the keys that earlier calls added."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        query = f"SELECT key, place FROM seen WHERE key IN ({', '.join('?' * len(part))}) AND call < ?"  # noqa: S608
        found.update(database.execute(query, (*part, before_call)).fetchall())
    return found


def _temporary_database() -> sqlite3.Connection:
    import sqlite3  # only for more keys than memory should hold

    # With an empty name, SQLite opens a database that spills to a temporary file and is deleted when closed.
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000;"
        "CREATE TABLE seen (key TEXT PRIMARY KEY, place INTEGER, call INTEGER) WITHOUT ROWID;"
    )
    return database
