"""The wanted state, independent of where it is read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")


@attrs.frozen
class Row(Generic[T]):
    """A valid row.

    Attributes:
        item: the user, chat or membership.
        line: the line it starts on (the header is line 1); in a Parquet file or a database the row's number, from 1.
        file: its file, or the source's name if that is not a file.
        raw: its unchanged fields under the source's own column names; the password is a `Secret`. For a `RejectFile`;
            ignored when rows are compared.
    """

    item: T
    line: int
    file: str | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    _named: Callable[[str | None], str | None] | None = attrs.field(default=None, repr=False, eq=False)

    def column_of(self, field: str | None) -> str | None:
        """Return the source's own name for a field of ours, where it has one."""
        return field if self._named is None else self._named(field)


@attrs.frozen
class BadRow:
    """A row that cannot be used: the error, and its id if it has one.

    Attributes:
        error: its `file`, `row` and `column` give the position, in the source's own names.
        raw: as in `Row`; empty when the row could not be parsed.
        broken: the unchanged fields or text of a row that could not be parsed; it may contain a password anywhere.
    """

    id: str
    error: InvalidInputError
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    broken: tuple[Secret, ...] = attrs.field(default=(), repr=False, eq=False)


class Source(Protocol[T]):
    """Users (`NewUser`), chats (`NewChat`) or members (pairs of chat and user), row by row."""

    @property
    def name(self) -> str:
        """The name in messages: a path, a pattern, or a database URL without its password."""
        ...

    async def fingerprint(self) -> str:
        """Return a text that changes whenever the rows do, including passwords, but reveals no password."""
        ...

    def rows(self) -> AsyncGenerator[Row[T] | BadRow, None]:
        """Yield every row, valid or not, in order; may be called again. Memory use does not grow with the source."""
        ...
