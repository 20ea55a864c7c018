"""Progress on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ethora_async.cli.output import errors
from ethora_async.sync.plan.progress import OnProgress
from ethora_async.sync.plan.progress import Progress as Step

_PLAIN_STEPS = 10
_SMALLEST_STEP = 100
_STEP_WITHOUT_TOTAL = 10_000

WORDS = {
    "create user": "creating users",
    "update user": "updating users",
    "delete user": "deleting users",
    "create chat": "creating chats",
    "update chat": "updating chats",
    "delete chat": "deleting chats",
    "grant member": "granting access",
    "revoke member": "revoking access",
}
"""Display names of a plan's steps; other steps are displayed as they are."""


class Steps(Protocol):
    """A counter of processed items."""

    def advance(self, count: int = 1) -> None:
        """Add to the number of processed items."""
        ...


def _on_terminal() -> bool:
    # With FORCE_COLOR, rich treats a file as a terminal.
    return errors.is_interactive and sys.stderr.isatty()


@contextmanager
def counting(what: str, total: int | None) -> Generator[Steps, None, None]:
    """Show how many of about `total` items are done; None if the total is unknown."""
    if not _on_terminal():
        lines = _Lines(what, total)
        try:
            yield lines
        finally:
            lines.finish()
        return
    with _bars() as progress:
        bar = _Bar(progress, what, total)
        yield bar
        bar.finish()


@contextmanager
def following() -> Generator[OnProgress, None, None]:
    """Show the steps of a plan as the library reports them."""
    if not _on_terminal():
        lines = _StepLines()
        try:
            yield lines
        finally:
            lines.finish()
        return
    with _bars() as progress:
        bars = _StepBars(progress)
        yield bars
        bars.finish()


def _bars() -> Progress:
    columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description}", markup=False), BarColumn(20),
               _Count(), _Rate(), TimeRemainingColumn(compact=True, elapsed_when_finished=True))  # fmt: skip
    return Progress(*columns, console=errors)


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Render done/total."""
        if not task.fields.get("counted", True):
            return Text()
        of = "" if task.total is None else f"/{task.total:,.0f}"
        text = Text(f"{task.completed:,.0f}{of}")
        if failed := task.fields.get("failed"):
            text.append(f" {failed:,} failed", "red")
        return text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Render the rate per second."""
        speed = task.finished_speed if task.finished else task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", "dim")


class _Bar:
    def __init__(self, progress: Progress, what: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def advance(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)

    def finish(self) -> None:
        # The total was an estimate: a quoted field may span lines.
        self._progress.update(self._task, total=self._progress.tasks[0].completed)


class _Lines:
    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next = self._step = _step(total)

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._next <= self._done and (self._total is None or self._done < self._total):
            self._next = self._done + self._step
            of = "" if self._total is None else f" of about {self._total}"
            errors.print(f"{self._what}: {self._done}{of}", markup=False)

    def finish(self) -> None:
        errors.print(f"{self._what}: {self._done} done", markup=False)


class _StepBars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._now: str | None = None

    def __call__(self, step: Step) -> None:
        if step.step != self._now:
            self._begin(step)
        self._progress.update(
            self._tasks[step.step],
            completed=step.done,
            total=step.total,
            failed=step.failed,
            counted=bool(step.done) or step.total is not None,
        )

    def _begin(self, step: Step) -> None:
        self.finish()
        self._now = step.step
        if step.step in self._tasks:  # repeated while waiting
            self._progress.reset(self._tasks[step.step], total=step.total)
        else:
            name = WORDS.get(step.step, step.step)
            self._tasks[step.step] = self._progress.add_task(name, total=step.total)

    def finish(self) -> None:
        """Complete the current step; for some, the total is known only now."""
        if self._now is not None:
            task = self._tasks[self._now]
            done = next(one.completed for one in self._progress.tasks if one.id == task)
            # A bar of 0 of 0 would be drawn empty.
            self._progress.update(task, total=done or 1, completed=done or 1)


class _StepLines:
    def __init__(self) -> None:
        self._now: Step | None = None
        self._next = 0
        self._told: dict[str, str] = {}

    def __call__(self, step: Step) -> None:
        if self._now is None or step.step != self._now.step:
            self.finish()
            self._next = _step(step.total)
        self._now = step
        if step.done >= self._next and (step.total is None or step.done < step.total):
            self._next = step.done + _step(step.total)
            of = "" if step.total is None else f" of {step.total}"
            errors.print(f"{WORDS.get(step.step, step.step)}: {step.done}{of}", markup=False)

    def finish(self) -> None:
        """Print the result of the current step, unless the same was printed before."""
        if self._now is None or (self._now.done == 0 and self._now.total is None):
            return
        failed = f", {self._now.failed} failed" if self._now.failed else ""
        text = f"{WORDS.get(self._now.step, self._now.step)}: {self._now.done} done{failed}"
        if self._told.get(self._now.step) != text:
            self._told[self._now.step] = text
            errors.print(text, markup=False)


def _step(total: int | None) -> int:
    return _STEP_WITHOUT_TOTAL if total is None else max(_SMALLEST_STEP, total // _PLAIN_STEPS)
