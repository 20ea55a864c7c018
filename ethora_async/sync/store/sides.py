"""Both sides of a comparison: the wanted rows of the sources, and the platform's records."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ethora_async.sync.store import key_ranges
from ethora_async.sync.store.items import Actual, Wanted, decoded, encoded
from ethora_async.sync.store.schema import ACTUAL_INDEXES, REPEAT_INDEXES, WANTED_INDEX_NAMES, WANTED_INDEXES
from ethora_async.wording import quoted_apart

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from ethora_async.capabilities import ListedUsers
    from ethora_async.sync.store.items import Entry, Problem, WantedUsers
    from ethora_async.sync.store.key_ranges import KeyRange

_PROBLEM = "INSERT INTO bad (rowid, kind, id, file, line, field, reason, unsafe) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_WANTED = (
    "INSERT OR IGNORE INTO wanted"
    " (rowid, kind, key, other, identity, other_identity, state, item, needs_source, email, file, line, target, same)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_WANTED_USER = (
    "INSERT OR IGNORE INTO wanted (rowid, kind, key, other, identity, state, item, needs_source, email, file, line)"
    " VALUES (?, 'user', ?, '', ?, ?, ?, 0, ?, ?, ?)"
)
_SAME_USER = (
    "INSERT OR IGNORE INTO wanted (rowid, kind, key, other, identity, needs_source, email, file, line, target, same)"
    " SELECT ?, 'user', key, '', ?, 0, ?, ?, ?, key, 1 FROM actual"
    " WHERE kind = 'user' AND key = ? AND other = '' AND state = ? AND NOT own"
)
"""Adds a user if the listed record with the same id is exactly this one."""

_ACTUAL = "INSERT OR {} INTO actual (kind, key, other, identity, state, email, own) VALUES (?, ?, ?, ?, ?, ?, ?)"
_REPEATED = " UNION ".join(
    [
        f"SELECT rowid FROM wanted WHERE {which} AND ({columns}) IN"
        f" (SELECT {columns} FROM wanted WHERE {which} GROUP BY {columns} HAVING COUNT(*) > 1)"
        for which, columns in (
            ("email IS NOT NULL", "email"),
            ("kind <> 'member'", "kind, key"),
            ("kind <> 'member' AND identity <> key", "kind, identity"),
            ("kind = 'member'", "key, other"),
        )
    ]
    + [
        f"SELECT {row}.rowid FROM wanted AS other CROSS JOIN wanted AS plain ON plain.kind = other.kind"
        " AND plain.key = other.identity AND plain.identity = plain.key"
        " WHERE other.kind <> 'member' AND other.identity <> other.key"
        for row in ("other", "plain")
    ]
)
"""The numbers of wanted rows that share with others what no two may share. Of most rows the key is the identity."""

_OF_IDENTITY = " UNION ALL ".join(
    f"SELECT key, file, line FROM wanted WHERE kind = :kind AND {which} AND NOT refused"
    for which in ("key = :identity AND identity = key", "identity = :identity AND identity <> key")
)

_MANY = 20_000
"""Rows of the sources that are looked up as they come. Of more, those that repeat something are found at the end."""


def clear(db: sqlite3.Connection) -> None:
    """Delete everything that an earlier attempt at a plan left."""
    _drop_indexes(db)
    for table in ("wanted", "actual", "named", "bad", "item", "source_file"):
        db.execute(f"DELETE FROM {table}")


def clear_users(db: sqlite3.Connection) -> None:
    """Delete both sides of the users, to read them once more, and the rows that cannot be used."""
    for table in ("wanted", "actual", "bad"):
        db.execute(f"DELETE FROM {table}")
    key_ranges.begin(db)


class Seen:
    """The ids and addresses of the wanted rows so far, as hashes, to find rows that certainly repeat nothing.

    Args:
        limit: maximum number of hashes, some 60 bytes each. Beyond it, every row may repeat something.
    """

    def __init__(self, limit: int = 40_000) -> None:
        self._limit = limit
        self._hashes: set[int] = set()
        self._rows = 0

    @property
    def many(self) -> bool:
        """Whether there are too many rows to look them up one by one."""
        return self._rows > _MANY

    def number(self, rows: int) -> int:
        """Count rows that come next; return the number of the first."""
        first = self._rows + 1
        self._rows += rows
        if self.many:
            self._hashes = set()  # which nobody asks for any more, and which takes 5 MB
        return first

    def may_repeat(self, hashes: Sequence[int]) -> bool:
        """Return whether one of the rows with these hashes may repeat something of an earlier one; remember them."""
        if len(self._hashes) > self._limit:
            return True
        found = not self._hashes.isdisjoint(hashes)
        before = len(self._hashes)
        self._hashes.update(hashes)
        return found or len(self._hashes) != before + len(hashes)


def _hashes(rows: Iterable[Wanted]) -> list[int]:
    """Return the hashes of ids and addresses, which no two rows may share."""
    hashes: list[int] = []
    for row in rows:
        hashes.append(hash((row.kind, row.key, row.other)))
        if row.identity is not None and row.identity != row.key and row.kind != "member":
            hashes.append(hash((row.kind, row.identity, "")))
        if row.email is not None:
            hashes.append(hash(row.email))
    return hashes


def _hashes_of_users(users: WantedUsers) -> list[int]:
    hashes = [hash(("user", id, "")) for id in users.ids]
    if users.identities != users.ids:
        pairs = zip(users.identities, users.ids, strict=True)
        hashes += [hash(("user", identity, "")) for identity, id in pairs if identity != id]
    return hashes + list(map(hash, users.emails))


def add_wanted(
    db: sqlite3.Connection, rows: Sequence[Wanted], problems: Sequence[Problem], seen: Seen, key_range: KeyRange | None
) -> None:
    """Add rows of a source: what it wants, and its invalid rows; those of the range only, if there is one."""
    if key_range is not None:
        rows = key_ranges.kept_wanted(db, rows, key_range)
        problems = key_ranges.kept_problems(db, problems, key_range)
    numbered = list(enumerate(rows, seen.number(len(rows) + len(problems))))
    if seen.many:
        # Rows that are only appended cost a fraction of rows that are put into their place in three indexes.
        _drop_indexes(db)
        db.executemany(_WANTED, itertools.starmap(_columns, numbered))
    elif seen.may_repeat(_hashes(rows)):
        index_wanted(db)
        _look_up(db, numbered)
    else:
        db.executemany(_WANTED, itertools.starmap(_columns, numbered))
    first = seen.number(0) - len(problems)
    add_problems(db, problems, first)
    if key_range is not None:
        key_ranges.note_problems(db, first, len(problems))


def add_wanted_users(db: sqlite3.Connection, users: WantedUsers, seen: Seen, key_range: KeyRange | None) -> None:
    """Add many users at once; `add_wanted` does the same with their rows."""
    if key_range is not None:
        add_wanted(db, users.rows(), (), seen, key_range)
        return
    first = seen.number(len(users.ids))
    if seen.many:
        _drop_indexes(db)
    elif seen.may_repeat(_hashes_of_users(users)):
        index_wanted(db)
        _look_up(db, enumerate(users.rows(), first))
        return
    states: Iterable[str | None] = itertools.repeat(None)
    rest: Sequence[int] = range(first, first + len(users.ids))
    if _lists_users(db):  # else there is nothing to compare them with
        rest = _add_same_users(db, users, rest)
        if not rest:
            return
        if len(rest) < len(users.ids):
            users = users.only([number - first for number in rest])
        states = map(encoded, users.states)
    file = itertools.repeat(users.file)
    columns = zip(rest, users.ids, users.identities, states, users.items, users.emails, file, users.lines, strict=False)
    db.executemany(_WANTED_USER, columns)


def _lists_users(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM actual WHERE kind = 'user' LIMIT 1").fetchone() is not None


def _add_same_users(db: sqlite3.Connection, users: WantedUsers, numbers: Sequence[int]) -> Sequence[int]:
    """Add the users who change nothing of their listed records; return the numbers of the others.

    A record also holds what the source does not state. That is taken from the record of the first user: where another
    one's differs, `comparison` finds out that nothing changes, as it does for every user who is not added here.
    """
    if not numbers or users.texts[0].keys() - {"id"} != users.compared:
        return numbers  # what is not compared is looked for in the records (`advice.add_left_out`), and so is kept
    listed = "SELECT state FROM actual WHERE kind = 'user' AND key = ? AND other = ''"
    row = db.execute(listed, users.ids[:1]).fetchone()
    if row is None:
        return numbers
    unstated = {name: text for name, text in (decoded(row[0]) or {}).items() if name not in users.compared}
    states = [encoded({**unstated, **state}) for state in users.states]
    columns = (users.identities, users.emails, itertools.repeat(users.file), users.lines, users.ids, states)
    before = db.total_changes
    db.executemany(_SAME_USER, zip(numbers, *columns, strict=False))
    if db.total_changes - before == len(numbers):
        return ()
    found = db.execute("SELECT rowid FROM wanted WHERE rowid BETWEEN ? AND ?", (numbers[0], numbers[-1]))
    added = {number for (number,) in found}
    return [number for number in numbers if number not in added]


def settle(db: sqlite3.Connection, seen: Seen) -> None:
    """Find the rows that repeat something, of rows that were only appended.

    They are taken out and added once more in their order, each looked up among the others: the result is as if all had
    been looked up as they came.
    """
    if not seen.many:
        return
    for index in REPEAT_INDEXES:
        db.execute(index)
    db.execute("DROP TABLE IF EXISTS temp.repeated")
    db.execute(f"CREATE TEMP TABLE repeated AS SELECT rowid AS number, * FROM wanted WHERE rowid IN ({_REPEATED})")
    if db.execute("SELECT 1 FROM repeated LIMIT 1").fetchone() is not None:
        db.execute("DELETE FROM wanted WHERE rowid IN (SELECT number FROM repeated)")
        db.execute("DELETE FROM bad WHERE rowid IN (SELECT number FROM repeated)")  # found before there were many
        _drop_indexes(db)
        index_wanted(db)
        rows = db.execute("SELECT * FROM repeated ORDER BY number")
        _look_up(db, ((number, _row(columns)) for number, *columns in rows))
    db.execute("DROP TABLE temp.repeated")


def _look_up(db: sqlite3.Connection, rows: Iterable[tuple[int, Wanted]]) -> None:
    """Add rows, but those that earlier ones exclude."""
    for number, row in rows:
        if row.kind == "member" or not _repeats(db, number, row):
            db.execute(_WANTED, _columns(number, row))


def _row(columns: Sequence[Any]) -> Wanted:
    (kind, key, other, identity, other_identity, state, item, needs_source, email, file, line, _, target, _, same) = (
        columns
    )
    record = decoded(item) or {}
    return Wanted(
        kind, key, other, identity, other_identity, decoded(state), record, bool(needs_source), email, file, line,
        target, bool(same),
    )  # fmt: skip


def _drop_indexes(db: sqlite3.Connection) -> None:
    for name in WANTED_INDEX_NAMES:
        db.execute(f"DROP INDEX IF EXISTS temp.{name}")


def index_wanted(db: sqlite3.Connection, *, by_key_only: bool = False) -> None:
    """Index the wanted rows for looking up single ones."""
    for index in WANTED_INDEXES[:1] if by_key_only else WANTED_INDEXES:
        db.execute(index)


def index_actual(db: sqlite3.Connection) -> None:
    """Index the listed records by identity and address for looking up single ones."""
    for index in ACTUAL_INDEXES:
        db.execute(index)


def add_problems(db: sqlite3.Connection, problems: Sequence[Problem], first: int) -> None:
    """Add invalid rows, numbered from `first`. Nobody knows which records they mean, so they make deletions unsafe."""
    rows = [
        (number, one.kind, one.id, one.file, one.line, one.column, one.reason, 1)
        for number, one in enumerate(problems, first)
    ]
    db.executemany(_PROBLEM, rows)


def add_actual(db: sqlite3.Connection, rows: Sequence[Actual], key_range: KeyRange | None) -> None:
    """Add records that the platform lists; those of the range only, if there is one."""
    if key_range is not None:
        rows = key_ranges.kept_actual(db, rows, key_range)
    db.executemany(_ACTUAL.format("REPLACE"), map(_actual_columns, rows))


def add_actual_users(db: sqlite3.Connection, users: ListedUsers, key_range: KeyRange | None) -> int:
    """Add many listed users at once; return how many were added. Of users who are listed again, the first counts."""
    listed = zip(users.ids, users.keys, users.states, users.own, strict=True)
    columns: Iterable[tuple[Any, ...]]
    if key_range is None:
        columns = [("user", id, "", key, encoded(state), state.get("email"), own) for id, key, state, own in listed]
    else:
        rows = [Actual("user", id, identity=key, state=state, own=own) for id, key, state, own in listed]
        columns = map(_actual_columns, key_ranges.kept_actual(db, rows, key_range))
    before = db.total_changes
    db.executemany(_ACTUAL.format("IGNORE"), columns)
    return db.total_changes - before


def _actual_columns(row: Actual) -> tuple[Any, ...]:
    email = (row.state or {}).get("email")
    return (row.kind, row.key, row.other, row.identity, encoded(row.state), email, row.own)


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


def _repeats(db: sqlite3.Connection, number: int, row: Wanted) -> bool:
    """Return whether this row conflicts with an earlier one and is therefore rejected."""
    if row.email is not None:
        # Of several users with one address only the first can be created (docs/platforms/ethora.md#users-batch).
        first = db.execute(
            "SELECT file, line FROM wanted WHERE email = ? AND key <> ?", (row.email, row.key)
        ).fetchone()
        if first is not None:
            _refuse(db, number, row, "email", f"email {row.email!r} was already used {_where(*first)}", unsafe=True)
            return True
    first = db.execute("SELECT file, line FROM wanted WHERE kind = ? AND key = ?", (row.kind, row.key)).fetchone()
    if first is not None:
        # Not the same text, which the source detects itself, but another form of the same id.
        _refuse(db, number, row, "id", f"id {row.key!r} was already used {_where(*first)}", unsafe=True)
        return True
    return _shares_identity(db, number, row)


def _shares_identity(db: sqlite3.Connection, number: int, row: Wanted) -> bool:
    same = db.execute(_OF_IDENTITY, {"kind": row.kind, "identity": row.identity}).fetchone()
    if same is None:
        return False
    first, file, line = same
    this, that = quoted_apart(row.key, first), quoted_apart(first, row.key)
    reason = f"ids {this} and {that} ({_where(file, line)}) name the same {row.kind} on this platform"
    exact = "SELECT 1 FROM actual WHERE kind = ? AND key = ?"
    if db.execute(exact, (row.kind, row.key)).fetchone() and not db.execute(exact, (row.kind, first)).fetchone():
        # The platform's spelling of the id decides between them.
        reason = f"ids {that} and {this} ({_where(row.file, row.line)}) name the same {row.kind} on this platform"
        db.execute(_PROBLEM, (number, row.kind, first, file, line, "id", reason, 0))
        db.execute("UPDATE wanted SET refused = 1 WHERE kind = ? AND key = ?", (row.kind, first))
        return False
    _refuse(db, number, row, "id", reason, unsafe=False)
    # The rejected row stays: a record that it may mean is not deleted.
    db.execute(_WANTED, _columns(number, row))
    db.execute("UPDATE wanted SET refused = 1 WHERE kind = ? AND key = ?", (row.kind, row.key))
    return True


def _columns(number: int, row: Wanted) -> tuple[Any, ...]:
    stated = None if row.state is None else {name: value for name, value in row.state.items() if value is not None}
    return (
        number, row.kind, row.key, row.other, row.identity, row.other_identity, encoded(stated), encoded(row.item),
        row.needs_source, row.email, row.file, row.line, row.target, row.same,
    )  # fmt: skip


def _refuse(db: sqlite3.Connection, number: int, row: Wanted, field: str, reason: str, *, unsafe: bool) -> None:
    db.execute(_PROBLEM, (number, row.kind, row.key, row.file, row.line, field, reason, unsafe))


def _where(file: str | None, line: int | None) -> str:
    return f"on line {line} of {file}" if file else f"on line {line}"
