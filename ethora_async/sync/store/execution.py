"""The state of items while a plan is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async.sync.store.items import Deletions, Entry, ToSend, decoded, decoded_all
from ethora_async.sync.store.schema import COLUMNS, INTENDED, ITEM_INDEX, KNOWN, PENDING, SENT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from ethora_async.sync.store.items import Kind, Result

T = TypeVar("T")

_MARK_SENT = f"UPDATE item SET state = {SENT} WHERE number BETWEEN ? AND ?"
_MARK_KNOWN = (
    f"UPDATE item SET state = {KNOWN}, status = CASE"
    " WHEN lost AND :status = 'existed' AND action IN ('create', 'grant') THEN 'created'"
    " WHEN lost AND :status = 'absent' AND action IN ('delete', 'revoke') THEN 'deleted'"
    " ELSE :status END, reason = :reason, attempts = attempts + :attempts"
    f" WHERE number BETWEEN :first AND :last AND state < {KNOWN}"
)
_TO_DO = f"step > 0 AND state < {KNOWN}"
_DELETIONS: tuple[tuple[Kind, str], ...] = (("user", "delete"), ("chat", "delete"), ("member", "revoke"))


def select_entries(
    db: sqlite3.Connection,
    condition: str,
    values: Sequence[Any] = (),
    *,
    after: int = 0,
    limit: int,
    order: str = "number",
) -> list[Entry]:
    """Return the items after number `after` that meet a condition, by number or in another order."""
    query = f"SELECT {COLUMNS} FROM item WHERE number > ? AND ({condition}) ORDER BY {order} LIMIT ?"
    return [_entry(row) for row in db.execute(query, (after, *values, limit))]


def mark_sent(db: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Mark items as sent: from now on they may have taken effect."""
    db.executemany(_MARK_SENT, [span for _, *span in _spans([((), number) for number in numbers])])


def mark_known(db: sqlite3.Connection, results: Iterable[Result]) -> None:
    """Record the results of items."""
    spans = _spans([((status, reason, attempts), number) for status, reason, attempts, number in results])
    names = ("status", "reason", "attempts", "first", "last")
    db.executemany(_MARK_KNOWN, [dict(zip(names, (*told, *span), strict=True)) for told, *span in spans])


def refuse(db: sqlite3.Connection, results: Sequence[Result]) -> None:
    """Record the results of items for good: they are never sent again."""
    mark_known(db, results)
    db.executemany("UPDATE item SET step = -ABS(step) WHERE number = ?", [(result[3],) for result in results])


def take_up(db: sqlite3.Connection) -> int:
    """Reset items that failed or are unknown, and return the number of items to do."""
    # One pass over the items tells whether there are any, in place of two that change some.
    if db.execute(f"SELECT 1 FROM item WHERE step > 0 AND state > {INTENDED} LIMIT 1").fetchone() is not None:
        db.execute(f"UPDATE item SET lost = 1 WHERE step > 0 AND (state = {SENT} OR status = 'unknown')")
        db.execute(
            f"UPDATE item SET state = {INTENDED}, status = '{PENDING}', reason = NULL"
            f" WHERE step > 0 AND (state = {SENT} OR status IN ('failed', 'unknown'))"
        )
    return remaining(db)


def remaining(db: sqlite3.Connection, step: int | None = None) -> int:
    """Return the number of items to do, in all steps or in one."""
    if step is None:
        return int(db.execute(f"SELECT COUNT(*) FROM item WHERE {_TO_DO}").fetchone()[0])
    query = f"SELECT COUNT(*) FROM item WHERE step = ? AND state < {KNOWN}"
    return int(db.execute(query, (step,)).fetchone()[0])


def was_begun(db: sqlite3.Connection) -> bool:
    """Return whether anything was sent."""
    query = f"SELECT 1 FROM item WHERE step > 0 AND (state = {SENT} OR attempts > 0) LIMIT 1"
    return db.execute(query).fetchone() is not None


def remaining_after(db: sqlite3.Connection, after: int, limit: int) -> list[Entry]:
    """Return the next items to do."""
    return select_entries(db, _TO_DO, after=after, limit=limit)


def sendable(db: sqlite3.Connection, step: int, after: int, limit: int) -> list[Entry]:
    """Return the next items of a step that need no source."""
    condition = f"step = ? AND state = {INTENDED} AND NOT needs_source"
    return select_entries(db, condition, (step,), after=after, limit=limit)


def to_send(db: sqlite3.Connection, step: int, after: int, limit: int) -> list[ToSend]:
    """Return what is needed of the next items of a step that need no source."""
    rows = db.execute(
        "SELECT number, key, other, COALESCE(after, 'null') FROM item"
        f" WHERE step = ? AND state = {INTENDED} AND NOT needs_source AND number > ? ORDER BY number LIMIT ?",
        (step, after, limit),
    ).fetchall()
    numbers, keys, others, texts = zip(*rows, strict=True) if rows else ((), (), (), ())
    return list(map(ToSend, numbers, keys, others, decoded_all(texts)))


