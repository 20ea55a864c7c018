"""Log lines as JSON."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import pytest
from telemetry_helpers import client_of, user

from ethora_async import outbox
from ethora_async.engine import Paused, SecretRotated
from ethora_async.engine.emitter import log_event
from ethora_async.telemetry import JsonFormatter, Tracing
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.outbox.lanes import Store
    from ethora_async.sandbox import EthoraSandbox


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what the logger ``ethora_async`` and its children write."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("ethora_async")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(before)


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_event_is_told_with_its_values(lines: io.StringIO) -> None:
    log_event(Paused(2.5, "HTTP 429"))
    log_event(SecretRotated(None, "v2"))
    pause, rotation = read(lines)
    assert (pause["event"], pause["fields"]) == ("Paused", {"seconds": 2.5, "reason": "HTTP 429"})
    assert (pause["level"], pause["logger"]) == ("INFO", "ethora_async")
    assert pause["time"].endswith("+00:00")
    assert rotation["fields"] == {"old_version": None, "new_version": "v2"}


def test_a_message_of_several_lines_and_an_exception_are_one_line() -> None:
    try:
        raise ValueError("canary-value")
    except ValueError:
        error = sys.exc_info()
    # Not through a logger: xdist cannot pass the lone surrogate on.
    record = logging.LogRecord("ethora_async.web", logging.ERROR, "", 1, "first\nsecond \ud800", (), error)
    text = JsonFormatter().format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["logger"], line["error"]) == ("ethora_async.web", "ValueError")
    assert line["message"].startswith("first second")
    assert "canary-value" not in text


async def test_lines_inside_of_a_span_name_it_and_hold_no_secret(
    lines: io.StringIO, tracing: Tracing, sandbox: EthoraSandbox, store: Store, spans: Any
) -> None:
    secret = sandbox.environment["ETHORA_CHAT_APP_SECRET"]
    seen: list[object] = []
    with Canary(secret) as canary:
        with sqlite3.connect(store.name.removeprefix("sqlite:///")) as connection:
            await outbox.want_user(connection, user("ann"))
        connection.close()
        async with client_of(sandbox, on_event=[tracing, seen.append]) as client:
            await outbox.Worker(client, store, on_event=[tracing, seen.append]).run_once()
    told = read(lines)
    events = {line["event"] for line in told if "event" in line}
    assert {"RequestStarted", "AttemptFinished", "TurnStarted", "IntentFinished", "TurnFinished"} <= events
    started = next(line for line in told if line.get("event") == "RequestStarted")
    assert started["fields"]["path"].startswith("/")
    assert len(started["trace_id"]) == 32
    canary.check(lines.getvalue(), *seen, *(span.to_json() for span in spans.get_finished_spans()))
