"""Rows as they stand in a file or a database, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.redaction import Secret
from ethora_async_secrets.concurrency import OwnThread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

R = TypeVar("R")


@attrs.frozen
class RawRow:
    """A row as it stands there.

    Attributes:
        line: the line it starts on, or the row's number; the first is 1.
        values: its fields under their columns as they are written there; values as the file or database has them.
        problem: why `values` are none, or not whole; None for a row that could be taken apart.
        broken: then its fields as they stood there, or its text.
    """

    line: int
    values: Mapping[str, Any] = attrs.field(repr=False)
    problem: str | None = None
    broken: tuple[Secret, ...] = ()


class Reader(Protocol):
    """Rows under way. All calls but `interrupt` come from one thread, and block; the first opens what is read."""

    def columns(self) -> tuple[str, ...] | None:
        """Return the columns as they are written there; None when every row has its own.

        Raises:
            ConfigError: a library that is needed is not installed.
            InvalidInputError: it cannot be read, or cannot be a table.
        """
        ...

    def read(self, count: int) -> list[RawRow]:
        """Return the next rows, at most so many; none at the end.

        Raises:
            InvalidInputError: it cannot be read, or no further; no secret is in its text or its context.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what people should know about how it is read, for example a delimiter that was told from the
        header.
        """
        return ()

    def close(self) -> None:
        """Let go of everything; never raises."""
        ...

    def interrupt(self) -> None:
        """Make a call in another thread end soon, where that is possible; never raises."""
        return


class Table(Protocol):
    """One file, or one query."""

    @property
    def name(self) -> str:
        """What messages call it, without any secret."""
        ...

    @property
    def counted(self) -> Literal["line", "row"]:
        """What `RawRow.line` counts."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether the rows come in the same order each time."""
        ...

    def reader(self) -> Reader:
        """Rows from the first on. Opens nothing yet."""
        ...


def guarded(
    work: Callable[[], R],
    kind: type[Exception] | tuple[type[Exception], ...],
    explain: Callable[[Exception], InvalidInputError],
) -> R:
    """Return what `work` returns; an error of this kind becomes what `explain` makes of them.

    It is raised when the other is gone: what a driver raises may hold passwords, in its text or in the frames of its
    traceback, and an error's context gives all that away.
    """
    try:
        return work()
    except (ConfigError, InvalidInputError):
        raise
    except kind as error:
        problem = explain(error)
    raise problem


class Reading:
    """A reader in a thread of its own, since a query may keep one for minutes; made by `reading`."""

    def __init__(self, reader: Reader, thread: OwnThread) -> None:
        self._reader = reader
        self._thread = thread

    async def columns(self) -> tuple[str, ...] | None:
        """As `Reader.columns`."""
        return await self._thread.run(self._reader.columns)

    async def notes(self) -> tuple[str, ...]:
        """As `Reader.notes`."""
        return await self._thread.run(self._reader.notes)

    async def read(self, count: int) -> list[RawRow]:
        """As `Reader.read`."""
        return await self._thread.run(self._reader.read, count)


@asynccontextmanager
async def reading(table: Table) -> AsyncGenerator[Reading, None]:
    """Read a table from its beginning.

    However the block is left, the reader is closed in its thread; a call that nobody waits for any more is interrupted.
    """
    thread = OwnThread("ethora-source")
    reader = table.reader()
    try:
        yield Reading(reader, thread)
    finally:
        busy = thread.busy
        closed = thread.finish(reader.close)
        if busy:
            # It may take a while, or a round trip to a server: nobody is made to wait for that.
            _ = OwnThread("ethora-source-interrupt").finish(reader.interrupt)
        else:
            await closed
