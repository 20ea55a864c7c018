"""OpenTelemetry spans from events."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ethora_async._version import __version__
from ethora_async.bulk.events import BatchFinished, BatchStarted, RunFinished, RunStarted
from ethora_async.engine.events import AttemptFinished, RequestFinished, RequestStarted, RetryScheduled
from ethora_async.errors import ConfigError
from ethora_async.outbox.events import IntentFinished, TurnFinished, TurnStarted
from ethora_async.workers.events import ChunkFinished, ChunkStarted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, TracerProvider

SYSTEM = "ethora_outbox"
"""The ``messaging.system`` of an outbox."""

INBOX = "ethora_wish"
"""Its ``messaging.destination.name``: the table that the application writes intents to."""

CHUNKS = "ethora_chunk"
"""The ``messaging.destination.name`` of runs on many machines: the table of their chunks."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_BAD_STATUS = 400


class _Open:
    """A span that is current in this task until it ends, and the token of the span before it."""

    __slots__ = ("before", "span", "started", "token")

    def __init__(self, span: Span, token: Token[Context], before: _Open | None) -> None:
        self.span, self.token, self.before = span, token, before
        self.started = time.time_ns()


class Tracing:
    """A listener that creates spans.

    * ``<operation>``: a call with all its attempts (internal). Its parent is the span that was current.
    * ``<METHOD> <path template>``: one attempt, by the HTTP conventions (client).
    * ``run``: a run over many items (internal), the parent of its calls.
    * ``process ethora_wish``: a worker's turn, by the messaging conventions (consumer). It links to the requests that
      wrote the intents.
    * ``process <kind>``: an intent that was carried out or given up (consumer), in the trace of the request that wrote
      it, with a link to the turn.
    * ``process ethora_chunk``: a chunk of a run on many machines (consumer), the parent of its runs and calls. It links
      to the trace of the process that planned.

    Args:
        tracer_provider: in place of OpenTelemetry's global one.

    Raises:
        ConfigError: ``opentelemetry-api`` is not installed.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import context, trace
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "opentelemetry":
                raise
            msg = "traces need OpenTelemetry: pip install 'ethora-async[otel]'"
            raise ConfigError(msg) from None
        self._trace, self._context = trace, context
        self._tracer = trace.get_tracer("ethora_async", __version__, tracer_provider)
        self._open: ContextVar[_Open | None] = ContextVar("ethora_async_open_span", default=None)
        self._runs: dict[int, Span] = {}
        self._handlers: Mapping[type, Any] = {
            RequestStarted: self._call_started,
            AttemptFinished: self._attempt_finished,
            RetryScheduled: self._retry,
            RequestFinished: self._call_finished,
            RunStarted: self._run_started,
            BatchStarted: self._batch_started,
            BatchFinished: self._batch_finished,
            RunFinished: self._run_finished,
            TurnStarted: self._turn_started,
            IntentFinished: self._intent_finished,
            TurnFinished: self._turn_finished,
            ChunkStarted: self._chunk_started,
            ChunkFinished: self._chunk_finished,
        }

    def __call__(self, event: object) -> None:
        """Start, end or complete the span of an event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    @contextmanager
    def span(self, name: str, **attributes: str | float | bool) -> Iterator[None]:
        """Create a span around a piece of your own work, for example ``plan`` around `make_plan` and `apply_plan`.

        Args:
            name: the span's name.
            attributes: set as ``ethora.<name>``.
        """
        named = {f"ethora.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(
            name, attributes=named, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                # Only its class name: a message may quote what the platform or a user wrote.
                self._failed(span, type(error).__name__)
                raise

    def _begin(self, span: Span) -> None:
        token = self._context.attach(self._trace.set_span_in_context(span))
        self._open.set(_Open(span, token, self._open.get()))

    def _end(self) -> Span | None:
        opened = self._open.get()
        if opened is None:  # the listener was added in between
            return None
        self._context.detach(opened.token)
        self._open.set(opened.before)
        return opened.span

    def _failed(self, span: Span, error: str) -> None:
        span.set_attribute("error.type", error)
        span.set_status(self._trace.StatusCode.ERROR)

    def _call_started(self, event: RequestStarted) -> None:
        self._begin(self._tracer.start_span(event.operation, attributes={"ethora.operation": event.operation}))

    def _attempt_finished(self, event: AttemptFinished) -> None:
        now = time.time_ns()
        attributes: dict[str, str | int] = {"http.request.method": event.method}
        if event.path:
            attributes["url.template"] = event.path
        attributes |= server_attributes(event.origin)
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.request_id is not None:
            attributes["http.response.header.x-request-id"] = event.request_id
        span = self._tracer.start_span(
            f"{event.method} {event.path}".rstrip(),
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=now - int(event.seconds * 1e9),
        )
        if event.error is not None or (event.status is not None and event.status >= _BAD_STATUS):
            self._failed(span, event.error or str(event.status))
        span.end(now)

    def _retry(self, event: RetryScheduled) -> None:
        opened = self._open.get()
        if opened is not None:
            opened.span.add_event("retry", {"ethora.retry.wait": event.wait, "ethora.retry.reason": event.reason})

    def _call_finished(self, event: RequestFinished) -> None:
        span = self._end()
        if span is not None:
            span.set_attribute("ethora.attempts", event.attempts)
            if event.error is not None:
                self._failed(span, event.error)
            span.end()

    def _run_started(self, event: RunStarted) -> None:
        # Not made current here: a generator reads the run, and may be closed in another task.
        self._runs[event.run] = self._tracer.start_span("run")

    def _batch_started(self, event: BatchStarted) -> None:
        run = self._runs.get(event.run)
        self._begin(self._trace.INVALID_SPAN if run is None else run)

    def _batch_finished(self, event: BatchFinished) -> None:  # noqa: ARG002  every handler takes one
        self._end()

    def _run_finished(self, event: RunFinished) -> None:
        span = self._runs.pop(event.run, None)
        if span is None:
            return
        for status, count in event.counts.items():
            span.set_attribute(f"ethora.items.{status}", count)
        if event.interrupted:
            span.set_attribute("ethora.items.interrupted", event.interrupted)
        if event.error is not None:
            self._failed(span, event.error)
        span.end()

    def _turn_started(self, event: TurnStarted) -> None:
        span = self._tracer.start_span(
            f"process {INBOX}",
            kind=self._trace.SpanKind.CONSUMER,
            attributes={**_messaging(), "messaging.batch.message_count": event.size},
            links=self._links(event.traceparents),
        )
        self._begin(span)

    def _intent_finished(self, event: IntentFinished) -> None:
        parent = self._remote(event.traceparent)
        turn = self._open.get()
        if parent is None or turn is None:
            return  # one span for each would be noise; the turn's span counts them
        span = self._tracer.start_span(
            f"process {event.kind}",
            context=parent,
            kind=self._trace.SpanKind.CONSUMER,
            attributes={
                **_messaging(),
                "ethora.intent.kind": event.kind,
                "ethora.intent.id": event.id,
                "ethora.intent.state": event.state,
                "ethora.intent.waited": event.seconds,
            },
            links=[self._trace.Link(turn.span.get_span_context())],
            start_time=turn.started,
        )
        if event.reason is not None:
            self._failed(span, event.reason.partition(":")[0])
        span.end()

    def _turn_finished(self, event: TurnFinished) -> None:
        span = self._end()
        if span is not None:
            for name in ("done", "again", "dead", "lost"):
                span.set_attribute(f"ethora.intents.{name}", getattr(event, name))
            span.end()

    def _chunk_started(self, event: ChunkStarted) -> None:
        span = self._tracer.start_span(
            f"process {CHUNKS}",
            kind=self._trace.SpanKind.CONSUMER,
            attributes={
                "messaging.system": "ethora_workers",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": CHUNKS,
                "messaging.batch.message_count": event.size,
                "ethora.run": event.run,
                "ethora.chunk": f"{event.step}/{event.number}",
                "ethora.chunk.action": f"{event.action} {event.kind}",
                "ethora.chunk.attempt": event.attempt,
            },
            links=self._links([] if event.traceparent is None else [event.traceparent]),
        )
        self._begin(span)

    def _chunk_finished(self, event: ChunkFinished) -> None:
        span = self._end()
        if span is None:
            return
        span.set_attribute("ethora.chunk.state", event.state)
        for status, count in event.counts.items():
            span.set_attribute(f"ethora.items.{status}", count)
        if event.error is not None:
            self._failed(span, event.error)
        span.end()

    def _links(self, traceparents: Sequence[str]) -> list[Link]:
        contexts = [self._remote(one) for one in traceparents]
        spans = [self._trace.get_current_span(one) for one in contexts if one is not None]
        return [self._trace.Link(span.get_span_context()) for span in spans]

    def _remote(self, traceparent: str | None) -> Context | None:
        """Return the context of a ``traceparent``; None if it is invalid."""
        from opentelemetry.context import Context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if traceparent is None:
            return None
        found = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
        return found if self._trace.get_current_span(found).get_span_context().is_valid else None


def _messaging() -> dict[str, str | int]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": INBOX,
    }


def server_attributes(origin: str) -> dict[str, str | int]:
    """Return ``server.address`` and ``server.port`` of an origin."""
    parts = urlsplit(origin)
    if not parts.hostname:
        return {}
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return (
        {"server.address": parts.hostname}
        if port is None
        else {
            "server.address": parts.hostname,
            "server.port": port,
        }
    )


__all__ = ["INBOX", "SYSTEM", "Tracing", "server_attributes"]
