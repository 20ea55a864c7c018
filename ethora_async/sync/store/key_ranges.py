"""A plan in parts: the records whose keys are in one range, and those that these depend on.

A part keeps only the users whose keys have a hash in its range, so that its disk holds a fraction of both sides. Users
depend on each other by their e-mail addresses: a user with a new id keeps the address, and two users may exchange
theirs. A user who shares an address with a user of the part, on either side, is kept as well (a *guest*), and so are
users who share one with a guest. Of users who depend on each other, the part with the smallest hash among them plans
all. Every part that sees one of them sees all, so all parts come to the same result.

Memberships belong to their users. Every part knows all chats, since they are few, and plans those in its range.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.wording import quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ethora_async.sync.store.items import Actual, Problem, Wanted

MAX_PARTS = 10_000

_NAMED = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")

TABLES = (
    "guest (identity TEXT PRIMARY KEY) WITHOUT ROWID",
    "known_email (email TEXT PRIMARY KEY) WITHOUT ROWID",
    "linked (email TEXT, identity TEXT, key TEXT, PRIMARY KEY (email, identity, key)) WITHOUT ROWID",
    "owner (identity TEXT PRIMARY KEY, least TEXT) WITHOUT ROWID",
    "other_chat (key TEXT PRIMARY KEY) WITHOUT ROWID",
    "own_row (number INTEGER PRIMARY KEY)",
    "other_rows (count INTEGER)",
    "shared (identity TEXT, other TEXT, PRIMARY KEY (identity, other)) WITHOUT ROWID",
)
"""``known_email`` has the addresses of the users that were kept in any pass, ``linked`` those of the present one.

``owner`` has the smallest hash among the users on whom one depends. Of the rows that cannot be used, ``own_row`` are
those that this part reports; the others are only counted, in ``other_rows``. ``other_chat`` is in the schema as well:
a plan that is whole has none.
"""

_SHARED = (
    "SELECT a.identity AS identity, b.identity AS other FROM linked AS a JOIN linked AS b"
    " ON a.email = b.email AND a.identity <> b.identity"
)


@attrs.frozen
class KeyRange:
    """Part `part` of `parts`: a range of the hashes of keys.

    Raises:
        InvalidInputError: there is no such part.
    """

    part: int
    parts: int

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.parts <= MAX_PARTS or not 1 <= self.part <= self.parts:
            msg = (
                f"part {self.part} of {self.parts} is not a part: write 1/16 to 16/16, with at most {MAX_PARTS:,} parts"
            )
            raise InvalidInputError(msg, field="part")

    @classmethod
    def parse(cls, text: str) -> KeyRange:
        """Return the part that ``3/16`` names.

        Raises:
            InvalidInputError: it names none.
        """
        found = _NAMED.fullmatch(text)
        if found is None:
            msg = f"{quoted(text)} is not a part: write 3/16 for the third of sixteen"
            raise InvalidInputError(msg, field="part")
        return cls(int(found[1]), int(found[2]))

    @property
    def first(self) -> int:
        """The smallest hash of the range."""
        return -(-((self.part - 1) << 64) // self.parts)

    def holds(self, key: str) -> bool:
        """Return whether a key is in the range."""
        return self.holds_hash(hash_of(key))

    def holds_hash(self, text: str) -> bool:
        """Return whether a key with this hash is in the range."""
        return (int(text, 16) * self.parts >> 64) + 1 == self.part


def hash_of(key: str) -> str:
    """Return 64 bits that are spread evenly, as hexadecimal digits; the same in every process."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def begin(db: sqlite3.Connection) -> None:
    """Drop the results of earlier passes, except the guests."""
    for table in TABLES:
        db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table}")
    for name in ("linked", "owner", "other_chat", "own_row", "other_rows", "shared"):
        db.execute(f"DELETE FROM {name}")


def kept_wanted(db: sqlite3.Connection, rows: Sequence[Wanted], key_range: KeyRange) -> list[Wanted]:
    """Return the rows that this part keeps."""
    return [
        row
        for row in rows
        if _keeps(db, key_range, row.kind, row.key, row.identity or row.key, row.email, row.other_identity or row.other)
    ]


def kept_actual(db: sqlite3.Connection, rows: Sequence[Actual], key_range: KeyRange) -> list[Actual]:
    """Return the records that this part keeps."""
    return [
        row
        for row in rows
        if _keeps(
            db, key_range, row.kind, row.key, row.identity or row.key, (row.state or {}).get("email"),
            row.other_identity or row.other,
        )
    ]  # fmt: skip


