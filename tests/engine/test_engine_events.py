"""What listeners are told, in which order, and how little they can break."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import attrs
import pytest
from engine_parts import READ, WRITE, engine
from scripted_transport import reply, scripted
from virtual_time import VirtualClock, jump

from ethora_async.engine import (
    AttemptFinished,
    ConcurrencyChanged,
    Paused,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    SecretRotated,
)
from ethora_async.engine.emitter import Emitter
from ethora_async.errors import ReplyLostError, ServerFaultError
from ethora_async.request import Request, Response
from ethora_async.testing.implementers import BadServer, Fault
from ethora_async.testing.users import FakeClock
from ethora_async.transport import AiohttpTransport, MemoryTransport


async def test_a_call_with_a_retry_tells_its_story_in_order() -> None:
    clock, seen = FakeClock(), list[object]()
    answers: list[Any] = [
        reply(503, headers={"X-Request-Id": "r-1", "Retry-After": "2"}),
        ReplyLostError("gone"),
        reply(200, {}, {"X-Request-Id": "r-3"}),
    ]

    def slow(_: Request) -> Response:
        clock.advance(0.5)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await engine(MemoryTransport(slow), clock=clock, listeners=[seen.append]).call(READ)
    # What the limiter learned from the refusal, in between.
    assert seen[1:3] == [ConcurrencyChanged(1, "HTTP 503"), Paused(2.0, "HTTP 503")]
    del seen[1:3]
    assert [event for event in seen if not isinstance(event, ConcurrencyChanged)] == [
        RequestStarted("things.read", "GET"),
        AttemptFinished("things.read", 1, 0.5, 503, effect="unknown", request_id="r-1"),
        RetryScheduled("things.read", 1, 2.0, "ServerFaultError"),
        AttemptFinished("things.read", 2, 0.5, None, error="ReplyLostError", effect="unknown"),
        RetryScheduled("things.read", 2, 0.5, "ReplyLostError"),
        AttemptFinished("things.read", 3, 0.5, 200, request_id="r-3"),
        RequestFinished("things.read", 3, 4.0, None),
    ]


async def test_a_refusal_had_no_effect() -> None:
    seen: list[Any] = []
    with pytest.raises(Exception, match="HTTP 422"):
        await engine(scripted(reply(422)), listeners=[seen.append]).call(READ)
    assert [(event.status, event.effect) for event in seen[1:-1]] == [(422, "none")]
    assert (seen[-1].error, seen[-1].attempts) == ("ValidationFailedError", 1)


async def test_the_end_of_a_cancelled_call_is_told() -> None:
    seen: list[Any] = []
    sent = asyncio.Event()

    class Silent(MemoryTransport):
        async def send(self, request: Request, /) -> Response:
            sent.set()
            await asyncio.Event().wait()
            return await super().send(request)

    task = asyncio.create_task(engine(Silent(lambda _: reply()), listeners=[seen.append]).call(READ))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(event) for event in seen] == [RequestStarted, RequestFinished]
    assert seen[-1].error == "CancelledError"


async def test_an_attempt_that_the_deadline_ends_is_told_of_too() -> None:
    seen: list[Any] = []
    async with BadServer(Fault.SILENT) as server:
        using = engine(AiohttpTransport(), server.url, clock=VirtualClock(), listeners=[seen.append])
        calling = asyncio.ensure_future(using.call(READ, timeout=60))
        await server.arrived()
        jump(60)
        with pytest.raises(ReplyLostError):
            await calling
        await using.aclose()
    assert [type(event) for event in seen] == [RequestStarted, AttemptFinished, RequestFinished]
    assert (seen[1].error, seen[1].effect, seen[1].status) == ("ReplyLostError", "unknown", None)


@pytest.mark.parametrize("stated", ["x" * 129, "two words", "eyJhbGciOiJIUzI1NiJ9.eyJkYXRhIjp7fX0.sig", "a\tb", "<b>"])
async def test_a_request_id_that_is_none_is_not_repeated(stated: str) -> None:
    seen: list[Any] = []
    with pytest.raises(ServerFaultError) as caught:
        await engine(scripted(reply(501, headers={"X-Request-Id": stated})), listeners=[seen.append]).call(READ)
    assert (seen[1].request_id, caught.value.request_id) == (None, None)
    with pytest.raises(ReplyLostError) as lost:
        await engine(scripted(Response(200, {"x-request-id": stated}, b"{"))).call(WRITE, path={"id": "1"})
    assert lost.value.request_id is None


async def test_a_listener_that_raises_is_logged_once_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[object] = []

    def broken(event: object) -> None:
        msg = "canary-in-a-listener"
        raise ValueError(msg)

    using = engine(scripted(reply()), listeners=[broken, seen.append])
    with caplog.at_level(logging.INFO, "ethora_async"):
        await using.call(READ)
        await using.call(READ)
    assert [record.getMessage() for record in caplog.records] == [
        "an event listener failed with ValueError; it is not reported again"
    ]
    assert "canary" not in caplog.text
    assert len(seen) == 6


async def test_a_listener_that_cannot_be_hashed_may_raise_too() -> None:
    @attrs.define
    class Broken:
        calls: int = 0

        def __call__(self, event: object) -> None:
            self.calls += 1
            raise ValueError

    broken = Broken()
    assert (await engine(scripted(reply()), listeners=[broken]).call(READ)).status == 200
    assert broken.calls == 3


async def test_each_of_two_broken_listeners_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def first(_: object) -> None:
        raise ValueError

    def second(_: object) -> None:
        raise KeyError

    emitter = Emitter([first, second])
    emitter.emit("x")
    emitter.emit("y")
    assert sorted(str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple)) == [
        "KeyError",
        "ValueError",
    ]


def test_without_listeners_events_are_wanted_only_for_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ethora_async"):
        assert not Emitter().wanted
    with caplog.at_level(logging.DEBUG, "ethora_async"):
        assert Emitter().wanted
        Emitter().emit(RequestStarted("a", "GET"))
    assert caplog.messages == ["RequestStarted(operation='a', method='GET')"]


def test_a_rotated_secret_is_told_at_level_info_by_its_versions(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ethora_async"):
        Emitter().emit(SecretRotated("v-1", "v-2"))
    assert caplog.messages == ["the secret changed from version v-1 to version v-2"]


async def test_an_operator_reads_in_the_log_that_the_platform_asked_for_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "ethora_async"):
        await engine(scripted(reply(429, headers={"Retry-After": "7"}), reply(200, {}))).call(READ)
    assert [record.getMessage() for record in caplog.records] == [
        "the platform asked for a pause of 7 s (HTTP 429): runs wait"
    ]
