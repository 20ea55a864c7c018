"""What became of one item."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import attrs

from ethora_async.errors import ChatError

T = TypeVar("T")

Status = Literal["created", "existed", "updated", "unchanged", "deleted", "absent", "failed", "unknown"]
"""``unknown`` means that it may have happened: the reply was lost, or did not mention the item."""

STATUSES: tuple[Status, ...] = (
    "created", "existed", "updated", "unchanged", "deleted", "absent", "failed", "unknown",
)  # fmt: skip


@attrs.define(eq=False)
class Outcome(Generic[T]):
    """What became of one item.

    Attributes:
        item: what was passed in.
        key: its id.
        status: see `Status`.
        error: why, for ``failed`` and ``unknown``.
        value: the platform's record, where the reply held one.
        attempts: how many requests were sent for it, the ones it shared with others included.
    """

    item: T
    key: str
    status: Status
    error: ChatError | None = None
    value: Any = attrs.field(default=None, repr=False)
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether the item is now as was asked for."""
        return self.error is None

    def raise_for_failure(self) -> Outcome[T]:
        """This outcome, or its error raised."""
        if self.error is not None:
            raise self.error
        return self


@attrs.frozen
class ItemFinished:
    """The event for one outcome; holds nothing of the item but its key."""

    key: str
    status: Status
    error: str | None = None


def failed(item: T, key: str, error: ChatError) -> Outcome[T]:
    """The outcome of an item whose request failed: ``unknown`` when it may have taken effect all the same."""
    return Outcome(item, key, "unknown" if error.effect == "unknown" else "failed", error, attempts=error.attempts)
