"""One rate limit for all workers of an app: permits reserved in the database, a block at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ethora_async.engine.retry import read_retry_after
from ethora_async.errors import ConfigError, NotSentError
from ethora_async.workers import schema
from ethora_async.workers.database import WorkersDatabaseError

if TYPE_CHECKING:
    from ethora_async.protocols import Clock, Transport
    from ethora_async.request import Request, Response
    from ethora_async.workers.database import Database

_BLOCK_SECONDS = 0.05
_LONGEST_PUSH = 300.0
_REFUSED = 429
_ABSURD = 100_000.0
"""Seconds, more than a day: a header that asks for so long is not believed."""
_UNSTATED = 1.0
"""Seconds to wait after a 429 that names no time."""


class SharedRate:
    """Permits for requests: `per_second` for all users of the same limit together.

    Args:
        database: the database with the limit.
        name: the limit's name: the platform's address and the app.
        per_second: requests a second, of all workers together.
        workers: the approximate number of workers; more of them reserve smaller blocks.
        clock: measures and waits on this machine.

    Attributes:
        name: may be changed, once the client knows its app.
        clock: as passed in, or the system's.

    Raises:
        ConfigError: `per_second` is not above 0.
    """

    def __init__(
        self, database: Database, name: str, per_second: float, *, workers: int = 4, clock: Clock | None = None
    ) -> None:
        from ethora_async.clock import SystemClock

        if not 0 < per_second < float("inf"):
            msg = f"the rate must be above 0 requests a second, not {per_second:g}"
            raise ConfigError(msg)
        self._database = database
        self.name: str = name
        self._interval = 1.0 / per_second
        self._block = max(1, int(per_second * _BLOCK_SECONDS / max(1, workers)))
        self.clock: Clock = clock or SystemClock()
        self._lock = asyncio.Lock()
        self._left = 0
        self._next = 0.0

    async def acquire(self) -> None:
        """Wait for a permit.

        Raises:
            WorkersDatabaseError: the database cannot be reached.
        """
        async with self._lock:
            now = self.clock.monotonic()
            # An unused permit expires: saved ones would allow a burst.
            if not self._left or self._next < now - self._interval * self._block:
                values = {"name": self.name, "span": self._interval * self._block}
                async with self._database.transaction(durable=False) as connection:
                    row = await (await connection.execute(schema.RESERVE.encode(), values)).fetchone()
                self._next = self.clock.monotonic() + max(0.0, row[0] if row else 0.0)
                self._left = self._block
            due, self._next = self._next, self._next + self._interval
            self._left -= 1
        wait = due - self.clock.monotonic()
        if wait > 0:
            await self.clock.sleep(wait)

    async def push_back(self, wait: float) -> None:
        """Give out no permits for so many seconds: the platform has rejected a request."""
        self._left = 0
        values = {"name": self.name, "wait": min(max(wait, self._interval), _LONGEST_PUSH)}
        async with self._database.transaction() as connection:
            await connection.execute(schema.PUSH_BACK.encode(), values)


class RateLimitedTransport:
    """A transport that takes a permit for each request, including retries and polls of jobs."""

    def __init__(self, transport: Transport, rate: SharedRate) -> None:
        self._transport = transport
        self._rate = rate

    async def send(self, request: Request, /) -> Response:
        """Take a permit and send; a 429 delays all workers.

        Raises:
            NotSentError: the permit did not come in the request's time, or the database cannot be reached.
            ReplyLostError: as the inner transport raises it.
        """
        try:
            async with asyncio.timeout(request.timeout):
                await self._rate.acquire()
        except TimeoutError:
            msg = f"no permit of the shared rate limit came within {request.timeout:g} s"
            raise NotSentError(msg) from None
        except WorkersDatabaseError as error:
            raise NotSentError(str(error)) from None
        response = await self._transport.send(request)
        if response.status == _REFUSED:
            stated = read_retry_after(response.headers, self._rate.clock.now())
            try:
                await self._rate.push_back(_UNSTATED if stated is None or stated >= _ABSURD else stated)
            except WorkersDatabaseError:
                return response  # the engine's own limiter waits on this machine
        return response

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


__all__ = ["RateLimitedTransport", "SharedRate"]
