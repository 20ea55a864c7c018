"""A file's rows carried out, each result named by its line."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ethora_async.bulk.outcome import Outcome, Status
from ethora_async.errors import ChatError, InvalidInput
from ethora_async.sync.source import BadRow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from ethora_async.bulk.run import Run
    from ethora_async.sync.csv_file import CsvFile

T = TypeVar("T")


@attrs.frozen
class RowResult:
    """What became of one row. `row` is the line it starts on; `column` the one at fault, where one is."""

    file: str
    row: int
    id: str
    status: Status
    column: str | None = None
    error: ChatError | None = None

    @property
    def reason(self) -> str | None:
        """Why it failed, in one sentence."""
        return str(self.error) if self.error is not None else None


async def import_rows(
    file: CsvFile[T], start: Callable[[AsyncIterable[T]], Run[T]], on_result: Callable[[RowResult], None]
) -> None:
    """Carry out every good row by `start` (``client.users.create_many``, …); `on_result` is told what became of each
    row.

    Bad rows are told as they are read, the others as they are done. Memory does not grow with the file: only the rows
    under way are kept.

    Raises:
        ChatError: going on is pointless (see `ethora_async.bulk.Run`); raised after the results of all that was sent.
    """
    lines: dict[int, int] = {}

    async def good() -> AsyncGenerator[T, None]:
        async with aclosing(file.rows()) as rows:
            async for row in rows:
                if isinstance(row, BadRow):
                    on_result(_of_bad_row(file, row))
                else:
                    # The item itself is the key: it comes back in its outcome, and two rows may be equal.
                    lines[id(row.item)] = row.line
                    yield row.item

    async for outcome in start(good()):
        on_result(_of_outcome(file, outcome, lines.pop(id(outcome.item))))


def _of_bad_row(file: CsvFile[Any], row: BadRow) -> RowResult:
    return RowResult(str(file.path), row.error.row or 0, row.id, "failed", row.error.column, row.error)


def _of_outcome(file: CsvFile[Any], outcome: Outcome[Any], line: int) -> RowResult:
    column = outcome.error.field if isinstance(outcome.error, InvalidInput) else None
    return RowResult(str(file.path), line, outcome.key, outcome.status, column, outcome.error)
