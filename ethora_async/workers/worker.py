"""A worker of runs on several machines: procrastinate distributes the chunks, the ledger records their results."""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
import select
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ethora_async.config import RetryPolicy, seconds
from ethora_async.engine.emitter import Emitter
from ethora_async.engine.retry import backoff
from ethora_async.errors import ChatError, ConfigError, InvalidInputError, SettingsUnavailableError
from ethora_async.redaction import wrapped
from ethora_async.sync.plan.directories import check_identity
from ethora_async.workers.carrying import TROUBLE, Round, carry_out, is_refusal
from ethora_async.workers.database import Database, WorkersDatabaseError
from ethora_async.workers.events import ChunkFinished, ChunkStarted
from ethora_async.workers.ledger import Chunk, Ledger
from ethora_async.workers.schema import QUEUE, TASK

if TYPE_CHECKING:
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.engine.emitter import Listener

log: logging.Logger = logging.getLogger("ethora_async.workers")

PARALLEL = 4
"""Number of concurrent chunks in one worker."""

DEADLINE = 30.0
MARGIN = 1.5
TRIES = 8
"""Number of rounds ended by an error of the platform after which a chunk's items count as failed."""

KEEP_EVERY = 1.0
"""Seconds between two recordings of the results of a chunk in progress."""

PLANNER_SILENCE = 60.0

_HEARTBEAT = 2.0
_ENGINE = RetryPolicy(base=0.4, cap=5.0)
_ROUND = RetryPolicy(base=0.5, cap=30.0)
_RECORD = RetryPolicy(attempts=8, base=0.2, cap=12.8)
_HEALTHY = 10.0
_CANCELLED_AGAIN = 0.5


