"""Decide whether to retry and when. Pure functions: nothing waits here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from ethora_async.errors import ChatError, NotSentError, RateLimitedError, ReplyLostError, ReplyTooLargeError

if TYPE_CHECKING:
    from ethora_async.config import RetryPolicy
    from ethora_async.protocols import Failure

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which another attempt may succeed."""

Draw = Callable[[], float]
"""A random number from 0 to 1."""


def drawn() -> float:
    """Return a random number from 0 to 1. Its module is loaded for the first wait: most processes never have one."""
    import random

    return random.random()  # noqa: S311  not used for a secret


def backoff(failures: int, policy: RetryPolicy, draw: Draw, *, least: float = 0.0) -> float:
    """Return the wait after the n-th failure: a random part of ``base · 2ⁿ⁻¹`` seconds, at most `cap` (full jitter).

    Args:
        failures: the number of failures so far.
        policy: the base and the cap.
        draw: returns a random number from 0 to 1.
        least: the shortest wait, for retries without a limit.
    """
    # 2.0 ** 1024 overflows; the cap is reached long before.
    return max(least, draw() * min(policy.cap, policy.base * 2.0 ** min(failures - 1, 64)))


def wait_before_retry(
    error: ChatError, *, repeatable: bool, failures: int, policy: RetryPolicy, remaining: float, draw: Draw
) -> float | None:
    """Return the seconds to wait before the next attempt after `error`, or None for no further attempt.

    There is no further attempt when it could do something twice that must be done once, when it is pointless, after
    `policy.attempts`, and when the wait does not fit into the `remaining` seconds of the deadline.
    """
    if failures >= policy.attempts or not _worth_repeating(error, repeatable=repeatable):
        return None
    wait = error.retry_after if error.retry_after is not None else backoff(failures, policy, draw)
    return wait if wait < remaining else None


def _worth_repeating(error: ChatError, *, repeatable: bool) -> bool:
    if isinstance(error, (NotSentError, RateLimitedError)):
        return True  # rejected before any work was done
    if isinstance(error, ReplyTooLargeError):
        return False  # the reply would be as large again
    return repeatable and (isinstance(error, ReplyLostError) or error.status in PASSING_STATUSES)


def time_to_wait(failure: Failure, headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that an error reply asks to wait, in its body or its headers, or None."""
    return failure.retry_after if failure.retry_after is not None else read_retry_after(headers, now)


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a reply's headers ask to wait: ``Retry-After-Ms``, or ``Retry-After`` in seconds or as an
    HTTP date.

    Return None when there is no such header, or its value is invalid.
    """
    if milliseconds := _number(headers.get("retry-after-ms")):
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    if (number := _number(value)) is not None:
        return number
    date = read_date(value)
    return None if date is None else max(0.0, date - now)


def read_date(value: str | None) -> float | None:
    """Return an HTTP date in seconds since the epoch; None when it is not a date."""
    if value is None:
        return None
    from email.utils import parsedate_to_datetime  # half of the mail package, for a header that few replies need

    try:
        date = parsedate_to_datetime(value)
        # "-0000" parses to a naive datetime, which `timestamp` would read as local time.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
