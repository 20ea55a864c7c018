"""The message for a database whose outbox tables do not match this package."""

from __future__ import annotations

from typing import Any


def mismatch_text(name: str, state: Any, version: int) -> str:
    """Describe what is wrong with the tables, and what to do.

    Args:
        name: the database.
        state: its schema's version; None without tables; a text when the tables are not the outbox's.
        version: this package's version.
    """
    if state is None:
        return f"{name} has no outbox tables: run `ethora outbox init`, or `manage.py migrate` in a Django project"
    if isinstance(state, int) and state > version:
        return (
            f"{name} has an outbox of schema version {state}, made by a newer ethora-async: this one knows version"
            f" {version}; upgrade the package"
        )
    if isinstance(state, int):
        return (
            f"{name} has an outbox of schema version {state}, and this ethora-async needs version {version}: let its"
            " workers finish with the package that made it, drop the tables, and run `ethora outbox init`"
        )
    return f"{name} has tables of these names that are not the outbox's ({state}): use another schema or database"


__all__ = ["mismatch_text"]
