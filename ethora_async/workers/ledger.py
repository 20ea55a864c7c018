"""The ledger: the items of a run on several machines, and their results."""

from __future__ import annotations

import uuid
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import codec
from ethora_async.bulk.outcome import Status
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.store.items import Entry, ToSend
from ethora_async.trace_context import current_traceparent
from ethora_async.wording import storable
from ethora_async.workers import schema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from psycopg import AsyncConnection

    from ethora_async.workers.database import Database

CHUNK = 1000
"""Items in a chunk."""

LETTERS: Mapping[Status, str] = {
    "created": "c",
    "existed": "e",
    "updated": "u",
    "unchanged": "n",
    "deleted": "d",
    "absent": "a",
    "failed": "f",
    "unknown": "k",
}
STATUSES: Mapping[str, Status] = {letter: status for status, letter in LETTERS.items()}
TO_DO, MAYBE_DONE = ".", "?"
"""The letters of remaining items: never sent, and sent with an unknown result."""

_FAILED = "fk"
_PAGE = 20
WITHOUT_PLANNER = (
    "its password stays with the planning process, which is gone: run ethora apply again with the same list"
)


@attrs.frozen
class Step:
    """One step of a plan: its place in the order, and what it does."""

    step: int
    kind: str
    action: str


@attrs.frozen(eq=False)
class ChunkItems:
    """The items of a chunk; those of a `local` one can be carried out only by the planning process."""

    entries: Sequence[Entry] = attrs.field(repr=False)
    local: bool = False


@attrs.define(eq=False)
class Chunk:
    """A chunk that this worker has claimed.

    Attributes:
        attempts: number of claims, including this one.
        troubles: number of rounds that an error of the platform ended.
        outcomes: one letter per item.
        uncreated: items that cannot be carried out because an earlier step failed: by number, with the reason.
    """

    run: str
    step: int
    number: int
    claim: uuid.UUID
    kind: str
    action: str
    entries: Sequence[ToSend] = attrs.field(repr=False)
    attempts: int
    troubles: int
    outcomes: str = attrs.field(repr=False)
    platform: Any = attrs.field(default=None, repr=False)
    traceparent: str | None = None
    uncreated: Mapping[int, str] = attrs.field(factory=dict, repr=False)


@attrs.define
class Result:
    """The result of one item."""

    item: int
    name: str
    status: Status
    reason: str | None = None


@attrs.frozen
class RunStatus:
    """A run in numbers.

    Attributes:
        run: its id.
        state: ``running``, ``done`` or ``failed``: done, but some items are not.
        step: the current step.
        created: when it was created, in seconds since the epoch.
        total, done, failed: numbers of items; those that failed or are unknown count as done too.
        planner: seconds since the last heartbeat of the planning process, while users with passwords wait for it.
        counts: number of items by kind, action and status; empty if only the sums were requested.
    """

    run: str
    state: str
    step: int | None
    created: float
    total: int
    done: int
    failed: int
    planner: float | None = None
    counts: Mapping[tuple[str, str, str], int] = attrs.field(factory=dict)


