"""A stream of events over a websocket that is opened again when it breaks."""

from __future__ import annotations

import abc
import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

import aiohttp

from ethora_async.config import RetryPolicy
from ethora_async.engine.retry import backoff
from ethora_async.errors import (
    ChatError,
    InvalidInputError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    TransportError,
)
from ethora_async.event_queue import EventQueue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence
    from types import TracebackType

    from ethora_async.protocols import Clock

OPERATION: Final = "realtime"
AT_ONCE: Final = 0.001
"""A pause that is none: aiohttp and `ReconnectingStream` take 0 for "not set"."""

_RECONNECT: Final = RetryPolicy(base=0.5, cap=30.0)
_LASTING: Final = _RECONNECT.cap
"""Seconds after which a connection counts as stable: the pause before the next one starts small again. A log-in alone
proves little: a server may accept it and close at once, over and over."""
_SENDING: Final = 15.0
"""Seconds for which a frame may wait for a slow server."""
_PASSING: Final = (TransportError, ServerFaultError, RateLimitedError)

E = TypeVar("E")
M_co = TypeVar("M_co", covariant=True)
T = TypeVar("T")


class StreamMachine(Protocol[M_co]):
    """A protocol without input and output: frames in, what they mean and frames to send out."""

    @property
    def deadline(self) -> float:
        """When to call `on_time`, unless something is received before."""
        ...

    def to_send(self) -> Sequence[str]:
        """Return the frames to send now, in order, and remove them."""
        ...

    def received(self, frame: str, now: float) -> Sequence[M_co]:
        """Process one frame."""
        ...

    def on_time(self, now: float) -> Sequence[M_co]:
        """React to silence."""
        ...

    def closed(self) -> None:
        """End the connection."""
        ...


