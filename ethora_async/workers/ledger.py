"""The ledger: what a run on several machines intends, and what became of each of its items."""

from __future__ import annotations

import uuid
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import codec
from ethora_async.bulk.outcome import Status
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.store.items import Entry
from ethora_async.workers import schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

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
_TO_DO = "."
_FAILED = "fk"


@attrs.frozen
class Step:
    """One step of a plan: its place in the order, what it does, and how many of its items only the planner can do."""

    step: int
    kind: str
    action: str
    local: int = 0


@attrs.frozen(eq=False)
class Chunk:
    """A chunk that this worker has claimed.

    Attributes:
        outcomes: one letter an item from an earlier round; ``.`` is to do.
        attempts: how often it was claimed, this time included.
    """

    run: str
    step: int
    number: int
    claim: uuid.UUID
    kind: str
    action: str
    entries: Sequence[Entry] = attrs.field(repr=False)
    attempts: int
    outcomes: str = attrs.field(repr=False)
    platform: Any = attrs.field(default=None, repr=False)


@attrs.frozen
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
        step: the step that is carried out.
        created: when it was made, in seconds since the epoch.
        total, done: items.
        counts: by kind, action and status, how many items ended so.
    """

    run: str
    state: str
    step: int | None
    created: float
    total: int
    done: int
    counts: Mapping[tuple[str, str, str], int]

    @property
    def failed(self) -> int:
        """How many items failed or are unknown."""
        return sum(count for (_, _, status), count in self.counts.items() if status in ("failed", "unknown"))


class Ledger:
    """The runs in one database. Every method is one transaction, and raises `WorkersDatabaseError` without one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def name(self) -> str:
        """The database, without a password."""
        return self._database.name

    async def init(self, engine_schema: str) -> None:
        """Create the tables, and the engine's, where they are not there."""
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(745107, 1)")
            ours, engines = await _row(connection, schema.EXISTS)
            if not engines:
                await connection.execute(engine_schema.encode())
            if not ours:
                for statement in schema.CREATE:
                    await connection.execute(statement.encode())

    async def check(self) -> None:
        """Check that the tables are there.

        Raises:
            ConfigError: they are not.
        """
        async with self._database.transaction() as connection:
            ours, engines = await _row(connection, schema.EXISTS)
        if not (ours and engines):
            msg = f"{self.name} holds no runs: start one with ethora apply --workers"
            raise ConfigError(msg)

    async def push(self, platform: Any, steps: Sequence[tuple[Step, AsyncIterable[list[Entry]]]]) -> str:
        """Keep a plan and start it. Nothing of it is carried out if this does not return.

        Args:
            platform: what the plan was made for; a worker with another client refuses the run.
            steps: each with its items in chunks.
        """
        run = uuid.uuid4().hex[:12]
        async with self._database.transaction() as connection:
            values = {"run": run, "platform": codec.dumps(platform).decode()}
            await connection.execute(
                "INSERT INTO ethora_run (run, platform, state)"
                " VALUES (%(run)s, CAST(%(platform)s AS jsonb), 'running')",
                values,
            )
            into = "COPY ethora_chunk (run, step, number, kind, action, size, items) FROM STDIN"
            async with connection.cursor() as cursor, cursor.copy(into) as copy:
                for step, chunks in steps:
                    if step.local:
                        await copy.write_row((run, step.step, 0, step.kind, step.action, step.local, None))
                    number = 0
                    async for entries in chunks:
                        number += 1
                        packed = _pack(entries)
                        row = (run, step.step, number, step.kind, step.action, len(entries), packed)
                        await copy.write_row(row)
            await _advance(connection, run)
        return run

    async def claim(self, run: str, step: int, number: int) -> Chunk | None:
        """Claim a chunk; None when it is done already, or not its turn. Whoever had claimed it can end it no more."""
        claim = uuid.uuid4()
        values = {"run": run, "step": step, "number": number, "claim": claim}
        async with self._database.transaction() as connection:
            found = await (await connection.execute(schema.CLAIM, values)).fetchone()
        if found is None:
            return None
        kind, action, items, attempts, outcomes, platform = found
        entries = [] if items is None else _unpack(items, step, kind, action)
        return Chunk(run, step, number, claim, kind, action, entries, attempts, outcomes or "", platform)

    async def finish(self, chunk: Chunk, results: Sequence[Result]) -> bool:
        """Record what became of a chunk, its failures, and the end of its step, all in one transaction.

        Returns:
            Whether the claim stood; when not, nothing was recorded.
        """
        found = {result.item: result for result in results}
        kept = chunk.outcomes or _TO_DO * len(chunk.entries)
        letters = [
            LETTERS[found[entry.number].status] if entry.number in found else letter
            for entry, letter in zip(chunk.entries, kept, strict=True)
        ]
        if not chunk.entries:  # those of the planner
            letters = [LETTERS[result.status] for result in results]
        values = {
            "run": chunk.run, "step": chunk.step, "number": chunk.number, "claim": chunk.claim,
            "outcomes": "".join(letters),
        }  # fmt: skip
        async with self._database.transaction() as connection:
            # Before anything is looked at: of two that end a step together, the second one sees the first.
            await connection.execute("SELECT 1 FROM ethora_run WHERE run = %(run)s FOR UPDATE", {"run": chunk.run})
            done = await connection.execute(schema.FINISH, values)
            if not done.rowcount:
                return False
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO ethora_failure VALUES (%s, %s, %s, %s, %s, %s, %s)"
                    " ON CONFLICT (run, item) DO UPDATE SET status = excluded.status, reason = excluded.reason",
                    [
                        (chunk.run, chunk.step, chunk.number, one.item, one.name, one.status, one.reason)
                        for one in results
                        if LETTERS[one.status] in _FAILED
                    ],
                )
            await _advance(connection, chunk.run, chunk.step)
        return True

    async def retry(self, run: str) -> int:
        """Intend again what failed or is unknown, and defer what is left. Return how many items are to do.

        Raises:
            InvalidInputError: there is no such run.
        """
        async with self._database.transaction() as connection:
            query = "SELECT state FROM ethora_run WHERE run = %(run)s FOR UPDATE"
            if await (await connection.execute(query, {"run": run})).fetchone() is None:
                msg = f"there is no run {run} in {self.name}: ethora runs lists them"
                raise InvalidInputError(msg, field="run")
            await connection.execute(
                "UPDATE ethora_chunk SET done = false, claim = NULL, outcomes = translate(outcomes, 'fk', '..')"
                " WHERE run = %(run)s AND done AND number > 0 AND outcomes ~ '[fk]'",
                {"run": run},
            )
            await connection.execute("DELETE FROM ethora_failure WHERE run = %(run)s AND number > 0", {"run": run})
            await connection.execute(
                "UPDATE ethora_run SET state = 'running', step = NULL, ended = NULL WHERE run = %(run)s", {"run": run}
            )
            await _advance(connection, run)
        status = await self.status(run)
        return status.total - status.done

    async def give_up_local(self, run: str, reason: str) -> int:
        """Fail the items that only the planning process could do. Return how many those were."""
        async with self._database.transaction() as connection:
            await connection.execute("SELECT 1 FROM ethora_run WHERE run = %(run)s FOR UPDATE", {"run": run})
            rows = await (
                await connection.execute(
                    "UPDATE ethora_chunk SET done = true, claim = NULL, outcomes = repeat('f', size)"
                    " WHERE run = %(run)s AND number = 0 AND NOT done RETURNING step, size",
                    {"run": run},
                )
            ).fetchall()
            for step, size in rows:
                await connection.execute(
                    "INSERT INTO ethora_failure VALUES (%s, %s, 0, %s, %s, 'failed', %s) ON CONFLICT DO NOTHING",
                    (run, step, -step, f"{size} users with a password", reason),
                )
            if rows:
                await _advance(connection, run)
        return sum(size for _, size in rows)

    async def status(self, run: str) -> RunStatus:
        """Count a run's items.

        Raises:
            InvalidInputError: there is no such run.
        """
        async with self._database.transaction() as connection:
            query = "SELECT state, step, extract(epoch FROM created)::float8 FROM ethora_run WHERE run = %(run)s"
            head = await (await connection.execute(query, {"run": run})).fetchone()
            rows = await (await connection.execute(schema.PROGRESS, {"run": run})).fetchall()
        if head is None:
            msg = f"there is no run {run} in {self.name}: ethora runs lists them"
            raise InvalidInputError(msg, field="run")
        counts: Counter[tuple[str, str, str]] = Counter()
        total = 0
        for kind, action, outcomes, size in rows:
            total += size
            if outcomes is None:
                continue
            times = size // max(1, len(outcomes))
            for letter, count in Counter(outcomes).items():
                if letter in STATUSES:
                    counts[kind, action, STATUSES[letter]] += count * times
        state, step, created = head
        return RunStatus(run, state, step, created, total, counts.total(), dict(counts))

    async def runs(self, limit: int = 100) -> list[RunStatus]:
        """Return the runs, the newest first."""
        async with self._database.transaction() as connection:
            query = "SELECT run FROM ethora_run ORDER BY created DESC LIMIT %s"
            found = await (await connection.execute(query, (limit,))).fetchall()
        return [await self.status(run) for (run,) in found]

    async def failures(self, run: str, limit: int = 1000) -> list[Result]:
        """Return the first items that failed or are unknown."""
        async with self._database.transaction() as connection:
            query = "SELECT item, name, status, reason FROM ethora_failure WHERE run = %s ORDER BY item LIMIT %s"
            return [Result(*row) for row in await (await connection.execute(query, (run, limit))).fetchall()]


