"""Metrics from events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from ethora_async.bulk.events import RunFinished
from ethora_async.bulk.outcome import ItemFinished
from ethora_async.engine.events import (
    AttemptFinished,
    ClockCorrected,
    ConcurrencyChanged,
    PaceChanged,
    Paused,
    RequestFinished,
    RetryScheduled,
    SecretRead,
    SecretRotated,
    TokenRefreshed,
)
from ethora_async.outbox.events import IntentFinished, OutboxMeasured, TurnFinished
from ethora_async.outbox.lanes import KINDS
from ethora_async.telemetry.instruments import Meter, OpenTelemetryMeter, PrometheusMeter
from ethora_async.telemetry.tracing import server_attributes
from ethora_async.workers.events import ChunkFinished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

_NONE: Mapping[str, str] = {}
_BAD_STATUS = 400


class Metrics:
    """A listener that records metrics.

    Create it with `prometheus` or `opentelemetry`. One instance serves any number of clients and workers of a process.

    Args:
        meter: stores the measurements.
        now: returns Unix time.
    """

    def __init__(self, meter: Meter, *, now: Callable[[], float] = time.time) -> None:
        self._meter = meter
        self._now = now
        self._secret: str | None = None
        self._drift: set[str] = set()
        self._handlers: Mapping[type, Any] = {
            AttemptFinished: self._attempt,
            RequestFinished: self._call,
            RetryScheduled: self._retry,
            ConcurrencyChanged: self._limit,
            PaceChanged: self._pace,
            Paused: self._paused,
            TokenRefreshed: self._token,
            SecretRead: self._read,
            SecretRotated: self._rotated,
            ClockCorrected: self._skew,
            ItemFinished: self._item,
            RunFinished: self._run,
            IntentFinished: self._intent,
            TurnFinished: self._turn,
            OutboxMeasured: self._outbox,
            ChunkFinished: self._chunk,
        }

    @classmethod
    def prometheus(cls, registry: CollectorRegistry | None = None) -> Self:
        """Record in a registry of prometheus-client; by default in the global one.

        Raises:
            ConfigError: ``prometheus-client`` is not installed.
        """
        return cls(PrometheusMeter(registry))

    @classmethod
    def opentelemetry(cls, meter_provider: MeterProvider | None = None) -> Self:
        """Record with OpenTelemetry; by default with its global provider.

        Raises:
            ConfigError: ``opentelemetry-api`` is not installed.
        """
        return cls(OpenTelemetryMeter(meter_provider))

    def __call__(self, event: object) -> None:
        """Record the measurements of an event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _attempt(self, event: AttemptFinished) -> None:
        labels = {
            "http.request.method": event.method,
            "url.template": event.path,
            "server.address": str(server_attributes(event.origin).get("server.address", "")),
        }
        if event.status is not None:
            labels["http.response.status_code"] = str(event.status)
        if event.error is not None:
            labels["error.type"] = event.error
        elif event.status is not None and event.status >= _BAD_STATUS:
            labels["error.type"] = str(event.status)
        self._meter.record("http.client.request.duration", event.seconds, labels)

    def _call(self, event: RequestFinished) -> None:
        labels = {"ethora.operation": event.operation}
        if event.error is not None:
            labels["error.type"] = event.error
        self._meter.record("ethora.call.duration", event.seconds, labels)

    def _retry(self, event: RetryScheduled) -> None:
        labels = {"ethora.operation": event.operation, "ethora.retry.reason": event.reason}
        self._meter.add("ethora.call.retries", 1, labels)

    def _limit(self, event: ConcurrencyChanged) -> None:
        self._meter.set("ethora.limiter.limit", event.limit, _NONE)
        self._meter.add("ethora.limiter.changes", 1, {"ethora.limiter.reason": event.reason})

    def _pace(self, event: PaceChanged) -> None:
        self._meter.set("ethora.limiter.pace", event.pace or 0.0, _NONE)
        self._meter.add("ethora.limiter.changes", 1, {"ethora.limiter.reason": event.reason})

    def _paused(self, event: Paused) -> None:
        self._meter.add("ethora.limiter.pauses", 1, {"ethora.limiter.reason": event.reason})
        self._meter.add("ethora.limiter.paused", event.seconds, _NONE)

    def _token(self, event: TokenRefreshed) -> None:
        self._meter.add("ethora.tokens", 1, {"ethora.token.purpose": event.purpose})

    def _read(self, event: SecretRead) -> None:
        self._meter.set("ethora.secret.read.timestamp", self._now(), _NONE)
        if self._secret is None:
            self._changed(event.version)

    def _rotated(self, event: SecretRotated) -> None:
        self._meter.add("ethora.secret.rotations", 1, _NONE)
        self._changed(event.new_version)

    def _changed(self, version: str) -> None:
        self._secret = version
        self._meter.set("ethora.secret.changed.timestamp", self._now(), _NONE)

    def _skew(self, event: ClockCorrected) -> None:
        self._meter.set("ethora.clock.skew", event.seconds, _NONE)

    def _item(self, event: ItemFinished) -> None:
        self._meter.add("ethora.items", 1, {"ethora.item.status": event.status})

    def _run(self, event: RunFinished) -> None:
        self._meter.add("ethora.runs", 1, _NONE if event.error is None else {"error.type": event.error})

    def _intent(self, event: IntentFinished) -> None:
        labels = {"ethora.intent.kind": event.kind}
        self._meter.add("ethora.outbox.intents", 1, {**labels, "ethora.intent.state": event.state})
        self._meter.record("ethora.outbox.intent.age", event.seconds, labels)

    def _turn(self, event: TurnFinished) -> None:
        self._meter.record("ethora.outbox.turn.duration", event.seconds, _NONE)
        self._meter.add("ethora.outbox.retries", event.again, _NONE)
        self._meter.add("ethora.outbox.lost", event.lost, _NONE)

    def _chunk(self, event: ChunkFinished) -> None:
        labels = {"ethora.chunk.state": event.state}
        self._meter.record("ethora.workers.chunk.duration", event.seconds, labels)

    def _outbox(self, event: OutboxMeasured) -> None:
        status, gauge = event.status, self._meter.set
        gauge("ethora.outbox.inbox", status.inbox, _NONE)
        gauge("ethora.outbox.claimed", status.claimed, _NONE)
        gauge("ethora.outbox.oldest", status.oldest, _NONE)
        for kind in KINDS:  # every label, so that one with no items left drops to 0
            labels = {"ethora.intent.kind": kind}
            gauge("ethora.outbox.waiting", status.waiting.get(kind, 0), labels)
            gauge("ethora.outbox.dead", status.dead.get(kind, 0), labels)
        if status.reconciled is None:
            return
        drift = status.reconciled.get("drift", {})
        self._drift |= drift.keys()
        for what in self._drift:
            gauge("ethora.outbox.drift", drift.get(what, 0), {"ethora.drift.kind": what})


__all__ = ["Metrics"]
