"""The HTTP side that every sandbox shares: faults, the request log, replies on the socket."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from ethora_async.sandbox.cors import allow_origin, preflight

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.faults import Faults, InjectedFailure
    from ethora_async.sandbox.logs import RequestLog
    from ethora_async.sandbox.ui.console import Console
    from ethora_async.sandbox.wire import Reply, Takeover

    Served = tuple[web.StreamResponse | Takeover, int]
    """The reply to send, and the status for the log."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Backend(Protocol):
    """The platform behind the front, which answers requests."""

    def operation(self, method: str, path: str) -> str | None:
        """Return the name of the route for a request, or None."""
        ...

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> Reply:
        """Answer one request; `path` and `query` are percent-encoded as on the wire."""
        ...


class Front:
    """Reads requests off the sockets, applies the faults, and writes the replies.

    cross_origin: whether pages of other origins may call, as every reply then says.
    console: answers what is below `/_sandbox/`; None removes it.
    """

    def __init__(
        self,
        service: Backend,
        faults: Faults,
        log: RequestLog,
        clock: Callable[[], float],
        *,
        cross_origin: bool = False,
        console: Console | None = None,
    ) -> None:
        self._service = service
        self._faults = faults
        self._log = log
        self._clock = clock
        self._cross_origin = cross_origin
        self._console = console

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request."""
        started = time.perf_counter()
        path, _, query = request.raw_path.partition("?")
        if not path.startswith("/"):
            path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
        if self._console is not None and self._console.serves(path):
            response = _response(await self._console.answer(request, path, query))
            return response if isinstance(response, web.StreamResponse) else await response(request)
        if "Expect" in request.headers:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        try:
            response, status = await self._serve(request, path, query)
        except ConnectionError:
            # The client closed the connection during its request, so no reply can be sent.
            response, status = _reset(request), 0
        self._log.add(request.method, path, query, status, time.perf_counter() - started, request.headers)
        if not isinstance(response, web.StreamResponse):
            return await response(request)
        if self._cross_origin and not response.prepared:
            response.headers.update(allow_origin(request.headers))
        return response

    async def _serve(self, request: web.BaseRequest, path: str, query: str) -> Served:
        if self._cross_origin and request.method == "OPTIONS":
            answer = preflight(request.headers)
            return _response(answer), answer.status
        if self._faults.armed:
            return await self._serve_with_faults(request, path, query)
        answer = await self._service.answer(request, path, query)
        return _response(answer), answer.status

    async def _serve_with_faults(self, request: web.BaseRequest, path: str, query: str) -> Served:
        operation = self._service.operation(request.method, path)
        plan = self._faults.plan(request.method, path, operation, self._clock())
        if plan is not None and plan.latency:
            await asyncio.sleep(plan.latency)
        if plan is not None and plan.failure is not None:
            return await self._fail(request, path, query, plan.failure)
        answer = await self._service.answer(request, path, query)
        return _response(answer), answer.status

    async def _fail(self, request: web.BaseRequest, path: str, query: str, failure: InjectedFailure) -> Served:
        if failure.cut == "before":
            return _reset(request), 0
        if failure.answer is not None and not failure.after_work:
            await _drain(request)
            return _response(failure.answer), failure.answer.status
        answer = await self._service.answer(request, path, query)
        if failure.cut == "after":
            return _reset(request), 0
        if failure.cut == "body":
            return await self._truncate(request, answer), answer.status
        given = failure.answer or answer
        return _response(given), given.status

    async def _truncate(self, request: web.BaseRequest, answer: Reply) -> web.StreamResponse:
        """Send the headers of a reply and half of its body, then hang up; a websocket is hung up at once."""
        if answer.takeover is not None:
            return _reset(request)
        body = answer.body if answer.path is None else await asyncio.to_thread(answer.path.read_bytes)
        headers = {**answer.headers, "Content-Type": answer.content_type}
        if self._cross_origin:
            headers |= allow_origin(request.headers)
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = len(body)
        response.force_close()
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


def _response(answer: Reply) -> web.StreamResponse | Takeover:
    if answer.takeover is not None:
        return answer.takeover
    if answer.path is not None:
        return web.FileResponse(answer.path, headers={**answer.headers, "Content-Type": answer.content_type})
    return web.Response(
        body=answer.body,
        status=answer.status,
        headers={**answer.headers, "Content-Type": answer.content_type},
    )


async def _drain(request: web.BaseRequest) -> None:
    """Read a body from the socket, whatever its size, so that the peer can read the reply."""
    async for _ in request.content.iter_any():
        pass


def _reset(request: web.BaseRequest) -> web.Response:
    """Drop the connection so that the peer sees a reset, not an orderly close."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    return web.Response(status=502)
