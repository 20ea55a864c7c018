"""Metrics, traces and logs of a command."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ethora_async.engine.emitter import Listener
    from ethora_async.protocols import Transport
    from ethora_async.telemetry.tracing import Tracing

SEND_TRACEPARENT = "ETHORA_SEND_TRACEPARENT"
"""The environment variable that has commands send the trace context to the platform."""

METRICS = typer.Option(
    "--metrics",
    metavar="[HOST:]PORT",
    envvar="ETHORA_METRICS",
    show_envvar=True,
    help="Answer GET /metrics for Prometheus there; the host is 127.0.0.1 by default.",
)


class LogFormat(StrEnum):
    """The format of log lines."""

    text = "text"
    json = "json"


_format = LogFormat.text


def choose_log_format(chosen: LogFormat) -> None:
    """Set the format of all log lines of this process."""
    global _format  # noqa: PLW0603  one process, one log
    _format = chosen


def log_formatter() -> logging.Formatter:
    """Return the formatter of all log lines."""
    if _format is LogFormat.text:
        return logging.Formatter("%(asctime)s %(message)s")
    from ethora_async.telemetry.logs import JsonFormatter

    return JsonFormatter()


def log_to_stderr(level: int) -> None:
    """Write the records of every logger from this level up to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter())
    logging.basicConfig(level=level, handlers=[handler])


@cache
def tracing() -> Tracing | None:
    """Return the listener for spans if an OpenTelemetry SDK runs in this process; see `opentelemetry-instrument`."""
    if "opentelemetry.sdk" not in sys.modules:
        return None
    from ethora_async.telemetry.tracing import Tracing

    return Tracing()


def listeners(more: Any = ()) -> tuple[Listener, ...]:
    """Return the listeners of a client or worker: the given ones, and the one for spans, if any."""
    given: tuple[Any, ...] = (more,) if callable(more) else tuple(more)
    traced = tracing()
    return given if traced is None else (*given, traced)


def span(name: str) -> AbstractContextManager[None]:
    """Create a span around a piece of work, if tracing is on."""
    traced = tracing()
    return nullcontext() if traced is None else traced.span(name)


def sends_traceparent() -> bool:
    """Return whether requests are to carry the trace context: only where there is a trace, and it was asked for."""
    return tracing() is not None and os.environ.get(SEND_TRACEPARENT, "").strip().lower() in ("1", "true", "yes")


def traceparent_transport() -> Transport:
    """Return a transport that sends the trace context."""
    from ethora_async.telemetry.propagation import TraceparentTransport
    from ethora_async.transport import AiohttpTransport

    return TraceparentTransport(AiohttpTransport())


@contextmanager
def measured(where: str | None) -> Iterator[tuple[Listener, ...]]:
    """Serve metrics during the block, if requested; yield the listeners that record them.

    Raises:
        ConfigError: `where` cannot be listened on, or the extra is not installed.
    """
    if where is None:
        yield ()
        return
    from ethora_async.telemetry.exposition import MetricsServer

    with MetricsServer(where) as server:
        typer.echo(f"metrics on {server.url}", err=True)
        yield (server.metrics,)


__all__ = [
    "METRICS", "SEND_TRACEPARENT", "LogFormat", "choose_log_format", "listeners", "log_formatter", "log_to_stderr",
    "measured", "sends_traceparent", "span", "traceparent_transport", "tracing",
]  # fmt: skip
