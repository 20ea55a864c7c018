"""A journal of work on very many items: what was intended, what was sent, what is known of it. It survives its process.

One SQLite file. Every method is one transaction in a thread of the journal's own, and either happened or did not.

* ``kill -9`` loses nothing that a method has returned for. An item is committed as *sent* before its request leaves, so
  that what is not marked so certainly never left.
* A power cut may lose the last transactions (WAL with ``synchronous=NORMAL``), but never damages the file. What is lost
  is done once more, which does no harm: all that is journalled may be repeated.
* Only one process has a journal open; a dead one's claim dies with it. What it left behind may stand in ``-wal`` and
  ``-shm`` files beside the journal: whoever copies it copies those too.

No secret is ever written to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from ethora_async import codec
from ethora_async.bulk.outcome import Status
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.store import journal_file
from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

T = TypeVar("T")

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE item (
    number INTEGER PRIMARY KEY, step INTEGER, kind TEXT, action TEXT, key TEXT, other TEXT,
    before TEXT, after TEXT, needs_source INTEGER, file TEXT, line INTEGER,
    state INTEGER DEFAULT 0, status TEXT, reason TEXT, attempts INTEGER DEFAULT 0, lost INTEGER DEFAULT 0
);
CREATE INDEX item_by_key ON item (kind, key, other);
CREATE INDEX item_by_step ON item (step, state);
"""

INTENDED, SENT, KNOWN = range(3)

_KNOWN = (
    f"UPDATE item SET state = {KNOWN}, status = CASE"
    " WHEN lost AND ?1 = 'existed' AND action IN ('create', 'grant') THEN 'created'"
    " WHEN lost AND ?1 = 'absent' AND action IN ('delete', 'revoke') THEN 'deleted'"
    f" ELSE ?1 END, reason = ?2, attempts = attempts + ?3 WHERE number = ?4 AND state < {KNOWN}"
)


@attrs.frozen
class Entry:
    """One item of the journal.

    Attributes:
        step: when it is its turn; lower ones go first.
        kind: ``user``, ``chat`` or ``member``.
        action: what is to be done.
        key: the id of the user or chat; of a membership, the chat's.
        other: of a membership, the user's; else empty.
        before, after: what is there and what ought to be, as field and text.
        needs_source: whether the item holds a secret, which only its source has.
        file, line: where it was read.
        status, reason: what became of it, once that is known.
    """

    number: int
    step: int
    kind: str
    action: str
    key: str
    other: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    needs_source: bool = False
    file: str | None = None
    line: int | None = None
    status: Status | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """What people call it: the id, or ``chat/user``."""
        return f"{self.key}/{self.other}" if self.other else self.key


_COLUMNS = "number, step, kind, action, key, other, before, after, needs_source, file, line, status, reason"


