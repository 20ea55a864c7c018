"""An outbox in PostgreSQL, by psycopg (extra ``outbox``)."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ethora_async import codec
from ethora_async.errors import ConfigError
from ethora_async.outbox.errors import OutboxDatabaseError
from ethora_async.outbox.lanes import DeadLetter, Lane, LaneKey, OutboxStatus, Turn, Verdict, key_or_any, wanted_fields
from ethora_async.outbox.mismatch import mismatch_text
from ethora_async.outbox.postgres import schema
from ethora_async.outbox.postgres import statements as sql
from ethora_async.postgres import PostgresServer
from ethora_async.records import LONGEST_ID
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from psycopg import AsyncConnection

    from ethora_async.redaction import Secret

FOLDED_AT_ONCE = 10_000
_RECONNECT_SECONDS = 0.5
_FAREWELL = 2.0


class PostgresStore:
    """An outbox in PostgreSQL. Created by `open_store`.

    It keeps one connection for its transactions and, once `wait` has been called, another one that listens. The next
    call reopens a lost connection. It also works through pgbouncer, where notifications do not arrive.
    """

    def __init__(self, url: str | Secret) -> None:
        url = wrapped(url)
        self._server = PostgresServer(
            url,
            application="ethora outbox",
            needed_by="an outbox in PostgreSQL needs",
            extra="outbox",
            called="the outbox's database URL",
            field="database",
        )
        self.name: str = self._server.name
        self._connection: AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def __repr__(self) -> str:
        return f"PostgresStore({self.name!r})"

    async def init(self) -> bool:
        """Create the tables. See `Store.init`."""
        async with self._transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(745107, 0)")
            state = await _version(connection)
            if state == schema.VERSION:
                return False
            if state is not None:
                raise _mismatch(self.name, state)
            for statement in schema.CREATE:
                await connection.execute(statement.encode())
        return True

    async def check(self) -> None:
        """Check the tables. See `Store.check`."""
        async with self._transaction() as connection:
            state = await _version(connection)
        if state != schema.VERSION:
            raise _mismatch(self.name, state)

    async def take(self, limit: int, lease: float) -> Turn:
        """Fold and claim. See `Store.take`."""
        claim = uuid.uuid4()
        async with self._transaction(lock=True) as connection:
            bounds = {"limit": FOLDED_AT_ONCE, "longest": LONGEST_ID}
            row = await (await connection.execute(sql.FOLD, bounds)).fetchone()
            folded, _, gone = row or (0, 0, None)
            if gone:
                await connection.execute(sql.END_MEMBERSHIPS, {"gone": codec.dumps(gone).decode()})
            found = await connection.execute(sql.CLAIM, {"limit": limit, "claim": claim, "lease": lease})
            lanes = [
                Lane(LaneKey(kind, key, other), wanted_fields(wanted), *rest)
                async for kind, key, other, wanted, *rest in found
            ]
        return Turn(str(claim), lanes, folded)

    async def hold(self, claim: str, lease: float) -> frozenset[LaneKey]:
        """Extend a claim. See `Store.hold`."""
        return await self._ids(sql.HOLD, {"claim": claim, "lease": lease})

    async def note_deleted(self, claim: str, lanes: Sequence[Lane]) -> frozenset[LaneKey]:
        """Record deletions. See `Store.note_deleted`."""
        rows = [{**lane.id._asdict(), "gone": lane.gone} for lane in lanes]
        return await self._ids(sql.NOTE_DELETED, {"claim": claim, "lanes": codec.dumps(rows).decode()})

    async def finish(self, claim: str, verdicts: Sequence[Verdict]) -> int:
        """Record the results of lanes. See `Store.finish`."""
        rows = [
            {
                **verdict.lane.id._asdict(),
                "version": verdict.lane.version,
                "state": verdict.state,
                "reason": verdict.reason,
                "delay": verdict.delay,
                "attempts": verdict.attempts,
            }
            for verdict in verdicts
        ]
        return await self._count(sql.FINISH, {"claim": claim, "verdicts": _text(rows)})

    async def wanted_addresses(self, addresses: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Look up the users who want addresses. See `Store.wanted_addresses`."""
        found: dict[str, set[str]] = {}
        for address, key in await self._rows(sql.WANTED_ADDRESSES, {"addresses": list(addresses)}):
            found.setdefault(address, set()).add(key)
        return {address: frozenset(keys) for address, keys in found.items()}

    async def purge(self, keep: float) -> int:
        """Remove completed lanes. See `Store.purge`."""
        return await self._count(sql.PURGE, {"keep": keep})

    async def status(self) -> OutboxStatus:
        """Return the numbers. See `Store.status`."""
        async with self._transaction() as connection:
            inbox, oldest = (await (await connection.execute(sql.COUNT_INBOX)).fetchone()) or (0, None)
            rows = await (await connection.execute(sql.COUNT)).fetchall()
            noted = await (await connection.execute(sql.NOTED, {"name": "reconciled"})).fetchone()
        return OutboxStatus(
            inbox=inbox,
            waiting={kind: waiting for kind, waiting, *_ in rows if waiting},
            claimed=sum(row[3] for row in rows),
            dead={kind: dead for kind, _, dead, *_ in rows if dead},
            oldest=max([0.0, oldest or 0.0, *(row[4] or 0.0 for row in rows)]),
            reconciled=noted[0] if noted else None,
        )

    async def dead(self, limit: int = 1000) -> list[DeadLetter]:
        """List dead letters. See `Store.dead`."""
        rows = await self._rows(sql.DEAD, {"limit": limit})
        return [DeadLetter(LaneKey(kind, key, other), *rest) for kind, key, other, *rest in rows]

    async def retry(self, id: LaneKey | None = None) -> int:
        """Retry dead letters. See `Store.retry`."""
        return await self._count(sql.RETRY, key_or_any(id))

    async def skip(self, id: LaneKey | None = None) -> int:
        """Drop dead letters. See `Store.skip`."""
        return await self._count(sql.SKIP, key_or_any(id))

    async def now(self) -> float:
        """Return the database's time. See `Store.now`."""
        return float((await self._rows("SELECT extract(epoch FROM clock_timestamp())::float8", {}))[0][0])

    async def unsettled(self, ids: Sequence[LaneKey], since: float) -> frozenset[LaneKey]:
        """Look up unsettled records. See `Store.unsettled`."""
        return await self._ids(sql.UNSETTLED, {"ids": _text([id._asdict() for id in ids]), "since": since})

    async def reopen(self, wanted: Sequence[tuple[LaneKey, Mapping[str, Any] | None]], since: float) -> int:
        """Write intents for states. See `Store.reopen`."""
        rows = [{**id._asdict(), "wanted": state} for id, state in wanted]
        return await self._count(sql.REOPEN, {"ids": _text(rows), "since": since})

    async def note(self, name: str, value: Any) -> None:
        """Store a value. See `Store.note`."""
        await self._count(sql.NOTE, {"name": name, "value": _text(value)})

    async def noted(self, name: str) -> Any:
        """Return a value. See `Store.noted`."""
        rows = await self._rows(sql.NOTED, {"name": name})
        return rows[0][0] if rows else None

    async def wait(self, timeout: float) -> None:
        """Wait for a new intent. See `Store.wait`."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout)
        self._news.clear()

    async def aclose(self) -> None:
        """Close both connections."""
        task, self._listening = self._listening, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._drop()

    async def _rows(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        async with self._transaction() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    async def _ids(self, statement: str, values: Mapping[str, Any]) -> frozenset[LaneKey]:
        async with self._transaction(lock=True) as connection:
            rows = await (await connection.execute(statement.encode(), values)).fetchall()
        return frozenset(LaneKey(*row) for row in rows)

    async def _count(self, statement: str, values: Mapping[str, Any]) -> int:
        async with self._transaction(lock=True) as connection:
            return (await connection.execute(statement.encode(), values)).rowcount

    @asynccontextmanager
    async def _transaction(self, *, lock: bool = False) -> AsyncGenerator[AsyncConnection[Any], None]:
        """Yield one exclusive transaction on the connection; a failure of the database closes the connection.

        With `lock`, only one transaction that writes lanes runs at a time: they would lock the same rows in different
            orders.
        """
        import psycopg

        reason: str | None = None
        async with self._lock:
            try:
                connection = await self._connected()
                async with connection.transaction():
                    # A stalled worker must not block the others. One text is one round trip.
                    await connection.execute(f"{sql.BEGIN}; {sql.LOCK}" if lock else sql.BEGIN)
                    yield connection
            except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError, OSError) as error:
                # InternalError: the server ended a transaction that stood still for too long, or gave up on itself.
                reason = self._server.reason(error)
                await self._drop()
            except asyncio.CancelledError:
                # It is unknown whether the statement was executed: start again with a new connection.
                await self._drop()
                raise
        if reason is not None:
            msg = f"the outbox's database {self.name} does not answer: {reason}"
            raise OutboxDatabaseError(msg)

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await self._server.connect_async()
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                await asyncio.wait_for(connection.close(), _FAREWELL)

    async def _listen(self) -> None:
        """Set `_news` at each notification, on a separate connection, which is reopened after a loss."""
        while True:
            with suppress(*self._server.errors):
                connection = await self._server.connect_async()
                try:
                    await connection.execute(f"LISTEN {schema.CHANNEL}".encode())
                    self._news.set()  # earlier notifications are not repeated
                    async for _ in connection.notifies():
                        self._news.set()
                finally:
                    with suppress(Exception):
                        await connection.close()
            await asyncio.sleep(_RECONNECT_SECONDS)


async def _version(connection: AsyncConnection[Any]) -> Any:
    """Return the schema's version; None without any of the tables; a text when they are not ours."""
    found = await connection.execute(
        "SELECT relname FROM pg_class WHERE oid = ANY(ARRAY[to_regclass('ethora_outbox'), to_regclass('ethora_wish'),"
        " to_regclass('ethora_lane')]::oid[])"
    )
    there = {name for (name,) in await found.fetchall()}
    if not there:
        return None
    if "ethora_outbox" not in there:
        return f"{min(there)} without ethora_outbox"
    columns = await connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('ethora_outbox') AND attnum > 0"
    )
    if {name for (name,) in await columns.fetchall()} != {"name", "value"}:
        return "ethora_outbox with other columns"
    row = await (await connection.execute(sql.NOTED, {"name": "schema"})).fetchone()
    return row[0] if row else "ethora_outbox without a schema version"


def _mismatch(name: str, state: Any) -> ConfigError:
    return ConfigError(mismatch_text(name, state, schema.VERSION))


def _text(value: Any) -> str:
    return codec.dumps(value).decode()


__all__ = ["PostgresStore"]