def kept_problems(db: sqlite3.Connection, rows: Sequence[Problem], key_range: KeyRange) -> list[Problem]:
    """Return the invalid rows that this part reports; the others are counted.

    Nobody knows which records they mean: each is reported once, and makes deletions unsafe in every part.
    """
    kept = [row for row in rows if key_range.holds(f"{row.kind}\0{row.id}\0{row.file}\0{row.line}")]
    if len(kept) < len(rows):
        db.execute("INSERT INTO other_rows VALUES (?)", (len(rows) - len(kept),))
    return kept


def note_problems(db: sqlite3.Connection, first: int, count: int) -> None:
    """Note that the rows with these numbers are this part's to report."""
    db.executemany("INSERT INTO own_row VALUES (?)", [(number,) for number in range(first, first + count)])


def found(db: sqlite3.Connection) -> int:
    """Return the number of guests and known addresses. A pass that adds neither has seen all who are to be kept."""
    return int(db.execute("SELECT (SELECT COUNT(*) FROM guest) + (SELECT COUNT(*) FROM known_email)").fetchone()[0])


def adopt(db: sqlite3.Connection, identities: Sequence[str], key_range: KeyRange) -> None:
    """Keep these users, and their memberships, whatever their keys are."""
    rows = [(identity, f"{key_range.first:016x}") for identity in identities]
    db.executemany("INSERT OR IGNORE INTO guest VALUES (?)", [row[:1] for row in rows])
    db.executemany("INSERT OR IGNORE INTO owner VALUES (?, ?)", rows)


def settle(db: sqlite3.Connection, key_range: KeyRange) -> None:
    """Drop the users whom another part plans, once both sides of them were read."""
    db.create_function("hash_of", 1, hash_of, deterministic=True)
    db.create_function("holds_hash", 1, key_range.holds_hash, deterministic=True)
    db.execute(
        f"INSERT OR IGNORE INTO owner SELECT identity, hash_of(identity) FROM (SELECT identity FROM ({_SHARED})"
        " UNION SELECT identity FROM guest)"
    )
    db.execute(f"INSERT OR IGNORE INTO shared {_SHARED}")
    least = "(SELECT MIN(o.least) FROM shared AS s JOIN owner AS o ON o.identity = s.other WHERE s.identity = {})"
    while db.execute(
        f"UPDATE owner SET least = {least.format('owner.identity')} WHERE least > {least.format('owner.identity')}"
    ).rowcount:
        pass
    others = "SELECT identity FROM owner WHERE NOT holds_hash(least)"
    db.execute(
        "DELETE FROM bad WHERE kind = 'user' AND rowid NOT IN (SELECT number FROM own_row) AND id IN"
        f" (SELECT key FROM linked WHERE identity IN ({others})"
        f"  UNION SELECT key FROM wanted WHERE kind = 'user' AND identity IN ({others}))"
    )
    for table in ("wanted", "actual"):
        db.execute(f"DELETE FROM {table} WHERE kind = 'user' AND identity IN ({others})")


def drop_other_chats(db: sqlite3.Connection) -> None:
    """Drop the differences of chats that another part plans; only memberships needed these chats."""
    if db.execute("SELECT 1 FROM other_chat LIMIT 1").fetchone() is None:
        return
    other = "SELECT key FROM other_chat"
    db.execute(f"DELETE FROM item WHERE kind = 'chat' AND key IN ({other})")
    db.execute(f"DELETE FROM bad WHERE kind = 'chat' AND rowid NOT IN (SELECT number FROM own_row) AND id IN ({other})")


def other_rows(db: sqlite3.Connection) -> int:
    """Return the number of invalid rows that the other parts report."""
    return int(db.execute("SELECT COALESCE(SUM(count), 0) FROM other_rows").fetchone()[0])


def _keeps(
    db: sqlite3.Connection, key_range: KeyRange, kind: str, key: str, identity: str, email: str | None, user: str
) -> bool:
    if kind == "chat":
        if not key_range.holds(identity):
            db.execute("INSERT OR IGNORE INTO other_chat VALUES (?)", (key,))
        return True
    if kind == "member":
        row = db.execute("SELECT least FROM owner WHERE identity = ?", (user,)).fetchone()
        return key_range.holds(user) if row is None else key_range.holds_hash(row[0])
    kept = key_range.holds(identity) or _is(db, "guest", "identity", identity)
    if not kept and email is not None and _is(db, "known_email", "email", email):
        db.execute("INSERT INTO guest VALUES (?)", (identity,))
        kept = True
    if kept and email is not None:
        db.execute("INSERT OR IGNORE INTO known_email VALUES (?)", (email,))
        db.execute("INSERT OR IGNORE INTO linked VALUES (?, ?, ?)", (email, identity, key))
    return kept


def _is(db: sqlite3.Connection, table: str, column: str, value: str) -> bool:
    return db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone() is not None
