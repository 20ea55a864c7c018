"""Jobs of the asynchronous user batches (contract §1.4, §1.8).

The rows of a batch are written while its POST is answered; only the *report* takes a few polls, as the
vendor's own scripts need it.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict

import attrs

from ethora_async.sandbox.ethora.records import App, User

KEPT = 2_000


@attrs.frozen
class Row:
    """What became of one row: `created`, `exists` (the e-mail is taken) or `uuid_exists`, and the user."""

    status: str
    user: User


@attrs.define(eq=False)
class Job:
    """A batch of one app. It reports its end after `polls_left` more polls, and not before `ready_at`."""

    id: str
    app: App
    created_at: float
    rows: list[Row]
    polls_left: int
    ready_at: float
    error: str | None = None
    polled: bool = False

    def poll(self, now: float) -> str:
        """Return the state to report: `pending`, `running`, `completed` or `failed`."""
        if self.polls_left <= 0 and now >= self.ready_at:
            return "completed" if self.error is None else "failed"
        state = "running" if self.polled else "pending"
        self.polled = True
        self.polls_left -= 1
        return state


class Jobs:
    """The latest jobs; the oldest make room, as in the platform's queue."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def add(self, app: App, rows: list[Row], *, now: float, polls: int, delay: float, error: str | None = None) -> Job:
        """Keep a new job."""
        job = Job(secrets.token_hex(12), app, now, rows, polls, now + delay, error)
        self._jobs[job.id] = job
        if len(self._jobs) > KEPT:
            self._jobs.popitem(last=False)
        return job

    def find(self, job_id: str, app: App) -> Job | None:
        """Return a job of this app, or None."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.app is app else None
