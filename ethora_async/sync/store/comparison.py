"""The differences between what the sources want and what the platform lists; they become items of the journal.

Everything is a join on disk, so that memory does not grow with either side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, FREES_AN_ADDRESS, STEPS, decoded, encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from ethora_async.capabilities import State
    from ethora_async.sync.store.items import Comparison, Entry, Kind

_PARTS = (("chat", "key"), ("user", "other"))
"""The kinds that a membership joins, and its column that names each."""

_INSERT = "INSERT INTO item (step, kind, action, key, other, before, after, needs_source, file, line)"


def write_differences(db: sqlite3.Connection, what: Comparison, *, limit: int | None) -> int:
    """Make an item of every difference.

    Returns:
        How many changes are left for later, since `limit` cuts them off or what they need does not exist yet.
    """
    _refuse_reserved(db)
    if "member" in what.kinds:
        _refuse_unknown(db)
        if what.prune:
            _refuse_doomed(db, what.kinds)
    kinds: tuple[Kind, ...] = ("user", "chat")
    for kind in kinds:
        if kind in what.kinds:
            _missing(db, kind, "create")
            add_rows(db, _changed(db, kind, what.changeable[kind]))
    if "member" in what.kinds:
        _missing(db, "member", "grant")
    # Chats first: the memberships of a deleted chat go with it, and need not be revoked one by one.
    for kind, gone in (("chat", "delete"), ("member", "revoke"), ("user", "delete")):
        if kind in what.kinds:
            _superfluous(db, kind, gone if what.prune else EXTRA)
    order_by_address(db)
    return _cut_off(db, limit)


def add_rows(db: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert items."""
    db.executemany(f"{_INSERT} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def row_of(entry: Entry) -> tuple[Any, ...]:
    """Return the columns of an item for `add_rows`."""
    return (
        entry.step, entry.kind, entry.action, entry.key, entry.other,
        encoded(entry.before), encoded(entry.after), entry.needs_source, entry.file, entry.line,
    )  # fmt: skip


def different(wanted: State, actual: State) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Return the fields that differ, as they are and as they should be. What is not stated may be anything."""
    fields = [name for name, value in wanted.items() if value is not None and value != actual.get(name)]
    return {name: actual.get(name) for name in fields}, {name: wanted[name] for name in fields}


def order_by_address(db: sqlite3.Connection) -> None:
    """Move deletions first that free an e-mail address for somebody else."""
    db.execute(
        f"UPDATE item SET step = {FREES_AN_ADDRESS} WHERE step > 0 AND kind = 'user' AND action = 'delete'"
        " AND json_extract(before, '$.email') IN ("
        "  SELECT json_extract(after, '$.email') FROM item WHERE kind = 'user' AND action = 'create')"
    )


def _changed(db: sqlite3.Connection, kind: Kind, fields: frozenset[str]) -> Iterator[tuple[Any, ...]]:
    pairs = db.execute(
        "SELECT w.key, w.state, a.state, w.item, w.file, w.line FROM wanted AS w JOIN actual AS a"
        " ON a.kind = w.kind AND a.key = w.key AND a.other = w.other WHERE w.kind = ? AND w.state <> a.state",
        (kind,),
    )
    for key, wanted, actual, item, file, line in pairs:
        before, after = different(decoded(wanted) or {}, decoded(actual) or {})
        if here := {name: value for name, value in after.items() if name in fields}:
            # What is sent is made of the whole record: a platform may keep two fields of ours as one.
            whole = {"item": decoded(item), "fields": here}
            old = {name: before[name] for name in here}
            yield (STEPS[kind, "update"], kind, "update", key, "", encoded(old), encoded(whole), False, file, line)
        if there := {name: value for name, value in after.items() if name not in fields}:
            old = {name: before[name] for name in there}
            yield (0, kind, CANNOT_CHANGE, key, "", encoded(old), encoded({"fields": there}), False, file, line)


def _refuse_doomed(db: sqlite3.Connection, kinds: frozenset[Kind]) -> None:
    """Refuse memberships of users, or in chats, that are to be deleted."""
    for kind, column in _PARTS:
        if kind in kinds:
            unwanted = f"NOT EXISTS (SELECT 1 FROM wanted AS s WHERE s.kind = '{kind}' AND s.key = wanted.{column})"
            _refuse_members(db, kind, column, unwanted, "is to be deleted, since no other source wants it")


def _refuse_unknown(db: sqlite3.Connection) -> None:
    for kind, column in _PARTS:
        own = f"EXISTS (SELECT 1 FROM actual AS s WHERE s.kind = '{kind}' AND s.key = wanted.{column} AND s.own)"
        _refuse_members(db, kind, column, own, "is one of the platform''s own, which are left alone")
        nowhere = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {side} AS s WHERE s.kind = '{kind}' AND s.key = wanted.{column})"
            for side in ("wanted", "actual")
        )
        _refuse_members(db, kind, column, nowhere, "is neither among those wanted nor on the platform")


def _refuse_members(db: sqlite3.Connection, kind: str, column: str, where: str, reason: str) -> None:
    db.execute(
        f"INSERT INTO bad SELECT 'member', key || '/' || other, file, line, '{kind}',"
        f" 'the {kind} ' || {column} || ' {reason}' FROM wanted WHERE kind = 'member' AND {where}"
    )
    db.execute(f"DELETE FROM wanted WHERE kind = 'member' AND {where}")


def _refuse_reserved(db: sqlite3.Connection) -> None:
    reserved = (
        "kind <> 'member' AND EXISTS"
        " (SELECT 1 FROM actual AS a WHERE a.kind = wanted.kind AND a.key = wanted.key AND a.own)"
    )
    reason = "' is one of the platform''s own, which are left alone'"
    db.execute(
        f"INSERT INTO bad SELECT kind, key, file, line, 'id', 'the ' || kind || {reason} FROM wanted WHERE {reserved}"
    )
    db.execute(f"DELETE FROM wanted WHERE {reserved}")


def _missing(db: sqlite3.Connection, kind: Kind, action: str) -> None:
    db.execute(
        f"{_INSERT} SELECT ?, kind, ?, key, other, NULL, item, needs_source, file, line FROM wanted AS s"
        f" WHERE kind = ? AND {_not_in('actual')} ORDER BY key, other",
        (STEPS[kind, action], action, kind),
    )


def _superfluous(db: sqlite3.Connection, kind: str, action: str) -> None:
    stays = "NOT EXISTS (SELECT 1 FROM item WHERE action = 'delete' AND item.kind = 'chat' AND item.key = s.key)"
    extra = f"NOT own AND {_not_in('wanted')} AND {stays if kind == 'member' else '1'}"
    db.execute(
        f"{_INSERT} SELECT ?, kind, ?, key, other, state, NULL, 0, NULL, NULL FROM actual AS s"
        f" WHERE kind = ? AND {extra} ORDER BY key, other",
        (STEPS.get((kind, action), 0), action, kind),
    )


def _not_in(side: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {side} AS o WHERE o.kind = s.kind AND o.key = s.key AND o.other = s.other)"


def _cut_off(db: sqlite3.Connection, limit: int | None) -> int:
    before = remaining_changes(db)
    if limit is not None:
        _keep_first(db, "kind <> 'member'", limit)
    # A user who is not created now cannot enter a chat now, nor can anybody enter a chat that is not.
    for kind, column in (("user", "other"), ("chat", "key")):
        db.execute(
            f"DELETE FROM item WHERE action = 'grant' AND NOT EXISTS ("
            f" SELECT 1 FROM actual AS a WHERE a.kind = '{kind}' AND a.key = item.{column}) AND NOT EXISTS ("
            f" SELECT 1 FROM item AS i WHERE i.kind = '{kind}' AND i.action = 'create' AND i.key = item.{column})"
        )
    if limit is not None:
        _keep_first(db, "kind = 'member'", limit)
    return before - remaining_changes(db)


def remaining_changes(db: sqlite3.Connection) -> int:
    """Return how many items are to be carried out."""
    return int(db.execute("SELECT COUNT(*) FROM item WHERE step > 0").fetchone()[0])


def _keep_first(db: sqlite3.Connection, which: str, limit: int) -> None:
    db.execute(
        "DELETE FROM item WHERE number IN (SELECT number FROM ("
        " SELECT number, ROW_NUMBER() OVER (PARTITION BY kind, action ORDER BY number) AS place"
        f" FROM item WHERE step > 0 AND {which}) WHERE place > ?)",
        (limit,),
    )
