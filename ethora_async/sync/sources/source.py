"""The desired state, whatever it is read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")


@attrs.frozen
class Row(Generic[T]):
    """A good row.

    Attributes:
        item: what it describes.
        line: the line it starts on (the header is line 1); in a Parquet file or a database its number, the first is 1.
        file: the file it stands in, or the source's name when that is no file.
        raw: its fields under the source's own column names, as they stood there; what is read as the password is a
            `Secret`. For a `RejectFile`; two rows are equal whatever is in it.
    """

    item: T
    line: int
    file: str | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)


@attrs.frozen
class BadRow:
    """A row that cannot be used: why, and its id where it has one.

    Attributes:
        error: its `file`, `row` and `column` say where, in the source's own names.
        raw: as in `Row`; empty when the row could not be taken apart.
        broken: then its fields as they stood there, or its text; a password may be anywhere in it.
    """

    id: str
    error: InvalidInputError
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    broken: tuple[Secret, ...] = attrs.field(default=(), repr=False, eq=False)


class Source(Protocol[T]):
    """Users (`NewUser`), chats (`NewChat`) or members (pairs of chat and user), row by row."""

    @property
    def name(self) -> str:
        """What messages call it: a path, a pattern, or a database URL without its password."""
        ...

    async def fingerprint(self) -> str:
        """Return a text that changes whenever the rows do; a password's change included, but never one itself."""
        ...

    def rows(self) -> AsyncGenerator[Row[T] | BadRow, None]:
        """Return every row, good or bad, in order; may be called again. Memory does not grow with the source."""
        ...
