"""Turn the differences between the sources and the platform into items of the journal.

Everything is a join on disk, so that memory use does not grow with either side. First every wanted record is matched
with a record of the platform (`matching`); then users and chats are compared and put into an order in which unique
e-mail addresses are free when they are needed (`addresses`); memberships come last, with the ids that both sides will
have then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sync.store import addresses, advice, execution, key_ranges, matching, sides
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, LEAVES_FIRST, STEPS, Compared, decoded, encoded
from ethora_async.sync.store.schema import FILE_NUMBER, ITEM_INDEX, TARGET_INDEX

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from ethora_async.capabilities import State
    from ethora_async.sync.store.items import Comparison, Entry, Kind

_COLUMNS = "step, kind, action, key, other, before, after, needs_source, file, line"
_INSERT = f"INSERT INTO item ({_COLUMNS})"
_NO_RENAME = "the same e-mail address under another id: the platform cannot rename users, so the old id stays"
_PARTS: tuple[Kind, ...] = ("user", "chat")


def write_differences(db: sqlite3.Connection, what: Comparison) -> Compared:
    """Create an item for every difference."""
    listed = db.execute("SELECT 1 FROM actual LIMIT 1").fetchone() is not None
    # Without anything to match, rows are only read in the order of their keys.
    sides.index_wanted(db, by_key_only=not listed and "member" not in what.sources)
    db.execute("INSERT OR IGNORE INTO source_file (name) SELECT DISTINCT file FROM wanted WHERE file IS NOT NULL")
    matching.match_records(db, replace=what.replace and what.prune and "id" not in what.changeable.get("user", ()))
    for kind, rule in what.names.items():
        matching.refuse_names(db, kind, rule)
    for kind in _PARTS:
        if kind in what.kinds:
            _missing(db, kind)
            if not listed:
                continue
            add_rows(db, _changed(db, kind, what.changeable[kind]))
            keep = kind == "user" and "email" not in what.changeable[kind] and not what.replace
            _superfluous(db, kind, "delete" if what.prune else EXTRA, keep_addresses=keep)
    if "user" in what.kinds:
        advice.add_left_out(db, what.left_out)
    if listed and db.execute("SELECT 1 FROM item WHERE kind = 'user' AND step > 0 LIMIT 1").fetchone() is not None:
        sides.index_actual(db)
        addresses.order(db)
    matching.match_memberships(db, what)
    if "member" in what.kinds:
        db.execute(ITEM_INDEX)
        db.execute(TARGET_INDEX)
        _superfluous_memberships(db, "revoke" if what.prune else EXTRA)
    deletions = execution.deletions(db)
    mine = {"chat": " AND key NOT IN (SELECT key FROM other_chat)"}
    kinds = sorted(what.kinds)
    counted = ", ".join(f"TOTAL(kind = '{kind}' AND NOT refused{mine.get(kind, '')})" for kind in kinds)
    counts = db.execute(f"SELECT {counted} FROM wanted").fetchone()
    left = _cut(db, "kind <> 'member'", what.limit)
    if "member" in what.kinds:
        left += _grant(db)
        left += _cut(db, "kind = 'member'", what.limit)
    key_ranges.drop_other_chats(db)
    warnings = advice.short_names(db, what.short_names)
    return Compared(deletions, left, dict(zip(kinds, map(int, counts), strict=True)), warnings)


def add_rows(db: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert items."""
    numbers: dict[str | None, int | None] = {None: None}
    for *columns, file, line, reason in rows:
        if file not in numbers:
            db.execute("INSERT OR IGNORE INTO source_file (name) VALUES (?)", (file,))
            numbers[file] = db.execute("SELECT number FROM source_file WHERE name = ?", (file,)).fetchone()[0]
        values = (*columns, numbers[file], line, reason)
        db.execute(f"INSERT INTO item ({_COLUMNS}, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def row_of(entry: Entry) -> tuple[Any, ...]:
    """Return the columns of an item for `add_rows`."""
    return (
        entry.step, entry.kind, entry.action, entry.key, entry.other,
        encoded(entry.before), encoded(entry.after), entry.needs_source, entry.file, entry.line,
        entry.reason,
    )  # fmt: skip


def different(wanted: State, actual: State) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Return the fields that differ, with their current and their wanted values.

    A field that is None is not stated and may have any value; an empty text clears it.
    """
    fields = [name for name, value in wanted.items() if value is not None and value != (actual.get(name) or "")]
    return {name: actual.get(name) for name in fields}, {name: wanted[name] for name in fields}


def _missing(db: sqlite3.Connection, kind: Kind) -> None:
    db.execute(
        f"{_INSERT} SELECT ?, kind, 'create', key, '', NULL, item, needs_source, {FILE_NUMBER.format('file')}, line"
        " FROM wanted"
        " WHERE kind = ? AND NOT same AND NOT refused AND target IS NULL ORDER BY key",
        (STEPS[kind, "create"], kind),
    )


def _changed(db: sqlite3.Connection, kind: Kind, changeable: frozenset[str]) -> Iterator[tuple[Any, ...]]:
    pairs = db.execute(
        "SELECT w.key, a.key, w.state, a.state, w.item, w.file, w.line FROM wanted AS w JOIN actual AS a"
        " ON a.kind = w.kind AND a.key = w.target AND a.other = '' WHERE w.kind = ? AND NOT w.same AND NOT w.refused"
        # Most are equal, and need no closer look: what is stated changes nothing of what is there.
        " AND (json_patch(a.state, w.state) <> a.state OR w.key <> a.key)",
        (kind,),
    )
    for key, target, wanted, actual, item, file, line in pairs:
        before, after = different(decoded(wanted) or {}, decoded(actual) or {})
        if key != target:
            before, after = {"id": target, **before}, {"id": key, **after}
        if here := {name: value for name, value in after.items() if name in changeable}:
            # The whole record is sent: a platform may store two of our fields as one.
            whole = {"item": decoded(item), "fields": here}
            yield _row(STEPS[kind, "update"], kind, "update", target, before, here, whole, file, line)
        if there := {name: value for name, value in after.items() if name not in changeable}:
            reason = _NO_RENAME if "id" in there else _holder(db, target, there.get("email"))
            yield _row(0, kind, CANNOT_CHANGE, target, before, there, {"fields": there}, file, line, reason)


def _holder(db: sqlite3.Connection, key: str, email: str | None) -> str | None:
    """Return who else has the address that a user cannot get; None if nobody has."""
    if email is None:
        return None
    query = "SELECT MIN(key) FROM actual WHERE kind = 'user' AND email = ? AND key <> ?"
    holder = db.execute(query, (email, key)).fetchone()[0]
    return None if holder is None else f"email {email!r} belongs to {holder!r} on the platform, who keeps it"


def _row(
    step: int,
    kind: str,
    action: str,
    key: str,
    before: Mapping[str, Any],
    fields: Mapping[str, Any],
    after: Mapping[str, Any],
    file: str | None,
    line: int | None,
    reason: str | None = None,
) -> tuple[Any, ...]:
    old = {name: before[name] for name in fields}
    return (step, kind, action, key, "", encoded(old), encoded(after), False, file, line, reason)


def _superfluous(db: sqlite3.Connection, kind: Kind, action: str, *, keep_addresses: bool) -> None:
    """Create items for the records that no row wants.

    Args:
        db: the connection.
        kind: users or chats.
        action: ``delete``, or ``extra`` to report them.
        keep_addresses: whether to leave out users whose address another user should have: addresses cannot be changed,
            so that it would free nothing, and both rows may be about one person with a new id.
    """
    # Two rows are never the same record: if there are as many of these as of records, all records are wanted.
    same = db.execute("SELECT TOTAL(same AND kind = ?) FROM wanted", (kind,)).fetchone()
    if same == db.execute("SELECT COUNT(*) FROM actual WHERE kind = ? AND NOT own", (kind,)).fetchone():
        return
    db.execute(TARGET_INDEX)
    # A row that could not be read is in the list all the same. Deletions are stopped by the guard then.
    unread = " AND key NOT IN (SELECT b.id FROM bad AS b WHERE b.kind = ? AND b.id IS NOT NULL)"
    claimed = " AND NOT EXISTS (SELECT 1 FROM wanted AS w WHERE w.email = a.email AND w.target <> a.key)"
    db.execute(
        f"{_INSERT} SELECT ?, kind, ?, key, '', state, NULL, 0, NULL, NULL FROM actual AS a WHERE kind = ? AND NOT own"
        " AND NOT EXISTS (SELECT 1 FROM wanted AS w WHERE w.kind = a.kind AND w.target = a.key)"
        # A rejected row may mean the user who has its address.
        " AND NOT EXISTS (SELECT 1 FROM wanted AS w WHERE w.refused AND w.email = a.email)"
        f"{unread if action == EXTRA else ''}{claimed if keep_addresses else ''} ORDER BY key",
        (STEPS.get((kind, action), 0), action, kind, *([kind] if action == EXTRA else [])),
    )


def _superfluous_memberships(db: sqlite3.Connection, action: str) -> None:
    # The memberships of a deleted chat or user need not be revoked: they disappear with it.
    gone = "SELECT 1 FROM item AS i WHERE i.action = 'delete' AND i.kind = '{}' AND i.key = a.{}"
    db.execute(
        f"{_INSERT} SELECT ?, kind, ?, key, other, state, NULL, 0, NULL, NULL FROM actual AS a"
        " WHERE kind = 'member' AND NOT own AND NOT EXISTS (SELECT 1 FROM wanted AS w"
        "  WHERE w.kind = 'member' AND w.target = a.key AND w.other_target = a.other)"
        # A rejected user's memberships are kept.
        " AND NOT EXISTS (SELECT 1 FROM wanted AS u WHERE u.kind = 'user' AND u.refused AND u.target = a.other)"
        # A rejected row may mean the user who has its address, unless another row is about that user.
        " AND NOT EXISTS (SELECT 1 FROM actual AS h JOIN wanted AS u ON u.email = h.email AND u.refused"
        "  WHERE h.kind = 'user' AND h.key = a.other AND NOT EXISTS (SELECT 1 FROM wanted AS m"
        "   WHERE m.kind = 'user' AND NOT m.refused AND m.target = a.other))"
        f" AND NOT EXISTS ({gone.format('chat', 'key')}) AND NOT EXISTS ({gone.format('user', 'other')})"
        " ORDER BY key, other",
        (STEPS.get(("member", action), 0), action),
    )
    if action == "revoke":
        db.execute(
            "UPDATE item SET step = ? WHERE action = 'revoke' AND EXISTS (SELECT 1 FROM item AS i WHERE i.kind = 'user'"
            " AND i.action = 'update' AND i.key = item.other AND json_extract(i.after, '$.fields.id') IS NOT NULL)",
            (LEAVES_FIRST,),
        )


def _grant(db: sqlite3.Connection) -> int:
    """Create items for the missing memberships, with the ids that chats and users will have then.

    Returns:
        The number of memberships that must wait for a user or chat that is not created now.
    """
    missing = (
        "FROM wanted AS w WHERE w.kind = 'member' AND NOT w.refused AND NOT EXISTS (SELECT 1 FROM actual AS a"
        " WHERE a.kind = 'member' AND a.key = w.target AND a.other = w.other_target)"
    )
    created = "EXISTS (SELECT 1 FROM item AS i WHERE i.kind = '{}' AND i.action = 'create' AND i.key = w.{})"
    possible = (
        f"(w.target IS NOT NULL OR {created.format('chat', 'key')})"
        f" AND (w.other_target IS NOT NULL OR {created.format('user', 'other')})"
    )
    renamed = (
        "(SELECT json_extract(i.after, '$.fields.id') FROM item AS i"
        " WHERE i.kind = 'user' AND i.action = 'update' AND i.key = w.other_target AND i.step > 0"
        " AND json_extract(i.after, '$.fields.id') IS NOT NULL)"
    )
    user = f"COALESCE({renamed}, w.other_target, w.other)"
    waiting = db.execute(f"SELECT COUNT(*) {missing} AND NOT ({possible})").fetchone()[0]
    db.execute(
        f"{_INSERT} SELECT ?, 'member', 'grant', key, user, NULL, '{{}}', 0, {FILE_NUMBER.format('file')}, line"
        f" FROM (SELECT w.key AS key, {user} AS user, MIN(w.file) AS file, MIN(w.line) AS line"
        f" {missing} AND {possible} GROUP BY w.key, user) ORDER BY key, user",
        (STEPS["member", "grant"],),
    )
    return int(waiting)


def _cut(db: sqlite3.Connection, which: str, limit: int | None) -> int:
    """Keep the first changes of each kind and action. Changes that depend on each other are kept or cut together."""
    if limit is None:
        return 0
    over = (
        "SELECT number FROM (SELECT number, ROW_NUMBER() OVER (PARTITION BY kind, action ORDER BY number) AS place"
        f" FROM item WHERE step > 0 AND {which}) WHERE place > :limit"
    )
    return db.execute(
        f"DELETE FROM item WHERE number IN ({over}) AND (bundle IS NULL OR bundle NOT IN"
        f" (SELECT bundle FROM item WHERE bundle IS NOT NULL AND step > 0 AND number NOT IN ({over})))",
        {"limit": limit},
    ).rowcount
