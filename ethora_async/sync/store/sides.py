"""Both sides of a comparison: the wanted rows of the sources, and the platform's records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sync.store.items import encoded
from ethora_async.sync.store.schema import ACTUAL_INDEXES, WANTED_INDEXES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from ethora_async.sync.store.items import Actual, Entry, Problem, Wanted

_PROBLEM = "INSERT INTO bad (kind, id, file, line, field, reason, unsafe) VALUES (?, ?, ?, ?, ?, ?, ?)"
_WANTED = (
    "INSERT OR IGNORE INTO wanted"
    " (kind, key, other, identity, other_identity, state, item, needs_source, email, file, line)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def clear(db: sqlite3.Connection) -> None:
    """Delete everything that an earlier attempt at a plan left."""
    for table in ("wanted", "actual", "named", "bad", "item", "source_file"):
        db.execute(f"DELETE FROM {table}")


class Seen:
    """The ids and addresses of the wanted rows so far, as hashes, to find rows that certainly repeat nothing.

    Args:
        limit: maximum number of hashes, some 60 bytes each. Beyond it, every row may repeat something.
    """

    def __init__(self, limit: int = 40_000) -> None:
        self._limit = limit
        self._hashes: set[int] = set()

    def may_repeat(self, rows: Sequence[Wanted]) -> bool:
        """Return whether one of the rows may repeat an id or address of an earlier one; remember them."""
        if len(self._hashes) > self._limit:
            return True
        hashes = [hash((row.kind, row.key, row.other)) for row in rows]
        hashes += [
            hash((row.kind, row.identity, ""))
            for row in rows
            if row.identity is not None and row.identity != row.key and row.kind != "member"
        ]
        hashes += [hash(row.email) for row in rows if row.email is not None]
        found = not self._hashes.isdisjoint(hashes)
        before = len(self._hashes)
        self._hashes.update(hashes)
        return found or len(self._hashes) != before + len(hashes)


def add_wanted(db: sqlite3.Connection, rows: Sequence[Wanted], problems: Iterable[Problem], seen: Seen) -> None:
    """Add rows of a source: what it wants, and its invalid rows."""
    if seen.may_repeat(rows):
        index_wanted(db)
        for row in rows:
            if row.kind == "member" or not _repeats(db, row):
                db.execute(_WANTED, _columns(row))
    else:
        db.executemany(_WANTED, map(_columns, rows))
    add_problems(db, problems)


def index_wanted(db: sqlite3.Connection) -> None:
    """Index the wanted rows for looking up single ones."""
    for index in WANTED_INDEXES:
        db.execute(index)


def index_actual(db: sqlite3.Connection) -> None:
    """Index the listed records by identity and address for looking up single ones."""
    for index in ACTUAL_INDEXES:
        db.execute(index)


def add_problems(db: sqlite3.Connection, problems: Iterable[Problem]) -> None:
    """Add invalid rows. Nobody knows which records they mean, so they make deletions unsafe."""
    db.executemany(_PROBLEM, [(one.kind, one.id, one.file, one.line, one.column, one.reason, 1) for one in problems])


def add_actual(db: sqlite3.Connection, rows: Iterable[Actual]) -> None:
    """Add records that the platform lists."""
    columns = [
        (row.kind, row.key, row.other, row.identity, encoded(row.state), (row.state or {}).get("email"), row.own)
        for row in rows
    ]
    db.executemany(
        "INSERT OR REPLACE INTO actual (kind, key, other, identity, state, email, own) VALUES (?, ?, ?, ?, ?, ?, ?)",
        columns,
    )


def name_chats(db: sqlite3.Connection, chats: Iterable[str]) -> None:
    """Mark chats whose members must be listed."""
    db.executemany("INSERT OR IGNORE INTO named (chat) VALUES (?)", [(chat,) for chat in chats])


def forget_actual(db: sqlite3.Connection) -> None:
    """Delete the platform's records; from now on the members of the chats in the plan's memberships are listed."""
    db.execute("DELETE FROM actual")
    db.execute("INSERT OR IGNORE INTO named (chat) SELECT key FROM item WHERE kind = 'member'")


def chats_to_list(db: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Return the next existing chats whose members must be listed, by id."""
    rows = db.execute(
        "SELECT key FROM actual WHERE kind = 'chat' AND NOT own AND key > ?"
        " AND EXISTS (SELECT 1 FROM named WHERE named.chat = actual.key) ORDER BY key LIMIT ?",
        (after, limit),
    )
    return [key for (key,) in rows]


