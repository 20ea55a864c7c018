"""A bounded queue of events that can be ended."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from ethora_async.errors import ChatError, InvalidInputError
from ethora_async_secrets.concurrency import own_copy

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class EventQueue(Generic[T]):
    """A bounded queue: `put` waits while it is full, `take` while it is empty. Both are safe to cancel.

    Raises:
        InvalidInputError: `size` is less than 1.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            msg = f"queue_size must be at least 1, not {size}"
            raise InvalidInputError(msg, field="queue_size")
        self._size = size
        self._events: deque[T] = deque()
        self._waiters: set[asyncio.Future[None]] = set()
        self._ended = False
        self._error: ChatError | None = None

    async def put(self, event: T) -> None:
        """Add an event once there is room; after the end, drop it."""
        await self._until(lambda: self._ended or len(self._events) < self._size)
        if not self._ended:
            self._events.append(event)
            self._wake()

    async def take(self) -> T:
        """Return the next event.

        Raises:
            StopAsyncIteration: the queue has ended.
            ChatError: the queue has ended with this error; every caller gets a copy.
        """
        await self._until(lambda: self._ended or bool(self._events))
        if self._events:
            event = self._events.popleft()
            self._wake()
            return event
        if self._error is None:
            raise StopAsyncIteration
        raise own_copy(self._error)

    def end(self, error: ChatError | None = None) -> None:
        """End the queue; events already in it can still be taken. Only the first call has an effect."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _wake(self) -> None:
        # Wake all waiters: there are rarely more than two, and a cancelled one must not keep another asleep.
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
