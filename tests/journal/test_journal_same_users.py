"""Users who are compared as they are read end as if all had been compared at the end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ethora_async.capabilities import ListedUsers
from ethora_async.sync.store import Comparison, Journal, comparison, execution, problems, schema, sides
from ethora_async.sync.store.items import WantedUsers, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ethora_async.sync.store import Kind

IDS = st.sampled_from(["ann", "Ann", "bea", "cleo", "dan"])
EMAILS = st.sampled_from(["a@example.com", "b@example.com", "c@example.com"])
NAMES = st.sampled_from(["Ann", "Émile\n", "", '"'])
FIELDS = ("email", "first_name", "last_name", "profile_image")
ROWS = st.tuples(IDS, EMAILS, NAMES, NAMES, NAMES)
LISTED = st.tuples(IDS, st.none() | EMAILS, st.none() | NAMES, NAMES, st.none() | NAMES, st.booleans())
ANN = ("ann", "a@example.com", "Ann", "Lee", "")
BEA = ("bea", "b@example.com", "Bea", "Lee", "")


def wanted(rows: Sequence[tuple[str, ...]], fields: int, more: Mapping[str, str] | None = None) -> WantedUsers:
    """Return users for whom the source states so many fields, and more that are not compared."""
    ids = [row[0] for row in rows]
    states = [dict(zip(FIELDS[:fields], row[1:], strict=False)) for row in rows]
    texts: list[Mapping[str, str]] = [
        {"id": id, **state, **(more or {})} for id, state in zip(ids, states, strict=True)
    ]
    keys, emails, items = [id.lower() for id in ids], [row[1] for row in rows], [encoded(one) or "" for one in texts]
    return WantedUsers(ids, keys, texts, items, frozenset(states[0]), emails, "u.csv", range(2, 2 + len(rows)))


def compared(batches: Sequence[WantedUsers], listed: Sequence[tuple[Any, ...]], *, together: bool) -> Any:
    """Return the differences and the rejected rows."""
    ids = [row[0] for row in listed]
    states: list[Mapping[str, str | None]] = [dict(zip(FIELDS, row[1:5], strict=True)) for row in listed]
    users = ListedUsers(ids, [id.lower() for id in ids], states, [row[5] for row in listed])
    seen = sides.Seen()
    kinds: frozenset[Kind] = frozenset({"user"})
    left_out = {"nickname": "it is not stored"}
    rules = Comparison(kinds, True, {"user": frozenset(FIELDS[1:])}, sources=kinds, left_out=left_out)
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema.TABLES + schema.SIDES)
        assert sides.add_actual_users(db, users, None) == len(set(ids))
        for batch in batches:
            if together:
                sides.add_wanted_users(db, batch, seen, None)
            else:
                sides.add_wanted(db, batch.rows(), (), seen, None)
        sides.settle(db, seen)
        found = comparison.write_differences(db, rules)
        return found, execution.select_entries(db, "1", limit=99), problems.problems_after(db, 0, 99)


@settings(max_examples=40)
@example([[ANN, BEA]], 3, [(*ANN, False), (*BEA, False)], 0, {})
@example([[ANN, BEA]], 3, [(*ANN, False), (*BEA[:4], "b.png", False)], 0, {})
@example([[ANN, BEA], [ANN]], 3, [(*ANN, False), (*BEA, True)], 0, {})
@example([[ANN, ("bea", *ANN[1:])]], 4, [(*ANN, False), ("bea", *ANN[1:], False)], 0, {})
@example([[ANN, BEA, ("cleo", *ANN[1:])]], 3, [(*BEA, False), ("ann", "a@example.com", "Ann", "", "", False)], 9, {})
@example([[ANN, BEA]], 4, [(*ANN, False), (*BEA, False)], 0, {"nickname": "Nick"})
@given(
    st.lists(st.lists(ROWS, min_size=1, max_size=4), max_size=3),
    st.integers(2, 4),
    st.lists(LISTED, max_size=4),
    st.integers(0, 8),
    st.sampled_from([{}, {"nickname": "Nick"}]),
)
def test_users_compared_as_they_are_read_end_as_those_compared_at_the_end(
    batches: list[list[tuple[str, ...]]], fields: int, listed: list[tuple[Any, ...]], many: int, more: dict[str, str]
) -> None:
    users = [wanted(rows, fields, more) for rows in batches]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "_MANY", many)
        assert compared(users, listed, together=True) == compared(users, listed, together=False)


async def test_of_users_who_are_the_same_on_both_sides_no_record_is_kept() -> None:
    """The property above would also hold if all were compared at the end."""
    async with await Journal.create() as journal:
        users = wanted([ANN, BEA], 3)
        own = [False, False]
        await journal.add_actual_users(ListedUsers(users.ids, users.identities, users.states, own))
        await journal.add_wanted_users(users)
        query = "SELECT same, target, state, item FROM wanted ORDER BY rowid"
        rows = await journal._transaction(lambda db: db.execute(query).fetchall())
    assert rows == [(1, "ann", None, None), (1, "bea", None, None)]


async def test_of_a_user_who_is_listed_again_the_first_record_is_kept() -> None:
    async with await Journal.create() as journal:
        first, again = ({"email": f"{name}@example.com"} for name in "ab")
        assert await journal.add_actual_users(ListedUsers(["ann"], ["ann"], [first], [False])) == 1
        twice = ListedUsers(["ann", "bea", "bea"], ["ann", "bea", "bea"], [again, first, again], [False] * 3)
        assert await journal.add_actual_users(twice) == 1
        states = await journal._transaction(lambda db: db.execute("SELECT email FROM actual ORDER BY key").fetchall())
    assert states == [("a@example.com",), ("a@example.com",)]
