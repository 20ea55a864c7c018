"""What the telemetry tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async import EthoraClient, NewUser, RetryPolicy
from ethora_async.engine import Engine
from ethora_async.engine.emitter import Emitter
from ethora_async.platforms.ethora.dialect import EthoraDialect
from ethora_async.request import Operation
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.fixed import FixedCredentials

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from ethora_async.engine import Listener
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.transport import MemoryTransport


READ = Operation("things.read", "GET", "/things", repeatable=True, source="test")
WRITE = Operation("things.write", "POST", "/things/{id}", repeatable=False, source="test")


def engine(transport: MemoryTransport, url: str = "http://api.example", *, listeners: list[Listener]) -> Engine:
    """An engine on a clock that does not wait, with three attempts."""
    return Engine(
        url,
        transport,
        EthoraDialect(),
        FixedCredentials({"Authorization": "Bearer canary-token-of-the-engine"}),
        clock=FakeClock(),
        retry=RetryPolicy(attempts=3),
        emitter=Emitter(listeners),
    )


def client_of(sandbox: EthoraSandbox, **options: Any) -> EthoraClient:
    settings = sandbox.environment
    return EthoraClient(
        app_id=settings["ETHORA_CHAT_APP_ID"],
        secret=settings["ETHORA_CHAT_APP_SECRET"],
        api_url=settings["ETHORA_CHAT_API_URL"],
        retry=RetryPolicy(attempts=3, base=0.001, cap=0.002),
        **options,
    )


def user(id: str) -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name="Given", last_name="Family")


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def own(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})
