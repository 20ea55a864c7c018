"""What ought to be on the platform, whatever it is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs

from ethora_async.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")


@attrs.frozen
class Row(Generic[T]):
    """A good row: what it describes, and the line it starts on (the header is line 1; else the row's number)."""

    item: T
    line: int


@attrs.frozen
class BadRow:
    """A row that cannot be used: why, and its id where it has one."""

    id: str
    error: InvalidInput


class Source(Protocol[T]):
    """Users (`NewUser`), chats (`NewChat`) or members (pairs of chat and user), row by row."""

    @property
    def name(self) -> str:
        """What messages call it: a path, a pattern, or a database URL without its password."""
        ...

    async def fingerprint(self) -> str:
        """A text that changes whenever the rows do; a password's change included, but never one itself."""
        ...

    def rows(self) -> AsyncGenerator[Row[T] | BadRow, None]:
        """Every row, good or bad, in order; may be called again. Memory does not grow with the source."""
        ...
