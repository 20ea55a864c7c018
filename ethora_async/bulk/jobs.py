"""Server-side jobs, asked after until they end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ethora_async.errors import ApiError, JobFailed, JobTimeout, TransportError
from ethora_async.redaction import scrub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ethora_async.protocols import Clock

JOB_TIMEOUT = 120.0
"""Seconds that a job may take (contract §1.4 names clients that wait 60 to 300)."""

_FIRST_WAIT = 0.05
_LONGEST_WAIT = 2.0
_GROWTH = 1.6


async def wait_for_job(
    read: Callable[[], Awaitable[Any]],
    *,
    operation: str,
    clock: Clock,
    timeout: float = JOB_TIMEOUT,
    known: Iterable[str] = (),
) -> Any:
    """What the job answers once it has ended well: its whole decoded reply.

    Args:
        read: asks for the job once and returns the decoded reply, ``{state, error?, result?}``. Any state but
            ``completed`` and ``failed`` counts as still under way (contract §1.4).
        known: secrets that the job was given, to be masked in what it says.

    Raises:
        JobFailed: it ended in failure, or its reply has no state.
        JobTimeout: it had not ended after `timeout` seconds.
        TransportError: it could not be asked for; the `effect` is "unknown", whatever stood in the way.
    """
    deadline = clock.monotonic() + timeout
    wait = _FIRST_WAIT
    state: Any = "under way"
    while True:
        timer = asyncio.timeout(deadline - clock.monotonic())
        try:
            async with timer:
                reply = await _asked(read, operation, known)
        except TimeoutError:
            if not timer.expired():
                raise
            raise _too_late(state, timeout, operation) from None
        state = reply.get("state") if isinstance(reply, dict) else None
        if state == "completed":
            return reply
        if state == "failed":
            reason = reply.get("error")
            msg = (
                f"the job failed: {scrub(reason, known) if isinstance(reason, str) else 'the platform did not say why'}"
            )
            raise JobFailed(msg, operation=operation)
        if not isinstance(state, str):
            msg = "the job's reply has no state"
            raise JobFailed(msg, operation=operation)
        if clock.monotonic() + wait > deadline:
            raise _too_late(scrub(state, known), timeout, operation)
        await clock.sleep(wait)
        wait = min(_LONGEST_WAIT, wait * _GROWTH)


def _too_late(state: str, timeout: float, operation: str) -> JobTimeout:
    return JobTimeout(f"the job was still {state} after {timeout:g} s", operation=operation)


async def _asked(read: Callable[[], Awaitable[Any]], operation: str, known: Iterable[str]) -> Any:
    try:
        return await read()
    except ApiError as error:
        msg = f"the job was accepted, but could not be asked for: {scrub(error.message, known)}"
        raise JobFailed(
            msg,
            operation=operation,
            status=error.status,
            code=scrub(error.code, known) if error.code else None,
            request_id=error.request_id,
            attempts=error.attempts,
        ) from None
    except TransportError as error:
        # The question was not answered, but the job it is about is under way.
        error.effect = "unknown"
        raise
