"""The tables of a journal.

``wanted`` and ``actual`` are the two sides. ``identity`` is the platform's key of an id: ids with equal keys name one
user or chat. ``target`` is the id under which the platform has what a row wants, ``other_target`` likewise the user of
a membership; ``refused`` rows protect what they name from deletion and are otherwise ignored. ``bundle`` joins items
that depend on each other. An ``unsafe`` row may name a record that would be deleted.
"""

from __future__ import annotations

INTENDED, SENT, KNOWN = range(3)
"""The states of an item: not sent yet, sent with its result unknown, result known."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE item (
    number INTEGER PRIMARY KEY, step INTEGER, kind TEXT, action TEXT, key TEXT, other TEXT,
    before TEXT, after TEXT, needs_source INTEGER, file TEXT, line INTEGER, bundle INTEGER,
    state INTEGER DEFAULT 0, status TEXT, reason TEXT, attempts INTEGER DEFAULT 0, lost INTEGER DEFAULT 0
);
CREATE INDEX item_by_key ON item (kind, key, other);
CREATE INDEX item_by_step ON item (step, state);
CREATE TABLE wanted (
    kind TEXT, key TEXT, other TEXT, identity TEXT, other_identity TEXT, state TEXT, item TEXT, needs_source INTEGER,
    email TEXT, file TEXT, line INTEGER, refused INTEGER DEFAULT 0, target TEXT, other_target TEXT,
    PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE INDEX wanted_email ON wanted (email) WHERE email IS NOT NULL;
CREATE INDEX wanted_identity ON wanted (kind, identity) WHERE identity IS NOT NULL;
CREATE INDEX wanted_target ON wanted (kind, target, other_target) WHERE target IS NOT NULL;
CREATE TABLE actual (
    kind TEXT, key TEXT, other TEXT, identity TEXT, state TEXT, email TEXT, own INTEGER, PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE INDEX actual_identity ON actual (kind, identity) WHERE identity IS NOT NULL;
CREATE INDEX actual_email ON actual (email) WHERE email IS NOT NULL;
CREATE TABLE named (chat TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE bad (kind TEXT, id TEXT, file TEXT, line INTEGER, field TEXT, reason TEXT, unsafe INTEGER DEFAULT 0);
"""

COLUMNS = "number, step, kind, action, key, other, before, after, needs_source, file, line, status, reason"
"""The columns of an item that make an `Entry`, in its order."""
