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


_ESCAPED = 6
"""Characters that one takes at most in JSON."""


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
    found: list[str] = []
    for field in names.fields:
        # The whole record of a creation, the changed fields of an update.
        value = "COALESCE(json_extract(after, :whole), json_extract(after, :part))"
        paths = {"whole": f"$.{field}", "part": f"$.fields.{field}"}
        # Parsing the JSON of every item costs three times as much: it is needed where a quotation mark follows soon
        # after the field's first occurrence, which is the value that counts (fields before the item, see `encoded`).
        near = "instr(substr(after, instr(after, :start) + length(:start), :reach), char(34)) > 0"
        count, first = db.execute(
            f"SELECT COUNT(*), MIN(number) FROM item WHERE kind = 'user' AND action IN ('create', 'update')"
            f" AND step > 0 AND {near} AND length({value}) <= :length",
            {**paths, "length": names.length, "start": f'"{field}":"', "reach": _ESCAPED * names.length + 1},
        ).fetchone()
        if count:
            text, file, line = db.execute(
                f"SELECT {value}, {FILE_NAME}, line FROM item WHERE number = :number",
                {**paths, "number": first},
            ).fetchone()
            place = "" if file is None else f"{file if '://' in file else PurePath(file).name} line {line}, "
            more = f" (and {counted(count - 1, 'more row')})" if count > 1 else ""
            found.append(f"{place}{field}: {quoted(text)}{more}: {names.reason}")
    return found