def actual_of(db: sqlite3.Connection, entries: Iterable[Entry]) -> list[tuple[bool, str | None] | None]:
    """Return, for each item's record, whether it is the platform's own, and its state; None when it does not exist."""
    query = "SELECT own, state FROM actual WHERE kind = ? AND key = ? AND other = ?"
    found: list[tuple[bool, str | None] | None] = []
    for entry in entries:
        row = db.execute(query, (entry.kind, entry.key, entry.other)).fetchone()
        found.append(None if row is None else (bool(row[0]), row[1]))
    return found


def other_spellings(db: sqlite3.Connection, records: Iterable[tuple[str, str, str | None]]) -> list[str | None]:
    """Return, for each record (kind, id, identity), another listed id that has the same identity."""
    index_actual(db)
    query = "SELECT key FROM actual WHERE kind = ? AND identity = ? AND key <> ?"
    found = [db.execute(query, (kind, identity, key)).fetchone() for kind, key, identity in records]
    return [None if row is None else row[0] for row in found]


def _repeats(db: sqlite3.Connection, row: Wanted) -> bool:
    """Return whether this row conflicts with an earlier one and is therefore rejected."""
    if row.email is not None:
        # Of several users with one address only the first can be created (docs/platforms/ethora.md#users-batch).
        first = db.execute(
            "SELECT file, line FROM wanted WHERE email = ? AND key <> ?", (row.email, row.key)
        ).fetchone()
        if first is not None:
            _refuse(db, row, "email", f"email {row.email!r} was already used {_where(*first)}", unsafe=True)
            return True
    first = db.execute("SELECT file, line FROM wanted WHERE kind = ? AND key = ?", (row.kind, row.key)).fetchone()
    if first is not None:
        # Not the same text, which the source detects itself, but another form of the same id.
        _refuse(db, row, "id", f"id {row.key!r} was already used {_where(*first)}", unsafe=True)
        return True
    return _shares_identity(db, row)


def _shares_identity(db: sqlite3.Connection, row: Wanted) -> bool:
    query = "SELECT key, file, line FROM wanted WHERE kind = ? AND identity = ? AND NOT refused"
    same = db.execute(query, (row.kind, row.identity)).fetchone()
    if same is None:
        return False
    first, file, line = same
    reason = f"ids {row.key!r} and {first!r} ({_where(file, line)}) name the same {row.kind} on this platform"
    exact = "SELECT 1 FROM actual WHERE kind = ? AND key = ?"
    if db.execute(exact, (row.kind, row.key)).fetchone() and not db.execute(exact, (row.kind, first)).fetchone():
        # The platform's spelling of the id decides between them.
        reason = (
            f"ids {first!r} and {row.key!r} ({_where(row.file, row.line)}) name the same {row.kind} on this platform"
        )
        db.execute(_PROBLEM, (row.kind, first, file, line, "id", reason, 0))
        db.execute("UPDATE wanted SET refused = 1 WHERE kind = ? AND key = ?", (row.kind, first))
        return False
    _refuse(db, row, "id", reason, unsafe=False)
    # The rejected row stays: a record that it may mean is not deleted.
    db.execute(_WANTED, _columns(row))
    db.execute("UPDATE wanted SET refused = 1 WHERE kind = ? AND key = ?", (row.kind, row.key))
    return True


def _columns(row: Wanted) -> tuple[Any, ...]:
    return (
        row.kind, row.key, row.other, row.identity, row.other_identity, encoded(row.state), encoded(row.item),
        row.needs_source, row.email, row.file, row.line,
    )  # fmt: skip


def _refuse(db: sqlite3.Connection, row: Wanted, field: str, reason: str, *, unsafe: bool) -> None:
    db.execute(_PROBLEM, (row.kind, row.key, row.file, row.line, field, reason, unsafe))


def _where(file: str | None, line: int | None) -> str:
    return f"on line {line} of {file}" if file else f"on line {line}"
