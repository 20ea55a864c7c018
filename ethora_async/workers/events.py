"""The events of workers: a chunk of a run begins, and ends."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class ChunkStarted:
    """The event for a chunk that a worker begins; emitted in the task that carries it out, as is `ChunkFinished`.

    Attributes:
        run: the run's id.
        step, number: which chunk it is.
        kind, action: what its items are.
        size: how many it has.
        attempt: how often a worker has begun it, this time included.
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
        run, step, number: which chunk it was.
        state: ``done``; ``again`` when trouble of the platform or the database ended it; ``lost`` when another worker
            had taken it over.
        counts: how many items ended in each status in this round.
        seconds: how long it took.
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
