"""Import the rows of a source; every result names its line."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from ethora_async.bulk.outcome import Outcome, Status
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from ethora_async.bulk.run import Run
    from ethora_async.sync.sources.reject_file import RejectFile
    from ethora_async.sync.sources.source import Source

T = TypeVar("T")


@attrs.frozen
class RowResult:
    """The result of one row: `row` is the line it starts on, or its number; `column` is the invalid one, if any."""

    file: str
    row: int
    id: str
    status: Status
    column: str | None = None
    error: ChatError | None = None

    @property
    def reason(self) -> str | None:
        """The reason for the failure, in one sentence."""
        return str(self.error) if self.error is not None else None


async def import_rows(
    source: Source[T],
    start: Callable[[AsyncIterable[T]], Run[T]],
    on_result: Callable[[RowResult], None],
    *,
    reject: RejectFile | None = None,
) -> None:
    """Import every valid row with `start` (``client.users.create_many``, …), and call `on_result` with each row's
    result.

    Results of invalid rows are reported as they are read, the others as they complete. Memory use does not grow with
    the source: only the rows in progress are kept. `reject` collects the invalid rows and those that the platform
    rejected.

    Raises:
        ChatError: continuing is pointless (see `ethora_async.bulk.Run`); raised after the results of everything that
            was sent.
    """
    under_way: dict[int, Row[T]] = {}

    async def good() -> AsyncGenerator[T, None]:
        async with aclosing(source.rows()) as rows:
            async for row in rows:
                if isinstance(row, BadRow):
                    on_result(_of_bad_row(source, row))
                    if reject is not None:
                        await reject.add(row, row.error)
                else:
                    # The item itself is the key: its outcome returns it, and two rows may be equal.
                    under_way[id(row.item)] = row
                    yield row.item

    # Closed at once: the source holds a file or a connection open.
    async with aclosing(good()) as items, _closing(start(items)) as outcomes:
        async for outcome in outcomes:
            row = under_way.pop(id(outcome.item))
            on_result(_of_outcome(source, outcome, row))
            if reject is not None and outcome.status == "failed" and outcome.error is not None:
                await reject.add(row, outcome.error)


def _closing(run: Run[T]) -> aclosing[AsyncGenerator[Outcome[T], None]]:
    return aclosing(cast("AsyncGenerator[Outcome[T], None]", aiter(run)))


def _of_bad_row(source: Source[Any], row: BadRow) -> RowResult:
    return RowResult(row.error.file or source.name, row.error.row or 0, row.id, "failed", row.error.column, row.error)


def _of_outcome(source: Source[Any], outcome: Outcome[Any], row: Row[Any]) -> RowResult:
    column = row.column_of(outcome.error.field) if isinstance(outcome.error, InvalidInputError) else None
    return RowResult(row.file or source.name, row.line, outcome.key, outcome.status, column, outcome.error)
