"""The call as a whole: its deadline, its loop, its end, what it puts on the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from engine_parts import READ, WRITE, OneToken, engine
from hypothesis import given
from hypothesis import strategies as st
from scripted_transport import reply, scripted

from ethora_async.config import Limits
from ethora_async.engine.time_limit import calls_limited_to
from ethora_async.engine.urls import fill
from ethora_async.errors import (
    ChatError,
    ConfigError,
    InvalidInputError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    WrongLoopError,
)
from ethora_async.request import Operation, Request, Response
from ethora_async.testing.implementers import BadServer, CannedReply, Fault
from ethora_async.testing.users import FakeClock
from ethora_async.transport import AiohttpTransport, MemoryTransport

if TYPE_CHECKING:
    from ethora_async.protocols import Credential


async def test_path_query_body_and_headers_go_out_encoded() -> None:
    transport = scripted(reply(200, {"ok": True}))
    got = await engine(transport).call(WRITE, path={"id": "a/b c@é?"}, query={"q": "x&y z", "n": 2}, data={"a": "é"})
    sent = transport.requests[0]
    assert got.data == {"ok": True}
    assert sent.url == "http://api.example/things/a%2Fb%20c%40%C3%A9%3F?q=x%26y%20z&n=2"
    assert sent.body == '{"a":"é"}'.encode()
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"].startswith("Bearer ")


@pytest.mark.parametrize("value", ["half of \ud800 a pair", b"bytes", {"deep": object()}])
async def test_a_body_that_json_cannot_hold_is_refused_before_anything_is_sent(value: object) -> None:
    transport = scripted(reply())
    with pytest.raises(InvalidInputError, match="surrogate pair") as caught:
        await engine(transport).call(WRITE, path={"id": "1"}, data={"a": value})
    assert transport.requests == []
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_the_headers_are_one_object_while_the_token_lives() -> None:
    transport = scripted(reply())
    using = engine(transport)
    await using.call(READ)
    await using.call(READ)
    assert transport.requests[0].headers is transport.requests[1].headers


async def test_other_credentials_get_their_own_headers_and_change_nobody_elses() -> None:
    transport = scripted(reply())
    using = engine(transport)
    await using.call(READ)
    await using.call(READ, credentials=OneToken("another-token"))
    await using.call(READ)
    tokens = [request.headers["Authorization"] for request in transport.requests]
    assert tokens[0] == tokens[2] != tokens[1] == "Bearer another-token"


@pytest.mark.parametrize("value", [".", ".."])
async def test_an_id_that_would_step_through_the_path_is_refused(value: str) -> None:
    transport = scripted(reply())
    with pytest.raises(InvalidInputError, match="another path"):
        await engine(transport).call(WRITE, path={"id": value})
    assert transport.requests == []


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text not in (".", "..")))
def test_a_filled_in_part_is_always_one_segment(value: str) -> None:
    assert fill("/a/{id}/b", {"id": value}).count("/") == 3
    assert not set(fill("/a/{id}", {"id": value})) & set("?#%{} ") - {"%"}


async def test_an_empty_reply_is_none_and_undecoded_replies_are_not_looked_at() -> None:
    assert (await engine(scripted(reply(204))).call(READ)).data is None
    pong = Response(200, {}, b"pong")
    assert (await engine(scripted(pong)).call(READ, decode=None)).data is None


async def test_the_deadline_spans_the_queue() -> None:
    async with BadServer(Fault.SILENT) as server:
        using = engine(AiohttpTransport(), server.url, limits=Limits(concurrency=1))
        first = asyncio.ensure_future(using.call(READ))
        await server.arrived()
        with pytest.raises(NotSentError, match=r"deadline of 0\.05 s") as caught:
            await using.call(WRITE, path={"id": "1"}, timeout=0.05)
        assert (caught.value.attempts, caught.value.effect, len(server.requests)) == (0, "none", 1)
        first.cancel()
        await asyncio.wait({first})
        await using.aclose()


async def test_the_deadline_spans_the_signing() -> None:
    class Slow(OneToken):
        def peek(self) -> Credential | None:
            return None

        async def acquire(self) -> Credential:
            await asyncio.Event().wait()
            raise AssertionError

    transport = scripted(reply())
    with pytest.raises(NotSentError, match="deadline"):
        await engine(transport, credentials=Slow()).call(READ, timeout=0.02)
    assert transport.requests == []


async def test_the_deadline_in_a_pause_raises_what_came_before() -> None:
    class Sleepless(FakeClock):
        async def sleep(self, delay: float, /) -> None:
            await asyncio.Event().wait()

    with pytest.raises(ServerFaultError) as caught:
        await engine(scripted(reply(503)), clock=Sleepless(), timeout=0.05, draw=lambda: 0.0).call(READ)
    assert (caught.value.attempts, caught.value.effect) == (1, "unknown")


async def test_the_deadline_is_over_all_attempts_and_not_for_each() -> None:
    clock = FakeClock()

    def slow(_: Request) -> Response:
        clock.advance(2.0)
        return reply(429, headers={"Retry-After": "2"})

    transport = MemoryTransport(slow)
    with pytest.raises(RateLimitedError) as caught:
        await engine(transport, clock=clock, timeout=8.0).call(READ)
    assert [request.timeout for request in transport.requests] == [8.0, 4.0]  # a third would leave no time to wait
    assert caught.value.retry_after == 2.0


async def test_a_time_limit_holds_for_the_calls_of_its_block_and_of_the_tasks_started_in_it() -> None:
    transport = scripted(*[reply() for _ in range(7)])
    using = engine(transport, timeout=8.0)
    with calls_limited_to(5.0):
        await using.call(READ)
        await using.call(READ, timeout=60)
        await using.call(READ, timeout=2)
        with calls_limited_to(3.0), calls_limited_to(30.0):
            task = asyncio.create_task(using.call(READ))
        await task
        await using.call(READ)
    await using.call(READ)
    await using.call(READ, timeout=60)
    assert [request.timeout for request in transport.requests] == [5.0, 5.0, 2.0, 3.0, 5.0, 8.0, 60.0]


async def test_a_timeout_that_is_none_is_a_config_error() -> None:
    for timeout in (0, -1, float("inf"), "5"):
        with pytest.raises(ConfigError, match="timeout"):
            await engine(scripted(reply())).call(READ, timeout=timeout)  # type: ignore[arg-type]


def test_a_second_loop_is_told_so_by_name() -> None:
    transport = scripted(reply())
    using = engine(transport)
    asyncio.run(_call(using))
    with pytest.raises(WrongLoopError, match="make one client per event loop"):
        asyncio.run(_call(using))
    assert len(transport.requests) == 1


async def _call(using: Any) -> None:
    await using.call(READ)


async def test_a_closed_client_sends_nothing() -> None:
    transport = scripted(reply())
    using = engine(transport)
    await using.aclose()
    await using.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await using.call(READ)
    assert transport.requests == []


async def test_closing_ends_the_calls_under_way_without_another_attempt() -> None:
    async with BadServer(Fault.SILENT) as server:
        using = engine(AiohttpTransport(), server.url, limits=Limits(concurrency=1))
        calls = [asyncio.ensure_future(using.call(READ)) for _ in range(3)]
        await server.arrived()
        await using.aclose()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [ReplyLostError, NotSentError, NotSentError]
        assert (len(server.requests), using.limiter.in_flight) == (1, 0)


@pytest.mark.parametrize("error", [OSError("host canary-secret-value"), TimeoutError(), ConnectionResetError()])
async def test_a_transport_that_does_not_sort_its_errors_is_taken_for_the_worst(error: Exception) -> None:
    with pytest.raises(ReplyLostError, match=type(error).__name__) as caught:
        await engine(scripted(error)).call(WRITE, path={"id": "1"})
    assert (caught.value.effect, caught.value.attempts) == ("unknown", 1)
    assert "canary" not in str(caught.value)


async def test_what_is_no_network_error_is_not_dressed_up_as_one() -> None:
    using = engine(scripted(KeyError("a bug in the transport")))
    with pytest.raises(KeyError):
        await using.call(READ)
    assert using.limiter.in_flight == 0


@pytest.mark.parametrize(
    ("response", "taken"),
    [
        (reply(200, {}), True),
        (reply(404, {"code": "USER_NOT_FOUND"}), True),
        (reply(422, {"code": "VALIDATION_ERROR"}), True),
        (reply(403, {"error": "Forbidden"}), True),
        (reply(502), False),
        (reply(429), False),
        (reply(302), False),
        (reply(404), False),
        (Response(200, {}, b"<html>sign in to the hotel's network</html>"), False),
    ],
)
async def test_only_a_reply_that_looked_at_the_token_counts_as_accepting_it(response: Response, taken: bool) -> None:
    credentials = OneToken()
    try:
        await engine(scripted(response), credentials=credentials).call(READ)
    except ChatError:
        assert response.status != 200 or not taken
    assert bool(credentials.accepts) is taken


async def test_never_more_in_flight_than_the_ceiling() -> None:
    running = peak = 0

    async def busy(_: Request) -> Response:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        return reply()

    using = engine(MemoryTransport(busy), limits=Limits(concurrency=7))
    await asyncio.gather(*(using.call(READ) for _ in range(100)))
    assert (peak, using.limiter.in_flight) == (7, 0)


async def test_one_connection_a_request_in_flight_and_no_more() -> None:
    async with BadServer(CannedReply()) as server:
        using = engine(AiohttpTransport(concurrency=3), server.url, limits=Limits(concurrency=3))
        await asyncio.gather(*(using.call(READ) for _ in range(30)))
        assert (len(server.requests), server.connections) == (30, 3)
        await using.aclose()


def test_the_table_entry_prints_and_compares() -> None:
    assert Operation("things.read", "GET", "/things", repeatable=True, source="test") == READ
    assert "things.read" in repr(READ)
