"""Apply a plan from its journal, so that it can be resumed after any interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.bulk.outcome import Outcome, Outcomes
from ethora_async.bulk.run import Batched, Run
from ethora_async.errors import ChatError
from ethora_async.sync.plan.directories import check_identity
from ethora_async.sync.plan.guard import check_guard
from ethora_async.sync.plan.intake import chunks, user_record
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.sync.plan.stale_items import check_plan
from ethora_async.sync.plan.ways import Make, way
from ethora_async.sync.sources.source import BadRow
from ethora_async.sync.store.items import Entry, encoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ethora_async.bulk.outcome import Outcome
    from ethora_async.bulk.run import Run
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.plan.plan import Plan
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind, Result
    from ethora_async.sync.store.journal import Journal

_READ_AT_ONCE = 1000
"""Items that are read from the journal in one transaction."""

_SENT_AT_ONCE = 400
"""Items that are marked as sent in one transaction: half of what is usually under way."""

_KEPT_AT_ONCE = 800
"""Results that are written in one transaction, if they come quickly."""

_REQUESTS_AT_ONCE = 50
"""Requests whose results are written in one transaction. A crash in between sends their items once more."""

_KEPT_EVERY = 0.2
"""Seconds after which fewer results are written."""

KEPT_FAILURES = 1000

_FAILURES = ("failed", "unknown")
_WITHOUT_SOURCE = (
    "its password is only in the source, which is missing or has changed for this user since the plan"
    " was made: pass the same source again, or make a new plan"
)


@attrs.frozen
class Applied:
    """The result of applying a plan.

    Attributes:
        counts: number of items by kind, action and status, over all runs on one journal.
        failures: the first thousand items that failed or are unknown, with their reasons.
    """

    counts: Mapping[tuple[str, str, str], int]
    failures: Sequence[Entry] = ()

    @property
    def total(self) -> int:
        """The number of items."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """The number of items that failed or are unknown."""
        return sum(count for (_, _, status), count in self.counts.items() if status in _FAILURES)

    @property
    def ok(self) -> bool:
        """Whether no item failed."""
        return not self.failed

    def raise_for_failures(self) -> Applied:
        """Return this result, or raise one group with an error for each of the `failures`.

        Raises:
            ExceptionGroup: at least one item failed.
        """
        if self.ok:
            return self
        msg = f"{self.failed} of {self.total} changes failed"
        raise ExceptionGroup(msg, [ChatError(f"{one.kind} {one.name}: {one.reason}") for one in self.failures])


async def apply_plan(client: ManagesUsers, plan: Plan, *, on_progress: OnProgress = silent) -> Applied:
    """Apply the remaining changes of a plan.

    A plan that was loaded from a file is first compared with the current state of the platform (`check_plan`).

    At any moment the journal holds what is intended, sent and done. After a crash, `resume` continues from there;
    nothing that is known to be done is done again.

    Raises:
        StoppedByGuardError: the plan deletes too much; nothing was sent.
        InvalidInputError: the plan was made for another client.
        ChatError: continuing is pointless (see `ethora_async.bulk.Run`); what was done is in the journal.
    """
    check_guard(plan.guard)
    await check_identity(client, plan.platform)
    if await plan.journal.meta("loaded") and not await plan.journal.meta("checked"):
        await check_plan(client, plan, on_progress=on_progress)
    await plan.journal.take_up()
    work = _Work(client, plan.journal, plan.sources, on_progress)
    for step, kind, action in await plan.journal.steps():
        await work.step(step, kind, action)
    return await result_of(plan.journal)


async def apply_from_source(
    client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], step: int
) -> None:
    """Create the users of a step whose passwords only the source has; the other items are applied elsewhere."""
    await _Work(client, journal, sources, silent).from_source(step, lambda: None)


async def result_of(journal: Journal) -> Applied:
    """Return the result so far of the plan in a journal."""
    counts = {
        (kind, action, status): count
        for (kind, action, status), count in (await journal.counts()).items()
        if status is not None
    }
    failures = await journal.first_failures(KEPT_FAILURES)
    return Applied(counts, failures)


class _Work:
    """The steps of one plan."""

    def __init__(
        self, client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress
    ) -> None:
        self._client = client
        self._journal = journal
        self._sources = sources
        self._on_progress = on_progress
        self._under_way: dict[int, tuple[Any, int]] = {}
        self._results: list[Result] = []
        self._done = self._failed = 0
        self._now = asyncio.get_running_loop().time
        self._kept_at = 0.0

    async def step(self, step: int, kind: str, action: str) -> None:
        """Apply the remaining items of one step."""
        if kind == "member":
            await self._journal.fail_grants_of_the_uncreated(step)
        total = await self._journal.remaining(step)
        if not total:
            return
        self._done = self._failed = 0
        tell = partial(self._tell, f"{action} {kind}", total)
        make, start = way(self._client, kind, action)
        await self._run(start(Batched(self._feed(step, make))), tell)
        if (kind, action) == ("user", "create"):
            await self.from_source(step, tell)

    async def from_source(self, step: int, tell: Callable[[], None]) -> None:
        """Create the users of a step whose passwords only the source has; users missing from the source fail."""
        if not await self._journal.remaining(step):
            return
        await self._run(self._client.users.create_many(Batched(self._feed_from_source(step))), tell)
        without = await self._journal.fail_awaiting_source(step, _WITHOUT_SOURCE)
        self._done, self._failed = self._done + without, self._failed + without
        tell()

    async def _run(self, run: Run[Any], tell: Callable[[], None]) -> None:
        requests = 0
        try:
            # Closed at once: when the journal fails, nothing more must be sent.
            async with aclosing(run.by_batch(records=False)) as batches:
                async for outcomes in batches:
                    self._note(outcomes)
                    requests += 1
                    many = len(self._results) >= _KEPT_AT_ONCE or requests >= _REQUESTS_AT_ONCE
                    if many or self._now() >= self._kept_at + _KEPT_EVERY:
                        await self._keep()
                        tell()
                        requests = 0
        finally:
            # Known results are written however the run ended; otherwise they would be done again.
            await self._keep()
            self._under_way.clear()
            tell()

    def _note(self, outcomes: Sequence[Outcome[Any]]) -> None:
        self._done += len(outcomes)
        # Matched by identity: the platform may return an item under another name, and two items may be equal.
        if isinstance(outcomes, Outcomes):
            numbers = [self._under_way.pop(id(item))[1] for item in outcomes.items]
            attempts = outcomes.attempts
            self._results += zip(outcomes.statuses, repeat(None), repeat(attempts), numbers, strict=False)
            return
        for outcome in outcomes:
            _, number = self._under_way.pop(id(outcome.item))
            reason = None if outcome.error is None else str(outcome.error)
            self._failed += not outcome.ok
            self._results.append((outcome.status, reason, outcome.attempts, number))

    async def _keep(self) -> None:
        self._kept_at = self._now()
        if self._results:
            await self._journal.mark_known(self._results)
            # Only now: a cancelled call may not have been carried out, and is then repeated.
            self._results = []

    def _tell(self, step: str, total: int) -> None:
        self._on_progress(Progress(step, self._done, total, self._failed))

    async def _feed(self, step: int, make: Make) -> AsyncGenerator[list[Any], None]:
        after = 0
        while found := await self._journal.to_send(step, after=after, limit=_READ_AT_ONCE):
            after = found[-1].number
            for start in range(0, len(found), _SENT_AT_ONCE):
                part = found[start : start + _SENT_AT_ONCE]
                yield await self._sent(make(part), [item.number for item in part])

    async def _feed_from_source(self, step: int) -> AsyncGenerator[list[Any], None]:
        """Iterate over the users with a password, which only the source has."""
        source = self._sources.get("user")
        if source is None:
            return
        # Compared row by row: a source that has changed still has the passwords of its unchanged users.
        async with aclosing(chunks(_readable(source))) as parts:
            async for part in parts:
                # The record counts as well: another row may name the same user, and was rejected because of it.
                items = {
                    (self._client.users.key(row.item.id), encoded(user_record(row.item))): row.item
                    for row in part
                    if not isinstance(row, BadRow) and row.item.password is not None
                }
                waiting = await self._journal.awaiting_source(step, [key for key, _ in items])
                wanted = [
                    (items[key, encoded(record)], number)
                    for key, record, number in waiting
                    if (key, encoded(record)) in items
                ]
                for start in range(0, len(wanted), _SENT_AT_ONCE):
                    some = wanted[start : start + _SENT_AT_ONCE]
                    yield await self._sent([item for item, _ in some], [number for _, number in some])

    async def _sent(self, items: list[Any], numbers: list[int]) -> list[Any]:
        # Before the first of them is sent: an item without this mark has certainly not been sent.
        await self._journal.mark_sent(numbers)
        self._under_way.update(zip(map(id, items), zip(items, numbers, strict=True), strict=True))
        return items


async def _readable(source: Source[Any]) -> AsyncGenerator[Any, None]:
    """Iterate over the rows as far as the source can be read; the missing users then fail with a reason."""
    try:
        await source.fingerprint()
        async with aclosing(source.rows()) as rows:
            async for row in rows:
                yield row
    except ChatError:
        return
