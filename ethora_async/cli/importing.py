"""Files into the platform: what ``users import`` and ``demo`` share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ethora_async.bulk.outcome import STATUSES
from ethora_async.cli.output import errors
from ethora_async.cli.progress import counting
from ethora_async.cli.runtime import Delivery
from ethora_async.cli.tally import Tally
from ethora_async.errors import ChatError
from ethora_async.sync.csv_file import CsvFile
from ethora_async.sync.formats import CHATS, MEMBERS, USERS
from ethora_async.sync.importing import RowResult, import_rows
from ethora_async_secrets._threads import run_blocking

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.client import EthoraClient

SHOWN_FAILURES = 20

Step = tuple[str, CsvFile[Any], Callable[[Any], Any]]
"""What it is called, the file, and what carries its rows out."""


async def opened(client: EthoraClient, users: Path, chats: Path | None, members: Path | None) -> list[Step]:
    """The files, each checked before the first row of any is sent.

    Raises:
        InvalidInput: one cannot be read or lacks a column.
    """
    steps: list[Step] = [("users", await CsvFile.open(users, USERS), client.users.create_many)]
    if chats is not None:
        steps.append(("chats", await CsvFile.open(chats, CHATS), client.chats.create_many))
    if members is not None:
        steps.append(("members", await CsvFile.open(members, MEMBERS), client.chats.grant_many))
    for _, file, _ in steps:
        for column in file.unused:
            errors.print(f"{file.path}: the column {column!r} is not used", markup=False)
    return steps


async def carry_out(steps: list[Step], tally: Tally) -> None:
    """Import every file in turn, with progress on stderr; results go to `tally` as they come.

    Raises:
        ChatError: the platform cannot be reached or refuses us.
    """
    for what, file, start in steps:
        tally.begin(str(file.path))
        delivery = Delivery()
        with counting(what, await run_blocking(_lines_below_header, file.path)) as steps_done:

            def on_result(
                result: RowResult,
                advance: Callable[[], None] = steps_done.advance,
                note: Callable[[ChatError | None], None] = delivery.note,
            ) -> None:
                tally.add(result)
                note(result.error)
                advance()

            await import_rows(file, start, on_result)
        if delivery.failure is not None:
            raise delivery.failure


def print_report(tally: Tally, *, as_json: bool) -> None:
    """The report: one JSON object on stdout, or lines for people on stdout."""
    if as_json:
        for part in tally.json_parts():
            typer.echo(part, nl=False)
        typer.echo()
        return
    for file, counts in tally.counts.items():
        summary = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        typer.echo(f"{Path(file).name}: {summary or 'no rows'}")
    files = list(tally.counts)
    for failure in nsmallest(SHOWN_FAILURES, tally.failures(), lambda one: (files.index(one["file"]), one["row"])):
        place = f"{Path(failure['file']).name} line {failure['row']}"
        column = f", {failure['column']}" if failure["column"] else ""
        typer.echo(f"  {place}{column}: {failure['reason']}")
    if tally.failed > SHOWN_FAILURES:
        typer.echo(f"  … and {tally.failed - SHOWN_FAILURES} more; --json lists all")


def _lines_below_header(path: Path) -> int:
    ends = Counter[bytes]()
    with suppress(OSError), path.open("rb") as file:
        while block := file.read(1 << 20):
            ends.update({end: block.count(end) for end in (b"\n", b"\r")})
    # CRLF counts in both; a file of an old Mac has CR alone.
    return max(0, max(ends.values(), default=0) - 1)
