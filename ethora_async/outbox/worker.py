"""A worker: takes intents from the database and carries them out on the chat platform."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ethora_async.capabilities import RemembersNames
from ethora_async.config import RetryPolicy, Seconds, seconds
from ethora_async.engine.emitter import Emitter
from ethora_async.engine.retry import backoff
from ethora_async.engine.time_limit import calls_limited_to
from ethora_async.errors import ChatError, ConfigError, SettingsUnavailableError
from ethora_async.outbox.delivery import Claim, Delivery
from ethora_async.outbox.errors import OutboxDatabaseError
from ethora_async.outbox.events import IntentFinished, OutboxMeasured, TurnFinished, TurnStarted
from ethora_async.outbox.lanes import Store, Turn, Verdict
from ethora_async.outbox.opening import open_store
from ethora_async.outbox.passwords import OUTBOX_KEY, PasswordSeal, UnopenedPasswordError
from ethora_async.outbox.settling import may_still_arrive
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from ethora_async.capabilities import ManagesUsers
    from ethora_async.engine.emitter import Listener
    from ethora_async.redaction import Secret
    from ethora_async_secrets import SecretProvider

log: logging.Logger = logging.getLogger("ethora_async.outbox")

BATCH = 500
PARALLEL = 4
POLL = 1.0
DEADLINE = 5.0
"""Default time limit of one call in seconds. It determines the lease, and so how long a killed worker's intents wait.
"""

MARGIN = 1.6
MEASURE = 10.0
KEEP = 3600.0

_NOT_CARRIED_OUT = "the platform cannot carry out intents: %s; trying again"
_PURGE_EVERY = 60.0
_PLATFORM = RetryPolicy(base=0.4, cap=5.0)
_RECONNECT = RetryPolicy(base=0.4, cap=2.0)
_REFRESH_EVERY = 10.0
_ACCESS_KEPT = 300.0


class Worker:
    """Carries out the intents in an outbox, in order, until it is stopped.

    Any number of workers may run on one database, in any number of processes and machines. Inside an application::

        worker = Worker(ethora, "postgresql://app@db/app")
        app = FastAPI(lifespan=worker.lifespan)              # FastAPI, Starlette
        app.cleanup_ctx.append(worker.cleanup_context)       # aiohttp
        async with worker: ...                               # anything else

    The worker reconnects to a lost database. While the platform or the secret store fails, it slows down, and gives up
    no intent because of that. A setting that is wrong ends it.

    Args:
        client: the platform's client, or a callable that returns it, such as an `AppClient`.
        database: the outbox's URL, see `open_store`, or a store, which stays open.
        batch: maximum number of intents in one turn (default 500); fewer while the platform answers too slowly.
        parallel: number of concurrent turns (default 4).
        poll: interval of reads without a notification (default 1 s).
        deadline: for each call, including retries (default 5 s). A shorter `timeout` of the client takes precedence; a
            longer one is reduced to this in the worker's calls only.
        lease: how long intents are claimed; longer than `deadline`, since a request of a dead worker may still arrive
            (default 1.6 times `deadline`: 8 s). A killed worker's intents wait so long.
        seal: decrypts passwords: a `PasswordSeal`, or the provider (or provider URL) that holds ``ETHORA_OUTBOX_KEY``.
        on_event: one callable, or several, called with `TurnStarted`, `IntentFinished`, `TurnFinished` and
            `OutboxMeasured`.
        measure: interval at which a running worker measures the backlog, if there is a listener (default 10 s).

    Raises:
        ConfigError: a setting cannot be used.
        InvalidInputError: the database URL cannot be used.
    """

    def __init__(
        self,
        client: ManagesUsers | Callable[[], ManagesUsers],
        database: str | Store,
        *,
        batch: int = BATCH,
        parallel: int = PARALLEL,
        poll: Seconds = POLL,
        deadline: Seconds = DEADLINE,
        lease: Seconds | None = None,
        seal: PasswordSeal | SecretProvider | str | None = None,
        on_event: Listener | Sequence[Listener] | None = None,
        measure: Seconds = MEASURE,
    ) -> None:
        for name, number in (("batch", batch), ("parallel", parallel)):
            if number < 1:
                msg = f"{name} must be at least 1, not {number}"
                raise ConfigError(msg)
        database = wrapped(database)
        self.store: Store = open_store(database)
        self._owns_store = self.store is not database
        self._client = client
        self._batch = batch
        self._parallel = parallel
        self._poll = seconds(poll, "poll")
        self._deadline = seconds(deadline, "deadline")
        self._lease = self._deadline * MARGIN if lease is None else seconds(lease, "lease")
        if self._lease <= self._deadline:
            msg = f"lease ({self._lease:g} s) must be longer than deadline ({self._deadline:g} s)"
            raise ConfigError(msg)
        self._passwords = _Passwords(seal)
        listeners = on_event if isinstance(on_event, Sequence) else () if on_event is None else (on_event,)
        self._emitter = Emitter(listeners)
        self._measure_every = seconds(measure, "measure")
        self._stopping = asyncio.Event()
        self._turns: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._troubled = 0
        self._pause_until = 0.0
        self._purged_at = float("-inf")
        self._size = batch
        self._access: dict[str, str] = {}
        self._access_since = float("-inf")
        self._fatal: Exception | None = None
        self._running: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Start no more turns; `run` returns when the current ones have ended."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`. Cancelling stops it at once: requests already sent are not undone, and claims last until
        their lease ends.

        Raises:
            ConfigError: the database has no fitting tables, or the client's settings are wrong.
        """
        await self._connected()
        measuring = asyncio.create_task(self._measure())
        try:
            while not self._stopping.is_set() and self._fatal is None:
                await self._once()
        finally:
            measuring.cancel()
            await self._end_turns()
            await asyncio.gather(measuring, return_exceptions=True)
        if self._fatal is not None:
            raise self._fatal

    async def run_once(self) -> None:
        """Work until no waiting intent can be carried out now; errors of the platform end it too.

        Raises:
            ConfigError: as for `run`.
            OutboxDatabaseError: the database cannot be reached.
            ChatError: the platform cannot be reached, or rejects everything.
        """
        await self.store.check()
        while True:
            turn = await self.store.take(self._size, self._lease)
            if not turn.lanes and not turn.folded:
                return
            if turn.lanes:
                trouble = await self._carry_out(turn)
                if self._fatal is not None:
                    raise self._fatal
                if trouble is not None:
                    raise trouble

    async def _measure(self) -> None:
        """Emit the size of the backlog at intervals, if there is a listener."""
        while self._emitter.wanted:
            with suppress(OutboxDatabaseError):  # the worker itself reports that the database is unreachable
                self._emitter.emit(OutboxMeasured(await self.store.status()))
            await asyncio.sleep(self._measure_every)

    async def _connected(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self.store.check()
            except OutboxDatabaseError as error:
                if not failures:
                    log.warning("%s", error)
                failures += 1
                await self._sleep(_pause(failures, _RECONNECT))
            else:
                return

    async def _once(self) -> None:
        if len(self._turns) >= self._parallel:
            await self._until(self._turns)
            return
        pause = self._pause_until - time.monotonic()
        if pause > 0:
            await self._sleep(pause)
            return
        try:
            turn = await self.store.take(self._size, self._lease)
            await self._purge()
            if turn.lanes:
                task = asyncio.create_task(self._turn(turn))
                self._turns.add(task)
                task.add_done_callback(self._turns.discard)
            elif not turn.folded:
                await self._until([asyncio.ensure_future(self.store.wait(self._poll))], owned=True)
            self._failures = 0
        except OutboxDatabaseError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("%s; connecting again", error)
            await self._sleep(_pause(self._failures, _RECONNECT))

    async def _turn(self, turn: Turn) -> None:
        trouble = await self._carry_out(turn)
        if trouble is None:
            return
        # An error of the platform, not of an intent: all intents wait, and none is given up.
        self._troubled += 1
        pause = max(_pause(self._troubled, _PLATFORM), trouble.retry_after or 0.0)
        self._pause_until = time.monotonic() + pause
        if self._troubled == 1:
            text = "%s; trying again" if isinstance(trouble, SettingsUnavailableError) else _NOT_CARRIED_OUT
            log.warning(text, trouble)

    async def _carry_out(self, turn: Turn) -> ChatError | None:
        """Deliver one turn and record it. Return the error that prevented any answer, if there was one."""
        started = time.monotonic()
        if self._emitter.wanted:
            contexts = dict.fromkeys(lane.traceparent for lane in turn.lanes if lane.traceparent is not None)
            self._emitter.emit(TurnStarted(len(turn.lanes), (*contexts,)))
        claim = Claim(
            partial(self._held, turn.claim),
            partial(self._retried, self.store.note_deleted, turn.claim),
            self.store.wanted_addresses,
            self._passwords.open,
        )
        client = self._client() if callable(self._client) else self._client
        if isinstance(client, RemembersNames):
            # Other workers may have made records anew, but cannot while this turn has claimed what concerns them.
            client.forget_names()
        if started - self._access_since > _ACCESS_KEPT:
            self._access, self._access_since = {}, started
        delivery = Delivery(client, turn.lanes, claim, deadline=self._deadline, access=self._access)
        beat = asyncio.create_task(self._beat(turn.claim))
        try:
            await self._deliver(delivery, beat)
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            verdicts = [*delivery.verdicts.values()]
            left = [lane for lane in turn.lanes if lane.id not in delivery.verdicts]
            # Cancelled: it is unknown whether these were sent, and a sent request may still arrive. Passwords are
            # decrypted before anything is sent.
            delay = 0.0 if isinstance(delivery.trouble, SettingsUnavailableError) else self._deadline
            verdicts += [Verdict(lane, "held", delay=delay, attempts=lane.attempts) for lane in left]
            held = await self._recorded(turn.claim, verdicts)
        if delivery.answered:
            self._troubled = 0
        self._resize(delivery.trouble)
        self._tell(verdicts, len(turn.lanes) - held, time.monotonic() - started)
        return None if delivery.answered else delivery.trouble

    def _resize(self, trouble: ChatError | None) -> None:
        """Reduce the batch size while replies do not come in time: smaller requests take less time."""
        if trouble is None:
            self._size = min(self._batch, 2 * self._size)
        elif may_still_arrive(trouble):
            self._size = max(1, self._size // 2)

    async def _deliver(self, delivery: Delivery, beat: asyncio.Task[None]) -> None:
        with calls_limited_to(self._deadline):
            work = asyncio.create_task(delivery.run())
        try:
            await asyncio.wait((work, beat), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():  # cancelled, or the claim could not be extended in time
                work.cancel()
            results = await asyncio.gather(work, return_exceptions=True)
        error = results[0]
        if isinstance(error, OutboxDatabaseError) or error is None or isinstance(error, asyncio.CancelledError):
            return
        if not isinstance(error, Exception):
            raise error
        if isinstance(error, SettingsUnavailableError):  # all intents wait for the secret store
            delivery.trouble = delivery.trouble or error
        else:
            self._fatal = error

    async def _held(self, claim: str, *, within: float | None = None) -> Any:
        return await self._retried(self.store.hold, claim, self._lease, within=within)

    async def _retried(self, call: Callable[..., Any], *args: Any, within: float | None = None) -> Any:
        """Call the database, and retry while it cannot be reached, as long as the claim is certainly valid.

        Args:
            within: maximum time in seconds; by default as long as a request that is sent now ends within the lease.
        """
        patience = self._lease - self._deadline if within is None else within
        failures = 0
        lost = OutboxDatabaseError(f"the outbox's database did not answer within {patience:g} s")
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    try:
                        return await call(*args)
                    except OutboxDatabaseError as error:
                        failures += 1
                        lost = error
                    await asyncio.sleep(_pause(failures, _RECONNECT))
        raise lost

    async def _beat(self, claim: str) -> None:
        """Extend the claim during a turn. Returns when that has failed for too long."""
        half = (self._lease - self._deadline) / 2
        with suppress(OutboxDatabaseError):
            while True:
                await asyncio.sleep(half)
                await self._held(claim, within=half)

    async def _recorded(self, claim: str, verdicts: Sequence[Verdict]) -> int:
        """Record the verdicts; after the lease, other workers may hold the lanes, and recording changes nothing."""
        ends = time.monotonic() + self._lease
        failures = 0
        while True:
            try:
                return await self.store.finish(claim, verdicts)
            except OutboxDatabaseError:
                failures += 1
                if time.monotonic() > ends or (self._stopping.is_set() and failures > 3):
                    return 0
                await asyncio.sleep(_pause(failures, _RECONNECT))

    def _tell(self, verdicts: Sequence[Verdict], lost: int, took: float) -> None:
        counts = {"done": 0, "again": 0, "held": 0, "dead": 0}
        wanted = self._emitter.wanted
        for verdict in verdicts:
            counts[verdict.state] += 1
            id = verdict.lane.id
            if verdict.state == "dead":
                log.error("%s %s was given up: %s", id.kind, id.name, verdict.reason)
            if wanted and verdict.state in ("done", "dead"):
                waited = verdict.lane.age + took
                self._emitter.emit(
                    IntentFinished(id.kind, id.name, verdict.state, verdict.reason, waited, verdict.lane.traceparent)
                )
        if wanted:
            self._emitter.emit(
                TurnFinished(counts["done"], counts["again"] + counts["held"], counts["dead"], max(0, lost), took)
            )

    async def _purge(self) -> None:
        if time.monotonic() - self._purged_at >= _PURGE_EVERY:
            self._purged_at = time.monotonic()
            await self.store.purge(KEEP)

    async def _sleep(self, delay: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)

    async def _until(self, tasks: Any, *, owned: bool = False) -> None:
        """Wait for one of the tasks, or for `stop`."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if owned:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                del results
            await asyncio.gather(stopping, return_exceptions=True)

    async def _end_turns(self) -> None:
        """Wait for the current turns; if this is cancelled, cancel them."""
        turns = [*self._turns]
        try:
            if turns:
                await asyncio.wait(turns)
        finally:
            for turn in turns:
                turn.cancel()
            await asyncio.gather(*turns, return_exceptions=True)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:  # noqa: ARG002  the frameworks pass it
        """Run while the application does: the ``lifespan`` of FastAPI and Starlette."""
        async with self:
            yield

    async def cleanup_context(self, app: object = None) -> AsyncIterator[None]:  # noqa: ARG002
        """Run while the application does: one of aiohttp's ``cleanup_ctx``."""
        async with self:
            yield

    async def __aenter__(self) -> Self:
        if self._running is not None:
            msg = "the worker is running already: one Worker belongs to one running application"
            raise ConfigError(msg)
        try:
            # Permanent errors are raised at once; an unreachable database is waited for.
            await self.store.check()
        except OutboxDatabaseError as error:
            log.warning("%s; connecting again", error)
        except BaseException:
            await self._let_go()
            raise
        self._stopping.clear()
        self._running = asyncio.create_task(self._guarded())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Finish the current turns, and close the database."""
        running, self._running = self._running, None
        self.stop()
        try:
            if running is not None:
                try:
                    await asyncio.shield(running)
                except asyncio.CancelledError:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
                    raise
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        await self._passwords.aclose()
        if self._owns_store:
            await self.store.aclose()

    async def _guarded(self) -> None:
        try:
            await self.run()
        except Exception as error:  # noqa: BLE001  the application continues: nobody awaits this task before its end
            log.critical("the outbox's worker has ended: %s: %s", type(error).__name__, error)


class _Passwords:
    """Decrypts passwords; reads the secrets provider again when a key is unknown."""

    def __init__(self, source: PasswordSeal | SecretProvider | str | None) -> None:
        self._source = source
        self._seal = source if isinstance(source, PasswordSeal) else None
        self._provider: SecretProvider | None = None
        self._asked_at = float("-inf")

    async def open(self, id: str, sealed: object) -> Secret:
        """Return a password; see `PasswordSeal.open`.

        Raises:
            ConfigError: the worker has no key.
            UnopenedPasswordError: it cannot be opened.
        """
        if self._source is None:
            msg = (
                f"an intent holds a sealed password, and this worker has no key: set {OUTBOX_KEY}, or pass seal= to the"
                " worker"
            )
            raise ConfigError(msg)
        if self._seal is None:
            await self._ask()
        if self._seal is None:
            msg = f"{OUTBOX_KEY} cannot be read"
            raise ConfigError(msg)
        try:
            return self._seal.open(id, sealed)
        except UnopenedPasswordError:
            if isinstance(self._source, PasswordSeal) or time.monotonic() - self._asked_at < _REFRESH_EVERY:
                raise
        await self._ask()
        return self._seal.open(id, sealed)

    async def _ask(self) -> None:
        from ethora_async_secrets import provider_from_url

        if self._provider is None:
            if isinstance(self._source, (PasswordSeal, type(None))):
                return
            self._provider = provider_from_url(self._source) if isinstance(self._source, str) else self._source
        self._asked_at = time.monotonic()
        self._seal = await PasswordSeal.from_secrets(self._provider)

    async def aclose(self) -> None:
        """Close the provider that was opened here."""
        provider, self._provider = self._provider, None
        if provider is not None and isinstance(self._source, str):
            await provider.aclose()


def _pause(failures: int, policy: RetryPolicy) -> float:
    return backoff(failures, policy, random.random, least=0.05)


__all__ = ["IntentFinished", "TurnFinished", "Worker"]