class Ledger:
    """The runs in one database. Every method is one transaction, and raises `WorkersDatabaseError` without one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def name(self) -> str:
        """The database, without a password."""
        return self._database.name

    async def init(self, engine_schema: str) -> None:
        """Create the tables, and the engine's, if they are missing.

        Raises:
            ConfigError: other tables have these names.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(745107, 1)")
            ours, engines = await self._found(connection)
            if not engines:
                await connection.execute(engine_schema.encode())
            if not ours:
                for statement in schema.CREATE:
                    await connection.execute(statement.encode())

    async def check(self) -> None:
        """Check that the tables are there.

        Raises:
            ConfigError: they are not, or do not fit.
        """
        async with self._database.transaction() as connection:
            ours, engines = await self._found(connection)
        if not (ours and engines):
            msg = f"{self.name} holds no runs: start one with ethora apply --workers"
            raise ConfigError(msg)

    async def _found(self, connection: AsyncConnection[Any]) -> tuple[bool, bool]:
        """Return whether our tables and the engine's exist.

        Raises:
            ConfigError: they are not ours, or of another version.
        """
        names, engines, current = await _row(connection, schema.EXISTS, {"tables": list(schema.TABLES)})
        if engines and not current:
            msg = (
                f"{self.name} has tables of an older procrastinate: apply its migrations (procrastinate schema"
                " --migrations-path names them), or use another database"
            )
            raise ConfigError(msg)
        if not names:
            return False, engines
        if names != sorted(schema.TABLES):
            missing = ", ".join(sorted({*schema.TABLES} - {*names}))
            msg = f"{self.name} has a table {names[0]} that is not of this package ({missing} missing): use another one"
            raise ConfigError(msg)
        columns = await connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('ethora_workers') AND attnum > 0"
        )
        rows = []
        if [name for (name,) in await columns.fetchall()] == ["version"]:
            rows = await (await connection.execute("SELECT version FROM ethora_workers")).fetchall()
        if len(rows) != 1:
            msg = f"{self.name} has a table ethora_workers that is not of this package: use another database"
            raise ConfigError(msg)
        ((version,),) = rows
        if version != schema.VERSION:
            advice = (
                "upgrade this package"
                if version > schema.VERSION
                else "let its runs end with the package that made them, then drop its tables"
            )
            msg = f"{self.name} has runs of schema version {version}, and this one knows {schema.VERSION}: {advice}"
            raise ConfigError(msg)
        return True, engines

    async def push(self, platform: Any, steps: Sequence[tuple[Step, AsyncIterable[ChunkItems]]]) -> str:
        """Store a plan and start it. Nothing of it is carried out unless this returns.

        Args:
            platform: the client that the plan was made for; a worker with another client refuses the run.
            steps: each with its items in chunks.
        """
        run = uuid.uuid4().hex[:12]
        async with self._database.transaction() as connection:
            text, parent = codec.dumps(platform).decode(), current_traceparent()
            await _execute(connection, schema.START, {"run": run, "platform": text, "traceparent": parent})
            into = "COPY ethora_chunk (run, step, number, kind, action, size, local, items) FROM STDIN"
            async with connection.cursor() as cursor, cursor.copy(into) as copy:
                for step, parts in steps:
                    number = 0
                    async for part in parts:
                        number += 1
                        size, packed = len(part.entries), _pack(part.entries)
                        await copy.write_row((run, step.step, number, step.kind, step.action, size, part.local, packed))
            await _execute(connection, schema.TOTAL, {"run": run})
            await _advance(connection, run)
        return run

    async def claim(self, run: str, step: int, number: int) -> Chunk | None:
        """Claim a chunk; return None when it is already done, or not its turn. An earlier claim becomes invalid."""
        claim = uuid.uuid4()
        values = {"run": run, "step": step, "number": number, "claim": claim}
        uncreated: dict[int, str] = {}
        # On disk before anything is sent: a worker that takes the chunk over must see that it was begun.
        async with self._database.transaction() as connection:
            found = await _row(connection, schema.CLAIM, values)
            if found is None:
                return None
            kind, action, items, attempts, troubles, outcomes, platform, parent = found
            entries = _unpack(items)
            if (kind, action) == ("member", "grant"):
                uncreated = await _uncreated(connection, run, entries)
        return Chunk(
            run, step, number, claim, kind, action, entries, attempts, troubles,
            outcomes or TO_DO * len(entries), platform, parent, uncreated,
        )  # fmt: skip

    async def finish(self, chunk: Chunk, results: Sequence[Result]) -> bool:
        """Record the results of a chunk, its failures, and the end of its step, in one transaction.

        Returns:
            Whether the claim was still valid; if not, nothing was recorded.
        """
        return await self._record(chunk, results, done=True)

    async def keep(self, chunk: Chunk, results: Sequence[Result]) -> bool:
        """Record the known results of a chunk in progress; return the same as `finish`."""
        return await self._record(chunk, results)

    async def release(self, chunk: Chunk, results: Sequence[Result], maybe_done: frozenset[int]) -> bool:
        """Record the known results of a chunk that an error ended, and release it; return the same as `finish`.

        Args:
            chunk: the claimed chunk.
            results: the known results.
            maybe_done: items that were sent with an unknown result.
        """
        return await self._record(chunk, results, maybe_done, troubles=1)

    async def _record(
        self,
        chunk: Chunk,
        results: Sequence[Result],
        maybe_done: frozenset[int] = frozenset(),
        *,
        done: bool = False,
        troubles: int = 0,
    ) -> bool:
        letters = {result.item: LETTERS[result.status] for result in results}
        letters.update(dict.fromkeys(maybe_done - letters.keys(), MAYBE_DONE))
        outcomes = "".join(
            [letters.get(entry.number, letter) for entry, letter in zip(chunk.entries, chunk.outcomes, strict=True)]
        )
        if done and not STATUSES.keys() >= {*outcomes}:
            msg = f"chunk {chunk.number} of step {chunk.step} has items with unknown outcomes"
            raise ValueError(msg)
        failed = [one for one in results if LETTERS[one.status] in _FAILED]
        values: dict[str, Any] = {
            "run": chunk.run, "step": chunk.step, "number": chunk.number, "claim": chunk.claim,
            "outcomes": outcomes, "done": done, "troubles": troubles,
        }  # fmt: skip
        # Does not wait for the disk: the engine's own commit follows, and flushes both.
        async with self._database.transaction(durable=False) as connection:
            before = await _row(connection, schema.LOCK_CLAIMED, values)
            recorded = before and await _row(connection, schema.RECORD, values)
            if before is None or recorded is None:
                return False
            values["local"] = recorded[0]
            values["known"] = sum(map(outcomes.count, STATUSES)) - before[0]
            values["failed"] = await _fail(connection, chunk, failed) if failed else 0
            left = await _row(connection, schema.COUNT, values)
            if done:
                await _go_on(connection, chunk.run, left)
        return True

    async def retry(self, run: str, *, local: bool = False) -> int:
        """Reset items that failed or are unknown, and schedule the remaining ones. Return their number.

        Args:
            run: its id.
            local: also users with passwords, since this is their planning process.

        Raises:
            InvalidInputError: there is no such run.
        """
        values: dict[str, Any] = {"run": run, "local": local}
        async with self._database.transaction() as connection:
            await self._lock(connection, run)
            for statement in (schema.RESET, schema.FORGET_FAILURES, schema.RECOUNT):
                await _execute(connection, statement, values)
            await _advance(connection, run)
        status = await self.progress(run)
        return status.total - status.done

    async def heartbeat(self, run: str) -> bool:
        """Record a heartbeat of a run's planning process; return whether the run continues."""
        async with self._database.transaction(durable=False) as connection:
            return await _row(connection, schema.BEAT, {"run": run}) is not None

    async def give_up_silent_planners(self, silence: float) -> int:
        """Fail the users with passwords of planning processes without a heartbeat for so many seconds."""
        async with self._database.transaction() as connection:
            found = await _execute(connection, schema.SILENT, {"silence": silence})
            silent = [run for (run,) in await found.fetchall()]
        return sum([await self.give_up_local(run) for run in silent])

    async def give_up_local(self, run: str) -> int:
        """Fail the users with passwords, which only the planning process could create. Return their number.

        Raises:
            InvalidInputError: there is no such run.
        """
        count = 0
        async with self._database.transaction() as connection:
            await self._lock(connection, run)
            while (found := await _row(connection, schema.LOCAL, {"run": run})) is not None:
                step, number, kind, action, items, outcomes = found
                entries = _unpack(items)
                letters = outcomes or TO_DO * len(entries)
                left = [one for one, letter in zip(entries, letters, strict=True) if letter not in STATUSES]
                chunk = Chunk(run, step, number, uuid.uuid4(), kind, action, entries, 0, 0, letters)
                values: dict[str, Any] = {
                    "run": run, "step": step, "number": number, "claim": chunk.claim, "done": True, "troubles": 0,
                    "outcomes": letters.translate(str.maketrans(".?", "ff")),
                    "known": len(left), "failed": len(left),
                }  # fmt: skip
                await _execute(connection, schema.GIVE_UP, values)
                await _execute(connection, schema.RECORD, values)
                await _fail(
                    connection, chunk, [Result(one.number, one.name, "failed", WITHOUT_PLANNER) for one in left]
                )
                count += len(left)
                await _go_on(connection, run, await _row(connection, schema.COUNT, {**values, "local": True}))
        return count

    async def local_chunks(self, run: str, step: int) -> list[int]:
        """Return the numbers of a step's unfinished chunks that only the planning process can carry out."""
        async with self._database.transaction() as connection:
            found = await _execute(connection, schema.LOCAL_CHUNKS, {"run": run, "step": step})
            return [number for (number,) in await found.fetchall()]

    async def platform(self, run: str) -> Any:
        """Return the client that the run's plan was made for.

        Raises:
            InvalidInputError: there is no such run.
        """
        async with self._database.transaction() as connection:
            found = await (
                await connection.execute("SELECT platform FROM ethora_run WHERE run = %(run)s", {"run": run})
            ).fetchone()
        if found is None:
            raise self._missing(run)
        return found[0]

    async def progress(self, run: str) -> RunStatus:
        """Return the sums of a run, without its `counts`.

        Raises:
            InvalidInputError: there is no such run.
        """
        async with self._database.transaction() as connection:
            head = await _row(connection, f"{schema.HEAD} WHERE run = %(run)s", {"run": run})
        if head is None:
            raise self._missing(run)
        return RunStatus(*head)

    async def status(self, run: str) -> RunStatus:
        """Count a run's items.

        Raises:
            InvalidInputError: there is no such run.
        """
        counts: Counter[tuple[str, str, str]] = Counter()
        async with self._database.transaction() as connection:
            head = await _row(connection, f"{schema.HEAD} WHERE run = %(run)s", {"run": run})
            rows = await (await _execute(connection, schema.PROGRESS, {"run": run})).fetchall()
        if head is None:
            raise self._missing(run)
        for kind, action, outcomes, times in rows:
            for letter, count in Counter(outcomes).items():
                if letter in STATUSES:
                    counts[kind, action, STATUSES[letter]] += count * times
        return attrs.evolve(RunStatus(*head), counts=dict(counts))

    async def runs(self, limit: int = 100) -> list[RunStatus]:
        """Return the sums of the runs, the newest first."""
        async with self._database.transaction() as connection:
            query = f"{schema.HEAD} ORDER BY created DESC LIMIT %(limit)s"
            found = await (await _execute(connection, query, {"limit": limit})).fetchall()
        return [RunStatus(*row) for row in found]

    async def newest(self) -> RunStatus:
        """Return the sums of the newest run.

        Raises:
            InvalidInputError: there is none.
        """
        found = await self.runs(1)
        if not found:
            msg = f"{self.name} holds no runs: start one with ethora apply --workers"
            raise InvalidInputError(msg, field="run")
        return found[0]

    async def failures(self, run: str, limit: int = 1000) -> list[Result]:
        """Return the first items that failed or are unknown."""
        async with self._database.transaction() as connection:
            query = "SELECT item, name, status, reason FROM ethora_failure WHERE run = %s ORDER BY item LIMIT %s"
            return [Result(*row) for row in await (await connection.execute(query, (run, limit))).fetchall()]

    async def entries(self, run: str) -> AsyncGenerator[list[Entry], None]:
        """Iterate over a run's items with their results, a chunk at a time; an unknown status is None."""
        step, number = -1, 0
        while True:
            pages = []
            async with self._database.transaction() as connection:
                values = {"run": run, "step": step, "number": number, "limit": _PAGE}
                rows = await (await _execute(connection, schema.AFTER, values)).fetchall()
                for step, number, kind, action, items, outcomes, local in rows:
                    found: dict[int, str] = {}
                    if set(_FAILED).intersection(outcomes or ""):
                        values = {"run": run, "step": step, "number": number}
                        found = dict(await (await _execute(connection, schema.REASONS, values)).fetchall())
                    entries = _unpack(items)
                    letters = outcomes or TO_DO * len(entries)
                    pages.append([
                        Entry(
                            one.number, step, kind, action, one.key, one.other, after=one.after, needs_source=local,
                            status=STATUSES.get(letter), reason=found.get(one.number),
                        )
                        for one, letter in zip(entries, letters, strict=True)
                    ])  # fmt: skip
            for page in pages:
                yield page
            if len(rows) < _PAGE:
                return

    async def _lock(self, connection: AsyncConnection[Any], run: str) -> None:
        query = "SELECT 1 FROM ethora_run WHERE run = %(run)s FOR UPDATE"
        if await (await connection.execute(query, {"run": run})).fetchone() is None:
            raise self._missing(run)

    def _missing(self, run: str) -> InvalidInputError:
        return InvalidInputError(f"there is no run {run} in {self.name}: ethora runs lists them", field="run")


