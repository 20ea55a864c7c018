"""Send the current trace context to the platform, where that is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.trace_context import current_traceparent

if TYPE_CHECKING:
    from ethora_async.protocols import Transport
    from ethora_async.request import Request, Response

TRACEPARENT = "traceparent"


class TraceparentTransport:
    """A transport that adds the W3C header ``traceparent`` to each request made inside an OpenTelemetry span.

    Without it, no request carries a trace context: the platform is often somebody else's, and the header tells it which
    requests belong together. Baggage and ``tracestate`` are never sent::

        from ethora_async.transport import AiohttpTransport

        transport = TraceparentTransport(AiohttpTransport())
        ethora = EthoraClient(transport=transport, on_event=Tracing())

    With `Tracing` the header names the span of the call, which all of its attempts share.

    Args:
        transport: the transport that sends the requests; closed by `aclose`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"TraceparentTransport({self._transport!r})"

    async def send(self, request: Request, /) -> Response:
        """Send a request with the header. See `Transport.send`."""
        traceparent = current_traceparent()
        if traceparent is not None:
            request = attrs.evolve(request, headers={**request.headers, TRACEPARENT: traceparent})
        return await self._transport.send(request)

    async def aclose(self) -> None:
        """Close the transport that sends the requests."""
        await self._transport.aclose()


__all__ = ["TRACEPARENT", "TraceparentTransport"]
