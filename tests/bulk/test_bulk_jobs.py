"""Poll jobs of the platform until they end."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from virtual_time import VirtualClock, run_virtual

from ethora_async.bulk.jobs import JOB_TIMEOUT, JobTimes, wait_for_job
from ethora_async.clock import SystemClock
from ethora_async.errors import (
    ChatError,
    ForbiddenError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.testing.users import FakeClock


class Job:
    """Answers with replies in order; the last one is repeated, and an exception is raised."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asked = 0

    async def read(self) -> Any:
        self.asked += 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply


async def wait(job: Job, clock: FakeClock, **options: Any) -> Any:
    return await wait_for_job(job.read, operation="users.create", clock=clock, **options)


async def test_a_job_that_is_done_at_once_costs_one_question(clock: FakeClock) -> None:
    done = {"state": "completed", "result": {}}
    job = Job(done)
    assert await wait(job, clock) is done
    assert (clock.slept, job.asked) == ([0.025], 1)


async def test_questions_grow_rarer_up_to_a_bound(clock: FakeClock) -> None:
    job = Job(*[{"state": "active"}] * 30, {"state": "completed"})
    await wait(job, clock)
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0], clock.slept[-1], job.asked) == (0.025, 2.0, 31)


async def test_a_question_too_many_is_put_again_when_the_platform_says(clock: FakeClock) -> None:
    job = Job({"state": "active"}, RateLimitedError("slow down", status=429, retry_after=7.0), {"state": "completed"})
    assert (await wait(job, clock))["state"] == "completed"
    assert (clock.slept[-1], job.asked) == (7.0, 3)
    with pytest.raises(JobTimeoutError):
        await wait(Job(RateLimitedError("slow down", status=429, retry_after=500.0)), clock)


def _run_of_jobs(
    takes: Callable[[int], float], *, moves_on_when_asked: int | None = None, jobs: int = 400, workers: int = 16
) -> tuple[float, float]:
    """Return the polls per job of a run, and the time until each answer as a share of the job's duration."""
    asked, waited, took = 0, 0.0, 0.0

    async def one(number: int, times: JobTimes) -> None:
        nonlocal waited, took
        loop = asyncio.get_running_loop()
        started, questions = loop.time(), 0

        async def read() -> dict[str, str]:
            nonlocal asked
            nonlocal questions
            asked, questions = asked + 1, questions + 1
            await asyncio.sleep(0.002)
            done = loop.time() - started >= takes(number)
            if moves_on_when_asked is not None:
                done = questions > moves_on_when_asked
            return {"state": "completed" if done else "running"}

        await wait_for_job(read, operation="users.create", clock=VirtualClock(), times=times)
        waited += loop.time() - started
        took += takes(number)

    async def main() -> None:
        times, numbers = JobTimes(), iter(range(jobs))

        async def worker() -> None:
            for number in numbers:
                await one(number, times)

        await asyncio.gather(*[worker() for _ in range(workers)])

    run_virtual(main())
    return asked / jobs, waited / took


@pytest.mark.parametrize("workers", [1, 16])
@pytest.mark.parametrize("takes", [0.1, 0.5, 1.5, 5.0, 30.0])
def test_jobs_that_take_a_steady_time_cost_one_question_or_two(takes: float, workers: int) -> None:
    questions, waited = _run_of_jobs(lambda _: takes, workers=workers)
    assert questions <= 2.1
    assert waited <= 1.4


def test_jobs_that_vary_by_half_cost_little_more() -> None:
    draw = random.Random(5)
    lengths = [draw.uniform(1, 2) for _ in range(400)]
    questions, waited = _run_of_jobs(lengths.__getitem__)
    assert questions <= 2.2
    assert waited <= 1.5


def test_a_run_follows_jobs_that_take_longer_or_shorter_than_before() -> None:
    questions, waited = _run_of_jobs(lambda number: (0.2, 4.0, 0.2)[number // 200], jobs=600)
    assert questions <= 2.5
    assert waited <= 2


def test_single_jobs_that_stall_hold_up_no_others() -> None:
    _, waited = _run_of_jobs(lambda number: 60.0 if number % 40 == 20 else 0.5)
    assert waited <= 1.2  # ten times 60 s among 390 times 0.5 s: were the others held up, it would be far more


@pytest.mark.parametrize("moves_on", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 16])
def test_where_only_questions_move_a_job_on_nothing_is_waited_for(moves_on: int, workers: int) -> None:
    questions, waited = _run_of_jobs(lambda _: 1.0, moves_on_when_asked=moves_on, workers=workers)
    assert questions == moves_on + 1
    assert waited <= 0.35  # seconds a job


@pytest.mark.parametrize("timeout", [0.01, 1.0, JOB_TIMEOUT])
async def test_a_job_is_given_up_at_its_deadline_and_not_after(timeout: float, clock: FakeClock) -> None:
    with pytest.raises(JobTimeoutError, match=f"still waiting after {timeout:g} s") as caught:
        await wait(Job({"state": "waiting"}), clock, timeout=timeout)
    assert sum(clock.slept) <= timeout
    assert (caught.value.effect, caught.value.operation) == ("unknown", "users.create")


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ({"state": "failed", "error": "  no   room\n"}, "the job failed: no room"),
        ({"state": "failed", "error": {"nested": 1}}, "did not say why"),
        ({"state": "failed"}, "did not say why"),
        ({"state": 5}, "no state"),
        ({}, "no state"),
        (None, "no state"),
        ([], "no state"),
    ],
)
async def test_a_job_that_ends_badly_says_so(reply: Any, text: str, clock: FakeClock) -> None:
    with pytest.raises(JobFailedError, match=text) as caught:
        await wait(Job({"state": "pending"}, reply), clock)
    assert caught.value.effect == "unknown"


async def test_a_refused_question_leaves_the_job_open(clock: FakeClock) -> None:
    for error in (
        NotFoundError("gone", status=404, code="X", request_id="r", attempts=2),
        ForbiddenError("no", status=403),
    ):
        with pytest.raises(JobFailedError, match="could not be asked for") as caught:
            await wait(Job(error), clock)
        assert (caught.value.effect, caught.value.status, caught.value.code) == ("unknown", error.status, error.code)
        assert (caught.value.request_id, caught.value.attempts) == (error.request_id, error.attempts)


@pytest.mark.parametrize("kind", [NotSentError, ReplyLostError])
async def test_an_unanswered_question_leaves_the_job_open(kind: type[ChatError], clock: FakeClock) -> None:
    with pytest.raises(kind) as caught:
        await wait(Job(kind("cut")), clock)
    assert caught.value.effect == "unknown"


async def test_secrets_that_the_job_was_given_are_masked_in_what_it_says(clock: FakeClock) -> None:
    replies = [
        {"state": "failed", "error": "no hunter2 here"},
        {"state": "hunter2"},
        NotFoundError("hunter2 is unknown", code="hunter2"),
    ]
    for reply in replies:
        with pytest.raises(ChatError) as caught:
            await wait(Job(reply), clock, known=["hunter2"])
        assert "hunter2" not in str(caught.value)


async def test_the_deadline_also_ends_a_question_that_is_not_answered() -> None:
    async def read() -> object:
        return await asyncio.Event().wait()

    with pytest.raises(JobTimeoutError) as caught:
        await wait_for_job(read, operation="users.create", clock=SystemClock(), timeout=0.02)
    assert caught.value.effect == "unknown"
