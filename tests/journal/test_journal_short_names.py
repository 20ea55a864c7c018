"""Short names are found without parsing every item, and are those that parsing would find."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ethora_async.capabilities import ShortNames
from ethora_async.sync.store import advice, schema
from ethora_async.sync.store.items import STEPS, encoded

NAMES = st.sampled_from(["Ann", "Z", "李", "\U0001f600", '"', "\\", "\x01", '":"', "e\u0301", "zz", "\\n", '"x'])
RECORDS = st.fixed_dictionaries({"first_name": NAMES, "last_name": NAMES, "email": st.just('"first_name":"a"@b.c')})
CHANGES = st.builds(
    lambda fields, item: {"fields": fields, "item": item},
    st.fixed_dictionaries({}, optional={"first_name": NAMES, "last_name": NAMES}),
    RECORDS,
)


@example([("create", {"first_name": "Ann", "last_name": "Lee"})], 1)
@given(
    st.lists(
        st.tuples(st.just("create"), RECORDS)
        | st.tuples(st.just("update"), CHANGES)
        | st.tuples(st.just("delete"), st.none()),
        max_size=5,
    ),
    st.integers(1, 3),
)
def test_the_warnings_are_about_the_short_names_and_no_others(items: list[tuple[str, Any]], length: int) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema.TABLES)
        for number, (action, after) in enumerate(items, 1):
            db.execute(
                "INSERT INTO item (number, step, kind, action, key, other, after) VALUES (?, ?, 'user', ?, ?, '', ?)",
                (number, STEPS["user", action], action, f"u{number}", encoded(after)),
            )
        found = advice.short_names(db, ShortNames(("first_name", "last_name"), length, "why"))
    expected = []
    for field in ("first_name", "last_name"):
        names = [(after or {}).get("fields", after or {}).get(field) for _, after in items]
        short = [name for name in names if name is not None and len(name) <= length]
        if short:
            expected.append((field, len(short)))
    assert [(text.partition(":")[0], _counted(text)) for text in found] == expected


def _counted(warning: str) -> int:
    _, more, rest = warning.rpartition("(and ")
    return 1 + int(rest.partition(" ")[0]) if more else 1
