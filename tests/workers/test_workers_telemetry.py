"""Spans and metrics of chunks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from workers_helpers import CREATE, chunks, client_of, pushed, users

from ethora_async.telemetry import Metrics, Tracing
from ethora_async.workers import Ledger, Worker, follow

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox


async def test_a_chunk_is_a_span_that_leads_to_the_planner(ledger: Ledger, url: str, sandbox: EthoraSandbox) -> None:
    spans, provider, registry = InMemorySpanExporter(), TracerProvider(), CollectorRegistry()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracing, metrics = Tracing(provider), Metrics.prometheus(registry)
    async with client_of(sandbox.environment, on_event=[tracing, metrics]) as client:
        with tracing.span("apply"):
            run = await pushed(ledger, client, (CREATE, chunks(users(3), users(2, 4))))
        worker = Worker(client, url, on_event=[tracing, metrics])
        working = asyncio.create_task(worker.run())
        await follow(ledger, run)
        worker.stop()
        await working
    found = spans.get_finished_spans()
    (apply,) = [span for span in found if span.name == "apply"]
    processed = [span for span in found if span.name == "process ethora_chunk"]
    assert [span.attributes and span.attributes["ethora.chunk.state"] for span in processed] == ["done", "done"]
    sizes = sorted(int((span.attributes or {})["messaging.batch.message_count"]) for span in processed)  # type: ignore[arg-type]
    assert sizes == [2, 3]
    assert {link.context.trace_id for span in processed for link in span.links} == {apply.context.trace_id}
    runs = [span for span in found if span.name == "run"]
    assert {span.parent and span.parent.span_id for span in runs} <= {span.context.span_id for span in processed}
    name = "ethora_workers_chunk_duration_seconds_count"
    assert registry.get_sample_value(name, {"ethora_chunk_state": "done"}) == 2


async def test_trouble_of_the_platform_is_told(ledger: Ledger, url: str, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("POST *", status=503, times=2)
    events: list[object] = []
    async with client_of(sandbox.environment) as client:
        run = await pushed(ledger, client, (CREATE, chunks(users(1))))
        worker = Worker(client, url, on_event=events.append)
        working = asyncio.create_task(worker.run())
        await follow(ledger, run)
        worker.stop()
        await working
    states = [getattr(event, "state", None) for event in events if type(event).__name__ == "ChunkFinished"]
    assert states == ["again", "done"]
