"""How the engine sends a streamed body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from engine_parts import TOKEN, OneToken, engine
from scripted_transport import reply, scripted

from ethora_async.config import RetryPolicy
from ethora_async.engine.events import AttemptFinished
from ethora_async.errors import (
    ChatError,
    InvalidInputError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    UnauthorizedError,
)
from ethora_async.protocols import Credential
from ethora_async.request import Operation
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.request import Request, Response

SEND = Operation("things.send", "POST", "/things", repeatable=False, source="test")
PUT = Operation("things.put", "PUT", "/things", repeatable=True, source="test")


@attrs.define(eq=False)
class Form:
    """An upload that can be read `times` times, and then breaks or refuses."""

    times: int = 9
    broken: ChatError | None = None
    content_type: str = "multipart/form-data; boundary=b"
    error: ChatError | None = None
    read: int = 0
    length: int | None = 4

    def can_restart(self) -> bool:
        return self.read < self.times

    async def chunks(self) -> AsyncIterator[bytes]:
        self.read += 1
        self.error = None
        yield b"bo"
        if self.broken is not None:
            self.error = self.broken
            raise self.broken
        yield b"dy"


async def test_the_upload_is_the_body_and_says_what_it_is() -> None:
    transport = scripted(reply(200, {"ok": True}))
    sender = engine(transport)
    await sender.call(SEND, upload=Form())
    await sender.call(SEND, data={})
    first, second = transport.requests
    assert (first.body, first.headers["Content-Type"]) == (b"body", "multipart/form-data; boundary=b")
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (second.body, second.headers["Content-Type"]) == (b"{}", "application/json")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(NotSentError("no"), NotSentError), (reply(429), RateLimitedError), (reply(401), UnauthorizedError)],
)
async def test_a_spent_upload_is_not_sent_again_whatever_would_allow_it(answer: Any, kind: Any) -> None:
    class Two(OneToken):
        async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
            return Credential({"Authorization": "Bearer another"}, "two")

    transport = scripted(answer, reply(200))
    with pytest.raises(kind) as caught:
        await engine(transport, credentials=Two()).call(SEND, upload=Form(times=1))
    assert (len(transport.requests), caught.value.attempts) == (1, 1)


@pytest.mark.parametrize("operation", [SEND, PUT])
async def test_an_upload_that_can_be_read_again_follows_the_rules_of_its_operation(operation: Operation) -> None:
    for answer, repeated in (
        (NotSentError("no"), True),
        (reply(503), operation.repeatable),
        (ReplyLostError("cut"), False),
    ):
        transport = scripted(answer, reply(200, {}))
        form = Form()
        try:
            await engine(transport).call(operation, upload=form)
        except (ServerFaultError, ReplyLostError):
            assert not operation.repeatable
            assert form.read == 1
        else:
            assert repeated or operation.repeatable
            assert [request.body for request in transport.requests] == [b"body"] * 2


async def test_a_spent_upload_that_was_never_begun_may_still_go_out() -> None:
    answers: list[Exception | Response] = [NotSentError("the pool is full"), reply(200, {})]

    class Early(MemoryTransport):
        async def send(self, request: Request, /) -> Response:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return await super().send(request)

    form = Form(times=1)
    assert (await engine(Early(lambda _: reply(200, {}))).call(SEND, upload=form)).attempts == 2
    assert form.read == 1


@pytest.mark.parametrize(
    "hidden", [ReplyLostError("broken pipe"), NotSentError("closed"), OSError(32, "pipe"), TimeoutError()]
)
async def test_what_broke_the_source_is_told_and_not_what_that_did_to_the_connection(hidden: Exception) -> None:
    class Hiding:
        async def send(self, request: Request, /) -> Response:
            assert request.upload is not None
            with pytest.raises(InvalidInputError):
                [piece async for piece in request.upload.chunks()]
            raise hidden

        async def aclose(self) -> None:
            return None

    broken = InvalidInputError("the file ended early", field="files")
    with pytest.raises(InvalidInputError, match="ended early") as caught:
        await engine(Hiding(), retry=RetryPolicy(attempts=3)).call(PUT, upload=Form(broken=broken))
    assert (caught.value.operation, caught.value.effect, caught.value.attempts) == ("things.put", "none", 1)


async def test_how_long_an_upload_takes_slows_nothing_down() -> None:
    from ethora_async.config import Limits
    from ethora_async.engine.learning import START
    from ethora_async.testing.users import FakeClock

    clock = FakeClock()
    seconds = iter([0.01] * 20 + [60.0] * 20)

    def answer(_: Request) -> Response:
        clock.advance(next(seconds))
        return reply(200, {})

    events: list[object] = []
    sender = engine(
        MemoryTransport(answer), clock=clock, limits=Limits(concurrency=10), timeout=900, listeners=[events.append]
    )
    for _ in range(40):
        await sender.call(SEND, upload=Form())
    assert sender.limiter.limit == START
    assert [event.status for event in events if isinstance(event, AttemptFinished)] == [200] * 40


async def test_a_429_to_an_upload_still_slows_down() -> None:
    from ethora_async.config import Limits

    transport = scripted(reply(429), reply(200, {}))
    sender = engine(transport, limits=Limits(concurrency=10))
    await sender.call(SEND, upload=Form())
    assert sender.limiter.limit < 10
