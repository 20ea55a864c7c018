"""The index of keys closes its database after any cancellation."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import _distinct
from ethora_async._distinct import Distinct
from ethora_async.testing.implementers import cancel_at_every_step


async def test_keys_are_found_again_with_their_places() -> None:
    async with Distinct() as seen:
        assert await seen.add([("a", 1), ("b", 2), ("a", 3)]) == [None, None, 1]
        assert await seen.add([("b", 9), ("c", 4)]) == [2, None]


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 99)), max_size=6), max_size=6),
    st.integers(0, 9),
)
def test_in_memory_and_on_disk_are_one_index(batches: list[list[tuple[str, int]]], bound: int) -> None:
    async def found() -> list[list[int | None]]:
        async with Distinct() as seen:
            return [await seen.add(batch) for batch in batches]

    expected: list[list[int | None]] = []
    first: dict[str, int] = {}
    for batch in batches:
        expected.append([])
        for key, place in batch:
            expected[-1].append(first.get(key))
            first.setdefault(key, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_distinct, "IN_MEMORY", bound)
        assert asyncio.run(found()) == expected


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=6), st.integers(0, 9))
def test_keys_that_are_all_new_can_be_added_at_once(batches: list[list[str]], bound: int) -> None:
    """`add_new` either does what `add` would do, or nothing."""

    async def found() -> list[list[int | None]]:
        async with Distinct(in_memory=bound) as seen:
            return [
                [None] * len(batch) if seen.add_new(batch) else await seen.add([(key, 0) for key in batch])
                for batch in batches
            ]

    async def one_way() -> list[list[int | None]]:
        async with Distinct(in_memory=bound) as seen:
            return [await seen.add([(key, 0) for key in batch]) for batch in batches]

    assert asyncio.run(found()) == asyncio.run(one_way())


async def test_one_that_is_never_used_ends_as_well() -> None:
    async with Distinct():
        pass


async def test_cancelled_anywhere_every_database_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    make = _distinct._temporary_database

    def noted() -> sqlite3.Connection:
        opened.append(make())
        return opened[-1]

    monkeypatch.setattr(_distinct, "_temporary_database", noted)
    monkeypatch.setattr(_distinct, "IN_MEMORY", 0)

    async def scenario() -> None:
        async with Distinct() as seen:
            await seen.add([(str(number), number) for number in range(50)])
            await seen.add([("x", 1)])

    async def check() -> None:
        for thread in threading.enumerate():
            if thread.name.startswith("ethora-distinct"):
                await asyncio.to_thread(thread.join, 30)

    assert await cancel_at_every_step(scenario, check=check) >= 2
    assert opened
    for database in opened:
        try:
            database.execute("SELECT 1")
        except sqlite3.ProgrammingError:
            continue
        raise AssertionError("a database was left open")
    leftovers: list[Any] = opened
    leftovers.clear()
    gc.collect()
