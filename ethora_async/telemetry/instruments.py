"""The metrics, and two backends for them: Prometheus and OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from ethora_async._version import __version__
from ethora_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAITS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0)


@attrs.frozen
class Instrument:
    """One metric.

    Attributes:
        name: its OpenTelemetry name, with dots.
        kind: counter, gauge or histogram.
        help: its description, in one line.
        labels: its attributes, by their OpenTelemetry names.
        unit: ``s`` for seconds, else empty.
        buckets: the upper bounds of a histogram's buckets.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = _SECONDS

    @property
    def prometheus_name(self) -> str:
        """Its name in Prometheus: with underscores, the unit and, for a counter, ``_total``."""
        name = self.name.replace(".", "_") + ("_seconds" if self.unit == "s" else "")
        return f"{name}_total" if self.kind == "counter" else name


_HTTP = ("http.request.method", "url.template", "server.address", "http.response.status_code", "error.type")

INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument("http.client.request.duration", "histogram", "Duration of each attempt.", _HTTP, "s"),
    Instrument(
        "ethora.call.duration", "histogram", "Duration of each call, all attempts and the waits between them included.",
        ("ethora.operation", "error.type"), "s",
    ),
    Instrument(
        "ethora.call.retries", "counter", "Attempts that were repeated.", ("ethora.operation", "ethora.retry.reason")
    ),
    Instrument("ethora.limiter.limit", "gauge", "Requests that may be in flight at once, as learned."),
    Instrument("ethora.limiter.pace", "gauge", "Requests a second that runs start, as learned; 0 is without a limit."),
    Instrument("ethora.limiter.changes", "counter", "Changes of the limit or the pace.", ("ethora.limiter.reason",)),
    Instrument("ethora.limiter.pauses", "counter", "Pauses that the platform asked for.", ("ethora.limiter.reason",)),
    Instrument("ethora.limiter.paused", "counter", "Time for which the platform asked to wait.", (), "s"),
    Instrument("ethora.tokens", "counter", "Tokens made.", ("ethora.token.purpose",)),
    Instrument("ethora.secret.rotations", "counter", "Changes of the secret."),
    Instrument("ethora.secret.changed.timestamp", "gauge", "When this secret was first read, as Unix time.", (), "s"),
    Instrument("ethora.secret.read.timestamp", "gauge", "When the secret store last answered, as Unix time.", (), "s"),
    Instrument("ethora.clock.skew", "gauge", "How far the platform's clock is ahead of this machine's.", (), "s"),
    Instrument("ethora.items", "counter", "Items of runs by what became of them.", ("ethora.item.status",)),
    Instrument("ethora.runs", "counter", "Runs that ended.", ("error.type",)),
    Instrument(
        "ethora.outbox.intents", "counter", "Intents carried out or given up.",
        ("ethora.intent.kind", "ethora.intent.state"),
    ),
    Instrument(
        "ethora.outbox.intent.age", "histogram", "Time from an intent to its end.", ("ethora.intent.kind",), "s", _WAITS
    ),
    Instrument("ethora.outbox.turn.duration", "histogram", "Duration of a worker's turn.", (), "s"),
    Instrument("ethora.outbox.retries", "counter", "Intents that are to be tried again."),
    Instrument("ethora.outbox.lost", "counter", "Intents that another worker had taken over."),
    Instrument("ethora.outbox.inbox", "gauge", "Intents that no worker has looked at."),
    Instrument("ethora.outbox.waiting", "gauge", "Things to be carried out.", ("ethora.intent.kind",)),
    Instrument("ethora.outbox.claimed", "gauge", "How many of them a worker has in hand."),
    Instrument("ethora.outbox.oldest", "gauge", "For how long the oldest intent has been waiting.", (), "s"),
    Instrument("ethora.outbox.dead", "gauge", "Dead letters.", ("ethora.intent.kind",)),
    Instrument(
        "ethora.workers.chunk.duration", "histogram", "Duration of a worker's round of a chunk.",
        ("ethora.chunk.state",), "s",
    ),
    Instrument("ethora.outbox.drift", "gauge", "Differences that the last reconcile found.", ("ethora.drift.kind",)),
)  # fmt: skip
"""Every metric."""


class Meter(Protocol):
    """Stores measurements; a label that does not apply is left out or empty."""

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        ...

    def record(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add a value to a histogram."""
        ...

    def set(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge."""
        ...


class PrometheusMeter:
    """Stores measurements in a registry of prometheus-client.

    Raises:
        ConfigError: ``prometheus-client`` is not installed.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            import prometheus_client as prometheus
        except ModuleNotFoundError as error:
            raise _missing(error, "prometheus_client", "prometheus-client") from None
        self.registry: CollectorRegistry = prometheus.REGISTRY if registry is None else registry
        self._metrics: dict[str, Any] = {}
        for one in INSTRUMENTS:
            labels = [label.replace(".", "_") for label in one.labels]
            more = {"buckets": one.buckets} if one.kind == "histogram" else {}
            make: Any = {
                "counter": prometheus.Counter,
                "gauge": prometheus.Gauge,
                "histogram": prometheus.Histogram,
            }[one.kind]
            self._metrics[one.name] = make(one.prometheus_name, one.help, labels, registry=self.registry, **more)
        self._labels: Mapping[str, Sequence[str]] = {one.name: one.labels for one in INSTRUMENTS}

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._child(name, labels).inc(amount)

    def record(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add a value to a histogram."""
        self._child(name, labels).observe(value)

    def set(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge."""
        self._child(name, labels).set(value)

    def _child(self, name: str, labels: Mapping[str, str]) -> Any:
        names = self._labels[name]
        metric = self._metrics[name]
        return metric.labels(*[labels.get(one, "") for one in names]) if names else metric


class OpenTelemetryMeter:
    """Stores measurements with OpenTelemetry's metrics API.

    Raises:
        ConfigError: ``opentelemetry-api`` is not installed.
    """

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        try:
            from opentelemetry import metrics
        except ModuleNotFoundError as error:
            raise _missing(error, "opentelemetry", "OpenTelemetry") from None
        meter = metrics.get_meter("ethora_async", __version__, meter_provider)
        self._metrics: dict[str, Any] = {}
        for one in INSTRUMENTS:
            if one.kind == "histogram":
                self._metrics[one.name] = meter.create_histogram(
                    one.name, one.unit, one.help, explicit_bucket_boundaries_advisory=one.buckets
                )
            else:
                make: Any = meter.create_counter if one.kind == "counter" else meter.create_gauge
                self._metrics[one.name] = make(one.name, one.unit, one.help)

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._metrics[name].add(amount, labels)

    def record(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add a value to a histogram."""
        self._metrics[name].record(value, labels)

    def set(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge."""
        self._metrics[name].set(value, labels)


def _missing(error: ModuleNotFoundError, package: str, called: str) -> Exception:
    if (error.name or "").partition(".")[0] != package:
        return error
    return ConfigError(f"metrics need {called}: pip install 'ethora-async[otel]'")


__all__ = ["INSTRUMENTS", "Instrument", "Meter", "OpenTelemetryMeter", "PrometheusMeter"]