class ReconnectingStream(abc.ABC, Generic[E]):
    """The life of a stream: enter, iterate, reconnect with growing pauses, finish.

    A platform's stream implements `_prepare`, `_connection` and `_interrupted`.

    Args:
        clock: The source of time.
        queue_size: Maximum number of events that wait to be read.
        timeout: Seconds for each confirmation of the server.

    Raises:
        InvalidInputError: `queue_size` is less than 1.
    """

    _frames: frozenset[aiohttp.WSMsgType] = frozenset({aiohttp.WSMsgType.TEXT})
    """The kinds of frames that hold events; any other ends the connection."""

    def __init__(self, clock: Clock, *, queue_size: int, timeout: float) -> None:
        self._clock = clock
        self._queue: EventQueue[E] = EventQueue(queue_size)
        self._timeout = timeout
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._sending = asyncio.Lock()
        self._runner: asyncio.Task[None] | None = None
        self._live: asyncio.Future[None] | None = None
        self._connections = 0

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        return await self._queue.take()

    async def aclose(self) -> None:
        """Close the connection and end the iteration. Safe to call more than once."""
        self._queue.end()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait({runner})

    @abc.abstractmethod
    async def _prepare(self) -> None:
        """Read what must be known before the first connection."""

    @abc.abstractmethod
    async def _connection(self) -> float | None:
        """Carry out one connection from its beginning to its end.

        Returns:
            Seconds to wait before the next one, if the server said so.

        Raises:
            ChatError: The stream ends with it, unless it may pass.
        """

    @abc.abstractmethod
    async def _interrupted(self) -> None:
        """Fail what this connection will not answer any more."""

    @abc.abstractmethod
    def _awaited(self) -> Iterable[asyncio.Future[None]]:
        """Return the confirmations that are waited for; they fail when the stream ends."""

    @property
    def _is_open(self) -> bool:
        return self._runner is not None and not self._runner.done()

    async def _start(self) -> None:
        if self._runner is not None:
            msg = "the stream is open already: make another one"
            raise NotSentError(msg)
        await self._prepare()
        self._live = asyncio.get_running_loop().create_future()
        self._live.add_done_callback(read_error)
        self._runner = asyncio.create_task(self._run())
        await self._within_time(self._live, "the log-in")

    async def _within_time(self, waiting: asyncio.Future[T], what: str) -> T:
        await asyncio.wait({waiting}, timeout=self._timeout)
        if not waiting.done():
            msg = f"the server did not confirm {what} within {self._timeout:g} s"
            raise NotSentError(msg, operation=OPERATION)
        return waiting.result()

    def _note_log_in(self) -> bool:
        """Return whether this log-in was a later one than the first."""
        self._connections += 1
        if self._live is not None and not self._live.done():
            self._live.set_result(None)
        return self._connections > 1

    async def _run(self) -> None:
        failures = 0
        try:
            while True:
                began = self._clock.monotonic()
                lost: ChatError = ReplyLostError("the server closed the connection", operation=OPERATION)
                wait: float | None = None
                try:
                    wait = await self._connection()
                except _PASSING as error:
                    lost, wait = error, error.retry_after
                finally:
                    await self._interrupted()
                lasted = self._clock.monotonic() - began >= _LASTING
                failures = 1 if lasted else failures + 1
                if not self._connections and failures >= _RECONNECT.attempts:
                    raise lost
                await self._clock.sleep(wait or backoff(failures, _RECONNECT, random.random))
        except ChatError as error:
            self._finish(error)
        except asyncio.CancelledError:
            self._finish(None)
            raise
        except Exception as error:  # noqa: BLE001  iterating tasks must not wait for ever
            msg = f"the stream broke down ({type(error).__name__})"
            self._finish(NotSentError(msg, operation=OPERATION))

    def _finish(self, error: ChatError | None) -> None:
        self._queue.end(error)
        reason = error or NotSentError("the stream was closed", operation=OPERATION)
        for waiting in [*self._awaited(), self._live]:
            if waiting is not None and not waiting.done():
                waiting.set_exception(reason)

    async def _send(self, machine: StreamMachine[Any] | None) -> None:
        """Send what the machine has to send, if there is a connection."""
        async with self._sending:
            socket = self._socket
            if socket is None or machine is None:
                return
            for frame in machine.to_send():
                # The reading task notices a broken socket.
                with suppress(ConnectionError, aiohttp.ClientError):
                    try:
                        async with asyncio.timeout(_SENDING):
                            await socket.send_str(frame)
                    except TimeoutError:
                        await socket.close()
                        return

    async def _told(
        self, socket: aiohttp.ClientWebSocketResponse, machine: StreamMachine[T]
    ) -> AsyncGenerator[T, None]:
        """Yield what the machine makes of the frames, until the server ends the connection."""
        clock = self._clock
        while True:
            await self._send(machine)
            try:
                frame = await socket.receive(timeout=max(AT_ONCE, machine.deadline - clock.monotonic()))
            except TimeoutError:
                events = machine.on_time(clock.monotonic())
            else:
                if frame.type not in self._frames:
                    return
                events = machine.received(frame.data, clock.monotonic())
            for event in events:
                yield event


def check_text(text: str) -> None:
    """Check that a message's text is one.

    Raises:
        InvalidInputError: It is empty, or not text.
    """
    if not isinstance(text, str):
        msg = f"text must be text, not {type(text).__name__}"
        raise InvalidInputError(msg, field="text")
    if not text:
        msg = "the text is empty: pass at least one character"
        raise InvalidInputError(msg, field="text")


def check_limit(limit: int) -> None:
    """Check the maximum number of messages of a history.

    Raises:
        InvalidInputError: It is less than 1, or not a whole number.
    """
    if type(limit) is not int:
        msg = f"limit must be a whole number, not {type(limit).__name__}"
        raise InvalidInputError(msg, field="limit")
    if limit < 1:
        msg = f"limit must be at least 1, not {limit}"
        raise InvalidInputError(msg, field="limit")


def read_error(future: asyncio.Future[Any]) -> None:
    """Mark a future's error as seen: asyncio prints "exception was never retrieved" for one that nobody awaits."""
    if future.done() and not future.cancelled():
        future.exception()


__all__ = ["AT_ONCE", "OPERATION", "ReconnectingStream", "StreamMachine", "check_limit", "check_text", "read_error"]
