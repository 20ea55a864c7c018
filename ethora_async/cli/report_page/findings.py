"""The content of a report: a plan and its outcome in numbers, with a few examples of everything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ethora_async.redaction import scrub
from ethora_async.sync.plan.plan import summary_of
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, STEPS

if TYPE_CHECKING:
    from ethora_async.sync.plan.apply import Applied
    from ethora_async.sync.plan.plan import Summary
    from ethora_async.sync.plan.verify import Verification
    from ethora_async.sync.store.items import Entry, Problem
    from ethora_async.sync.store.journal import Journal

T = TypeVar("T", bound="Entry | Problem")

EXAMPLES = 10
"""Changes shown of each kind and action."""
MOST_REASONS = 40
EXAMPLES_OF_A_REASON = 5
OTHER = "other reasons"

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_REQUEST = re.compile(r",? ?request [^\s,\]]+")
_NUMBER = re.compile(r"(?<=line )\d+")


@attrs.define
class Reason:
    """A failure reason, and the items that have it.

    Attributes:
        text: the reason, without the parts that differ from item to item.
        count: number of items with this reason.
        examples: the first of them.
    """

    text: str
    count: int = 0
    examples: list[Entry | Problem] = attrs.field(factory=list["Entry | Problem"])


@attrs.frozen
class Findings:
    """A plan, and how far it was applied.

    Attributes:
        summary: the plan in numbers.
        guard: why it is not applied, or None.
        changes: the first changes of each kind and action, in the order in which they are applied.
        results: number of items by kind, action and status; None for a plan that was not applied.
        failures: the reasons of failed items, the most frequent first.
        problems: the reasons of invalid rows, likewise.
    """

    summary: Summary
    guard: str | None = None
    changes: Mapping[tuple[str, str], Sequence[Entry]] = attrs.field(factory=dict)
    results: Mapping[tuple[str, str, str], int] | None = None
    failures: Sequence[Reason] = ()
    problems: Sequence[Reason] = ()


async def findings_of(journal: Journal, done: Applied | None = None, *, guard: str | None = None) -> Findings:
    """Return the findings of a journal; `done` is the result of applying it."""
    summary = await summary_of(journal)
    kinds = [*sorted(summary.changes, key=lambda one: STEPS.get(one, 0))]
    kinds += [(kind, CANNOT_CHANGE) for kind in summary.cannot_change] + [(kind, EXTRA) for kind in summary.extras]
    changes = {(kind, action): await journal.examples(kind, action, EXAMPLES) for kind, action in kinds}
    return Findings(
        summary,
        guard,
        changes,
        None if done is None else done.counts,
        [] if done is None else await by_reason(journal.failures(), _failure),
        await by_reason(journal.problems(), _problem),
    )


async def findings_of_verification(answer: Verification) -> Findings:
    """Return the findings of a comparison."""
    changes: dict[tuple[str, str], list[Entry]] = {}
    for entry in answer.examples:
        changes.setdefault((entry.kind, entry.action), []).append(entry)
    problems = _Reasons(_problem)
    for row in answer.problems:
        problems.add(row)
    return Findings(answer.summary, None, changes, problems=problems.sorted())


async def by_reason(items: AsyncIterable[T], reason: Callable[[T], str]) -> list[Reason]:
    """Count items by reason. Memory use does not grow with their number."""
    reasons = _Reasons(reason)
    async with aclosing(items) as found:  # type: ignore[type-var]
        async for item in found:
            reasons.add(item)
    return reasons.sorted()


class _Reasons:
    def __init__(self, reason: Callable[[Any], str]) -> None:
        self._reason = reason
        self._found: dict[str, Reason] = {}

    def add(self, item: Entry | Problem) -> None:
        text = self._reason(item)
        if text not in self._found and len(self._found) >= MOST_REASONS:
            text = OTHER
        one = self._found.setdefault(text, Reason(text))
        one.count += 1
        if len(one.examples) < EXAMPLES_OF_A_REASON:
            one.examples.append(item)

    def sorted(self) -> list[Reason]:
        return sorted(self._found.values(), key=lambda one: (one.text == OTHER, -one.count, one.text))


def _failure(entry: Entry) -> str:
    return _general(entry.reason or entry.status or "unknown", entry.key, entry.other)


def _problem(row: Problem) -> str:
    return _general(row.reason, row.id, *row.id.split("/"))


def _general(reason: str, *ids: str) -> str:
    """Remove the parts that differ from item to item: ids, quoted text, lines, the request."""
    text = _REQUEST.sub("", scrub(reason))
    for id in filter(None, ids):
        text = re.sub(rf"(?<![\w-]){re.escape(id)}(?![\w-])", "…", text)
    return _NUMBER.sub("…", _QUOTED.sub("'…'", text)).replace(" []", "")
