"""The summary of a run."""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.bulk.outcome import STATUSES, Outcome, Outcomes, Status
from ethora_async.errors import ChatError

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.define(eq=False)
class Report:
    """Counts of outcomes, and the failures themselves.

    Attributes:
        counts: number of items for each status; statuses that did not occur are left out.
        failures: the outcomes ``failed`` and ``unknown``, the first `keep_failures` of them.
        keep_failures: number of failures that are kept (default 10,000), which bounds memory when every item fails. All
            failures are counted.
        interrupted: items that were in progress when the run was cancelled or stopped: all or some of them may have
            taken effect. They are in no count.
    """

    counts: Counter[Status] = attrs.field(factory=Counter)
    failures: list[Outcome[Any]] = attrs.field(factory=list, repr=False)
    keep_failures: int = 10_000
    interrupted: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome[Any]]) -> Report:
        """Return the report of these outcomes."""
        return cls().add_all(outcomes)

    def add(self, outcome: Outcome[Any]) -> None:
        """Count one more outcome."""
        self.counts[outcome.status] += 1
        if not outcome.ok and len(self.failures) < self.keep_failures:
            self.failures.append(outcome)

    def add_all(self, outcomes: Iterable[Outcome[Any]]) -> Report:
        """Count more outcomes; return this report."""
        if isinstance(outcomes, Outcomes):  # none of them failed
            self.counts.update(outcomes.statuses)
            return self
        for outcome in outcomes:
            self.add(outcome)
        return self

    @property
    def total(self) -> int:
        """The number of items."""
        return self.counts.total()

    @property
    def failed(self) -> int:
        """The number of items that failed or are unknown."""
        return self.counts["failed"] + self.counts["unknown"]

    @property
    def ok(self) -> bool:
        """Whether no item failed."""
        return not self.failed

    def raise_for_failures(self) -> Report:
        """Return this report, or raise one group of all errors that were kept.

        Raises:
            ExceptionGroup: at least one item failed. Each error has a note that names its item.
        """
        if self.ok:
            return self
        errors = [_noted(outcome.error, outcome.key) for outcome in self.failures if outcome.error is not None]
        msg = f"{self.failed} of {self.total} items failed"
        if not errors:
            msg = f"{msg}; none was kept (keep_failures={self.keep_failures})"
            errors = [ChatError(msg)]
        raise ExceptionGroup(msg, errors)

    def __str__(self) -> str:
        parts = [f"{self.counts[status]} {status}" for status in STATUSES if self.counts[status]]
        parts += [f"{self.interrupted} interrupted"] if self.interrupted else []
        return ", ".join(parts) or "nothing to do"


def _noted(error: ChatError, key: str) -> ChatError:
    # A copy: the items of a batch share one error, and each copy gets the note for its own item.
    noted = copy(error)
    noted.__notes__ = [*getattr(error, "__notes__", ()), f"item {key!r}"]
    return noted
