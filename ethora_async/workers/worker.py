"""A worker of a run on several machines: procrastinate hands out the chunks, the ledger keeps what became of them."""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ethora_async.errors import (
    ChatError,
    ConfigError,
    ForbiddenError,
    InvalidInputError,
    RateLimitedError,
    ServerFaultError,
    TransportError,
    UnauthorizedError,
)
from ethora_async.sync.plan.directories import check_identity
from ethora_async.sync.plan.ways import way
from ethora_async.workers.database import Database, WorkersDatabaseError
from ethora_async.workers.ledger import Chunk, Ledger, Result
from ethora_async.workers.schema import QUEUE, TASK

if TYPE_CHECKING:
    from ethora_async.bulk.outcome import Outcome
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.store.items import Entry

log: logging.Logger = logging.getLogger("ethora_async.workers")

PARALLEL = 4
"""Chunks under way at once in one worker."""

DEADLINE = 30.0
MARGIN = 1.5
TRIES = 5
"""Rounds of a chunk that met trouble of the platform, after which its items count as failed."""

_HEARTBEAT = 2.0
_LONGEST_PAUSE = 30.0
_TROUBLE = (TransportError, ServerFaultError, RateLimitedError)
_REFUSED = (UnauthorizedError, ForbiddenError, ConfigError)


class Worker:
    """Carries out the chunks of all runs in one database, until it is stopped.

    Any number may work, on any number of machines. A worker that was killed is noticed by its heartbeats, and its
    chunks go to others; a chunk that is done twice has the effect of one, and only the one who claimed it last can end
    it.

    Args:
        client: the platform's client.
        database: the URL.
        parallel: chunks under way at once.
        deadline: the client's ``timeout``. A silent worker's chunks are taken over after half as long again: its last
            requests have arrived by then.

    Raises:
        ConfigError: the extra is not installed.
        InvalidInputError: the URL cannot be used.
    """

    def __init__(
        self, client: ManagesUsers, database: str, *, parallel: int = PARALLEL, deadline: float = DEADLINE
    ) -> None:
        engine_schema()
        self._database = Database(database)
        self.ledger: Ledger = Ledger(self._database)
        self._client = client
        self._parallel = parallel
        self._silence = deadline * MARGIN
        self._stopping = asyncio.Event()
        self._fatal: ChatError | None = None
        self._platform: str | None = None

    def stop(self) -> None:
        """Take no more chunks; `run` returns when those under way have ended."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            ChatError: the platform refuses this worker's token, or its settings cannot be used.
        """
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    await self._engine()
                    failures = 0
                except Exception as error:  # noqa: BLE001  the engine ends in many ways when its database goes away
                    if self._fatal is not None:
                        break
                    failures += 1
                    if failures == 1:
                        log.warning("the workers' engine ended with %s; it is started again", type(error).__name__)
                    with suppress(TimeoutError):
                        pause = random.uniform(0.1, min(5.0, 0.2 * 2 ** min(failures, 6)))  # noqa: S311  no secret
                        await asyncio.wait_for(self._stopping.wait(), pause)
        finally:
            await self._database.aclose()
        if self._fatal is not None:
            raise self._fatal

    async def _engine(self) -> None:
        """Run procrastinate's worker until `stop`; it also ends when its database goes away."""
        import procrastinate

        connector = procrastinate.PsycopgConnector(conninfo=self._database.url.reveal(), min_size=1, max_size=3)
        app = procrastinate.App(connector=connector)
        # Without an end: what cannot be carried out ends as failed items in the ledger.
        app.task(name=TASK, queue=QUEUE, retry=procrastinate.RetryStrategy(wait=0))(self._chunk)
        async with app.open_async():
            working = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._parallel,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=_HEARTBEAT,
                    stalled_worker_timeout=self._silence,
                )
            )
            # Beside the queue, and no job in it: it would wait behind the backlog that it is to free.
            recovering = asyncio.ensure_future(self._recover(app))
            stopping = asyncio.ensure_future(self._stopping.wait())
            tasks = (working, recovering, stopping)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()  # procrastinate's worker ends what is under way first
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            for one in ended:
                if isinstance(one, Exception):
                    raise one

    async def _recover(self, app: Any) -> None:
        """Give the jobs of silent workers to others."""
        while True:
            stalled = await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._silence)
            for job in stalled:
                with suppress(Exception):  # another worker was faster
                    await app.job_manager.retry_job(job, retry_at=datetime.datetime.now(datetime.UTC))
            await asyncio.sleep(self._silence / 4)

    async def _chunk(self, run: str, step: int, number: int) -> None:
        """Carry out one chunk: procrastinate's task."""
        chunk = await self.ledger.claim(run, step, number)
        if chunk is None:
            return
        try:
            if chunk.platform != self._platform:
                await check_identity(self._client, chunk.platform)
                self._platform = chunk.platform
            results, trouble = await carry_out(self._client, chunk)
        except (InvalidInputError, *_REFUSED) as error:
            self._fatal = self._fatal or error
            self.stop()
            raise
        if trouble is not None and chunk.attempts < TRIES:
            log.warning("run %s: chunk %d of step %d is tried again: %s", run, number, step, trouble)
            await asyncio.sleep(random.uniform(0.0, min(_LONGEST_PAUSE, 0.5 * 2**chunk.attempts)))  # noqa: S311
            raise trouble
        await self._recorded(chunk, results)

    async def _recorded(self, chunk: Chunk, results: list[Result]) -> None:
        """Record a chunk, again while the database is away: a restart of it is no reason to do all once more."""
        for attempt in range(8):
            try:
                if not await self.ledger.finish(chunk, results):
                    log.info("run %s: another worker has taken chunk %d over", chunk.run, chunk.number)
            except WorkersDatabaseError:
                if attempt == 7:
                    raise
                await asyncio.sleep(0.1 * 2**attempt)
            else:
                return


