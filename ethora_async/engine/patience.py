"""Which calls give way to others, and which wait as long as the platform asks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from ethora_async.errors import ChatError, NotSentError
from ethora_async_secrets.concurrency import FlightCancelledError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from ethora_async.protocols import Clock
    from ethora_async_secrets.concurrency import SingleFlight

T = TypeVar("T")

LONGEST_PAUSE = 300.0
"""Maximum time in seconds that a patient call waits at the platform's request; longer waits fail at once."""

_REJECTIONS = 5
"""Rejections of a shared request after which a patient caller gives up."""

Teller = Callable[[str, float], None]
"""Called with the name of an operation, and the seconds that its call will wait at the platform's request."""

_bulk: ContextVar[bool] = ContextVar("ethora_async_bulk", default=False)
_patient: ContextVar[bool] = ContextVar("ethora_async_patient", default=False)
_teller: ContextVar[Teller | None] = ContextVar("ethora_async_patience_teller", default=None)

in_bulk: Callable[[], bool] = _bulk.get
"""Whether the current task belongs to a bulk run."""

is_patient: Callable[[], bool] = _patient.get
"""Whether calls made now wait as long as the platform asks, beyond their deadline."""


def mark_bulk() -> None:
    """Mark the calls of this task, and of tasks that it starts, as bulk and patient: other calls go first."""
    _bulk.set(True)
    _patient.set(True)


@contextmanager
def patience(tell: Teller | None = None) -> Generator[None]:
    """Make the calls in the block, and in tasks that are started in it, wait as long as the platform asks.

    A call waits at most `LONGEST_PAUSE` seconds at a time, and `RetryPolicy.attempts` times. This is for work that
    nobody watches; a call inside a web request must fail within its deadline.

    Args:
        tell: called before each wait; by default the one of an enclosing block.
    """
    waiting = _patient.set(True)
    telling = _teller.set(tell or _teller.get())
    try:
        yield
    finally:
        _teller.reset(telling)
        _patient.reset(waiting)


@contextmanager
def shared_by_callers() -> Generator[None]:
    """Make the calls in the block, and in tasks that are started in it, neither bulk nor patient.

    For requests that other calls depend on, such as a log-in. A patient caller and one inside a web request may wait
    for the same one, so after a rejection each of them decides how long it waits itself.
    """
    waiting = _patient.set(False)
    giving_way = _bulk.set(False)
    try:
        yield
    finally:
        _bulk.reset(giving_way)
        _patient.reset(waiting)


def tell_waiting(operation: str, wait: float) -> None:
    """Tell the enclosing `patience` block that a call is about to wait."""
    teller = _teller.get()
    if teller is not None:
        teller(operation, wait)


async def patiently(ask: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """Return the result of a request that other calls depend on.

    If the platform rejects it for a stated time, a patient caller waits, and asks again; others get the error at once.
    """
    rejections = 0
    while True:
        try:
            with shared_by_callers():
                return await ask()
        except ChatError as error:
            rejections += 1
            wait = error.retry_after
            if not is_patient() or wait is None or wait > LONGEST_PAUSE or rejections >= _REJECTIONS:
                raise
            operation = error.operation or ""
        tell_waiting(operation, wait)
        await clock.sleep(wait)


async def joined(flight: SingleFlight[T], clock: Clock, operation: str | None = None) -> T:
    """Return the result of a request that several callers share; see `patiently`.

    Args:
        flight: the request.
        clock: measures the waits.
        operation: the name of the operation in the error about a closed client.

    Raises:
        NotSentError: the client was closed.
    """
    try:
        return await patiently(flight.join, clock)
    except FlightCancelledError:
        msg = "the client is closed"
        raise NotSentError(msg, operation=operation) from None


__all__ = [
    "LONGEST_PAUSE", "Teller", "in_bulk", "is_patient", "joined", "mark_bulk", "patience", "patiently",
    "shared_by_callers", "tell_waiting",
]  # fmt: skip
