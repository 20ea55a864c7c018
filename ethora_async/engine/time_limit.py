"""A time limit for all calls of a piece of work, whatever the timeout of the client that it uses."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_LIMIT: ContextVar[float | None] = ContextVar("ethora_async_call_time_limit", default=None)

call_time_limit: Callable[[], float | None] = _LIMIT.get
"""Time limit of calls made now, in seconds; None without one."""


@contextmanager
def calls_limited_to(seconds: float) -> Generator[None, None, None]:
    """Limit the calls made in the block, and in tasks that are started in it, to so many seconds each.

    A client's own shorter timeout, or one of the call, goes first.
    """
    earlier = _LIMIT.get()
    token = _LIMIT.set(seconds if earlier is None else min(seconds, earlier))
    try:
        yield
    finally:
        _LIMIT.reset(token)


__all__ = ["call_time_limit", "calls_limited_to"]
