"""Real sockets, real faults: what the error says, and how many requests reached the server."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from engine_parts import READ, WRITE, OneToken, engine
from virtual_time import VirtualClock, jump

from ethora_async.config import RetryPolicy
from ethora_async.errors import (
    ApiError,
    ChatError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.testing.implementers import BadServer, CannedReply, Fault
from ethora_async.testing.users import FakeClock
from ethora_async.transport import AiohttpTransport

if TYPE_CHECKING:
    from ethora_async.engine import Engine
    from ethora_async.request import Operation


async def fails(using: Engine, operation: Operation, **options: Any) -> ChatError:
    path = {"id": "1"} if "{id}" in operation.path else None
    try:
        with pytest.raises(ChatError) as caught:
            await using.call(operation, path=path, **options)
    finally:
        await using.aclose()
    return caught.value


BROKEN = [fault for fault in Fault if fault not in (Fault.SILENT, Fault.SLOW_HEADER, Fault.SLOW_BODY)]


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize(("operation", "times"), [(READ, 3), (WRITE, 1)])
async def test_a_broken_exchange_is_of_unknown_effect_and_repeated_only_where_it_may_be(
    fault: Fault, operation: Operation, times: int
) -> None:
    async with BadServer(fault) as server:
        error = await fails(engine(AiohttpTransport(), server.url), operation)
        assert type(error) is ReplyLostError
        assert (error.effect, error.attempts, error.operation) == ("unknown", times, operation.name)
        assert server.connections == times
        assert len(server.requests) == (0 if fault is Fault.RESET_AT_ONCE else times)


@pytest.mark.parametrize("operation", [READ, WRITE])
async def test_a_refused_connection_is_tried_again_whatever_the_operation(operation: Operation) -> None:
    async with BadServer() as server:
        await server.refuse()
        error = await fails(engine(AiohttpTransport(), server.url), operation)
        assert type(error) is NotSentError
        assert (error.effect, error.attempts, server.connections) == ("none", 3, 0)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.SLOW_HEADER, Fault.SLOW_BODY])
@pytest.mark.parametrize("operation", [READ, WRITE])
async def test_the_deadline_ends_a_reply_that_does_not_come(fault: Fault, operation: Operation) -> None:
    async with BadServer(fault) as server:
        failing = asyncio.ensure_future(
            fails(engine(AiohttpTransport(), server.url, clock=VirtualClock(), timeout=60), operation)
        )
        await server.arrived()
        jump(60)
        error = await failing
        assert type(error) is ReplyLostError
        assert (error.effect, error.attempts, len(server.requests)) == ("unknown", 1, 1)
        assert "the platform did not answer within 6" in str(error)


async def test_a_calls_own_timeout_replaces_the_clients() -> None:
    async with BadServer(Fault.SILENT) as server:
        failing = asyncio.ensure_future(
            fails(engine(AiohttpTransport(), server.url, clock=VirtualClock(), timeout=600), READ, timeout=60)
        )
        await server.arrived()
        jump(60)
        assert "the platform did not answer within 6" in str(await failing)


@pytest.mark.parametrize("body", [b'{"cut', b"<html>fine</html>", b"\xff\xfe", b"{} trailing"])
@pytest.mark.parametrize(("operation", "times"), [(READ, 3), (WRITE, 1)])
async def test_a_success_that_cannot_be_read_is_of_unknown_effect(
    body: bytes, operation: Operation, times: int
) -> None:
    async with BadServer(CannedReply(200, body, {"X-Request-Id": "req-7"})) as server:
        error = await fails(engine(AiohttpTransport(), server.url), operation)
        assert type(error) is ReplyLostError
        assert (error.effect, error.attempts, error.status, error.request_id) == ("unknown", times, 200, "req-7")
        assert len(server.requests) == times


@pytest.mark.parametrize(
    ("status", "body", "kind", "effect", "reads", "writes"),
    [
        (302, b"", ApiError, "none", 1, 1),
        (400, b'{"error":"bad"}', ValidationFailedError, "none", 1, 1),
        (401, b'{"error":"bad token"}', UnauthorizedError, "none", 1, 1),
        (403, b'{"error":"Forbidden"}', ForbiddenError, "none", 1, 1),
        (404, b'{"code":"USER_NOT_FOUND"}', NotFoundError, "none", 1, 1),
        (408, b"", ApiError, "none", 3, 1),
        (409, b"{}", ConflictError, "none", 1, 1),
        (422, b'{"code":"VALIDATION_ERROR"}', ValidationFailedError, "none", 1, 1),
        (425, b"", ApiError, "none", 3, 1),
        (429, b"", RateLimitedError, "none", 3, 3),
        (500, b'{"error":"oops"}', ServerFaultError, "unknown", 3, 1),
        (501, b"", ServerFaultError, "unknown", 1, 1),
        (502, b"<html><title>502 Bad Gateway</title></html>", ServerFaultError, "unknown", 3, 1),
        (503, b"", ServerFaultError, "unknown", 3, 1),
        (504, b"", ServerFaultError, "unknown", 3, 1),
    ],
)
@pytest.mark.parametrize("operation", [READ, WRITE])
async def test_each_status_has_its_error_effect_and_number_of_attempts(
    status: int, body: bytes, kind: type, effect: str, reads: int, writes: int, operation: Operation
) -> None:
    times = reads if operation is READ else writes
    async with BadServer(CannedReply(status, body)) as server:
        error = await fails(engine(AiohttpTransport(), server.url), operation)
        assert type(error) is kind
        assert (error.status, error.effect, error.attempts, len(server.requests)) == (status, effect, times, times)


@pytest.mark.parametrize(
    "first",
    [
        Fault.RESET_AT_ONCE,
        Fault.CLOSE_AFTER_BODY,
        CannedReply(500),
        CannedReply(503, headers={"Retry-After": "1"}),
        CannedReply(429),
        CannedReply(200, b"{"),
    ],
)
async def test_what_passes_is_got_past(first: Fault | CannedReply) -> None:
    async with BadServer(first, CannedReply(200, b'{"ok":true}')) as server:
        using = engine(AiohttpTransport(), server.url)
        got = await using.call(READ)
        await using.aclose()
        assert (got.data, got.attempts) == ({"ok": True}, 2)


@pytest.mark.parametrize(
    ("header", "value", "wait"),
    [
        ("Retry-After", "7", 7.0),
        ("Retry-After", "0", 0.0),
        ("Retry-After", formatdate(1_700_000_012, usegmt=True), 12.0),
        ("Retry-After", formatdate(1_600_000_000, usegmt=True), 0.0),
        ("Retry-After-Ms", "250", 0.25),
        ("Retry-After", "soon", 0.25),  # makes no sense: our own backoff
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_wait_is_the_one_the_server_names(header: str, value: str, wait: float, status: int) -> None:
    clock = FakeClock(1_700_000_000)
    async with BadServer(CannedReply(status, headers={header: value}), CannedReply()) as server:
        using = engine(AiohttpTransport(), server.url, clock=clock)
        await using.call(READ)
        await using.aclose()
    assert clock.slept == [wait]


async def test_a_wait_named_in_the_body_counts_too() -> None:
    clock = FakeClock()
    async with BadServer(CannedReply(429, b'{"retryAfter":3}', {"Retry-After": "9"}), CannedReply()) as server:
        using = engine(AiohttpTransport(), server.url, clock=clock)
        await using.call(WRITE, path={"id": "1"})
        await using.aclose()
    assert clock.slept == [3.0]


@pytest.mark.parametrize("value", ["3600", formatdate(1_700_003_600, usegmt=True)])
async def test_a_wait_that_does_not_fit_is_raised_at_once(value: str) -> None:
    clock = FakeClock(1_700_000_000)
    async with BadServer(CannedReply(429, headers={"Retry-After": value})) as server:
        error = await fails(engine(AiohttpTransport(), server.url, clock=clock), READ)
        assert type(error) is RateLimitedError
        assert (error.retry_after, error.attempts, len(server.requests)) == (3600.0, 1, 1)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("last", "kind"), [(CannedReply(404, b'{"code":"X_NOT_FOUND"}'), NotFoundError), (None, NotSentError)]
)
async def test_an_earlier_attempt_of_unknown_effect_keeps_the_final_error_unknown(
    last: CannedReply | None, kind: type
) -> None:
    async with BadServer(Fault.CLOSE_AFTER_BODY, last or CannedReply()) as server:

        class Leaving(FakeClock):
            async def sleep(self, delay: float, /) -> None:
                if last is None:
                    await server.refuse()
                await super().sleep(delay)

        error = await fails(engine(AiohttpTransport(), server.url, clock=Leaving()), READ)
        assert type(error) is kind
        assert error.effect == "unknown"


async def test_retries_can_be_switched_off() -> None:
    async with BadServer(CannedReply(503)) as server:
        error = await fails(engine(AiohttpTransport(), server.url, retry=RetryPolicy(attempts=1)), READ)
        assert (error.attempts, len(server.requests)) == (1, 1)


async def test_a_dropped_kept_alive_connection_costs_a_retry_and_not_the_call() -> None:
    async with BadServer(CannedReply(drop=True), CannedReply()) as server:
        using = engine(AiohttpTransport(), server.url)
        await using.call(READ)
        await using.call(READ)
        await using.aclose()
        assert len(server.requests) == 2


async def test_a_redirect_gets_no_credentials() -> None:
    async with BadServer() as other, BadServer(CannedReply(307, headers={"Location": f"{other.url}/x"})) as server:
        credentials = OneToken()
        error = await fails(engine(AiohttpTransport(), server.url, credentials=credentials), READ)
        assert (type(error), error.status) == (ApiError, 307)
        assert other.connections == 0
        assert credentials.accepts == []
