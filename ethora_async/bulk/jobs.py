"""Server-side jobs, polled until they end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import ApiError, JobFailedError, JobTimeoutError, RateLimitedError, TransportError
from ethora_async.redaction import scrub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ethora_async.protocols import Clock
    from ethora_async.redaction import Secret

JOB_TIMEOUT = 120.0
"""Seconds that a job may take (other clients wait 60 to 300 s: docs/platforms/ethora.md#user-batch-jobs)."""

_FIRST_WAIT = 0.025
_LONGEST_WAIT = 2.0
_SHARE = 0.25
"""The second poll comes after a quarter of the wait before the first; after that the waits double."""
_SOON = 0.001
"""Shorter waits, in seconds, are skipped."""
_EARLIER = 0.97
_TRIAL = 4
"""Number of jobs after which a longer wait is judged by the polls that it saved."""
_HOLD_OFF = 32
"""Number of jobs before a longer wait that saved nothing is tried again; doubled each time."""


class JobTimes:
    """Durations of recent jobs of one kind, from which a run learns how long to wait for the next.

    Each job has its own route (docs/platforms/ethora.md#user-batch-jobs), so polls cannot be combined; but they can be
    timed for when the job is likely to have ended. If a job has ended at the first poll, the next job is polled a
    little earlier; when several jobs needed more polls, the next is first polled after the shortest of their durations.
    So jobs with a steady duration cost little more than one poll, and one slow job does not affect the others. A longer
    wait must prove itself: where it saves no poll, as on a platform whose jobs advance only when polled, it is dropped.
    """

    def __init__(self) -> None:
        self._usual = _FIRST_WAIT
        self._lasted: deque[float] = deque(maxlen=3)
        self._trial: _Trial | None = None
        self._hold_off = _HOLD_OFF
        self._quiet = 0

    @property
    def usual(self) -> float:
        """Seconds from a job's start to the first poll."""
        return self._usual

    def ended(self, first: float, questions: int, lasted: float) -> None:
        """Record that a job has ended, successfully or not.

        Args:
            first: seconds waited before the first poll.
            questions: number of polls.
            lasted: seconds from the start to the last poll.
        """
        self._lasted.append(lasted)
        self._quiet = max(0, self._quiet - 1)
        if self._trial is not None:
            self._judge(self._trial, first, questions)
        if questions == 1:
            self._usual = max(_FIRST_WAIT, min(self._usual, _EARLIER * first))
        elif self._trial is None and not self._quiet and len(self._lasted) == self._lasted.maxlen:
            self._try(min(self._lasted), questions)

    def _try(self, wait: float, questions: int) -> None:
        if wait > self._usual:
            self._trial = _Trial(self._usual, wait, questions)
            self._usual = wait

    def _judge(self, trial: _Trial, first: float, questions: int) -> None:
        if first < _EARLIER**_TRIAL * trial.after:
            return  # it was started before
        trial.jobs += 1
        trial.questions += questions
        if trial.jobs < _TRIAL:
            return
        self._trial = None
        if trial.questions / trial.jobs <= trial.asked - 0.5:
            self._hold_off = _HOLD_OFF
        else:
            self._usual, self._quiet = trial.before, self._hold_off
            self._hold_off *= 2


@attrs.define
class _Trial:
    """A longer wait under trial: `before` and `after` in seconds, and the number of polls per job so far (`asked`)."""

    before: float
    after: float
    asked: int
    jobs: int = 0
    questions: int = 0


async def wait_for_job(
    read: Callable[[], Awaitable[Any]],
    *,
    operation: str,
    clock: Clock,
    timeout: float = JOB_TIMEOUT,
    known: Iterable[str | Secret] = (),
    times: JobTimes | None = None,
) -> Any:
    """Wait until the job has succeeded, and return its whole decoded reply.

    While it waits it holds neither a connection nor a slot. A poll that the platform rejects with 429 is repeated at
    the time that the platform names, if the deadline permits.

    Args:
        read: polls the job once and returns the decoded reply, ``{state, error?, result?}``. Any state but
            ``completed`` and ``failed`` counts as still running (docs/platforms/ethora.md#user-batch-jobs).
        known: secrets passed to the job, to be masked in its messages.
        times: durations of jobs of this kind so far; shared by all jobs of a run.

    Raises:
        JobFailedError: it failed, or its reply has no state.
        JobTimeoutError: it was still running after `timeout` seconds.
        TransportError: it could not be polled; the `effect` is "unknown", whatever the cause.
    """
    job = _Job(read, operation, clock, timeout, known)
    times = times or JobTimes()
    # Other jobs of the run may have shown in the meantime that it takes longer.
    while (left := min(times.usual, timeout / 2) - job.age) > _SOON:
        await job.sleep(left)
    first, questions = job.age, 0
    wait = max(_FIRST_WAIT, _SHARE * first)
    while True:
        asked = job.age
        try:
            ended = await job.ask()
        except RateLimitedError as refusal:
            await job.sleep(max(wait, refusal.retry_after or 0.0))
            continue
        questions += 1
        if ended:
            times.ended(first, questions, asked)
            return job.result()
        await job.sleep(wait)
        wait = min(2 * wait, max(_LONGEST_WAIT, first))


class _Job:
    """One job that is polled, and its last reply."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Any]],
        operation: str,
        clock: Clock,
        timeout: float,
        known: Iterable[str | Secret],
    ) -> None:
        self._read = read
        self._operation = operation
        self._clock = clock
        self._timeout = timeout
        self._known = known
        self._started = clock.monotonic()
        self._reply: Any = None
        self._state: Any = "under way"

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self._clock.monotonic() - self._started

    async def sleep(self, seconds: float) -> None:
        """Wait, at most until the deadline."""
        if self.age + seconds > self._timeout:
            raise self._too_late()
        await self._clock.sleep(seconds)

    async def ask(self) -> bool:
        """Poll once; return whether it has ended."""
        timer = asyncio.timeout(self._timeout - self.age)
        try:
            async with timer:
                self._reply = await self._asked()
        except TimeoutError:
            if not timer.expired():
                raise
            raise self._too_late() from None
        self._state = self._reply.get("state") if isinstance(self._reply, dict) else None
        if not isinstance(self._state, str):
            self._reply = None  # the traceback's frames hold this job, and its reply may repeat secrets
            msg = "the job's reply has no state"
            raise JobFailedError(msg, operation=self._operation)
        return self._state in ("completed", "failed")

    def result(self) -> Any:
        """Return the reply of a successful job."""
        if self._state == "completed":
            return self._reply
        msg = f"the job failed: {self._reason()}"
        self._reply = None  # as above
        raise JobFailedError(msg, operation=self._operation)

    def _reason(self) -> str:
        reason = self._reply.get("error")
        return scrub(reason, self._known) if isinstance(reason, str) else "the platform did not say why"

    def _too_late(self) -> JobTimeoutError:
        msg = f"the job was still {scrub(self._state, self._known)} after {self._timeout:g} s"
        return JobTimeoutError(msg, operation=self._operation)

    async def _asked(self) -> Any:
        try:
            return await self._read()
        except RateLimitedError:
            raise
        except ApiError as error:
            msg = f"the job was accepted, but could not be asked for: {scrub(error.message, self._known)}"
            raise JobFailedError(
                msg,
                operation=self._operation,
                status=error.status,
                code=scrub(error.code, self._known) if error.code else None,
                request_id=error.request_id,
                attempts=error.attempts,
            ) from None
        except TransportError as error:
            # The poll failed, but the job itself is running.
            error.effect = "unknown"
            raise
