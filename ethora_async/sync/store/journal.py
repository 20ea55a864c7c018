"""The journal of a plan: its items, which of them were sent, and the known results.

One SQLite file that outlives its process. Every method is one atomic transaction in the journal's own thread.

* ``kill -9`` loses nothing that a method has returned for. An item is committed as *sent* before its request leaves, so
  an item that is not marked was certainly never sent.
* A power cut may lose the last transactions (WAL with ``synchronous=NORMAL``), but never damages the file. What is lost
  is done once more, which is harmless: everything in a journal may be repeated.
* Only one process can have a journal open, and its lock ends with the process. ``-wal`` and ``-shm`` files that a crash
  left beside the journal belong to it: copy them too.

No secret is ever written to it. Callers use its methods: only `ethora_async.sync.store` knows the tables and
statements, which may change.
"""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ethora_async import codec
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.store import comparison, execution, file, key_ranges, problems, sides
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, decoded, parsed
from ethora_async.sync.store.schema import TABLES
from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from ethora_async.capabilities import ListedUsers
    from ethora_async.sync.store.items import (
        Actual,
        Compared,
        Comparison,
        Deletions,
        Entry,
        Kind,
        Problem,
        Result,
        ToSend,
        Wanted,
        WantedUsers,
    )
    from ethora_async.sync.store.key_ranges import KeyRange

T = TypeVar("T")

_PAGE = 500
"""Items that are read in one transaction."""

_CLOSING = 5.0
"""Seconds that a cancelled opening waits for its thread to clean up."""


