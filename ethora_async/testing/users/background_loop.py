"""An event loop in a separate thread, and a transport that sends from there.

Objects in this loop outlive the loops of single tests, and also serve tests without a loop.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ethora_async.protocols import Transport
    from ethora_async.request import Request, Response

T = TypeVar("T")


class BackgroundLoop:
    """A running event loop in another thread; `close` ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ethora-testing", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the background loop, and wait for its result without an event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the background loop, and await its result here. Cancelling also cancels `work`."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BackgroundTransport:
    """Sends through another transport in a background loop, to which its connections belong."""

    def __init__(self, inner: Transport, loop: BackgroundLoop) -> None:
        self._inner = inner
        self._loop = loop

    async def send(self, request: Request, /) -> Response:
        """Send one request.

        Raises:
            NotSentError, ReplyLostError: as the inner transport raises them.
        """
        return await self._loop.do(self._send(request))

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._loop.do(self._inner.aclose())

    async def _send(self, request: Request) -> Response:
        return await self._inner.send(request)
