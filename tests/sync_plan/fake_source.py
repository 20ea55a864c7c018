"""What ought to be on the platform, in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Generic, TypeVar

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

T = TypeVar("T")


class FakeSource(Generic[T]):
    """Rows in memory: good ones, and `BadRow`s among them. The first stands on line 2, as under a CSV file's header.

    `items` may be changed at any time: the fingerprint follows. `reads` counts how often the rows were read to the end.
    """

    def __init__(self, items: Iterable[T | BadRow], name: str = "wanted.csv") -> None:
        self.items: list[T | BadRow] = list(items)
        self.name = name
        self.reads = 0

    async def fingerprint(self) -> str:
        # Not `RowDigest`: the cost at which it hides passwords would be paid for every example.
        digest = hashlib.sha256()
        for item in self.items:
            password = getattr(item, "password", None)
            shown = (item.id, str(item.error)) if isinstance(item, BadRow) else item
            digest.update(f"{shown!r}\n{password.reveal() if password is not None else None!r}\n".encode())
        return f"fake:{digest.hexdigest()}"

    async def rows(self) -> AsyncGenerator[Row[T] | BadRow, None]:
        for line, item in enumerate(self.items, 2):
            yield item if isinstance(item, BadRow) else Row(item, line, self.name)
        self.reads += 1


def bad_row(id: str, line: int, name: str = "wanted.csv", column: str = "email") -> BadRow:
    """A row that cannot be used."""
    return BadRow(id, InvalidInputError(f"{column} is empty", file=name, row=line, column=column))