class Journal:
    """An open journal; made by `create` or `open`."""

    def __init__(self, path: Path, database: sqlite3.Connection, thread: OwnThread, *, temporary: bool) -> None:
        self.path = path
        self._database = database
        self._thread = thread
        self._temporary = temporary
        self._closed = False

    @classmethod
    async def create(
        cls, path: str | Path | None = None, *, tables: str = "", meta: Mapping[str, Any] | None = None
    ) -> Self:
        """A new journal at `path`, readable by its owner alone; None makes one that vanishes when it is closed.

        It appears whole: there is never one without its tables and settings.

        Args:
            tables: statements that make further tables in it.
            meta: its first settings.

        Raises:
            InvalidInputError: there is a file at `path`, or none can be made there.
        """
        thread = OwnThread("ethora-journal")
        make = partial(journal_file.created, path, f"{_TABLES} {tables}", dict(meta or {}))
        return await cls._started(thread, make, temporary=path is None)

    @classmethod
    async def open(cls, path: str | Path) -> Self:
        """A journal that is there.

        Raises:
            InvalidInputError: it is not there, is no journal, is newer than this program, or another process has it
            open.
        """
        thread = OwnThread("ethora-journal")
        return await cls._started(thread, lambda: journal_file.reopened(Path(path)), temporary=False)

    @classmethod
    async def _started(
        cls, thread: OwnThread, make: Callable[[], tuple[Path, sqlite3.Connection]], *, temporary: bool
    ) -> Self:
        made: list[tuple[Path, sqlite3.Connection]] = []
        try:
            await thread.run(lambda: made.append(make()))
        except BaseException:
            # A cancelled call may still be at work in its thread: what it made is closed there, after it.
            _ = thread.finish(lambda: _discard_all(made, temporary=temporary))
            raise
        return cls(*made[0], thread, temporary=temporary)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write everything into the one file and let it go. May be called more than once."""
        if not self._closed:
            self._closed = True
            await self._thread.finish(
                partial(journal_file.discard, self.path, self._database, temporary=self._temporary)
            )

    async def transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, all of whose statements are carried out or none.

        Raises:
            InvalidInputError: the journal is closed.
            ChatError: its file cannot be read or written.
        """
        if self._closed:
            msg = f"the journal {self.path} is closed: open it again"
            raise InvalidInputError(msg, field="journal", file=str(self.path))
        try:
            return await self._thread.run(_in_transaction, self._database, work)
        except sqlite3.DatabaseError as error:
            msg = (
                f"the journal {self.path} cannot be used: {error}; it knows what was done until now, and can be resumed"
            )
            raise ChatError(msg) from None

    async def set_meta(self, **values: Any) -> None:
        """Keep settings, as JSON."""
        rows = [(name, codec.dumps(value).decode()) for name, value in values.items()]
        await self.transaction(lambda db: db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows))

    async def meta(self, name: str, default: Any = None) -> Any:
        """A setting that was kept."""
        rows = await self.transaction(
            lambda db: db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchall()
        )
        return codec.loads(rows[0][0].encode()) if rows else default

    async def add(self, entries: Iterable[Entry]) -> None:
        """Intend more items; their numbers are given here."""
        rows = [_row(entry) for entry in entries]
        await self.transaction(lambda db: add_rows(db, rows))

    async def entries(self, where: str = "1", values: Sequence[Any] = (), *, after: int = 0, limit: int) -> list[Entry]:
        """Items that an SQL condition picks, by number, from the one behind number `after` on."""
        query = f"SELECT {_COLUMNS} FROM item WHERE number > ? AND ({where}) ORDER BY number LIMIT ?"
        # Read in the thread: of hundreds of records that takes longer than others wait for the loop.
        return await self.transaction(lambda db: [entry_of(row) for row in db.execute(query, (after, *values, limit))])

    async def mark_sent(self, numbers: Sequence[int]) -> None:
        """From now on it is not certain that these did not happen."""
        rows = [(number,) for number in numbers]
        await self.transaction(lambda db: db.executemany(f"UPDATE item SET state = {SENT} WHERE number = ?", rows))

    async def mark_known(self, results: Sequence[tuple[Status, str | None, int, int]]) -> None:
        """Keep what became of items: status, reason, attempts, number.

        What turns out to be done already, after it was sent before and nothing came back, was done by that.
        """
        await self.transaction(lambda db: db.executemany(_KNOWN, [(status, *rest) for status, *rest in results]))

    async def refuse(self, results: Sequence[tuple[Status, str | None, int, int]]) -> None:
        """Keep why items are not to be carried out, now or at any later time."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_KNOWN, results)
            db.executemany("UPDATE item SET step = -ABS(step) WHERE number = ?", [(result[3],) for result in results])

        await self.transaction(work)

    async def take_up(self) -> int:
        """Intend once more all of which nothing is known, or that failed; how many there are to do."""

        def work(db: sqlite3.Connection) -> int:
            db.execute(f"UPDATE item SET lost = 1 WHERE step > 0 AND (state = {SENT} OR status = 'unknown')")
            db.execute(
                f"UPDATE item SET state = {INTENDED}, status = NULL, reason = NULL"
                f" WHERE step > 0 AND (state = {SENT} OR status IN ('failed', 'unknown'))"
            )
            found = db.execute(f"SELECT COUNT(*) FROM item WHERE step > 0 AND state < {KNOWN}").fetchone()
            return int(found[0])

        return await self.transaction(work)

    async def counts(self) -> dict[tuple[str, str, str | None], int]:
        """How many items there are by kind, action and status; a status of None is not known yet."""
        query = "SELECT kind, action, status, COUNT(*) FROM item GROUP BY kind, action, status"
        rows = await self.transaction(lambda db: db.execute(query).fetchall())
        return {(kind, action, status): count for kind, action, status, count in rows}


def add_rows(db: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert items, made by `row_of`, inside a transaction."""
    db.executemany(
        "INSERT INTO item (step, kind, action, key, other, before, after, needs_source, file, line)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _row(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.step, entry.kind, entry.action, entry.key, entry.other,
        text_of(entry.before), text_of(entry.after), entry.needs_source, entry.file, entry.line,
    )  # fmt: skip


def text_of(state: Mapping[str, Any] | None) -> str | None:
    """A record as the journal keeps it; equal records give equal texts."""
    return None if state is None else codec.dumps(dict(sorted(state.items()))).decode()


def state_of(text: str | None) -> dict[str, Any] | None:
    """The record that `text_of` made this text of."""
    return None if text is None else codec.loads(text.encode())


def entry_of(row: Sequence[Any]) -> Entry:
    """An item from its columns."""
    number, step, kind, action, key, other, before, after, needs_source, file, line, status, reason = row
    return Entry(
        number, step, kind, action, key, other, state_of(before), state_of(after), bool(needs_source), file, line,
        status, reason,
    )  # fmt: skip


def _discard_all(made: Iterable[tuple[Path, sqlite3.Connection]], *, temporary: bool) -> None:
    for path, database in made:
        journal_file.discard(path, database, temporary=temporary)


def _in_transaction(database: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    database.execute("BEGIN IMMEDIATE")
    try:
        result = work(database)
        if isinstance(result, sqlite3.Cursor):
            result.close()  # while one is open, closing its connection does not let go of the file
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk ends it by itself
            database.execute("ROLLBACK")
        raise
    return result
