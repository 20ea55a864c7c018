"""The outbox's tables in SQLite."""

from __future__ import annotations

VERSION = 1

_NOW = "((julianday('now') - 2440587.5) * 86400.0)"

CREATE: tuple[str, ...] = (
    "CREATE TABLE ethora_outbox (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"""
    CREATE TABLE ethora_wish (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('user', 'chat', 'member')),
        key TEXT NOT NULL,
        other TEXT NOT NULL DEFAULT '',
        wanted TEXT CHECK (json_type(wanted) = 'object'),
        traceparent TEXT,
        at REAL NOT NULL DEFAULT {_NOW}
    )
    """,
    """
    CREATE TABLE ethora_lane (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        other TEXT NOT NULL DEFAULT '',
        wanted TEXT,
        version INTEGER NOT NULL,
        gone INTEGER NOT NULL DEFAULT 0,
        done INTEGER NOT NULL DEFAULT 0,
        due REAL,
        claim TEXT,
        dead INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        reason TEXT,
        traceparent TEXT,
        since REAL NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (kind, key, other)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX ethora_lane_due ON ethora_lane (due) WHERE due IS NOT NULL",
    "CREATE INDEX ethora_lane_finished ON ethora_lane (at) WHERE due IS NULL AND NOT dead",
    "CREATE INDEX ethora_lane_dead ON ethora_lane (at) WHERE dead",
    "CREATE INDEX ethora_lane_user ON ethora_lane (other) WHERE kind = 'member'",
    f"INSERT INTO ethora_outbox VALUES ('schema', '{VERSION}')",
)
"""Version 1 of the schema."""

DROP: tuple[str, ...] = (
    "DROP TABLE IF EXISTS ethora_wish",
    "DROP TABLE IF EXISTS ethora_lane",
    "DROP TABLE IF EXISTS ethora_outbox",
)

__all__ = ["CREATE", "DROP", "VERSION"]
