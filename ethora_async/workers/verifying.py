"""Verify a run against the platform from any machine, by its items in the ledger."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING

import attrs

from ethora_async.clock import SystemClock
from ethora_async.config import Seconds, seconds
from ethora_async.sync.plan.plan import Plan, Summary, summary_of
from ethora_async.sync.plan.progress import OnProgress, silent
from ethora_async.sync.plan.stale_items import compare_with_plan
from ethora_async.sync.plan.verify import SHOWN, Verification, repeated
from ethora_async.sync.store.items import STEPS_ASIDE
from ethora_async.sync.store.journal import Journal

if TYPE_CHECKING:
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.protocols import Clock
    from ethora_async.sync.store.items import Entry
    from ethora_async.workers.ledger import Ledger


async def verify_run(
    client: ManagesUsers,
    ledger: Ledger,
    run: str,
    *,
    wait: Seconds = 0.0,
    clock: Clock | None = None,
    on_progress: OnProgress = silent,
) -> Verification:
    """Compare a run's intended state with the platform. Nothing is changed, and no list is needed.

    Args:
        client: as for the run.
        ledger: the run's ledger.
        run: its id.
        wait: seconds for which to repeat the comparison while they do not agree: listings lag behind deletions.
        clock: measures that time.
        on_progress: called with the progress of the comparison.

    Raises:
        InvalidInputError: there is no such run, or it was made for another client.
        ChatError: the platform or the database cannot be reached.
    """
    budget = seconds(wait, "wait") if wait else 0.0
    async with await journal_of_run(ledger, run) as journal:
        plan = Plan(journal, {}, await summary_of(journal), None, await ledger.platform(run))
        compared: Counter[str] = Counter()
        for (kind, _), count in plan.summary.changes.items():
            compared[kind] += count

        async def compare() -> Verification:
            differing: Counter[tuple[str, str]] = Counter()
            examples: list[Entry] = []
            async with aclosing(compare_with_plan(client, plan, on_progress=on_progress)) as items:
                async for entry, otherwise in items:
                    if otherwise is not None:
                        differing[entry.kind, entry.action] += 1
                        if len(examples) < SHOWN:
                            examples.append(attrs.evolve(entry, reason=otherwise))
            return Verification(Summary(dict(differing), {}, {}, {}, compared=dict(compared)), tuple(examples))

        return await repeated(compare, budget, clock or SystemClock())


async def journal_of_run(ledger: Ledger, run: str, *, known: bool = False) -> Journal:
    """Return a temporary journal with the items of a run in their final state.

    Args:
        ledger: the run's ledger.
        run: its id.
        known: whether to include their results; otherwise all of them are to do.

    Raises:
        InvalidInputError: there is no such run.
    """
    platform = await ledger.platform(run)
    journal = await Journal.create(None, meta={"platform": platform})
    number = 0
    try:
        async with aclosing(ledger.entries(run)) as pages:
            async for page in pages:
                # A temporary address is followed by the wanted one.
                entries = page if known else [_in_the_end(entry) for entry in page if entry.step != STEPS_ASIDE]
                await journal.add([attrs.evolve(entry, reason=None) for entry in entries])
                if known:
                    await journal.mark_known(
                        [
                            (entry.status, entry.reason, 1, place)
                            for place, entry in enumerate(entries, number + 1)
                            if entry.status is not None
                        ]
                    )
                number += len(entries)
    except BaseException:
        await journal.aclose()
        raise
    return journal


def _in_the_end(entry: Entry) -> Entry:
    """Return an item under its user's id after the run."""
    after = entry.after or {}
    if entry.action != "update" or "id" not in after.get("fields", {}):
        return entry
    fields = {name: value for name, value in after["fields"].items() if name != "id"}
    return attrs.evolve(entry, key=after["fields"]["id"], after={**after, "fields": fields})


__all__ = ["journal_of_run", "verify_run"]
