"""The events of workers: a chunk of a run begins, and ends."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class ChunkStarted:
    """The event for a chunk that a worker begins; emitted in the task that carries it out, as is `ChunkFinished`.

    Attributes:
        run: the run's id.
        step, number: identify the chunk.
        kind, action: of its items.
        size: number of its items.
        attempt: number of times that a worker has begun it, including this one.
        traceparent: the trace context of the process that planned the run.
    """

    run: str
    step: int
    number: int
    kind: str
    action: str
    size: int
    attempt: int
    traceparent: str | None = None


@attrs.frozen
class ChunkFinished:
    """The event for the end of a worker's round of a chunk.

    Attributes:
        run, step, number: identify the chunk.
        state: ``done``; ``again`` when an error of the platform or the database ended it; ``lost`` when another worker
            has taken it over.
        counts: number of items by status in this round.
        seconds: its duration.
        error: the name of the error that ended it.
    """

    run: str
    step: int
    number: int
    state: str
    counts: Mapping[str, int]
    seconds: float
    error: str | None = None


__all__ = ["ChunkFinished", "ChunkStarted"]
