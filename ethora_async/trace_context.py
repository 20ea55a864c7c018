"""The current trace context, in the format of W3C Trace Context."""

from __future__ import annotations

import sys


def current_traceparent() -> str | None:
    """Return the ``traceparent`` of the current OpenTelemetry span; None outside of one.

    OpenTelemetry is not imported for this: unless the application has imported it, there is no span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


__all__ = ["current_traceparent"]
