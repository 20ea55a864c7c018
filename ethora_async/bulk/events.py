"""Events of runs: start, end, and each batch in between."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class RunStarted:
    """A run over many items begins.

    Attributes:
        run: its number in this process.
    """

    run: int


@attrs.frozen
class BatchStarted:
    """A worker of a run starts a batch of `size` items. Emitted, like `BatchFinished`, in its task."""

    run: int
    size: int


@attrs.frozen
class BatchFinished:
    """The worker has finished the batch; `ItemFinished` reports the result of each item."""

    run: int
    size: int
    seconds: float


@attrs.frozen
class RunFinished:
    """A run ended.

    Attributes:
        run: its number in this process.
        counts: how many items ended in each status.
        interrupted: how many were in progress when it was stopped or cancelled.
        seconds: how long it took.
        error: the name of the error that ended it early.
    """

    run: int
    counts: Mapping[str, int]
    interrupted: int
    seconds: float
    error: str | None = None


__all__ = ["BatchFinished", "BatchStarted", "RunFinished", "RunStarted"]