def unsent(db: sqlite3.Connection, step: int, after: int, limit: int) -> list[Entry]:
    """Return the next items of a step, those that need their source among them."""
    return select_entries(db, f"step = ? AND state = {INTENDED}", (step,), after=after, limit=limit)


def awaiting_source(db: sqlite3.Connection, step: int, keys: Sequence[str]) -> list[tuple[str, dict[str, Any], int]]:
    """Return key, record and number of the users of a step whose password only the source has."""
    db.execute(ITEM_INDEX)
    marks = ", ".join("?" * len(keys))
    rows = db.execute(
        f"SELECT key, after, number FROM item WHERE kind = 'user' AND step = ? AND state = {INTENDED} AND needs_source"
        f" AND key IN ({marks})",
        (step, *keys),
    )
    return [(key, decoded(after) or {}, number) for key, after, number in rows]


def fail_awaiting_source(db: sqlite3.Connection, step: int, reason: str) -> int:
    """Fail the items that still wait for their source; return their number."""
    return db.execute(
        f"UPDATE item SET state = {KNOWN}, status = 'failed', reason = ?"
        f" WHERE step = ? AND state = {INTENDED} AND needs_source",
        (reason, step),
    ).rowcount


def fail_grants_of_the_uncreated(db: sqlite3.Connection, step: int) -> None:
    """Fail memberships of users, and in chats, that could not be created."""
    db.execute(ITEM_INDEX)
    for kind, column in (("user", "other"), ("chat", "key")):
        db.execute(
            f"UPDATE item SET state = {KNOWN}, status = 'failed',"
            f" reason = 'the {kind} ' || {column} || ' was not created'"
            f" WHERE step = ? AND state = {INTENDED} AND action = 'grant' AND EXISTS (SELECT 1 FROM item AS part"
            f"  WHERE part.kind = '{kind}' AND part.action = 'create' AND part.key = item.{column}"
            "  AND part.status IN ('failed', 'unknown'))",
            (step,),
        )


def steps(db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    """Return the steps with items to do, each with its kind and action, in order."""
    rows = db.execute(f"SELECT DISTINCT step, kind, action FROM item WHERE {_TO_DO} ORDER BY step, kind, action")
    return list(rows.fetchall())


def counts(db: sqlite3.Connection) -> dict[tuple[str, str, str | None], int]:
    """Return the number of items by kind, action and status; an unknown status is None."""
    rows = db.execute("SELECT kind, action, status, COUNT(*) FROM item GROUP BY kind, action, status")
    return {(kind, action, None if status == PENDING else status): count for kind, action, status, count in rows}


def planned_counts(db: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """Return the number of items by kind and action."""
    rows = db.execute("SELECT kind, action, COUNT(*) FROM item GROUP BY kind, action")
    return {(kind, action): count for kind, action, count in rows}


def deletions(db: sqlite3.Connection) -> list[Deletions]:
    """Return the planned deletions of each kind."""
    found = []
    # Where nothing is listed, nothing is deleted, and the items need not be counted.
    planned = planned_counts(db) if db.execute("SELECT 1 FROM actual LIMIT 1").fetchone() else {}
    for kind, action in _DELETIONS:
        mine = " AND key NOT IN (SELECT key FROM other_chat)" if kind == "chat" else ""
        gone = planned.get((kind, action), 0)
        if gone and mine:
            query = f"SELECT COUNT(*) FROM item WHERE kind = ? AND action = ?{mine}"
            gone = db.execute(query, (kind, action)).fetchone()[0]
        listed = db.execute(f"SELECT COUNT(*) FROM actual WHERE kind = ? AND NOT own{mine}", (kind,)).fetchone()[0]
        found.append(Deletions(kind, action, gone, listed))
    return found


def _spans(items: list[tuple[T, int]]) -> list[tuple[T, int, int]]:
    """Merge items with adjacent numbers and equal results: one statement changes all of them."""
    items.sort(key=_number)
    spans: list[tuple[T, int, int]] = []
    start = 0
    for place, (told, number) in enumerate(items[1:], 1):
        before, last = items[place - 1]
        if number != last + 1 or told != before:
            spans.append((before, items[start][1], last))
            start = place
    return [*spans, (items[-1][0], items[start][1], items[-1][1])] if items else []


def _number(item: tuple[Any, int]) -> int:
    return item[1]


def _entry(row: Sequence[Any]) -> Entry:
    number, step, kind, action, key, other, before, after, needs_source, file, line, status, reason = row
    return Entry(
        number, step, kind, action, key, other, decoded(before), decoded(after), bool(needs_source), file, line,
        status, reason,
    )  # fmt: skip
