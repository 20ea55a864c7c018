"""Rejected rows: invalid ones, and those that the platform rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sync.store.items import Problem
from ethora_async.sync.store.schema import FILE_NAME

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

# Neither table has an index for looking up single rows.
_COLLECT = (
    "CREATE TEMP TABLE IF NOT EXISTS refused (kind TEXT, id TEXT, file TEXT, line INTEGER, reason TEXT)",
    "DELETE FROM refused",
    "INSERT INTO refused SELECT kind, id, file, line, reason FROM bad",
    (
        "INSERT INTO refused SELECT kind, CASE other WHEN '' THEN key ELSE key || '/' || other END,"
        f" {FILE_NAME}, line, reason FROM item WHERE status = 'failed' AND file IS NOT NULL"
    ),
    "CREATE INDEX IF NOT EXISTS refused_by_id ON refused (kind, id)",
)


def problems_after(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, Problem]]:
    """Return the next invalid rows, each with its number, in the order in which they were read."""
    rows = db.execute(
        "SELECT rowid, kind, id, file, line, field, reason FROM bad WHERE rowid > ? ORDER BY rowid LIMIT ?",
        (after, limit),
    )
    return [(number, Problem(*columns)) for number, *columns in rows]


def problem_counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return the number of invalid rows, by kind."""
    return dict(db.execute("SELECT kind, COUNT(*) FROM bad GROUP BY kind").fetchall())


def unsafe_rows(db: sqlite3.Connection) -> int:
    """Return the number of invalid rows that may mean a record that would be deleted."""
    return int(db.execute("SELECT COUNT(*) FROM bad WHERE unsafe").fetchone()[0])


def collect_refused(db: sqlite3.Connection) -> bool:
    """Prepare `refusals`; return whether any row was rejected."""
    for statement in _COLLECT:
        db.execute(statement)
    return db.execute("SELECT 1 FROM refused LIMIT 1").fetchone() is not None


def refusals(
    db: sqlite3.Connection, kind: str, rows: Sequence[tuple[str, str | None, int]], *, by_line: bool
) -> list[str | None]:
    """Return why each row was rejected, or None; a row is its id, file and line. Rows of a database have no lines."""
    found: list[str | None] = []
    for id, file, line in rows:
        place = (file, line) if by_line else (None, None)
        reason = db.execute(
            "SELECT reason FROM refused WHERE kind = ? AND id = ? AND (? IS NULL OR (file = ? AND line = ?))",
            (kind, id, place[0], *place),
        ).fetchone()
        found.append(None if reason is None else reason[0])
    return found