class Worker:
    """Carries out the chunks of all runs in one database, until it is stopped.

    Any number may run, on any number of machines. A killed worker is noticed by its missing heartbeats, and its chunks
    go to others; doing a chunk twice has the same effect as once, and only the worker that claimed it last can finish
    it.

    Args:
        client: the platform's client.
        database: the URL.
        parallel: number of concurrent chunks.
        deadline: the client's ``timeout``. A silent worker's chunks are taken over after 1.5 times this time: its last
            requests have arrived by then.
        planner_silence: seconds without a heartbeat after which a planning process counts as gone. Users whose
            passwords only it has then fail, each by name.
        on_event: called when chunks begin and end.

    Raises:
        ConfigError: the extra is not installed.
        InvalidInputError: the URL cannot be used.
    """

    def __init__(
        self,
        client: ManagesUsers,
        database: str,
        *,
        parallel: int = PARALLEL,
        deadline: float = DEADLINE,
        planner_silence: float = PLANNER_SILENCE,
        on_event: Listener | Sequence[Listener] | None = None,
    ) -> None:
        database = wrapped(database)
        engine_schema()
        if parallel < 1:
            msg = f"parallel must be at least 1, not {parallel}"
            raise ConfigError(msg)
        self._database = Database(database)
        self.ledger: Ledger = Ledger(self._database)
        self._client = client
        self._parallel = parallel
        self._silence = seconds(deadline, "deadline") * MARGIN
        self._planner_silence = seconds(planner_silence, "planner_silence")
        listeners = on_event if isinstance(on_event, Sequence) else () if on_event is None else (on_event,)
        self._emitter = Emitter(listeners)
        self._stopping = asyncio.Event()
        self._fatal: ChatError | None = None
        self._platform: str | None = None

    def stop(self) -> None:
        """Take no more chunks; `run` returns when the current ones have ended."""
        self._stopping.set()

    async def aclose(self) -> None:
        """Close the connection to the database; `run` does so before it returns."""
        await self._database.aclose()

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            ChatError: the platform rejects this worker's token, or its settings cannot be used.
        """
        failures = 0
        try:
            while not self._stopping.is_set():
                started = time.monotonic()
                try:
                    await self._engine()
                except Exception as error:  # noqa: BLE001  the engine raises many errors when its database goes away
                    if self._fatal is not None:
                        break
                    failures = 1 if time.monotonic() - started > _HEALTHY else failures + 1
                    if failures == 1:
                        log.warning("the workers' engine ended with %s; it is started again", type(error).__name__)
                    with suppress(TimeoutError):
                        pause = backoff(failures, _ENGINE, random.random, least=0.1)
                        await asyncio.wait_for(self._stopping.wait(), pause)
        finally:
            await self._database.aclose()
        if self._fatal is not None:
            raise self._fatal

    async def _engine(self) -> None:
        """Run procrastinate's worker until `stop`; it also ends when its database goes away."""
        import procrastinate
        from procrastinate.worker import Worker as EngineWorker

        connector = procrastinate.PsycopgConnector(
            conninfo=self._database.url.reveal(), min_size=1, max_size=3, pool_factory=_pool
        )
        app = procrastinate.App(connector=connector)
        # Without a limit: items that cannot be carried out end as failed in the ledger.
        app.task(name=TASK, queue=QUEUE, retry=procrastinate.RetryStrategy(wait=0))(self._chunk)
        worker: Any = EngineWorker(
            app,
            queues=[QUEUE],
            concurrency=self._parallel,
            install_signal_handlers=False,
            delete_jobs="successful",
            fetch_job_polling_interval=1.0,
            update_heartbeat_interval=_HEARTBEAT,
            stalled_worker_timeout=self._silence,
        )
        async with app.open_async():
            working = asyncio.ensure_future(worker.run())
            # Outside the queue: as a job it would wait behind the backlog that it must free.
            recovering = asyncio.ensure_future(self._recover(app))
            stopping = asyncio.ensure_future(self._stopping.wait())
            tasks = (working, recovering, stopping)
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # It finishes its current jobs first. A cancellation alone may get lost while it registers.
                worker.stop()
                working.cancel()
                try:
                    await _cancelled(recovering, stopping)
                finally:
                    ended = await asyncio.gather(*tasks, return_exceptions=True)
            for one in ended:
                if isinstance(one, Exception):
                    raise one

    async def _recover(self, app: Any) -> None:
        """Give the jobs of silent workers to others, and fail items that wait for a planning process that is gone."""
        while True:
            stalled = await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._silence)
            for job in stalled:
                with suppress(Exception):  # another worker was faster
                    await app.job_manager.retry_job(job, retry_at=datetime.datetime.now(datetime.UTC))
            if lost := await self.ledger.give_up_silent_planners(self._planner_silence):
                log.warning("%d users with passwords fail: their planning process is gone", lost)
            await asyncio.sleep(min(self._silence, self._planner_silence) / 4)

    async def _chunk(self, run: str, step: int, number: int) -> None:
        """Carry out one chunk: procrastinate's task."""
        chunk = await self.ledger.claim(run, step, number)
        if chunk is None:
            return
        emitter, started = self._emitter, time.monotonic()
        if emitter.wanted:
            size, parent = len(chunk.entries), chunk.traceparent
            emitter.emit(ChunkStarted(run, step, number, chunk.kind, chunk.action, size, chunk.attempts, parent))
        done = Round(chunk)
        state, error = "again", None
        try:
            state = await self._round(chunk, done)
        except BaseException as problem:
            error = type(problem).__name__
            raise
        finally:
            if emitter.wanted:
                counts = Counter[str]([result.status for result in done.results])
                emitter.emit(ChunkFinished(run, step, number, state, counts, time.monotonic() - started, error))

    async def _round(self, chunk: Chunk, done: Round) -> str:
        """Carry out the remaining items of a chunk, and return the state of the round.

        Raises:
            ChatError: an error of the platform; the chunk must be retried.
        """
        try:
            if chunk.platform != self._platform:
                await check_identity(self._client, chunk.platform)
                self._platform = chunk.platform
            keeping = asyncio.ensure_future(self._keep(chunk, done))
            try:
                trouble = await carry_out(self._client, done)
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
        except TROUBLE as error:
            trouble = error
        except ChatError as error:
            if not isinstance(error, InvalidInputError) and not is_refusal(error):
                raise
            self._fatal = self._fatal or error
            self.stop()
            await self._recorded(chunk, lambda: self.ledger.release(chunk, done.results, done.maybe_done))
            raise
        # Items are not given up because the secret store is away: the platform has not seen them.
        waits = isinstance(trouble, SettingsUnavailableError)
        if trouble is not None and (waits or chunk.troubles + 1 < TRIES):
            where = (chunk.run, chunk.number, chunk.step)
            log.warning("run %s: chunk %d of step %d is tried again: %s", *where, type(trouble).__name__)
            await self._recorded(chunk, lambda: self.ledger.release(chunk, done.results, done.maybe_done))
            await asyncio.sleep(backoff(chunk.troubles + 1, _ROUND, random.random))
            raise trouble
        done.give_up(trouble)
        return "done" if await self._recorded(chunk, lambda: self.ledger.finish(chunk, done.results)) else "lost"

    async def _keep(self, chunk: Chunk, done: Round) -> None:
        """Record the known results of a chunk in progress at intervals."""
        kept = 0
        while True:
            await asyncio.sleep(KEEP_EVERY)
            if len(done.results) > kept:
                kept = len(done.results)
                with suppress(WorkersDatabaseError):  # the end of the chunk records all results
                    await self.ledger.keep(chunk, done.results[:kept])

    async def _recorded(self, chunk: Chunk, record: Callable[[], Any]) -> bool:
        """Record a chunk, retrying while the database is away: its restart must not cause the work to be repeated."""
        failures = 0
        while True:
            try:
                stood: bool = await record()
            except WorkersDatabaseError:
                failures += 1
                if failures >= _RECORD.attempts:
                    raise
            else:
                if not stood:
                    log.info("run %s: another worker took over chunk %d", chunk.run, chunk.number)
                return stood
            await asyncio.sleep(backoff(failures, _RECORD, random.random, least=0.1))


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks until they have ended: one that waits for a connection of the pool may lose a cancellation."""
    left = {*tasks}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCELLED_AGAIN)


def _pool(**options: Any) -> Any:
    """Return the engine's connection pool, which takes one round trip for each of its calls.

    Each is one statement and needs no transaction, and only a connection that may be lost is checked.
    """
    from psycopg_pool import AsyncConnectionPool

    async def check(connection: Any) -> None:
        if _has_input(connection.pgconn.socket):
            await AsyncConnectionPool.check_connection(connection)

    async def configure(connection: Any) -> None:
        await connection.set_autocommit(True)

    return AsyncConnectionPool(**{**options, "check": check, "configure": configure})


def _has_input(descriptor: int) -> bool:
    """Return whether a socket has something to read; an idle connection has so only when the server has ended it."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


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


__all__ = ["DEADLINE", "PARALLEL", "Worker", "engine_schema"]
