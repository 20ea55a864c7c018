"""Spans: their attributes and parents; none is created unless tracing is on."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import attrs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from scripted_transport import reply, scripted
from telemetry_helpers import READ, WRITE, attributes, client_of, engine, named, own, parent, user

from ethora_async import outbox
from ethora_async.errors import ChatError, NotSentError, ReplyLostError
from ethora_async.telemetry import TraceparentTransport, Tracing
from ethora_async.transport import AiohttpTransport, MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from ethora_async.outbox.lanes import Store
    from ethora_async.request import Request, Response
    from ethora_async.sandbox import EthoraSandbox


async def test_a_call_is_a_span_and_each_attempt_a_child_of_it(tracing: Tracing, spans: InMemorySpanExporter) -> None:
    answers = scripted(reply(503, headers={"X-Request-Id": "r-1"}), ReplyLostError("gone"), reply(200, {}))
    await engine(answers, "https://api.example:8443", listeners=[tracing]).call(READ)
    (call,) = named(spans, "things.read")
    attempts = named(spans, "GET /things")
    assert attributes(call)["ethora.attempts"] == 3
    assert [event.name for event in call.events] == ["retry", "retry"]
    assert {parent(one) for one in attempts} == {own(call)}
    assert all(one.kind is trace.SpanKind.CLIENT for one in attempts)
    first, second, third = (attributes(one) for one in attempts)
    assert first == {
        "http.request.method": "GET", "url.template": "/things", "server.address": "api.example", "server.port": 8443,
        "http.response.status_code": 503, "http.response.header.x-request-id": "r-1", "error.type": "503",
    }  # fmt: skip
    assert (second["http.request.resend_count"], second["error.type"]) == (1, "ReplyLostError")
    assert (third["http.request.resend_count"], third["http.response.status_code"]) == (2, 200)
    assert "error.type" not in third
    assert call.status.is_unset


@pytest.mark.parametrize("failure", [reply(404, {"error": "no such thing"}), NotSentError("down"), RuntimeError("bug")])
async def test_a_failed_call_ends_its_span_with_the_errors_name_alone(
    tracing: Tracing, spans: InMemorySpanExporter, failure: Response | Exception
) -> None:
    with pytest.raises(Exception):  # noqa: B017  which one is the engine's matter
        await engine(scripted(failure), listeners=[tracing]).call(WRITE, path={"id": "someone"})
    (call,) = named(spans, "things.write")
    assert attributes(call)["error.type"]
    assert "no such thing" not in call.to_json()
    assert "someone" not in "".join(span.to_json() for span in spans.get_finished_spans())
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_path_that_a_caller_wrote_is_told_nowhere(
    tracing: Tracing, spans: InMemorySpanExporter, sandbox: EthoraSandbox
) -> None:
    events: list[object] = []
    async with client_of(sandbox, on_event=[tracing, lambda event: events.append(attrs.asdict(event))]) as client:
        with pytest.raises(ChatError):
            await client.request("GET", "/v1/somebody-canary")
    assert named(spans, "request.get")
    assert named(spans, "GET")
    assert "somebody-canary" not in "".join(span.to_json() for span in spans.get_finished_spans()) + str(events)


async def test_a_cancelled_call_ends_its_span(tracing: Tracing, spans: InMemorySpanExporter) -> None:
    async def never(_: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    call = asyncio.create_task(engine(MemoryTransport(never), listeners=[tracing]).call(READ))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert attributes(*named(spans, "things.read"))["error.type"] == "CancelledError"


async def test_calls_side_by_side_keep_to_their_own_spans(
    tracing: Tracing, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracer = provider.get_tracer("application")
    one = engine(scripted(reply(200, {})), listeners=[tracing])

    async def request(name: str) -> None:
        with tracer.start_as_current_span(name):
            await one.call(READ)
            await one.call(READ)

    await asyncio.gather(*(request(f"request {number}") for number in range(5)))
    for number in range(5):
        (outer,) = named(spans, f"request {number}")
        calls = [call for call in named(spans, "things.read") if parent(call) == own(outer)]
        assert len(calls) == 2
        assert len([one for one in named(spans, "GET /things") if parent(one) in {own(call) for call in calls}]) == 2


@pytest.mark.parametrize("leave_early", [False, True])
async def test_a_run_is_the_parent_of_its_calls(
    tracing: Tracing, spans: InMemorySpanExporter, sandbox: EthoraSandbox, leave_early: bool
) -> None:
    async with client_of(sandbox, on_event=tracing) as client:
        with tracing.span("import", source="hr"):
            run = client.users.create_many([user(f"u{number}") for number in range(250)])
            async for _ in run:
                if leave_early:
                    break
            if not leave_early:
                assert run.report.ok
    await asyncio.sleep(0)
    (work,) = named(spans, "import")
    assert attributes(work) == {"ethora.source": "hr"}
    if not leave_early:  # else the garbage collector ends it
        (spanned,) = named(spans, "run")
        assert parent(spanned) == own(work)
        assert attributes(spanned)["ethora.items.created"] == 250
        batches = [span for span in spans.get_finished_spans() if span.name.startswith("users.")]
        assert len(batches) >= 3
        assert {parent(one) for one in batches} == {own(spanned)}
    assert not trace.get_current_span().get_span_context().is_valid


async def test_the_trace_of_a_request_reaches_the_worker_that_carries_its_intent_out(
    tracing: Tracing, spans: InMemorySpanExporter, provider: TracerProvider, sandbox: EthoraSandbox, store: Store
) -> None:
    path = store.name.removeprefix("sqlite:///")
    with provider.get_tracer("application").start_as_current_span("POST /signup"):  # noqa: SIM117
        with sqlite3.connect(path) as connection:
            await outbox.want_users(connection, [user("ann"), user("bea")])
    connection.close()
    with sqlite3.connect(path) as connection:  # outside of any span
        await outbox.want_user(connection, user("cid"))
    connection.close()
    async with client_of(sandbox, on_event=tracing) as client:
        await outbox.Worker(client, store, on_event=tracing).run_once()
    (request,) = named(spans, "POST /signup")
    (turn,) = named(spans, "process ethora_wish")
    delivered = named(spans, "process user")
    assert sorted(attributes(one)["ethora.intent.id"] for one in delivered) == ["ann", "bea"]
    for one in delivered:
        assert (parent(one), one.context and one.context.trace_id) == (own(request), request.context.trace_id)  # type: ignore[union-attr]
        assert [link.context.span_id for link in one.links] == [own(turn)]
        assert one.kind is trace.SpanKind.CONSUMER
    assert [link.context.span_id for link in turn.links] == [own(request)]
    said = attributes(turn)
    assert (said["messaging.batch.message_count"], said["ethora.intents.done"]) == (3, 3)
    assert (said["messaging.operation.type"], said["messaging.destination.name"]) == ("process", "ethora_wish")
    # The requests that it sends are in the turn's own trace.
    calls = [span for span in spans.get_finished_spans() if span.name.startswith("users.")]
    assert calls
    assert {span.context.trace_id for span in calls if span.context} == {turn.context.trace_id}  # type: ignore[union-attr]


@pytest.mark.parametrize("foreign", ["", "nonsense", "00-1", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_trace_context_that_is_none_harms_nothing(
    tracing: Tracing, spans: InMemorySpanExporter, sandbox: EthoraSandbox, store: Store, foreign: str
) -> None:
    with sqlite3.connect(store.name.removeprefix("sqlite:///")) as connection:
        await outbox.want_user(connection, user("ann"), traceparent=foreign)
    connection.close()
    async with client_of(sandbox) as client:
        await outbox.Worker(client, store, on_event=tracing).run_once()
    assert attributes(*named(spans, "process ethora_wish"))["ethora.intents.done"] == 1
    assert not named(spans, "process user")


async def test_without_a_listener_no_event_and_no_span_is_made(
    monkeypatch: pytest.MonkeyPatch, sandbox: EthoraSandbox, store: Store
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    for module, names in {
        "engine": ("RequestStarted", "AttemptFinished", "RequestFinished"),
        "outbox.worker": ("TurnStarted", "IntentFinished", "TurnFinished", "OutboxMeasured"),
    }.items():
        for name in names:
            monkeypatch.setattr(f"ethora_async.{module}.{name}", refuse)
    monkeypatch.setattr(TracerProvider, "get_tracer", refuse)
    with sqlite3.connect(store.name.removeprefix("sqlite:///")) as connection:
        await outbox.want_user(connection, user("ann"))
    connection.close()
    async with client_of(sandbox) as client:
        await outbox.Worker(client, store).run_once()
        await client.users.get("ann")


async def test_a_listener_added_in_the_middle_of_a_call_does_no_harm(spans: InMemorySpanExporter) -> None:
    from ethora_async.bulk.events import BatchFinished, BatchStarted, RunFinished
    from ethora_async.engine import RequestFinished, RetryScheduled
    from ethora_async.outbox.events import TurnFinished

    late = Tracing(TracerProvider())
    for event in (
        RetryScheduled("a", 1, 1.0, "x"), RequestFinished("a", 1, 1.0), BatchStarted(1, 1), BatchFinished(1, 1, 1.0),
        RunFinished(1, {}, 0, 1.0), TurnFinished(1, 0, 0, 0, 1.0),
    ):  # fmt: skip
        late(event)
    assert not spans.get_finished_spans()
    assert not trace.get_current_span().get_span_context().is_valid


async def test_the_platform_is_told_the_trace_only_where_that_is_asked_for(
    tracing: Tracing, spans: InMemorySpanExporter, provider: TracerProvider, sandbox: EthoraSandbox
) -> None:
    quiet, telling = _Noting(), _Noting()
    async with client_of(sandbox, on_event=tracing, transport=quiet) as client:
        await client.ping()
    async with client_of(sandbox, on_event=tracing, transport=TraceparentTransport(telling)) as client:
        with provider.get_tracer("application").start_as_current_span("request"):
            await asyncio.gather(
                client.ping(), client.users.create("ann", email="a@b.cd", first_name="An", last_name="Le")
            )
    async with client_of(sandbox, transport=TraceparentTransport(untraced := _Noting())) as client:
        await client.ping()
    assert all("traceparent" not in headers for headers in quiet.sent + untraced.sent)
    assert quiet.sent
    assert untraced.sent
    (request,) = named(spans, "request")
    calls = {f"{own(span):016x}" for span in spans.get_finished_spans() if parent(span) == own(request)}
    told = [headers["traceparent"].split("-") for headers in telling.sent]
    assert {trace_id for _, trace_id, _, _ in told} == {f"{request.context.trace_id:032x}"}  # type: ignore[union-attr]
    assert {span_id for _, _, span_id, _ in told} == calls
    assert all(headers.keys() & {"tracestate", "baggage"} == set() for headers in telling.sent)
    assert (telling.closed, quiet.closed) == (True, True)


class _Noting:
    """Sends by aiohttp, and keeps the headers."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, str]] = []
        self.closed = False
        self._transport = AiohttpTransport()

    async def send(self, request: Request) -> Response:
        self.sent.append(request.headers)
        return await self._transport.send(request)

    async def aclose(self) -> None:
        self.closed = True
        await self._transport.aclose()


async def test_work_of_ones_own_that_fails_tells_the_errors_name_alone(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(ChatError), tracing.span("plan"):
        raise ChatError("canary-message")
    (plan,) = named(spans, "plan")
    assert attributes(plan)["error.type"] == "ChatError"
    assert "canary-message" not in plan.to_json()
