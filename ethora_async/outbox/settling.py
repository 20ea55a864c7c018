"""Decide the result of a lane after the platform's answer, or without one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ethora_async.config import RetryPolicy
from ethora_async.engine.retry import backoff
from ethora_async.errors import (
    ApiError,
    ChatError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    JobTimeoutError,
    NotFoundError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    SettingsUnavailableError,
    UnauthorizedError,
    ValidationFailedError,
    WrongLoopError,
)
from ethora_async.outbox.lanes import Verdict
from ethora_async.wording import storable

if TYPE_CHECKING:
    from ethora_async.outbox.lanes import Lane

REFUSALS = 12
"""Maximum number of rejections of an intent that may succeed later, such as an address that another user is about to
free.
"""

LONGEST = 7 * 86_400.0
"""Seconds after which an intent without any answer of the platform is given up."""

_REFUSED = RetryPolicy(base=0.5, cap=900.0)
_SHORT = 2.0
_GATEWAY = (502, 504)

_FOR_GOOD = (InvalidInputError, ValidationFailedError)
_PLATFORM = (UnauthorizedError, ForbiddenError, RateLimitedError, ServerFaultError)


def is_fatal(error: BaseException | None) -> bool:
    """Return whether an error ends a worker: its settings are wrong. A secret store that is away is waited for."""
    return isinstance(error, (ConfigError, WrongLoopError)) and not isinstance(error, SettingsUnavailableError)


def is_trouble(error: ChatError) -> bool:
    """Return whether an error concerns the platform or the network, and not the intent."""
    if isinstance(error, ApiError):
        return isinstance(error, _PLATFORM)
    return not isinstance(error, InvalidInputError)


def may_still_arrive(error: ChatError) -> bool:
    """Return whether a request may take effect after its error: a gateway may still hold it."""
    return isinstance(error, (ReplyLostError, JobTimeoutError)) or error.status in _GATEWAY


def settled(lane: Lane, error: ChatError | None, deadline: float) -> Verdict:
    """Return the verdict on a lane: done without an error, else dead, or to be retried.

    A request that may still arrive is waited for during the client's `deadline`: if it took effect after a later
    request, it would undo that one.
    """
    if error is None:
        return Verdict(lane, "done")
    reason = storable(f"{type(error).__name__}: {error}")  # the platform's message may contain anything
    if isinstance(error, _FOR_GOOD):
        return Verdict(lane, "dead", reason, attempts=lane.attempts + 1)
    if is_trouble(error):
        if lane.age > LONGEST:
            return Verdict(lane, "dead", reason, attempts=lane.attempts)
        if may_still_arrive(error):
            return Verdict(lane, "held", reason, deadline, lane.attempts)
        return Verdict(lane, "again", reason, random.uniform(0, _SHORT), lane.attempts)  # noqa: S311  no secret
    attempts = lane.attempts + 1
    if attempts >= REFUSALS:
        return Verdict(lane, "dead", reason, attempts=attempts)
    delay = backoff(attempts, _REFUSED, random.random)
    return Verdict(lane, "again", reason, delay, attempts)


def was_not_there(error: ChatError | None) -> bool:
    """Return whether the record to remove does not exist: then nothing is left to do."""
    return isinstance(error, NotFoundError)


def collides(error: ChatError | None) -> bool:
    """Return whether a record of somebody else is in conflict."""
    return isinstance(error, ConflictError)


__all__ = ["LONGEST", "REFUSALS", "collides", "is_fatal", "is_trouble", "may_still_arrive", "settled", "was_not_there"]