async def _advance(connection: AsyncConnection[Any], run: str) -> None:
    """Begin the first unfinished step, or end the run; the caller has locked its row."""
    values: dict[str, Any] = {"run": run}
    found = await _row(connection, schema.NEXT, values)
    if found is None:
        await _execute(connection, schema.END, values)
        return
    values["step"], values["chunks"], values["remote"] = found
    await _execute(connection, schema.BEGIN_STEP, values)
    await _defer(connection, run, values["step"], 0, schema.WINDOW)


async def _go_on(connection: AsyncConnection[Any], run: str, left: tuple[int, int, int, int, int]) -> None:
    """Begin what comes next after the end of a chunk: the next step, or more jobs of this one."""
    unfinished, undeferred, outstanding, deferred, step = left
    if not unfinished:
        await _advance(connection, run)
    elif undeferred and outstanding <= schema.WINDOW // 2:
        await _defer(connection, run, step, deferred, schema.WINDOW - outstanding)


async def _defer(connection: AsyncConnection[Any], run: str, step: int, deferred: int, limit: int) -> None:
    """Make jobs for the next chunks of a step behind number `deferred`."""
    values: dict[str, Any] = {"run": run, "step": step, "deferred": deferred, "limit": limit}
    numbers = [number for (number,) in await (await _execute(connection, schema.TO_DEFER, values)).fetchall()]
    if not numbers:
        await _execute(connection, schema.NONE_TO_DEFER, values)
        return
    values |= {"queue": schema.QUEUE, "task": schema.TASK, "numbers": numbers}
    await _execute(connection, schema.DEFER, values)
    await _execute(connection, schema.DEFERRED, {"run": run, "found": len(numbers), "last": numbers[-1]})


