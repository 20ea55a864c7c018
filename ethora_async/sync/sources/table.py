"""Raw rows of a file or a database, before they are converted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.redaction import Secret
from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

R = TypeVar("R")


@attrs.define
class RawRow:
    """A raw row.

    Attributes:
        line: the line it starts on, or the row's number, from 1.
        values: its values under their columns' original names, with the types of the file or database.
        problem: why `values` are missing or incomplete; None for a row that could be parsed.
        broken: the unchanged fields or text of a row that could not be parsed.
    """

    line: int
    values: Mapping[str, Any] = attrs.field(repr=False)
    problem: str | None = None
    broken: tuple[Secret, ...] = ()


class RawBlock(Sequence[RawRow]):
    """Rows that could be parsed, on consecutive lines; a `RawRow` is made on access.

    Args:
        first: the line of the first.
        columns: the columns' original names.
        fields: the texts of each row, as many as there are columns.
    """

    __slots__ = ("columns", "fields", "first")

    def __init__(self, first: int, columns: tuple[str, ...], fields: Sequence[Sequence[str]]) -> None:
        self.first: int = first
        self.columns: tuple[str, ...] = columns
        self.fields: Sequence[Sequence[str]] = fields

    def __len__(self) -> int:
        return len(self.fields)

    @overload
    def __getitem__(self, place: int) -> RawRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[RawRow]: ...
    def __getitem__(self, place: int | slice) -> RawRow | list[RawRow]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        return RawRow(self.first + number, dict(zip(self.columns, self.fields[number], strict=True)))


class Reader(Protocol):
    """Reads rows. All calls but `interrupt` come from one thread, and block; the first one opens the source."""

    def columns(self) -> tuple[str, ...] | None:
        """Return the columns' original names; None when every row has its own.

        Raises:
            ConfigError: a library that is needed is not installed.
            InvalidInputError: it cannot be read, or is not a table.
        """
        ...

    def read(self, count: int) -> Sequence[RawRow]:
        """Return the next rows, at most so many; none at the end.

        Raises:
            InvalidInputError: it cannot be read, or not completely; its message and context contain no secret.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """Return notes for the user about how it is read, for example a delimiter that was detected from the header."""
        return ()

    def close(self) -> None:
        """Release everything; never raises."""
        ...

    def interrupt(self) -> None:
        """Interrupt a call in another thread, where that is possible; never raises."""
        return


class Table(Protocol):
    """One file, or one query."""

    @property
    def name(self) -> str:
        """The name in messages, without any secret."""
        ...

    @property
    def counted(self) -> Literal["line", "row"]:
        """The unit that `RawRow.line` counts."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether the rows come in the same order each time."""
        ...

    @property
    def nested(self) -> bool:
        """Whether a value may be an object or a list, with values inside."""
        ...

    def reader(self) -> Reader:
        """Return a reader from the first row on. Opens nothing yet."""
        ...


def guarded(
    work: Callable[[], R],
    kind: type[Exception] | tuple[type[Exception], ...],
    explain: Callable[[Exception], InvalidInputError],
) -> R:
    """Return the result of `work`; replace errors of the given types by the result of `explain`.

    The replacement is raised outside the handler: a driver's error may contain passwords, in its message or in the
    frames of its traceback, and would be the context of ours.
    """
    try:
        return work()
    except (ConfigError, InvalidInputError):
        raise
    except kind as error:
        problem = explain(error)
    raise problem


class Reading:
    """A reader in a separate thread, since a query may take minutes; created by `reading`."""

    def __init__(self, reader: Reader, thread: OwnThread) -> None:
        self._reader = reader
        self._thread = thread

    async def columns(self) -> tuple[str, ...] | None:
        """Return the same as `Reader.columns`."""
        return await self._thread.run(self._reader.columns)

    async def notes(self) -> tuple[str, ...]:
        """Return the same as `Reader.notes`."""
        return await self._thread.run(self._reader.notes)

    async def read(self, count: int) -> Sequence[RawRow]:
        """Return the same as `Reader.read`."""
        return await self._thread.run(self._reader.read, count)


@asynccontextmanager
async def reading(table: Table) -> AsyncGenerator[Reading, None]:
    """Read a table from its beginning.

    However the block is left, the reader is closed in its thread, and a pending call is interrupted.
    """
    thread = OwnThread("ethora-source")
    reader = table.reader()
    try:
        yield Reading(reader, thread)
    finally:
        busy = thread.busy
        closed = thread.finish(reader.close)
        if busy:
            # Closing may take a while, or a round trip to a server: the caller does not wait for it.
            _ = OwnThread("ethora-source-interrupt").finish(reader.interrupt)
        else:
            await closed
