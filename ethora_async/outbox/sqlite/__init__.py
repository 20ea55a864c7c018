"""The outbox in SQLite: the embedded default, for one machine."""
