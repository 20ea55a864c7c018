"""The sum of a run."""

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
        counts: how many items ended in each status; statuses that did not occur are left out.
        failures: the outcomes ``failed`` and ``unknown``, the first `keep_failures` of them.
        keep_failures: how many failures are kept (default 10,000), so that a run in which everything fails stays within
            bounds. All are counted.
        interrupted: items that were under way when the run was cancelled, left or broken off: they may have been done,
            or some of them. They are in no count.
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
        """Count more outcomes; this report again."""
        if isinstance(outcomes, Outcomes):  # none of them failed
            self.counts.update(outcomes.statuses)
            return self
        for outcome in outcomes:
            self.add(outcome)
        return self

    @property
    def total(self) -> int:
        """How many items there were."""
        return self.counts.total()

    @property
    def failed(self) -> int:
        """How many of them failed or are unknown."""
        return self.counts["failed"] + self.counts["unknown"]

    @property
    def ok(self) -> bool:
        """Whether none failed."""
        return not self.failed

    def raise_for_failures(self) -> Report:
        """This report, or one group of all errors that it kept.

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
    # A copy: the items of a batch share their error, and each is to name its own item, once.
    noted = copy(error)
    noted.__notes__ = [*getattr(error, "__notes__", ()), f"item {key!r}"]
    return noted
