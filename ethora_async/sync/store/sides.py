"""Both sides of a comparison: what the sources want, and what the platform lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sync.store.items import encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from ethora_async.sync.store.items import Actual, Entry, Problem, Wanted

_PROBLEM = "INSERT INTO bad (kind, id, file, line, field, reason) VALUES (?, ?, ?, ?, ?, ?)"


def clear(db: sqlite3.Connection) -> None:
    """Drop everything that an earlier attempt at a plan left."""
    for table in ("wanted", "actual", "bad", "item"):
        db.execute(f"DELETE FROM {table}")


def add_wanted(db: sqlite3.Connection, rows: Sequence[Wanted], problems: Iterable[Problem]) -> None:
    """Keep what a source wants, and the rows of it that cannot be used."""
    for row in rows:
        if row.email is not None:
            # Of several users with one address only the first can be created (docs/platforms/ethora.md#users-batch).
            first = db.execute(
                "SELECT file, line FROM wanted WHERE email = ? AND key <> ?", (row.email, row.key)
            ).fetchone()
            if first is not None:
                _refuse(db, row, "email", f"email {row.email!r} was already used {_where(*first)}")
                continue
        if _insert_wanted(db, row) or row.kind == "member":
            continue
        # Not the same text, which the source finds by itself, but another form of the same id.
        first = db.execute("SELECT file, line FROM wanted WHERE kind = ? AND key = ?", (row.kind, row.key)).fetchone()
        _refuse(db, row, "id", f"id {row.key!r} was already used {_where(*first)}")
    add_problems(db, problems)


def add_problems(db: sqlite3.Connection, problems: Iterable[Problem]) -> None:
    """Keep rows that cannot be used."""
    db.executemany(_PROBLEM, [(one.kind, one.id, one.file, one.line, one.column, one.reason) for one in problems])


def add_actual(db: sqlite3.Connection, rows: Iterable[Actual]) -> None:
    """Keep what the platform lists."""
    db.executemany(
        "INSERT OR REPLACE INTO actual (kind, key, other, state, own) VALUES (?, ?, ?, ?, ?)",
        [(row.kind, row.key, row.other, encoded(row.state), row.own) for row in rows],
    )


def forget_actual(db: sqlite3.Connection) -> None:
    """Drop what the platform listed; the chats of the plan's memberships are wanted from now on."""
    db.execute("DELETE FROM actual")
    db.execute(
        "INSERT OR IGNORE INTO wanted (kind, key, other) SELECT kind, key, other FROM item WHERE kind = 'member'"
    )


def chats_to_list(db: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Return the next chats that exist and whose members a source speaks of, by id."""
    rows = db.execute(
        "SELECT key FROM actual WHERE kind = 'chat' AND NOT own AND key > ?"
        " AND EXISTS (SELECT 1 FROM wanted AS w WHERE w.kind IN ('member', 'chat') AND w.key = actual.key)"
        " ORDER BY key LIMIT ?",
        (after, limit),
    )
    return [key for (key,) in rows]


def actual_of(db: sqlite3.Connection, entries: Iterable[Entry]) -> list[tuple[bool, str | None] | None]:
    """Return of each item's record whether it is the platform's own, and its state; None when it does not exist."""
    query = "SELECT own, state FROM actual WHERE kind = ? AND key = ? AND other = ?"
    found: list[tuple[bool, str | None] | None] = []
    for entry in entries:
        row = db.execute(query, (entry.kind, entry.key, entry.other)).fetchone()
        found.append(None if row is None else (bool(row[0]), row[1]))
    return found


def _insert_wanted(db: sqlite3.Connection, row: Wanted) -> bool:
    values = (
        row.kind, row.key, row.other, encoded(row.state), encoded(row.item), row.needs_source, row.email, row.file,
        row.line,
    )  # fmt: skip
    return db.execute("INSERT OR IGNORE INTO wanted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values).rowcount > 0


def _refuse(db: sqlite3.Connection, row: Wanted, field: str, reason: str) -> None:
    db.execute(_PROBLEM, (row.kind, row.key, row.file, row.line, field, reason))


def _where(file: str | None, line: int | None) -> str:
    return f"on line {line} of {file}" if file else f"on line {line}"