async def _advance(connection: AsyncConnection[Any], run: str, ended: int | None = None) -> None:
    """Begin the next step where the present one has ended; the run's row is locked by the caller.

    Args:
        connection: in the transaction that changed the chunks.
        run: the run.
        ended: the step of the chunk that has just ended; None to begin the first one that is left.
    """
    values: dict[str, Any] = {"run": run, "queue": schema.QUEUE, "task": schema.TASK}
    (step,) = await _row(connection, schema.NEXT, values)
    if step is None:
        await connection.execute(
            "UPDATE ethora_run SET state = CASE WHEN EXISTS (SELECT 1 FROM ethora_failure WHERE run = %(run)s)"
            " THEN 'failed' ELSE 'done' END, step = NULL, ended = now() WHERE run = %(run)s",
            values,
        )
    elif step != ended:
        values["step"] = step
        await connection.execute("UPDATE ethora_run SET step = %(step)s WHERE run = %(run)s", values)
        await connection.execute(schema.DEFER, values)


async def _row(connection: AsyncConnection[Any], query: str, values: Mapping[str, Any] | None = None) -> Any:
    return await (await connection.execute(query.encode(), values)).fetchone()


def _pack(entries: Sequence[Entry]) -> bytes:
    return zlib.compress(codec.dumps([[one.number, one.key, one.other, one.after] for one in entries]), 1)


def _unpack(items: bytes, step: int, kind: str, action: str) -> list[Entry]:
    rows = codec.loads(zlib.decompress(items))
    return [Entry(number, step, kind, action, key, other, None, after) for number, key, other, after in rows]


__all__ = ["CHUNK", "Chunk", "Ledger", "Result", "RunStatus", "Step"]
