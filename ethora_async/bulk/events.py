"""The events of runs: their beginning, their end, and each batch in between."""

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
    """A worker of a run begins with `size` items. Emitted in the task that carries them out, as `BatchFinished` is."""

    run: int
    size: int


@attrs.frozen
class BatchFinished:
    """The worker is done with them; what became of the items is told by `ItemFinished`."""

    run: int
    size: int
    seconds: float


@attrs.frozen
class RunFinished:
    """A run ended.

    Attributes:
        run: its number in this process.
        counts: how many items ended in each status.
        interrupted: how many were under way when it was left or cancelled.
        seconds: how long it took.
        error: the name of the error that ended it early.
    """

    run: int
    counts: Mapping[str, int]
    interrupted: int
    seconds: float
    error: str | None = None


__all__ = ["BatchFinished", "BatchStarted", "RunFinished", "RunStarted"]
