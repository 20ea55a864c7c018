"""Many users that were read and checked together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, overload

from ethora_async import codec
from ethora_async.sync.sources.source import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sync.sources.binding import Binding
    from ethora_async.sync.sources.table import RawBlock

T = TypeVar("T")


class PlainUsers(Sequence[Row[T]]):
    """Rows whose texts `NewUser` takes as they are; a `Row` is made on access: a plan needs only the texts.

    Args:
        block: the rows as they were read.
        columns: their texts, by field.
        file: the file's name.
        binding: reads a single row.

    Attributes:
        ids, emails: a column each.
        texts: the texts of each row, by field; a password is never among them.
        lines: the line of each row.
        file: the file's name.
    """

    __slots__ = ("_binding", "_block", "_encoded", "emails", "file", "ids", "lines", "texts")

    def __init__(self, block: RawBlock, columns: Mapping[str, Sequence[str]], file: str, binding: Binding[T]) -> None:
        names = tuple(columns)
        self.ids: Sequence[str] = columns["id"]
        self.emails: Sequence[str] = columns["email"]
        self.texts: Sequence[Mapping[str, str]] = [
            dict(zip(names, texts, strict=True)) for texts in zip(*columns.values(), strict=True)
        ]
        self._encoded: Sequence[str] | None = None
        self.lines: range = range(block.first, block.first + len(block))
        self.file: str = file
        self._block = block
        self._binding = binding

    @property
    def encoded(self) -> Sequence[str]:
        """`texts` as JSON with sorted keys."""
        if self._encoded is None:
            self._encoded = [codec.dumps_sorted(texts).decode() for texts in self.texts]
        return self._encoded

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, place: int) -> Row[T]: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row[T]]: ...
    def __getitem__(self, place: int | slice) -> Row[T] | list[Row[T]]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        item = self._binding.format.make(self.texts[place])
        return Row(item, self.lines[place], self.file, self._block[place].values, self._binding.column_of)