async def _uncreated(connection: AsyncConnection[Any], run: str, entries: Sequence[ToSend]) -> dict[int, str]:
    """Return the memberships of users, or in chats, that could not be created, with the reason."""
    values = {"run": run, "users": [one.other for one in entries], "chats": list({one.key for one in entries})}
    gone = set(await (await _execute(connection, schema.UNCREATED, values)).fetchall())
    if not gone:
        return {}
    found = {}
    for one in entries:
        for kind, name in (("user", one.other), ("chat", one.key)):
            if (kind, name) in gone:
                found[one.number] = f"the {kind} {name} was not created"
                break
    return found


async def _fail(connection: AsyncConnection[Any], chunk: Chunk, failed: Sequence[Result]) -> int:
    """Record failures; return the number of new ones."""
    values = {
        "run": chunk.run, "step": chunk.step, "number": chunk.number, "kind": chunk.kind, "action": chunk.action,
        "items": [one.item for one in failed], "names": [one.name for one in failed],
        "statuses": [one.status for one in failed], "reasons": [one.reason and storable(one.reason) for one in failed],
    }  # fmt: skip
    return sum([new for (new,) in await (await _execute(connection, schema.FAIL, values)).fetchall()])


async def _execute(connection: AsyncConnection[Any], query: str, values: Mapping[str, Any]) -> Any:
    return await connection.execute(query.encode(), values)


async def _row(connection: AsyncConnection[Any], query: str, values: Mapping[str, Any]) -> Any:
    return await (await _execute(connection, query, values)).fetchone()


def _pack(entries: Sequence[Entry]) -> bytes:
    return zlib.compress(codec.dumps([[one.number, one.key, one.other, one.after] for one in entries]), 1)


def _unpack(items: bytes) -> list[ToSend]:
    return [*starmap(ToSend, codec.loads(zlib.decompress(items)))]


__all__ = ["CHUNK", "Chunk", "ChunkItems", "Ledger", "Result", "RunStatus", "Step"]
