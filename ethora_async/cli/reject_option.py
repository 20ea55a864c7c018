"""``--reject``: collect every rejected row from its source for repair."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.cli.output import errors, shown
from ethora_async.cli.sources import KIND_OF
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.plan.intake import chunks
from ethora_async.sync.sources.binding import REJECT_COLUMNS
from ethora_async.sync.sources.opening import is_database
from ethora_async.sync.sources.reject_file import RejectFile
from ethora_async.sync.sources.source import BadRow, Row
from ethora_async.wording import counted
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from ethora_async.cli.runtime import SyncClient
    from ethora_async.sync.sources.table_source import TableSource
    from ethora_async.sync.store.journal import Journal


_HEAD = 4096
"""The bytes that identify a reject file."""


@attrs.frozen
class Rejects:
    """A reject file for every source; created by `rejects_for`."""

    _files: Mapping[str, Path]
    _sources: Mapping[str, TableSource[Any]]

    async def collect(self, client: SyncClient, journal: Journal) -> None:
        """Read the sources again, and collect the rows that the journal lists as rejected.

        Raises:
            InvalidInputError: a source can no longer be read, or a file cannot be written.
        """
        if not await journal.collect_refused():
            return
        for name, path in self._files.items():
            source = self._sources[name]
            async with AsyncExitStack() as stack:
                file = await stack.enter_async_context(await RejectFile.open(path, source))
                parts = await stack.enter_async_context(aclosing(chunks(source.rows())))
                async for part in parts:
                    await _keep(client, journal, name, part, file, by_line=not is_database(source.name))
            tell_rejected(file)


async def rejects_for(path: Path, sources: Mapping[str, TableSource[Any]]) -> Rejects:
    """Check that the rejected rows can be written, before anything is done.

    Rows of a single source go to `path`; of several sources, each has its own file, with its name before the ending.

    A reject file of an earlier run is renamed to NAME.previous.csv, replacing the one before.

    Raises:
        InvalidInputError: another kind of file has that name, or the file cannot be written.
    """
    files = reject_paths(path, sources)
    await open_rejects(files, sources)
    return Rejects(files, sources)


async def open_rejects(files: Mapping[str, Path], sources: Mapping[str, TableSource[Any]]) -> dict[str, RejectFile]:
    """Open a file for the refused rows of each list; one of an earlier run makes room, see `rejects_for`.

    Raises:
        InvalidInputError: there is another file of that name, it is one of the lists, or none can be written.
    """
    lists = [file for source in sources.values() for file in source.files if not is_database(file)]
    for file in files.values():
        await run_blocking(_check_not_read, file, lists)
    for file in files.values():
        await run_blocking(_set_aside, file)
    return {name: await RejectFile.open(file, sources[name]) for name, file in files.items()}


def reject_paths(path: Path, names: Collection[str]) -> dict[str, Path]:
    """Return the reject file's path for each list."""
    return {name: path if len(names) == 1 else path.with_suffix(f".{name}{path.suffix}") for name in names}


def tell_rejected(file: RejectFile) -> None:
    """Print the paths of the reject files, if there are any."""
    if file.count:
        errors.print(f"{counted(file.count, 'refused row')} for repair: {shown(str(file.path))}", markup=False)


async def _keep(
    client: SyncClient,
    journal: Journal,
    name: str,
    part: list[Row[Any] | BadRow],
    file: RejectFile,
    *,
    by_line: bool,
) -> None:
    good = [(_id(client, name, row), row.file, row.line) for row in part if isinstance(row, Row)]
    reasons = iter(await journal.refused_rows(KIND_OF[name], good, by_line=by_line))
    for row in part:
        if isinstance(row, BadRow):
            await file.add(row, row.error)
        elif (reason := next(reasons)) is not None:
            await file.add(row, ChatError(reason))


def _id(client: SyncClient, name: str, row: Row[Any]) -> str:
    if name == "members":
        chat, user = row.item
        return f"{client.chats.plain_id(chat)}/{client.users.plain_id(user)}"
    return str((client.users if name == "users" else client.chats).plain_id(row.item.id))


def _check_not_read(file: Path, lists: Collection[str]) -> None:
    for one in lists:
        with suppress(OSError):
            if file.samefile(one):
                msg = f"{file} is the list that is read: name another file for refused rows"
                raise InvalidInputError(msg, file=str(file))


def _set_aside(file: Path) -> None:
    if not file.is_file() or file.is_symlink():
        return  # `RejectFile.open` says what is wrong with it, if anything is
    with file.open("rb") as opened:
        ours = REJECT_COLUMNS[2].encode() in opened.read(_HEAD)
    if ours:
        file.replace(file.with_suffix(f".previous{file.suffix}"))
