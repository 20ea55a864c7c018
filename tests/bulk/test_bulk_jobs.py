"""Jobs of the platform, asked after until they end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.bulk.jobs import JOB_TIMEOUT, wait_for_job
from ethora_async.clock import SystemClock
from ethora_async.errors import ChatError, Forbidden, JobFailed, JobTimeout, NotFound, NotSent, ReplyLost

if TYPE_CHECKING:
    from ethora_async.testing import FakeClock


class Job:
    """Answers one reply after the other, the last again and again; an exception is raised."""

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


async def test_a_job_that_is_done_is_not_waited_for(clock: FakeClock) -> None:
    done = {"state": "completed", "result": {}}
    assert await wait(Job(done), clock) is done
    assert clock.slept == []


async def test_questions_grow_rarer_up_to_a_bound(clock: FakeClock) -> None:
    job = Job(*[{"state": "active"}] * 30, {"state": "completed"})
    await wait(job, clock)
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0], clock.slept[-1], job.asked) == (0.05, 2.0, 31)


@pytest.mark.parametrize("timeout", [0.01, 1.0, JOB_TIMEOUT])
async def test_a_job_is_given_up_at_its_deadline_and_not_after(timeout: float, clock: FakeClock) -> None:
    with pytest.raises(JobTimeout, match=f"still waiting after {timeout:g} s") as caught:
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
    with pytest.raises(JobFailed, match=text) as caught:
        await wait(Job({"state": "pending"}, reply), clock)
    assert caught.value.effect == "unknown"


async def test_a_refused_question_leaves_the_job_open(clock: FakeClock) -> None:
    for error in (NotFound("gone", status=404, code="X", request_id="r", attempts=2), Forbidden("no", status=403)):
        with pytest.raises(JobFailed, match="could not be asked for") as caught:
            await wait(Job(error), clock)
        assert (caught.value.effect, caught.value.status, caught.value.code) == ("unknown", error.status, error.code)
        assert (caught.value.request_id, caught.value.attempts) == (error.request_id, error.attempts)


@pytest.mark.parametrize("kind", [NotSent, ReplyLost])
async def test_an_unanswered_question_leaves_the_job_open(kind: type[ChatError], clock: FakeClock) -> None:
    with pytest.raises(kind) as caught:
        await wait(Job(kind("cut")), clock)
    assert caught.value.effect == "unknown"


async def test_secrets_that_the_job_was_given_are_masked_in_what_it_says(clock: FakeClock) -> None:
    replies = [
        {"state": "failed", "error": "no hunter2 here"},
        {"state": "hunter2"},
        NotFound("hunter2 is unknown", code="hunter2"),
    ]
    for reply in replies:
        with pytest.raises(ChatError) as caught:
            await wait(Job(reply), clock, known=["hunter2"])
        assert "hunter2" not in str(caught.value)


async def test_the_deadline_also_ends_a_question_that_is_not_answered() -> None:
    async def read() -> object:
        return await asyncio.Event().wait()

    with pytest.raises(JobTimeout) as caught:
        await wait_for_job(read, operation="users.create", clock=SystemClock(), timeout=0.02)
    assert caught.value.effect == "unknown"
