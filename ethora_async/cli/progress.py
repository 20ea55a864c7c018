"""Progress on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ethora_async.cli.output import errors

_PLAIN_STEPS = 10
_SMALLEST_STEP = 100


class Steps(Protocol):
    """Counts one kind of thing."""

    def advance(self, count: int = 1) -> None:
        """That many more are done."""
        ...


@contextmanager
def counting(what: str, total: int) -> Generator[Steps, None, None]:
    """Show how many of about `total` things are done."""
    # FORCE_COLOR makes rich take a file for a terminal.
    if not (errors.is_interactive and sys.stderr.isatty()):
        lines = _Lines(what, total)
        try:
            yield lines
        finally:
            lines.finish()
        return
    columns = (SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors) as progress:
        bar = _Bar(progress, what, total)
        yield bar
        bar.finish()


class _Bar:
    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def advance(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)

    def finish(self) -> None:
        # The total was an estimate: a quoted field may span lines.
        self._progress.update(self._task, total=self._progress.tasks[0].completed)


class _Lines:
    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next = self._step = max(_SMALLEST_STEP, total // _PLAIN_STEPS)

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._next <= self._done < self._total:
            self._next = self._done + self._step
            errors.print(f"{self._what}: {self._done} of about {self._total}", markup=False)

    def finish(self) -> None:
        errors.print(f"{self._what}: {self._done} done", markup=False)
