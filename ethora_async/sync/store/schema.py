"""The tables of a journal."""

from __future__ import annotations

INTENDED, SENT, KNOWN = range(3)
"""The states of an item: not sent yet, sent with its result unknown, result known."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE item (
    number INTEGER PRIMARY KEY, step INTEGER, kind TEXT, action TEXT, key TEXT, other TEXT,
    before TEXT, after TEXT, needs_source INTEGER, file TEXT, line INTEGER,
    state INTEGER DEFAULT 0, status TEXT, reason TEXT, attempts INTEGER DEFAULT 0, lost INTEGER DEFAULT 0
);
CREATE INDEX item_by_key ON item (kind, key, other);
CREATE INDEX item_by_step ON item (step, state);
CREATE TABLE wanted (
    kind TEXT, key TEXT, other TEXT, state TEXT, item TEXT, needs_source INTEGER, email TEXT, file TEXT, line INTEGER,
    PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE INDEX wanted_email ON wanted (email) WHERE email IS NOT NULL;
CREATE TABLE actual (
    kind TEXT, key TEXT, other TEXT, state TEXT, own INTEGER, PRIMARY KEY (kind, key, other)
) WITHOUT ROWID;
CREATE TABLE bad (kind TEXT, id TEXT, file TEXT, line INTEGER, field TEXT, reason TEXT);
"""

COLUMNS = "number, step, kind, action, key, other, before, after, needs_source, file, line, status, reason"
"""The columns of an item that make an `Entry`, in its order."""
