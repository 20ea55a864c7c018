"""The content of a sandbox's page: facts and tables, for every platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

import attrs

SCANNED = 5_000
"""The most records that a search reads: the page asks every second, on the loop that serves the platform."""

Cell = str | int
RecordT = TypeVar("RecordT")


@attrs.frozen
class ViewRow:
    """A record in a table. `opens` is the record that it links to (`chats/<id>`), `user` the user of its chat page."""

    cells: tuple[Cell, ...]
    opens: str | None = None
    user: str | None = None


@attrs.frozen
class ViewTable:
    """Rows under headings. `total` counts all there are; `partial` is true if a search did not read all of them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[ViewRow, ...]
    total: int
    partial: bool = False


@attrs.frozen
class Detail:
    """One record: facts about it, and tables of what belongs to it."""

    title: str
    facts: Mapping[str, Cell]
    tables: tuple[ViewTable, ...] = ()


@attrs.frozen
class Knob:
    """An attribute of the sandbox's `Faults` that the page sets: a switch for a flag, a field for a number."""

    name: str
    label: str


class PlatformView(Protocol):
    """The data that the page reads from a platform."""

    @property
    def platform(self) -> str:
        """The display name of the platform."""
        ...

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """The settings of the platform's own faults."""
        ...

    def facts(self) -> Mapping[str, Cell]:
        """Return facts about the server, without secrets."""
        ...

    def counts(self) -> Mapping[str, tuple[str, int]]:
        """Return the title and the number of records of each table, by key."""
        ...

    def table(self, key: str, search: str, limit: int) -> ViewTable:
        """Return at most `limit` rows of a table: the first, or those that hold every word of `search`.

        Raises:
            KeyError: there is no such table.
        """
        ...

    def detail(self, key: str, record_id: str) -> Detail | None:
        """Return one record, or None if it does not exist."""
        ...


def make_table(
    title: str,
    columns: tuple[str, ...],
    records: Iterable[RecordT],
    row: Callable[[RecordT], ViewRow],
    total: int,
    search: str = "",
    limit: int = 100,
) -> ViewTable:
    """Return the first `limit` records, or the first that hold every word of `search` in any of their cells."""
    words = search.casefold().split()
    if not words:
        return ViewTable(title, columns, tuple(row(record) for record in islice(records, limit)), total)
    looked = [row(record) for record in islice(records, SCANNED)]
    found = [one for one in looked if _holds(one, words)]
    return ViewTable(title, columns, tuple(found[:limit]), len(found), partial=len(looked) < total)


def _holds(row: ViewRow, words: list[str]) -> bool:
    text = " ".join(map(str, row.cells)).casefold()
    return all(word in text for word in words)


def moment(seconds: float) -> str:
    """Return a time as the page shows it: `2026-11-30 17:05:09`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def as_json(value: ViewTable | Detail | None) -> dict[str, Any] | None:
    """Return a table or a record as the page reads it."""
    return None if value is None else attrs.asdict(value)
