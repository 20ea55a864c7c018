"""What a page of items costs does not grow with the items before it or behind it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ethora_async.sync.store import execution, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

PAGE = 10


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema.TABLES)
        yield connection


def fill(db: sqlite3.Connection, count: int) -> None:
    """Add items of three steps."""
    for step in (1, 2, 3):
        rows = [(step, f"u{number}") for number in range(count)]
        db.executemany(
            "INSERT INTO item (step, kind, action, key, needs_source) VALUES (?, 'user', 'create', ?, 0)", rows
        )


def instructions(db: sqlite3.Connection, work: Callable[[], Any]) -> int:
    """Return how many instructions of its virtual machine SQLite carries out."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    db.set_progress_handler(count, 1)
    work()
    db.set_progress_handler(None, 0)
    return done


@pytest.mark.parametrize("read", [execution.to_send, execution.sendable, execution.unsent])
def test_a_page_of_a_step_costs_the_same_everywhere(db: sqlite3.Connection, read: Callable[..., list[Any]]) -> None:
    costs = []
    for _ in range(2):
        fill(db, 1000)
        (last,) = db.execute("SELECT MAX(number) FROM item").fetchone()
        for after in (0, last // 2, last - 2 * PAGE):
            assert len(read(db, 3, after, PAGE)) == PAGE
            costs.append(instructions(db, lambda after=after: read(db, 3, after, PAGE)))
    assert max(costs) < 2 * min(costs), costs


def test_results_cost_the_same_however_many_items_there_are(db: sqlite3.Connection) -> None:
    costs = []
    for _ in range(2):
        fill(db, 1000)
        (last,) = db.execute("SELECT MAX(number) FROM item").fetchone()
        numbers = range(last - PAGE, last)
        results = [("created", None, 1, number) for number in numbers]
        costs.append(instructions(db, lambda: execution.mark_sent(db, numbers)))  # noqa: B023
        costs.append(instructions(db, lambda: execution.mark_known(db, results)))  # noqa: B023
    assert costs[2] < 2 * costs[0], costs
    assert costs[3] < 2 * costs[1], costs
