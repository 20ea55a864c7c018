"""Metrics in both libraries, and how Prometheus reads them."""

from __future__ import annotations

import socket
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from telemetry_helpers import client_of, user

from ethora_async import outbox
from ethora_async.bulk.events import RunFinished
from ethora_async.bulk.outcome import ItemFinished
from ethora_async.engine import (
    AttemptFinished,
    ConcurrencyChanged,
    PaceChanged,
    Paused,
    RequestFinished,
    RetryScheduled,
    SecretRead,
    SecretRotated,
    TokenRefreshed,
)
from ethora_async.engine.events import ClockCorrected
from ethora_async.errors import ConfigError
from ethora_async.outbox.events import IntentFinished, OutboxMeasured, TurnFinished
from ethora_async.outbox.lanes import OutboxStatus
from ethora_async.telemetry import INSTRUMENTS, Metrics, MetricsServer
from ethora_async.telemetry.instruments import PrometheusMeter
from ethora_async.workers.events import ChunkFinished

if TYPE_CHECKING:
    from ethora_async.outbox.lanes import Store
    from ethora_async.sandbox import EthoraSandbox

EVENTS = (
    AttemptFinished("users.get", 1, 0.2, 503, None, "unknown", None, "GET", "/users/{id}", "https://api.example"),
    AttemptFinished("users.get", 2, 0.1, None, "ReplyLostError", "unknown", None, "GET", "/users/{id}", "http://[::1]"),
    RequestFinished("users.get", 2, 0.5, "ReplyLostError"),
    RetryScheduled("users.get", 1, 0.1, "ServerFaultError"),
    ConcurrencyChanged(7, "HTTP 429"),
    PaceChanged(12.5, "HTTP 429"),
    Paused(3.0, "HTTP 429"),
    TokenRefreshed("client", "v1"),
    SecretRead("v1"),
    SecretRotated("v1", "v2"),
    ClockCorrected(-90.0),
    ItemFinished("ann", "created"),
    RunFinished(1, {"created": 1}, 0, 1.0),
    IntentFinished("user", "ann", "done", None, 2.0),
    TurnFinished(1, 2, 0, 1, 0.3),
    ChunkFinished("run", 0, 1, "done", {"created": 1000}, 0.8),
    OutboxMeasured(OutboxStatus(5, {"user": 3}, 1, {"chat": 2}, 61.0, {"drift": {"create user": 4}})),
)


def values(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(one.name, tuple(one.labels.items())): one.value for family in families for one in family.samples}


def test_every_instrument_is_fed_and_named_alike_in_both_libraries() -> None:
    registry, reader = CollectorRegistry(), InMemoryMetricReader()
    both = Metrics.prometheus(registry), Metrics.opentelemetry(MeterProvider([reader]))
    for event in EVENTS:
        for metrics in both:
            metrics(event)
    data: Any = reader.get_metrics_data()
    told = {metric.name for part in data.resource_metrics for scope in part.scope_metrics for metric in scope.metrics}
    assert told == {one.name for one in INSTRUMENTS}
    seen = {name for name, _ in values(registry)}
    for one in INSTRUMENTS:
        assert one.prometheus_name + ("_count" if one.kind == "histogram" else "") in seen


def test_what_events_say_is_what_is_measured() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(PrometheusMeter(registry), now=lambda: 1000.0)
    for event in EVENTS:
        metrics(event)
    found = values(registry)
    assert found["ethora_outbox_waiting", (("ethora_intent_kind", "user"),)] == 3
    assert found["ethora_outbox_waiting", (("ethora_intent_kind", "member"),)] == 0
    assert found["ethora_outbox_dead", (("ethora_intent_kind", "chat"),)] == 2
    assert found["ethora_outbox_oldest_seconds", ()] == 61
    assert found["ethora_outbox_drift", (("ethora_drift_kind", "create user"),)] == 4
    assert found["ethora_secret_rotations_total", ()] == 1
    assert found["ethora_secret_changed_timestamp_seconds", ()] == 1000
    assert found["ethora_limiter_limit", ()] == 7
    assert found["ethora_clock_skew_seconds", ()] == -90
    # What has become right falls to 0 rather than staying where it was.
    metrics(OutboxMeasured(OutboxStatus(0, {}, 0, {}, 0.0, {"drift": {}})))
    found = values(registry)
    assert found["ethora_outbox_waiting", (("ethora_intent_kind", "user"),)] == 0
    assert found["ethora_outbox_drift", (("ethora_drift_kind", "create user"),)] == 0


def test_a_secret_that_is_read_again_keeps_its_age() -> None:
    registry, times = CollectorRegistry(), iter((1.0, 1.0, 50.0, 90.0, 90.0))
    metrics = Metrics(PrometheusMeter(registry), now=lambda: next(times))
    metrics(SecretRead("v1"))
    metrics(SecretRead("v1"))
    assert values(registry)["ethora_secret_changed_timestamp_seconds", ()] == 1
    assert values(registry)["ethora_secret_read_timestamp_seconds", ()] == 50


async def test_a_client_and_a_worker_are_measured(sandbox: EthoraSandbox, store: Store) -> None:
    registry = CollectorRegistry()
    metrics = Metrics.prometheus(registry)
    with sqlite3.connect(store.name.removeprefix("sqlite:///")) as connection:
        await outbox.want_users(connection, [user("ann"), user("bea")])
    connection.close()
    async with client_of(sandbox, on_event=metrics) as client:
        worker = outbox.Worker(client, store, on_event=metrics)
        await worker.run_once()
        async with worker:
            while ("ethora_outbox_inbox", ()) not in values(registry):
                await store.wait(0.01)
    found = values(registry)
    done = (("ethora_intent_kind", "user"), ("ethora_intent_state", "done"))
    assert found["ethora_outbox_intents_total", done] == 2
    assert any(name == "http_client_request_duration_seconds_count" for name, _ in found)
    assert found["ethora_secret_read_timestamp_seconds", ()] > 0
    # Ids and addresses are no labels: each would be a time series of its own.
    assert "ann" not in str(found)


@pytest.mark.parametrize(("where", "url"), [("0", "http://127.0.0.1:"), ("[::1]:0", "http://[::1]:")])
def test_metrics_are_served(where: str, url: str) -> None:
    with MetricsServer(where) as server:
        server.metrics(EVENTS[2])
        assert server.url.startswith(url)
        with urlopen(server.url) as answer:
            text = answer.read().decode()
        labels = 'error_type="ReplyLostError",ethora_operation="users.get"'
        assert f"ethora_call_duration_seconds_count{{{labels}}} 1.0" in text
        assert "process_start_time_seconds" in text
    server.close()


@pytest.mark.parametrize("where", ["", "nine", "host:", "1:2:3", "127.0.0.1:70000", "-1", "127.0.0.1:0x10", "9" * 5000])
def test_an_address_that_is_none_is_refused(where: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        MetricsServer(where)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=str(port)), MetricsServer(str(port)):
            pass
