"""Structured logs: one JSON object a line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import attrs

from ethora_async import codec
from ethora_async.engine.emitter import EVENT
from ethora_async.redaction import scrub
from ethora_async.trace_context import current_traceparent


class JsonFormatter(logging.Formatter):
    """Format a record as one line of JSON.

    Every line has ``time`` (UTC), ``level``, ``logger`` and ``message``. A record with an event also has its name as
    ``event`` and its values as ``fields``; a record inside a span has ``trace_id`` and ``span_id``; a record with an
    exception has its type as ``error``. No traceback is written, since it may quote values.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        event = getattr(record, EVENT, None)
        if event is not None:
            line["event"] = type(event).__name__
            line["fields"] = _plain(event)
        if (traceparent := current_traceparent()) is not None:
            _, line["trace_id"], line["span_id"], _ = traceparent.split("-")
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return codec.dumps(line).decode()


def _plain(value: Any) -> Any:
    """Return an event's values in a form that JSON can hold; texts are scrubbed as in messages."""
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float)) else scrub(str(value))


__all__ = ["JsonFormatter"]