class Journal:
    """An open journal; created by `create` or `open`."""

    def __init__(self, path: Path, database: sqlite3.Connection, thread: OwnThread, *, temporary: bool) -> None:
        self.path = path
        self._database = database
        self._thread = thread
        self._temporary = temporary
        self._closed = False
        self._seen = sides.Seen()
        self._range: KeyRange | None = None

    @classmethod
    async def create(cls, path: str | Path | None = None, *, meta: Mapping[str, Any] | None = None) -> Self:
        """Create a journal at `path` that only its owner can read; None creates one that is deleted when it is closed.

        The file appears complete, with its tables and settings.

        Args:
            path: where to create it.
            meta: its first settings.

        Raises:
            InvalidInputError: `path` exists, or cannot be written.
        """
        make = partial(file.create_file, path, TABLES, dict(meta or {}))
        return await cls._started(OwnThread("ethora-journal"), make, temporary=path is None)

    @classmethod
    async def open(cls, path: str | Path) -> Self:
        """Open an existing journal.

        Raises:
            InvalidInputError: it does not exist, is not a journal, was written by another version, or another process
                has it open.
        """
        return await cls._started(OwnThread("ethora-journal"), partial(file.open_file, Path(path)), temporary=False)

    @classmethod
    async def _started(
        cls, thread: OwnThread, make: Callable[[], tuple[Path, sqlite3.Connection]], *, temporary: bool
    ) -> Self:
        made: list[tuple[Path, sqlite3.Connection]] = []
        try:
            await thread.run(lambda: made.append(make()))
        except BaseException:
            # A cancelled call may still be running in its thread: its result is closed there afterwards. A program that
            # ends at once would otherwise leave the file behind.
            closing = thread.finish(partial(_close_all, made, temporary=temporary))
            await asyncio.wait({closing}, timeout=_CLOSING)
            raise
        return cls(*made[0], thread, temporary=temporary)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write everything into the one file and release it. Safe to call more than once."""
        if not self._closed:
            self._closed = True
            await self._thread.finish(partial(file.close_file, self.path, self._database, temporary=self._temporary))

    async def _transaction(self, work: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run `work` in one transaction and return its result.

        Raises:
            InvalidInputError: the journal is closed.
            ChatError: its file cannot be read or written.
        """
        if self._closed:
            msg = f"the journal {self.path} is closed: open it again"
            raise InvalidInputError(msg, field="journal", file=str(self.path))
        try:
            return await self._thread.run(_in_transaction, self._database, partial(_bound, work, args, named))
        except sqlite3.DatabaseError as error:
            msg = f"the journal {self.path} cannot be used: {file.told(error)}"
            raise ChatError(msg) from None

    # Settings

    async def set_meta(self, **values: Any) -> None:
        """Store settings, as JSON."""
        rows = [{"name": name, "value": codec.dumps(value).decode()} for name, value in values.items()]
        await self._transaction(_set_meta, rows)

    async def meta(self, name: str, default: Any = None) -> Any:
        """Return a setting."""
        text = await self._transaction(_meta, name)
        return default if text is None else parsed(text)

    # Both sides, and their differences

    async def clear(self) -> None:
        """Delete everything but the settings, to plan again."""
        self._seen = sides.Seen()
        await self._transaction(sides.clear)

    async def keep_range(self, key_range: KeyRange) -> None:
        """Keep the records of this range only, and those that they depend on (see `key_ranges`)."""
        self._range = key_range
        await self._transaction(key_ranges.begin)

    @property
    def keeps_a_range(self) -> bool:
        """Whether it keeps the records of one range only."""
        return self._range is not None

    async def forget_users(self) -> None:
        """Drop both sides of the users, to read them once more for a range."""
        self._seen = sides.Seen()
        await self._transaction(sides.clear_users)

    async def found_in_range(self) -> int:
        """Return a number that grows as long as passes find users on whom those of the range depend."""
        return await self._transaction(key_ranges.found)

    async def adopt(self, identities: Sequence[str]) -> None:
        """Keep these users in addition to those of the range."""
        if self._range is not None:
            await self._transaction(key_ranges.adopt, identities, self._range)

    async def settle_range(self) -> None:
        """Drop the users whom another part plans, once both sides of them were read."""
        if self._range is not None:
            await self._transaction(key_ranges.settle, self._range)

    async def add_wanted(self, rows: Sequence[Wanted], problems: Sequence[Problem] = ()) -> None:
        """Add rows of a source: what it wants, and its invalid rows.

        Rows that contradict earlier ones (the same id, the same e-mail address) become problems.
        """
        await self._transaction(sides.add_wanted, rows, problems, self._seen, self._range)

    async def add_wanted_users(self, users: WantedUsers) -> None:
        """Add many users of a source at once, as `add_wanted` does."""
        await self._transaction(sides.add_wanted_users, users, self._seen, self._range)

    async def add_actual(self, rows: Sequence[Actual]) -> None:
        """Add records that the platform lists."""
        await self._transaction(sides.add_actual, rows, self._range)

    async def add_actual_users(self, users: ListedUsers) -> int:
        """Add many users that the platform lists at once; return how many were not listed before.

        Of users who are listed again, the first record is kept.
        """
        return await self._transaction(sides.add_actual_users, users, self._range)

    async def forget_actual(self) -> None:
        """Delete the platform's records, to list them again."""
        await self._transaction(sides.forget_actual)

    async def name_chats(self, chats: Sequence[str]) -> None:
        """Mark chats whose members must be listed."""
        await self._transaction(sides.name_chats, chats)

    async def chats_to_list(self, *, after: str, limit: int) -> list[str]:
        """Return the next existing chats whose members must be listed, by id."""
        return await self._transaction(sides.chats_to_list, after, limit)

    async def compare(self, what: Comparison) -> Compared:
        """Create an item for every difference between both sides, in an order in which they can be applied."""
        await self._transaction(sides.settle, self._seen)
        return await self._transaction(comparison.write_differences, what)

    async def add(self, entries: Iterable[Entry]) -> None:
        """Add items; they are numbered in order."""
        await self._transaction(comparison.add_rows, [comparison.row_of(entry) for entry in entries])

    async def deletions(self) -> list[Deletions]:
        """Return the planned deletions of each kind."""
        return await self._transaction(execution.deletions)

    async def actual_of(self, entries: Sequence[Entry]) -> list[tuple[bool, Mapping[str, Any]] | None]:
        """Return, for each item's record, whether it is the platform's own, and its state, or None."""
        found = await self._transaction(sides.actual_of, entries)
        return [None if one is None else (one[0], decoded(one[1]) or {}) for one in found]

    async def other_spellings(self, records: Sequence[tuple[str, str, str | None]]) -> list[str | None]:
        """Return, for each record (kind, id, identity), another listed id that has the same identity."""
        return await self._transaction(sides.other_spellings, records)

    # Reading items

    async def entries(self, *, after: int = 0, limit: int = _PAGE) -> list[Entry]:
        """Return all items after number `after`, by number."""
        return await self._transaction(execution.select_entries, "1", after=after, limit=limit)

    def everything(self) -> AsyncGenerator[Entry, None]:
        """Iterate over all items."""
        return self._where("1")

    def changes(self) -> AsyncGenerator[Entry, None]:
        """Iterate over the items to apply, including those already applied."""
        return self._where("step > 0")

    def cannot_change(self) -> AsyncGenerator[Entry, None]:
        """Iterate over the differences that cannot be changed on the platform."""
        return self._where("action = ?", CANNOT_CHANGE)

    def extras(self) -> AsyncGenerator[Entry, None]:
        """Iterate over existing records that no source wants, and that stay."""
        return self._where("action = ?", EXTRA)

    def between(self, first: int, last: int) -> AsyncGenerator[Entry, None]:
        """Iterate over the items with these numbers and all in between."""
        return self._where("number BETWEEN ? AND ?", first, last)

    def failures(self) -> AsyncGenerator[Entry, None]:
        """Iterate over the items that failed or are unknown."""
        return self._where("status IN ('failed', 'unknown')")

    async def first_failures(self, limit: int) -> list[Entry]:
        """Return the first items that failed or are unknown."""
        return await self._transaction(execution.select_entries, "status IN ('failed', 'unknown')", limit=limit)

    async def first_changes(self, limit: int) -> list[Entry]:
        """Return the first items to apply."""
        return await self._transaction(execution.select_entries, "step > 0", limit=limit)

    async def first_unchangeable(self, limit: int) -> list[Entry]:
        """Return the first differences that cannot be changed on the platform."""
        return await self._transaction(execution.select_entries, "action = ?", (CANNOT_CHANGE,), limit=limit)

    async def examples(self, kind: str, action: str, limit: int) -> list[Entry]:
        """Return the first items of a kind and action, in the order in which they are applied."""
        condition, values, order = "kind = ? AND action = ?", (kind, action), "step, number"
        return await self._transaction(execution.select_entries, condition, values, limit=limit, order=order)

    async def counts(self) -> dict[tuple[str, str, str | None], int]:
        """Return the number of items by kind, action and status; an unknown status is None."""
        return await self._transaction(execution.counts)

    async def planned_counts(self) -> dict[tuple[str, str], int]:
        """Return the number of items by kind and action."""
        return await self._transaction(execution.planned_counts)

    # Rows that cannot be used

    async def problems(self) -> AsyncGenerator[Problem, None]:
        """Iterate over the invalid rows, in the order in which they were read."""
        after = 0
        while found := await self._transaction(problems.problems_after, after, _PAGE):
            for number, problem in found:
                after = number
                yield problem

    async def first_problems(self, limit: int) -> list[Problem]:
        """Return the first invalid rows."""
        return [problem for _, problem in await self._transaction(problems.problems_after, 0, limit)]

    async def problem_counts(self) -> dict[str, int]:
        """Return the number of invalid rows, by kind."""
        return await self._transaction(problems.problem_counts)

    async def unsafe_rows(self) -> int:
        """Return the number of invalid rows that may mean a record that would be deleted."""
        others = 0 if self._range is None else await self._transaction(key_ranges.other_rows)
        return others + await self._transaction(problems.unsafe_rows)

    async def collect_refused(self) -> bool:
        """Prepare `refused_rows`; return whether any row was rejected, locally or by the platform."""
        return await self._transaction(problems.collect_refused)

    async def refused_rows(
        self, kind: Kind, rows: Sequence[tuple[str, str | None, int]], *, by_line: bool
    ) -> list[str | None]:
        """Return why each row was rejected, or None.

        Args:
            kind: the kind of rows.
            rows: each row's id, file and line.
            by_line: whether rows are identified by line; rows of a database have no lines.
        """
        return await self._transaction(problems.refusals, kind, rows, by_line=by_line)

    # Applying

    async def take_up(self) -> int:
        """Reset items that failed or are unknown, and return the number of items to do."""
        return await self._transaction(execution.take_up)

    async def remaining(self, step: int | None = None) -> int:
        """Return the number of items to do, in all steps or in one."""
        return await self._transaction(execution.remaining, step)

    async def steps(self) -> list[tuple[int, str, str]]:
        """Return the steps with items to do, each with its kind and action, in order."""
        return await self._transaction(execution.steps)

    async def was_begun(self) -> bool:
        """Return whether anything was sent."""
        return await self._transaction(execution.was_begun)

    def to_do(self) -> AsyncGenerator[Entry, None]:
        """Iterate over the items to do."""
        return _paged(partial(self._transaction, execution.remaining_after))

    async def sendable(self, step: int, *, after: int, limit: int) -> list[Entry]:
        """Return the next items of a step that need no source."""
        return await self._transaction(execution.sendable, step, after, limit)

    async def to_send(self, step: int, *, after: int, limit: int) -> list[ToSend]:
        """Return what is needed of the items that `sendable` returns."""
        return await self._transaction(execution.to_send, step, after, limit)

    async def unsent(self, step: int, *, after: int, limit: int) -> list[Entry]:
        """Return the next items of a step, those that need their source among them."""
        return await self._transaction(execution.unsent, step, after, limit)

    async def awaiting_source(self, step: int, keys: Sequence[str]) -> list[tuple[str, dict[str, Any], int]]:
        """Return key, record and number of the users of a step whose password only the source has."""
        return await self._transaction(execution.awaiting_source, step, keys)

    async def fail_awaiting_source(self, step: int, reason: str) -> int:
        """Fail the items that still wait for their source; return their number."""
        return await self._transaction(execution.fail_awaiting_source, step, reason)

    async def fail_grants_of_the_uncreated(self, step: int) -> None:
        """Fail memberships of users, and in chats, that could not be created."""
        await self._transaction(execution.fail_grants_of_the_uncreated, step)

    async def mark_sent(self, numbers: Iterable[int]) -> None:
        """Mark items as sent, before they are sent."""
        await self._transaction(execution.mark_sent, numbers)

    async def mark_known(self, results: Sequence[Result]) -> None:
        """Record the results of items.

        If an item was sent before without a reply, and is now found done, the earlier attempt did it.
        """
        await self._transaction(execution.mark_known, results)

    async def refuse(self, results: Sequence[Result]) -> None:
        """Record the results of items for good: they are never sent again."""
        await self._transaction(execution.refuse, results)

    def _where(self, condition: str, *values: Any) -> AsyncGenerator[Entry, None]:
        def read(after: int, limit: int) -> Awaitable[list[Entry]]:
            return self._transaction(execution.select_entries, condition, values, after=after, limit=limit)

        return _paged(read)


async def _paged(read: Callable[[int, int], Awaitable[list[Entry]]]) -> AsyncGenerator[Entry, None]:
    after = 0
    while found := await read(after, _PAGE):
        for entry in found:
            yield entry
        after = found[-1].number


def _set_meta(db: sqlite3.Connection, rows: list[dict[str, str]]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta VALUES (:name, :value)", rows)


def _meta(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _close_all(made: Iterable[tuple[Path, sqlite3.Connection]], *, temporary: bool) -> None:
    for path, database in made:
        file.close_file(path, database, temporary=temporary)


def _bound(work: Callable[..., T], args: tuple[Any, ...], named: dict[str, Any], database: sqlite3.Connection) -> T:
    return work(database, *args, **named)


def _in_transaction(database: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    database.execute("BEGIN IMMEDIATE")
    try:
        result = work(database)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk ends the transaction by itself
            database.execute("ROLLBACK")
        raise
    return result