async def carry_out(client: ManagesUsers, chunk: Chunk) -> tuple[list[Result], ChatError | None]:
    """Carry out what is to do of a chunk.

    Returns:
        What became of the items, and the trouble of the platform that kept some from being done.

    Raises:
        UnauthorizedError, ForbiddenError, ConfigError: every further item would meet the same.
    """
    make, start = way(client, chunk.kind, chunk.action)
    kept = chunk.outcomes or "." * len(chunk.entries)
    items = [(make(entry), entry) for entry, letter in zip(chunk.entries, kept, strict=True) if letter == "."]
    entries = {id(item): entry for item, entry in items}
    results: list[Result] = []
    trouble: ChatError | None = None
    try:
        async for outcome in start([item for item, _ in items]):
            entry = entries.pop(id(outcome.item))
            results.append(_result(entry, outcome, again=chunk.attempts > 1))
            if isinstance(outcome.error, _REFUSED):
                raise outcome.error
            if isinstance(outcome.error, _TROUBLE):
                trouble = outcome.error
    except _TROUBLE as error:
        trouble = error
    why = None if trouble is None else str(trouble)
    results += [Result(entry.number, entry.name, "unknown", why) for entry in entries.values()]
    return results, trouble


def _result(entry: Entry, outcome: Outcome[Any], *, again: bool) -> Result:
    """Return what became of an item. What is there already when its chunk is done again, an earlier round has made."""
    status = outcome.status
    if again and status == "existed" and entry.action in ("create", "grant"):
        status = "created"
    if again and status == "absent" and entry.action in ("delete", "revoke"):
        status = "deleted"
    return Result(entry.number, entry.name, status, None if outcome.error is None else str(outcome.error))


def engine_schema() -> str:
    """Return the SQL of procrastinate's tables.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from procrastinate.schema import SchemaManager
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("procrastinate", "psycopg_pool", "psycopg"):
            raise
        msg = "several machines need procrastinate: pip install 'ethora-async[workers]'"
        raise ConfigError(msg) from None
    return SchemaManager.get_schema()


__all__ = ["DEADLINE", "PARALLEL", "Worker", "carry_out", "engine_schema"]
