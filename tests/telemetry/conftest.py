from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ethora_async.outbox.sqlite.store import SqliteStore
from ethora_async.sandbox import EthoraSandbox
from ethora_async.telemetry import Tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ethora_async.outbox.lanes import Store


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(spans))
    return made


@pytest.fixture
def tracing(provider: TracerProvider) -> Tracing:
    return Tracing(provider)


@pytest.fixture
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox() as made:
        yield made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = SqliteStore(str(tmp_path / "app.db"))
    await made.init()
    yield made
    await made.aclose()
