"""An outbox in an SQLite file: no server, one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ethora_async import codec
from ethora_async.errors import ConfigError
from ethora_async.outbox.errors import OutboxDatabaseError
from ethora_async.outbox.lanes import DeadLetter, Lane, LaneKey, OutboxStatus, Turn, Verdict, key_or_any, wanted_fields
from ethora_async.outbox.mismatch import mismatch_text
from ethora_async.outbox.sqlite import schema
from ethora_async.outbox.sqlite import statements as sql
from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

FOLDED_AT_ONCE = 10_000
_BUSY_SECONDS = 10.0
_LOOKS_EVERY = 0.1


class SqliteStore:
    """An outbox in an SQLite file. Created by `open_store`.

    Statements run in a separate thread. Applications that write to the same file begin their transactions with
    ``BEGIN IMMEDIATE`` and set a busy timeout: SQLite has one writer at a time.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = str(path)
        self.name: str = f"sqlite:///{self._path}"
        self._clock = clock
        self._thread: OwnThread | None = OwnThread("ethora-outbox")
        self._database: sqlite3.Connection | None = None
        self._seen: int | None = None

    def __repr__(self) -> str:
        return f"SqliteStore({self._path!r})"

    async def init(self) -> bool:
        """Create the tables. See `Store.init`."""
        return await self._transaction(_init, self.name)

    async def check(self) -> None:
        """Check the tables. See `Store.check`."""
        state = await self._transaction(_version)
        if state != schema.VERSION:
            raise ConfigError(mismatch_text(self.name, state, schema.VERSION))

    async def take(self, limit: int, lease: float) -> Turn:
        """Fold and claim. See `Store.take`."""
        return await self._transaction(_take, limit, lease, self._clock())

    async def hold(self, claim: str, lease: float) -> frozenset[LaneKey]:
        """Extend a claim. See `Store.hold`."""
        rows = await self._rows(sql.HOLD, claim=claim, due=self._clock() + lease)
        return frozenset(LaneKey(*row) for row in rows)

    async def note_deleted(self, claim: str, lanes: Sequence[Lane]) -> frozenset[LaneKey]:
        """Record deletions. See `Store.note_deleted`."""
        values = [{**lane.id._asdict(), "gone": lane.gone, "claim": claim} for lane in lanes]
        return frozenset(LaneKey(*row) for row in await self._transaction(_each, sql.NOTE_DELETED, values))

    async def finish(self, claim: str, verdicts: Sequence[Verdict]) -> int:
        """Record the results of lanes. See `Store.finish`."""
        now = self._clock()
        values = [
            {
                **verdict.lane.id._asdict(),
                "version": verdict.lane.version,
                "state": verdict.state,
                "reason": verdict.reason,
                "delay": verdict.delay,
                "attempts": verdict.attempts,
                "claim": claim,
                "now": now,
            }
            for verdict in verdicts
        ]
        return await self._transaction(_many, sql.FINISH, values)

    async def wanted_addresses(self, addresses: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Look up the users who want addresses. See `Store.wanted_addresses`."""
        found: dict[str, set[str]] = {}
        for address, key in await self._rows(sql.WANTED_ADDRESSES, addresses=_text(list(addresses))):
            found.setdefault(address, set()).add(key)
        return {address: frozenset(keys) for address, keys in found.items()}

    async def purge(self, keep: float) -> int:
        """Remove completed lanes. See `Store.purge`."""
        return await self._count(sql.PURGE, keep=keep)

    async def status(self) -> OutboxStatus:
        """Return the numbers. See `Store.status`."""
        return await self._transaction(_status, self._clock())

    async def dead(self, limit: int = 1000) -> list[DeadLetter]:
        """List dead letters. See `Store.dead`."""
        rows = await self._rows(sql.DEAD, limit=limit)
        return [DeadLetter(LaneKey(kind, key, other), *rest) for kind, key, other, *rest in rows]

    async def retry(self, id: LaneKey | None = None) -> int:
        """Retry dead letters. See `Store.retry`."""
        return await self._count(sql.RETRY, **key_or_any(id))

    async def skip(self, id: LaneKey | None = None) -> int:
        """Drop dead letters. See `Store.skip`."""
        return await self._count(sql.SKIP, **key_or_any(id))

    async def now(self) -> float:
        """Return this machine's time. See `Store.now`."""
        return self._clock()

    async def unsettled(self, ids: Sequence[LaneKey], since: float) -> frozenset[LaneKey]:
        """Look up unsettled records. See `Store.unsettled`."""
        values = [{**id._asdict(), "since": since} for id in ids]

        def look(db: sqlite3.Connection) -> frozenset[LaneKey]:
            pairs = zip(ids, values, strict=True)
            return frozenset(id for id, value in pairs if db.execute(sql.UNSETTLED, value).fetchone())

        return await self._transaction(look)

    async def reopen(self, wanted: Sequence[tuple[LaneKey, Mapping[str, Any] | None]], since: float) -> int:
        """Write intents for states. See `Store.reopen`."""
        now = self._clock()
        values = [
            {**id._asdict(), "wanted": None if state is None else _text(state), "since": since, "now": now}
            for id, state in wanted
        ]
        return await self._transaction(_many, sql.REOPEN, values)

    async def note(self, name: str, value: Any) -> None:
        """Store a value. See `Store.note`."""
        await self._count(sql.NOTE, name=name, value=_text(value))

    async def noted(self, name: str) -> Any:
        """Return a value. See `Store.noted`."""
        rows = await self._rows(sql.NOTED, name=name)
        return codec.loads(rows[0][0].encode()) if rows else None

    async def wait(self, timeout: float) -> None:
        """Wait until another connection has written to the file. See `Store.wait`."""
        ends = time.monotonic() + timeout
        while (left := ends - time.monotonic()) > 0:
            version = await self._run(lambda: self._open().execute("PRAGMA data_version").fetchone()[0])
            if version != self._seen:
                self._seen = version
                return
            await asyncio.sleep(min(_LOOKS_EVERY, left))

    async def aclose(self) -> None:
        """Close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.shield(thread.finish(self._close))

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    async def _rows(self, statement: str, **values: Any) -> list[Any]:
        return await self._transaction(lambda db: db.execute(statement, {**values, "now": self._clock()}).fetchall())

    async def _count(self, statement: str, **values: Any) -> int:
        return await self._transaction(lambda db: db.execute(statement, {**values, "now": self._clock()}).rowcount)

    async def _transaction(self, work: Callable[..., T], *args: Any) -> T:
        return await self._run(partial(self._in_transaction, work, *args))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            msg = "the outbox is closed"
            raise ConfigError(msg)
        try:
            return await self._thread.run(work)
        except sqlite3.Error as error:
            reason = str(error)
        msg = f"the outbox's database {self.name} cannot be used: {reason}"
        raise OutboxDatabaseError(msg)

    def _in_transaction(self, work: Callable[..., T], *args: Any) -> T:
        database = self._open()
        database.execute("BEGIN IMMEDIATE")
        try:
            value = work(database, *args)
        except BaseException:
            database.rollback()
            raise
        database.commit()
        return value

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            # A text that is not UTF-8 must not stop every other intent.
            database.text_factory = _decoded
            database.create_function("ethora_text", 1, _decoded, deterministic=True)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            self._database = database
        return self._database


def _decoded(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")  # and not "replace": different ids stay different


def _version(db: sqlite3.Connection) -> Any:
    names = "'ethora_outbox', 'ethora_wish', 'ethora_lane'"
    there = {name for (name,) in db.execute(f"SELECT name FROM sqlite_master WHERE name IN ({names})")}  # noqa: S608
    if not there:
        return None
    if "ethora_outbox" not in there:
        return f"{min(there)} without ethora_outbox"
    if [row[1] for row in db.execute("PRAGMA table_info(ethora_outbox)")] != ["name", "value"]:
        return "ethora_outbox with other columns"
    row = db.execute(sql.NOTED, {"name": "schema"}).fetchone()
    return codec.loads(row[0].encode()) if row else "ethora_outbox without a schema version"


def _init(db: sqlite3.Connection, name: str) -> bool:
    state = _version(db)
    if state == schema.VERSION:
        return False
    if state is not None:
        raise ConfigError(mismatch_text(name, state, schema.VERSION))
    for statement in schema.CREATE:
        db.execute(statement)
    return True


def _take(db: sqlite3.Connection, limit: int, lease: float, now: float) -> Turn:
    last, folded = db.execute(sql.LAST, {"limit": FOLDED_AT_ONCE}).fetchone()
    if folded:
        values = {"last": last, "now": now}
        db.execute(sql.FOLD, values)
        for kind, key, gone in db.execute(sql.GONE, {"last": last}).fetchall():
            db.execute(sql.END_MEMBERSHIPS[kind], {"key": key, "gone": gone, "now": now})
        db.execute(sql.EMPTY, {"last": last})
    claim = str(uuid.uuid4())
    lanes = []
    for kind, key, other, wanted, *rest in db.execute(sql.CLAIM, {"limit": limit, "now": now}).fetchall():
        id = LaneKey(kind, key, other)
        lanes.append(Lane(id, wanted_fields(wanted), *rest))
        db.execute(sql.TAKE, {**id._asdict(), "claim": claim, "due": now + lease})
    return Turn(claim, lanes, folded)


def _status(db: sqlite3.Connection, now: float) -> OutboxStatus:
    inbox, oldest = db.execute(sql.COUNT_INBOX, {"now": now}).fetchone()
    rows = db.execute(sql.COUNT, {"now": now}).fetchall()
    noted = db.execute(sql.NOTED, {"name": "reconciled"}).fetchone()
    return OutboxStatus(
        inbox=inbox,
        waiting={kind: waiting for kind, waiting, *_ in rows if waiting},
        claimed=sum(row[3] for row in rows),
        dead={kind: dead for kind, _, dead, *_ in rows if dead},
        oldest=max([0.0, oldest or 0.0, *(row[4] or 0.0 for row in rows)]),
        reconciled=codec.loads(noted[0].encode()) if noted else None,
    )


def _each(db: sqlite3.Connection, statement: str, values: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [row for one in values for row in db.execute(statement, one).fetchall()]


def _many(db: sqlite3.Connection, statement: str, values: Sequence[Mapping[str, Any]]) -> int:
    return sum(db.execute(statement, one).rowcount for one in values)


def _text(value: Any) -> str:
    return codec.dumps(value).decode()


__all__ = ["SqliteStore"]
