"""What a platform leaves out of a wanted user, and what it may refuse."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from ethora_async.sync.store.items import CANNOT_CHANGE
from ethora_async.sync.store.schema import FILE_NAME, FILE_NUMBER
from ethora_async.wording import counted, quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from ethora_async.capabilities import ShortNames


def add_left_out(db: sqlite3.Connection, fields: Mapping[str, str]) -> None:
    """Report each wanted value that the platform neither stores nor compares as one that cannot be changed.

    An empty value asks for nothing: there is nothing of ours to clear.
    """
    for field, reason in fields.items():
        value = "json_extract(item, ?)"
        db.execute(
            "INSERT INTO item (step, kind, action, key, other, before, after, needs_source, file, line, reason)"
            " SELECT 0, kind, ?, COALESCE(target, key), '', NULL, json_object('fields', json_object(?, value)), 0,"
            f" {FILE_NUMBER.format('file')}, line, ? FROM (SELECT *, {value} AS value FROM wanted"
            " WHERE kind = 'user' AND NOT refused) WHERE value <> '' ORDER BY key",
            (CANNOT_CHANGE, field, reason, f"$.{field}"),
        )


def short_names(db: sqlite3.Connection, names: ShortNames | None) -> list[str]:
    """Return a warning for each field in which users to create or to update get a short name."""
    if names is None:
        return []
    # The whole record of a creation, the changed fields of an update.
    values = {
        field: f"COALESCE(json_extract(after, '$.{field}'), json_extract(after, '$.fields.{field}'))"
        for field in names.fields
    }
    short = [f"length({value}) <= {names.length}" for value in values.values()]
    found = db.execute(
        f"SELECT {', '.join(f'TOTAL({one}), MIN(CASE WHEN {one} THEN number END)' for one in short)} FROM item"
        f" WHERE kind = 'user' AND action IN ('create', 'update') AND step > 0 AND ({_may_hold_short(names)})"
    ).fetchone()
    return [
        _warning(db, names, field, value, int(count), first)
        for (field, value), count, first in zip(values.items(), found[::2], found[1::2], strict=True)
        if count
    ]


def _may_hold_short(names: ShortNames) -> str:
    """Return a condition that every item with a short name meets, and few others: to parse all of them costs far more.

    No name is empty. One of N characters takes N in JSON, or holds a backslash there.
    """
    patterns = [f'*"{field}":"{"?" * length}"*' for field in names.fields for length in range(1, names.length + 1)]
    return " OR ".join(["instr(after, char(92)) > 0", *(f"after GLOB '{pattern}'" for pattern in patterns)])


def _warning(db: sqlite3.Connection, names: ShortNames, field: str, value: str, count: int, first: int) -> str:
    text, file, line = db.execute(f"SELECT {value}, {FILE_NAME}, line FROM item WHERE number = ?", (first,)).fetchone()
    place = "" if file is None else f"{file if '://' in file else PurePath(file).name} line {line}, "
    more = f" (and {counted(count - 1, 'more row')})" if count > 1 else ""
    return f"{place}{field}: {quoted(text)}{more}: {names.reason}"
