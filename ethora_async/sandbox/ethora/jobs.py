"""Jobs of the calls that answer 202 (docs/platforms/ethora.md#jobs-and-delays): user batches, broadcasts, purges.

The work is done while the POST is answered; only the *report* takes a few polls, as the vendor's own scripts expect.
"""

from __future__ import annotations

import enum
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.records import App, User

if TYPE_CHECKING:
    from ethora_async.sandbox.faults import Faults

KEPT = 2_000


@attrs.frozen
class Row:
    """The result for one user: `created`, `exists` (the e-mail is taken) or `uuid_exists`, and the user."""

    status: str
    user: User


class JobKind(enum.Enum):
    """The kind of a job; each has its own status route."""

    USERS = "users"
    BROADCAST = "broadcast"
    PURGE = "purge"


@attrs.define(eq=False)
class Job:
    """A job of one app. It reports its end after `polls_left` more polls, and not before `ready_at`."""

    id: str
    kind: JobKind
    app: App
    created_at: float
    report: Callable[[], dict[str, Any]]
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
    """The latest jobs; the oldest are dropped, as in the platform's queue."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._made = 0

    def run(self, kind: JobKind, app: App, now: float, work: Callable[[], Callable[[], dict[str, Any]]]) -> Job:
        """Do the work, unless a fault makes the job fail, and store the job. `work` returns its report."""
        error = self._faults.take_job_failure()
        report = dict[str, Any] if error else work()
        faults = self._faults
        self._made += 1
        ready_at = now + faults.job_time(self._made)
        job = Job(secrets.token_hex(12), kind, app, now, report, faults.job_polls, ready_at, error)
        self._jobs[job.id] = job
        if len(self._jobs) > KEPT:
            self._jobs.popitem(last=False)
        return job

    def find(self, kind: JobKind, job_id: str, app: App) -> Job | None:
        """Return a job of this kind and app, or None."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.app is app and job.kind is kind else None
