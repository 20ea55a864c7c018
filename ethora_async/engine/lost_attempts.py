"""Whether an attempt of the calls in a piece of work lost its reply, even if a later attempt succeeded.

The lost request may still arrive, after whatever is sent next.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class LostAttempts:
    """`seen` is True once an attempt had an unknown effect."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen: bool = False


_WATCHING: ContextVar[LostAttempts | None] = ContextVar("ethora_async_lost_attempts", default=None)


def note_lost_attempt() -> None:
    """Tell the block that watches the current task, if any."""
    watching = _WATCHING.get()
    if watching is not None:
        watching.seen = True


@contextmanager
def watching_lost_attempts() -> Generator[LostAttempts, None, None]:
    """Watch the calls made in the block, and in tasks that are started in it."""
    lost = LostAttempts()
    token = _WATCHING.set(lost)
    try:
        yield lost
    finally:
        _WATCHING.reset(token)


__all__ = ["LostAttempts", "note_lost_attempt", "watching_lost_attempts"]
