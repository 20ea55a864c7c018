"""A transport that answers from a function, for tests without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING

from ethora_async.errors import NotSentError, ReplyLostError
from ethora_async.request import Request

if TYPE_CHECKING:
    from ethora_async.request import Response

Handler = Callable[[Request], "Response | Awaitable[Response]"]
"""Answers one request, or raises `NotSentError` or `ReplyLostError`."""


class MemoryTransport:
    """Passes every request to `handler` and keeps them all in `requests`; an upload is read into its `body`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._closed = False
        self.requests: list[Request] = []

    async def send(self, request: Request, /) -> Response:
        """Return the handler's answer.

        Raises:
            NotSentError: the transport is closed, or the handler raised it.
            ReplyLostError: the handler raised it, or took longer than the request's timeout.
        """
        if self._closed:
            msg = "the transport is closed"
            raise NotSentError(msg)
        if request.upload is not None:
            body = b"".join([chunk async for chunk in request.upload.chunks()])
            request = Request(request.method, request.url, request.headers, body, request.timeout)
        self.requests.append(request)
        answer = self._handler(request)
        if not isawaitable(answer):
            return answer
        try:
            async with asyncio.timeout(request.timeout):
                return await answer
        except TimeoutError:
            msg = "the handler did not answer in time"
            raise ReplyLostError(msg) from None

    async def aclose(self) -> None:
        """Reject further requests."""
        self._closed = True
