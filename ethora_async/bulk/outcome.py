"""What became of one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import attrs

from ethora_async.errors import ChatError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

Status = Literal["created", "existed", "updated", "unchanged", "deleted", "absent", "failed", "unknown"]
"""``unknown`` means that it may have happened: the reply was lost, or did not mention the item."""

STATUSES: tuple[Status, ...] = (
    "created", "existed", "updated", "unchanged", "deleted", "absent", "failed", "unknown",
)  # fmt: skip


class Unread:
    """A record of a reply that is read when somebody looks at it: of a million outcomes, most are only counted.

    It holds the reply as it came, secrets included: it prints nothing of it, and is pickled and copied as the record.

    Args:
        read: reads the record; it must not raise.
    """

    __slots__ = ("read",)

    def __init__(self, read: Callable[[], Any]) -> None:
        self.read: Callable[[], Any] = read

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.read(),)


def _same(value: Any) -> Any:
    return value


@attrs.define(eq=False)
class Outcome(Generic[T]):
    """What became of one item.

    Attributes:
        item: what was passed in.
        key: its id.
        status: see `Status`.
        error: why, for ``failed`` and ``unknown``.
        value: the platform's record, where the reply held one; read when it is first asked for.
        attempts: how many requests were sent for it, the ones it shared with others included.
    """

    item: T
    key: str
    status: Status
    error: ChatError | None = None
    _value: Any = attrs.field(default=None, repr=False, alias="value")
    attempts: int = 1

    @property
    def value(self) -> Any:
        """The platform's record; None where the reply held none, or one of an unexpected shape."""
        if isinstance(self._value, Unread):
            self._value = self._value.read()
        return self._value

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
