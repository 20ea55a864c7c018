"""The result of one item."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import attrs

from ethora_async.errors import ChatError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

Status = Literal["created", "existed", "updated", "unchanged", "deleted", "absent", "failed", "unknown"]
"""``existed`` and ``absent`` describe what the platform found; if `Outcome.attempts` is greater than 1, an earlier
attempt, whose reply was lost, may be the cause. ``unknown`` means that the operation may have taken effect: the reply
was lost, or did not mention the item.
"""

STATUSES: tuple[Status, ...] = (
    "created", "existed", "updated", "unchanged", "deleted", "absent", "failed", "unknown",
)  # fmt: skip


class Unread:
    """A record of a reply that is parsed on first access: of a million outcomes, most are only counted.

    It holds the raw reply, secrets included: its repr shows none of it, and pickling and copying use the parsed record.

    Args:
        read: parses the record, given the request id of its reply; it must not raise.
        request_id: that id, if it is known.
    """

    __slots__ = ("_read", "request_id")

    def __init__(self, read: Callable[[str | None], Any], request_id: str | None = None) -> None:
        self._read = read
        self.request_id: str | None = request_id

    def read(self) -> Any:
        """Return the record."""
        return self._read(self.request_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.read(),)


def _same(value: Any) -> Any:
    return value


@attrs.define(eq=False)
class Outcome(Generic[T]):
    """The result of one item.

    Attributes:
        item: what was passed in.
        key: its id.
        status: see `Status`.
        error: the cause, for ``failed`` and ``unknown``.
        value: the platform's record, if the reply held one; parsed on first access.
        attempts: number of requests sent for it, including those it shared with other items.
        request_id: the platform's id of the reply that decided it, for the platform's support; None if it gave none.
    """

    item: T
    key: str
    status: Status
    error: ChatError | None = None
    _value: Any = attrs.field(default=None, repr=False, alias="value")
    attempts: int = 1
    request_id: str | None = attrs.field(default=None, repr=False)

    @property
    def value(self) -> Any:
        """The platform's record; None if the reply held none, or one of an unexpected shape."""
        if isinstance(self._value, Unread):
            self._value = self._value.read()
        return self._value

    def came_from(self, request_id: str | None) -> None:
        """Set the request id of the reply: in the outcome, its error and its record."""
        self.request_id = request_id
        if isinstance(self._value, Unread):
            self._value.request_id = request_id
        if self.error is not None and self.error.request_id is None:
            self.error.request_id = request_id

    @property
    def ok(self) -> bool:
        """Whether the item is now in the requested state."""
        return self.error is None

    def raise_for_failure(self) -> Outcome[T]:
        """Return this outcome, or raise its error.

        Raises:
            ChatError: the outcome is ``failed`` or ``unknown``.
        """
        if self.error is not None:
            raise self.error
        return self


class Outcomes(Sequence[Outcome[T]]):
    """The outcomes of a batch without failures, created on access: most are only counted.

    Args:
        items, keys, statuses: the fields of each `Outcome`.
        records: the reply's record of each item; one is taken out when its outcome's `value` is read.
        read: parses such a record, given the request id; it must not raise.
        attempts: number of requests sent for each item.
        request_id: the platform's id of their reply.
    """

    __slots__ = ("_keys", "_read", "_records", "attempts", "items", "request_id", "statuses")

    def __init__(
        self,
        items: Sequence[T],
        keys: Sequence[str],
        statuses: Sequence[Status],
        records: Sequence[Any],
        read: Callable[[Any, str | None], Any],
        attempts: int,
        request_id: str | None = None,
    ) -> None:
        self.items: Sequence[T] = items
        self.statuses: Sequence[Status] = statuses
        self.attempts: int = attempts
        self.request_id: str | None = request_id
        self._keys = keys
        self._records = records
        self._read = read

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, place: int) -> Outcome[T]: ...
    @overload
    def __getitem__(self, place: slice) -> list[Outcome[T]]: ...
    def __getitem__(self, place: int | slice) -> Outcome[T] | list[Outcome[T]]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        value = Unread(partial(_read_at, self._read, self._records, place), self.request_id)
        return Outcome(
            self.items[place], self._keys[place], self.statuses[place], None, value, self.attempts, self.request_id
        )

    def drop_records(self) -> None:
        """Forget the reply's records, when only the statuses are wanted: the `value` of each outcome is None.

        A hundred users' records take a quarter of a megabyte. Freed before the next reply is read, their memory is
        used again while the processor's cache still holds it.
        """
        self._records = (None,) * len(self.items)
        self._read = _no_record


def _read_at(read: Callable[[Any, str | None], Any], records: Sequence[Any], place: int, request_id: str | None) -> Any:
    return read(records[place], request_id)


def _no_record(record: Any, request_id: str | None) -> None:  # noqa: ARG001
    return None


def all_ok(outcomes: Sequence[Outcome[Any]]) -> bool:
    """Return whether no outcome has an error."""
    return isinstance(outcomes, Outcomes) or all(outcome.error is None for outcome in outcomes)


@attrs.frozen
class ItemFinished:
    """The event for one outcome; of the item it holds only the key."""

    key: str
    status: Status
    error: str | None = None


def failed(item: T, key: str, error: ChatError) -> Outcome[T]:
    """Return the outcome of an item whose request failed: ``unknown`` when it may have taken effect nevertheless."""
    return Outcome(
        item,
        key,
        "unknown" if error.effect == "unknown" else "failed",
        error,
        attempts=error.attempts,
        request_id=error.request_id,
    )
