"""Server-side jobs, asked after until they end."""

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
"""Seconds that a job may take (other clients wait 60 to 300: docs/platforms/ethora.md#user-batch-jobs)."""

_FIRST_WAIT = 0.025
_LONGEST_WAIT = 2.0
_SHARE = 0.25
"""The second question comes after a quarter of the wait for the first; from then on the waits double."""
_SOON = 0.001
"""Seconds that are not worth waiting."""
_EARLIER = 0.97
_TRIAL = 4
"""So many jobs show whether waiting longer spares questions."""
_HOLD_OFF = 32
"""When it did not, so many jobs pass before it is tried again; doubled each time."""


class JobTimes:
    """Durations of recent jobs of one kind, from which a run learns how long to wait for the next.

    There is one route for each job (docs/platforms/ethora.md#user-batch-jobs), so questions cannot be put together; but
    they can be put once the job is likely to have ended. A job that was found ended at the first question lets the next
    one be asked a little earlier; when several needed more questions, the next is left alone for as long as the
    shortest of these lasted. So jobs that take a steady time cost little more than one question, and one that stalls
    changes nothing for the others. Waiting longer has to prove itself: where it spares no question, as on a platform
    that moves on only when asked, it is not waited for.
    """

    def __init__(self) -> None:
        self._usual = _FIRST_WAIT
        self._lasted: deque[float] = deque(maxlen=3)
        self._trial: _Trial | None = None
        self._hold_off = _HOLD_OFF
        self._quiet = 0

    @property
    def usual(self) -> float:
        """Seconds from a job's start to the first question."""
        return self._usual

    def ended(self, first: float, questions: int, lasted: float) -> None:
        """A job has ended, well or badly.

        Args:
            first: seconds that were waited before the first question.
            questions: how many were asked.
            lasted: seconds after which it was asked the last one.
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
    """A longer wait that is tried: `before` and `after` in seconds, and how many questions a job had `asked` so far."""

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
    """Return what the job answers once it has ended well: its whole decoded reply.

    Nothing is held while it waits: no connection and no slot. A question that the platform refuses for being one too
    many (429) is put again when it says, the deadline permitting.

    Args:
        read: asks for the job once and returns the decoded reply, ``{state, error?, result?}``. Any state but
            ``completed`` and ``failed`` counts as still under way (docs/platforms/ethora.md#user-batch-jobs).
        known: secrets that the job was given, to be masked in what it says.
        times: what jobs of this kind have taken so far; shared by those of one run.

    Raises:
        JobFailedError: it ended in failure, or its reply has no state.
        JobTimeoutError: it had not ended after `timeout` seconds.
        TransportError: it could not be asked for; the `effect` is "unknown", whatever stood in the way.
    """
    job = _Job(read, operation, clock, timeout, known)
    times = times or JobTimes()
    # Others of the run may have shown in the meantime that it takes longer.
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
    """One job that is asked after, and what it answered last."""

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
        """Wait, if the deadline leaves so much time."""
        if self.age + seconds > self._timeout:
            raise self._too_late()
        await self._clock.sleep(seconds)

    async def ask(self) -> bool:
        """Ask once; whether it has ended."""
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
            self._reply = None  # the traceback's frames hold this job; the reply may repeat what it was given
            msg = "the job's reply has no state"
            raise JobFailedError(msg, operation=self._operation)
        return self._state in ("completed", "failed")

    def result(self) -> Any:
        """Return the reply of a job that has ended well."""
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
            # The question was not answered, but the job it is about is under way.
            error.effect = "unknown"
            raise
