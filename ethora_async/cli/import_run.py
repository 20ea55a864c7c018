"""Import lists into the platform, for ``users import`` and ``demo``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ethora_async.capabilities import LeavesOut
from ethora_async.cli.import_report import Tally
from ethora_async.cli.json_reply import begin_document
from ethora_async.cli.output import errors, shown
from ethora_async.cli.progress import counting
from ethora_async.cli.reject_option import open_rejects, reject_paths, tell_rejected
from ethora_async.cli.runtime import DeliveryCheck
from ethora_async.cli.sources import open_lists
from ethora_async.cli.sync_options import SourceOptions
from ethora_async.errors import ChatError
from ethora_async.sync.importing import RowResult, import_rows
from ethora_async.sync.sources.opening import is_database
from ethora_async.sync.sources.reject_file import RejectFile
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from ethora_async.cli.runtime import SyncClient
    from ethora_async.sync.sources.table_source import TableSource

SHOWN_FAILURES = 20


@attrs.frozen
class ImportStep:
    """One list: its name, the operation that sends its rows, and the file for refused rows."""

    what: str
    source: TableSource[Any]
    start: Callable[[Any], Any]
    reject: RejectFile | None = None


async def import_steps(client: SyncClient, lists: SourceOptions, reject: Path | None = None) -> list[ImportStep]:
    """Open the lists, each checked before the first row of any is sent.

    Raises:
        InvalidInputError: One cannot be read or lacks a column, or `reject` exists already.
    """
    found = (await open_lists(lists, any_ending=True)).sources
    if "users" in found and isinstance(client.users, LeavesOut):
        for field, reason in client.users.left_out.items():
            if field in found["users"].fields:
                errors.print(shown(f"{found['users'].name}: {field}: {reason}"), markup=False)
    starts: dict[str, Callable[[Any], Any]] = {
        "users": client.users.create_many,
        "chats": client.chats.create_many,
        "members": client.chats.grant_many,
    }
    files: dict[str, RejectFile] = {}
    if reject is not None:
        files = await open_rejects(reject_paths(reject, found), found)
    return [ImportStep(name, source, starts[name], files.get(name)) for name, source in found.items()]


async def import_lists(steps: list[ImportStep], tally: Tally) -> None:
    """Import every list in turn, with progress on stderr; record results in `tally` as they come.

    Raises:
        ChatError: The platform cannot be reached or refuses us.
    """
    for step in steps:
        for file in step.source.files:
            tally.begin(file)
        delivery = DeliveryCheck()
        with counting(step.what, await run_blocking(_about, step.source.files)) as steps_done:

            def on_result(
                result: RowResult,
                advance: Callable[[], None] = steps_done.advance,
                note: Callable[[ChatError | None], None] = delivery.note,
            ) -> None:
                tally.add(result)
                note(result.error)
                advance()

            async with AsyncExitStack() as stack:
                if step.reject is not None:
                    await stack.enter_async_context(step.reject)
                await import_rows(step.source, step.start, on_result, reject=step.reject)
        for file in step.source.files:
            tally.end(file)
        if step.reject is not None:
            tell_rejected(step.reject)
        if delivery.failure is not None:
            raise delivery.failure


def print_import_report(tally: Tally, *, as_json: bool) -> None:
    """Print the report on stdout: one JSON object, or lines for people."""
    if as_json:
        begin_document()
        for part in tally.json_parts():
            typer.echo(part, nl=False)
        typer.echo()
        return
    for file in tally.counts:
        typer.echo(f"{Path(file).name}: {tally.summary(file)}")
    files = list(tally.counts)
    for failure in nsmallest(SHOWN_FAILURES, tally.failures(), lambda one: (files.index(one["file"]), one["row"])):
        place = f"{Path(failure['file']).name} line {failure['row']}"
        column = f", {failure['column']}" if failure["column"] else ""
        typer.echo(f"  {place}{column}: {failure['reason']}")
    if tally.failed > SHOWN_FAILURES:
        typer.echo(f"  … and {tally.failed - SHOWN_FAILURES} more; --json lists all")


def _about(files: Sequence[str]) -> int | None:
    """Estimate the number of rows; None if only reading them would tell."""
    if any(is_database(file) or Path(file).suffix.lower() == ".parquet" for file in files):
        return None
    return sum(_lines_below_header(Path(file)) for file in files)


def _lines_below_header(path: Path) -> int:
    ends = Counter[bytes]()
    with suppress(OSError), path.open("rb") as file:
        while block := file.read(1 << 20):
            ends.update({end: block.count(end) for end in (b"\n", b"\r")})
    # CRLF counts in both; a file of an old Mac has CR alone.
    return max(0, max(ends.values(), default=0) - 1)
