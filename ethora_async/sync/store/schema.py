"""The tables of a journal, and the temporary tables of a comparison.

The file holds the items and the invalid rows. Both sides of a comparison are temporary: an interrupted plan is made
again, so they need not survive the process, and the file stays small.

``wanted`` and ``actual`` are the two sides. ``identity`` is the platform's key of an id: ids with equal keys name one
user or chat. ``target`` is the platform's id of the record that a row wants, ``other_target`` likewise the user of a
membership; ``refused`` rows protect the records that they name from deletion and are otherwise ignored. A row is the
``same`` if it changes nothing of its target, which is not the platform's own: nothing is left to compare, and its
``state`` and ``item`` are not kept. ``bundle`` joins items that depend on each other. An ``unsafe`` row may name a
record that would be deleted.
"""

from __future__ import annotations

INTENDED, SENT, KNOWN = range(3)
"""The states of an item: not sent yet; sent, result unknown; result known."""

PENDING = "pending"
"""The status of an item before its result is known. It is as long as most results, which therefore replace it in place:
growing rows would split the pages of the file.
"""

TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE source_file (number INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE item (
    number INTEGER PRIMARY KEY, step INTEGER, kind TEXT, action TEXT, key TEXT, other TEXT,
    before TEXT, after TEXT, needs_source INTEGER, file INTEGER, line INTEGER, bundle INTEGER,
    state INTEGER DEFAULT 0, status TEXT DEFAULT '{PENDING}', reason TEXT, attempts INTEGER DEFAULT 0,
    lost INTEGER DEFAULT 0
);
CREATE INDEX item_by_step ON item (step);
CREATE TABLE bad (kind TEXT, id TEXT, file TEXT, line INTEGER, field TEXT, reason TEXT, unsafe INTEGER DEFAULT 0);
"""

SIDES = """
CREATE TEMP TABLE IF NOT EXISTS wanted (
    kind TEXT, key TEXT, other TEXT, identity TEXT, other_identity TEXT, state TEXT, item TEXT, needs_source INTEGER,
    email TEXT, file TEXT, line INTEGER, refused INTEGER DEFAULT 0, target TEXT, other_target TEXT,
    same INTEGER DEFAULT 0
);
CREATE TEMP TABLE IF NOT EXISTS actual (
    kind TEXT, key TEXT, other TEXT, identity TEXT, state TEXT, email TEXT, own INTEGER, PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS named (chat TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS other_chat (key TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA temp.cache_size=-8000;
"""

WANTED_INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS temp.wanted_by_key ON wanted (kind, key, other)",
    "CREATE INDEX IF NOT EXISTS temp.wanted_by_identity ON wanted (kind, identity) WHERE identity <> key",
    "CREATE INDEX IF NOT EXISTS temp.wanted_by_email ON wanted (email)",
)
"""Of most rows the key is the identity as well, so that the second index holds few."""

WANTED_INDEX_NAMES = ("wanted_by_key", "wanted_by_identity", "wanted_by_email")
REPEAT_INDEXES = (WANTED_INDEXES[0].replace("UNIQUE ", ""), *WANTED_INDEXES[1:])
"""The indexes by which rows are found that repeat something, while there are any."""

ACTUAL_INDEXES = (
    "CREATE INDEX IF NOT EXISTS temp.actual_by_identity ON actual (kind, identity)",
    "CREATE INDEX IF NOT EXISTS temp.actual_by_email ON actual (email)",
)
IDENTITY_INDEX = "CREATE INDEX IF NOT EXISTS temp.wanted_by_any_identity ON wanted (kind, identity)"
UNLIKE_INDEX = "CREATE INDEX IF NOT EXISTS temp.wanted_unlike ON wanted (kind, key) WHERE NOT same"
TARGET_INDEX = "CREATE INDEX IF NOT EXISTS temp.wanted_by_target ON wanted (kind, target, other_target)"
ITEM_INDEX = "CREATE INDEX IF NOT EXISTS item_by_key ON item (kind, key, other)"
"""Indexes that are created when they are first needed: indexing many rows at once is several times cheaper."""

FILE_NUMBER = "(SELECT f.number FROM source_file AS f WHERE f.name = {})"
"""The number of the file with this name in ``source_file``."""

FILE_NAME = "(SELECT f.name FROM source_file AS f WHERE f.number = item.file)"

COLUMNS = (
    f"number, step, kind, action, key, other, before, after, needs_source, {FILE_NAME} AS file, line,"
    f" NULLIF(status, '{PENDING}') AS status, reason"
)
"""The columns of an item in the order of `Entry`."""
