"""Rows that repeat nothing are stored without a look-up each; the result is the same as with one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ethora_async.sync.store import Actual, Entry, Journal, Wanted, schema, sides
from ethora_async.sync.store.schema import PENDING

if TYPE_CHECKING:
    from pathlib import Path

IDS = st.sampled_from(["ann", "Ann", "ANN", "bea", "Bea", "cleo"])
USERS = st.builds(
    lambda id, email: Wanted(
        "user", id, identity=id.lower(), state={"email": email}, item={"id": id}, email=email, file="u.csv", line=2
    ),
    IDS,
    st.sampled_from([f"{name}@example.com" for name in "abcdef"]),
)
USER_A = Wanted(
    "user", "ann", identity="ann", state={}, item={"id": "ann"}, email="a@example.com", file="u.csv", line=2
)
MEMBERS = st.builds(
    lambda chat, id: Wanted("member", chat, id, identity=chat.lower(), other_identity=id.lower()),
    st.sampled_from(["room", "Room"]),
    IDS,
)


def stored(batches: list[list[Wanted]], listed: list[str], limit: int | None) -> tuple[list[Any], list[Any]]:
    """Return the journal's content after these rows; `limit` 0 looks up every row."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema.TABLES + schema.SIDES)
        seen = sides.Seen() if limit is None else sides.Seen(limit)
        sides.add_actual(db, [Actual("user", id, identity=id.lower(), state={}) for id in listed], None)
        for batch in batches:
            sides.add_wanted(db, batch, (), seen, None)
        sides.settle(db, seen)
        wanted = db.execute("SELECT kind, key, other, email, refused FROM wanted ORDER BY rowid").fetchall()
        return wanted, db.execute("SELECT kind, id, field, reason, unsafe FROM bad ORDER BY rowid").fetchall()


@given(
    st.lists(st.lists(USERS, max_size=4) | st.lists(MEMBERS, max_size=4), max_size=4),
    st.lists(IDS, max_size=2, unique=True),
)
def test_rows_without_repeats_are_stored_as_if_each_had_been_looked_up(
    batches: list[list[Wanted]], listed: list[str]
) -> None:
    quick = stored(batches, listed, None)
    assert quick == stored(batches, listed, -1)


@example([[USER_A, USER_A], [USER_A]], [], 1)
@given(
    st.lists(st.lists(USERS, max_size=4) | st.lists(MEMBERS, max_size=4), max_size=4),
    st.lists(IDS, max_size=2, unique=True),
    st.integers(0, 8),
)
def test_rows_that_are_only_appended_are_settled_as_if_each_had_been_looked_up(
    batches: list[list[Wanted]], listed: list[str], many: int
) -> None:
    looked_up = stored(batches, listed, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "_MANY", many)
        assert stored(batches, listed, None) == looked_up


async def test_an_item_whose_result_is_not_known_has_none_and_takes_the_place_of_one(tmp_path: Path) -> None:
    """A result replaces the word before it in place: the file of a plan does not grow while it is carried out."""
    path = tmp_path / "j"
    async with await Journal.create(path) as journal:
        record = {"email": "user-1000@example.com", "first_name": "First", "id": "user-1000", "last_name": "Last"}
        entries = [Entry(0, 2, "user", "create", f"user-{one}", after=record, file="u.csv") for one in range(4_000)]
        await journal.add(entries)
        assert {one.status for one in await journal.entries(limit=9)} == {None}
        assert await journal.counts() == {("user", "create", None): 4_000}
        pages = await journal._transaction(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        await journal.mark_sent(range(1, 4_001))
        await journal.mark_known([("created", None, 1, number) for number in range(1, 4_001)])
        assert await journal.counts() == {("user", "create", "created"): 4_000}
        after = await journal._transaction(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    assert len(PENDING) == len("created")
    assert after <= 1.2 * pages
    assert path.stat().st_size <= 250 * 4_000


async def test_results_of_neighbours_are_kept_apart_where_they_differ() -> None:
    async with await Journal.create() as journal:
        await journal.add([Entry(0, 2, "user", "create", str(number)) for number in range(1, 8)])
        await journal.mark_sent([7, 3, 1, 2, 5])
        await journal.mark_known(
            [("created", None, 1, 3), ("existed", None, 1, 2), ("failed", "no", 2, 5), ("created", None, 1, 1)]
        )
        found = [(one.number, one.status, one.reason) for one in await journal.entries(limit=9)]
        states = await journal._transaction(lambda db: db.execute("SELECT state FROM item ORDER BY number").fetchall())
    assert found == [
        (1, "created", None), (2, "existed", None), (3, "created", None), (4, None, None), (5, "failed", "no"),
        (6, None, None), (7, None, None),
    ]  # fmt: skip
    assert [state for (state,) in states] == [2, 2, 2, 0, 2, 0, 1]
