"""A transport that answers from a function, for tests that need no socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING

from ethora_async.errors import NotSent

if TYPE_CHECKING:
    from ethora_async.request import Request, Response

Handler = Callable[["Request"], "Response | Awaitable[Response]"]
"""Answers one request, or raises `NotSent` or `ReplyLost` in place of an answer."""


class MemoryTransport:
    """Hands every request to `handler` and keeps them all in `requests`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._closed = False
        self.requests: list[Request] = []

    async def send(self, request: Request, /) -> Response:
        """The handler's answer.

        Raises:
            NotSent: the transport is closed, or the handler said so.
            ReplyLost: the handler said so.
        """
        if self._closed:
            msg = "the transport is closed"
            raise NotSent(msg)
        self.requests.append(request)
        answer = self._handler(request)
        return await answer if isawaitable(answer) else answer

    async def aclose(self) -> None:
        """Refuse further requests."""
        self._closed = True
