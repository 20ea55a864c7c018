"""The start, progress and end of each step of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ethora_async.sync.plan.progress import OnProgress, Progress

MOST_POINTS = 240
"""Maximum number of points of one step: about as many as a chart can show."""


@attrs.frozen
class Point:
    """The progress of a step at a time, in seconds since the run began."""

    at: float
    done: int
    failed: int = 0


@attrs.define
class Lap:
    """One step.

    Attributes:
        step: its name, as `Progress` gives it.
        points: its progress, the first point at its start.
        total: number of records, if known.
    """

    step: str
    points: list[Point]
    total: int | None = None
    _gap: float = 0.0

    @property
    def started(self) -> float:
        """When it began, in seconds since the run began."""
        return self.points[0].at

    @property
    def seconds(self) -> float:
        """Its duration in seconds."""
        return self.points[-1].at - self.started

    @property
    def done(self) -> int:
        """The number of records done."""
        return self.points[-1].done

    @property
    def failed(self) -> int:
        """The number of failed records."""
        return self.points[-1].failed

    def add(self, point: Point) -> None:
        """Record its progress. Points closer together than a chart can show replace one another."""
        points = self.points
        if len(points) > 1 and point.at - points[-2].at < self._gap:
            points[-1] = point
            return
        points.append(point)
        if len(points) > MOST_POINTS:
            self._gap = max(self._gap * 2, (points[-1].at - points[0].at) / MOST_POINTS * 2)
            self.points = [points[0], *points[2:-1:2], points[-1]]


class Timeline:
    """The steps of a run in order. Time counts only while a run is watched, not during a prompt."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._before = 0.0
        self._since: float | None = None
        self._laps: list[Lap] = []

    @property
    def laps(self) -> Sequence[Lap]:
        """The steps so far."""
        return self._laps

    @property
    def seconds(self) -> float:
        """The run's duration so far in seconds."""
        return self._before + (0.0 if self._since is None else self._now() - self._since)

    @contextmanager
    def watching(self, on_progress: OnProgress) -> Generator[OnProgress, None, None]:
        """Record the progress that is reported inside the block, and pass it on."""

        def note(progress: Progress) -> None:
            self.add(progress)
            on_progress(progress)

        self._since = self._now()
        try:
            yield note
        finally:
            if self._laps:
                self._extend(self._laps[-1], self.seconds)
            self._before, self._since = self.seconds, None

    def add(self, progress: Progress) -> None:
        """Record the progress of the run."""
        at = self.seconds
        lap = self._laps[-1] if self._laps else None
        # A smaller number starts the same step again, as while waiting.
        if lap is None or lap.step != progress.step or progress.done < lap.done:
            lap = self._begin(progress.step, at)
        lap.total = progress.total
        lap.add(Point(at, progress.done, progress.failed))

    def _begin(self, step: str, at: float) -> Lap:
        """Begin a step at the end of the previous one: most steps are first reported when some records are done."""
        start = self._before
        if self._laps:
            last = self._laps[-1]
            if not last.done:  # this one was reported at its start
                self._extend(last, at)
            start = max(start, last.points[-1].at)
        lap = Lap(step, [Point(start, 0)])
        self._laps.append(lap)
        return lap

    def _extend(self, lap: Lap, at: float) -> None:
        lap.add(attrs.evolve(lap.points[-1], at=max(lap.points[-1].at, at)))
