"""Very many operations: bounded concurrency, flat memory, one outcome for every item."""

from __future__ import annotations

from ethora_async.bulk.events import BatchFinished, BatchStarted, RunFinished, RunStarted
from ethora_async.bulk.outcome import ItemFinished, Outcome, Status
from ethora_async.bulk.report import Report
from ethora_async.bulk.run import Run

__all__ = [
    "BatchFinished",
    "BatchStarted",
    "ItemFinished",
    "Outcome",
    "Report",
    "Run",
    "RunFinished",
    "RunStarted",
    "Status",
]
