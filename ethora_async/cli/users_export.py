"""Export all users of the platform, in the columns that ``users import`` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ethora_async import codec
from ethora_async.cli.output import errors, print_document, print_json, shown
from ethora_async.cli.runtime import DONE
from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.formats import USERS
from ethora_async.sync.sources.new_file import NewFile
from ethora_async.wording import counted

if TYPE_CHECKING:
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.records import User

COLUMNS = ("id", "email", "first_name", "last_name", "profile_image")


class ExportFormat(StrEnum):
    """The output format of an export."""

    csv = "csv"
    json = "json"
    jsonl = "jsonl"


_ENDINGS = {
    ".csv": ExportFormat.csv,
    ".json": ExportFormat.json,
    ".jsonl": ExportFormat.jsonl,
    ".ndjson": ExportFormat.jsonl,
}


async def export_users(client: ManagesUsers, file: Path | None, wanted: ExportFormat | None, *, as_json: bool) -> int:
    """Write all users but the platform's own to a new file, or to stdout; return the exit code.

    Raises:
        InvalidInputError: The file exists or cannot be written, or the format is unclear.
        ChatError: The platform cannot be reached or refuses the listing.
    """
    form = _format(file, wanted, as_json=as_json)
    count = _Count()
    if file is None and as_json:
        async with aclosing(_records(client, count)) as records:
            await print_document({}, users=(records, _without_none))
        _warn(count)
        return DONE
    async with aclosing(_records(client, count)) as records, _sink(file) as write:
        async for text in _texts(records, form):
            await write(text)
    _warn(count)
    if file is not None:
        if as_json:
            print_json({"file": str(file), "format": form.value, "users": count.all, "not_importable": count.unfit})
        else:
            typer.echo(f"{counted(count.all, 'user')} written to {shown(str(file))}")
    return DONE


@attrs.define
class _Count:
    all: int = 0
    unfit: int = 0
    first: str = ""


def _warn(count: _Count) -> None:
    if count.unfit:
        users = counted(count.unfit, "user")
        errors.print(f"warning: users import would refuse {users}; the first: {shown(count.first)}", markup=False)


def _format(file: Path | None, wanted: ExportFormat | None, *, as_json: bool) -> ExportFormat:
    if file is None and as_json:
        if wanted not in (None, ExportFormat.json):
            msg = f"--json and --format {wanted} contradict each other: leave out one"
            raise InvalidInputError(msg, field="format")
        return ExportFormat.json
    if wanted is not None:
        return wanted
    if file is None:
        return ExportFormat.csv
    by_ending = _ENDINGS.get(file.suffix.lower())
    if by_ending is None:
        msg = f"the ending of {shown(str(file))} is not a known format: use .csv, .json or .jsonl, or pass --format"
        raise InvalidInputError(msg, field="format", file=str(file))
    return by_ending


async def _records(client: ManagesUsers, count: _Count) -> AsyncGenerator[dict[str, str | None], None]:
    reserved = await client.users.reserved()
    async for user in client.users.list():
        if reserved(user):
            continue
        record = _record(client, user)
        count.all += 1
        try:
            USERS.make({name: text or "" for name, text in record.items()})
        except InvalidInputError as error:
            count.unfit += 1
            count.first = count.first or f"{user.id}: {error.message}"
        yield record


def _record(client: ManagesUsers, user: User) -> dict[str, str | None]:
    values = (client.users.plain_id(user.id), user.email, user.first_name, user.last_name, user.profile_image)
    return dict(zip(COLUMNS, values, strict=True))


async def _texts(records: AsyncIterator[dict[str, str | None]], form: ExportFormat) -> AsyncGenerator[str, None]:
    if form is ExportFormat.csv:
        yield _csv_row(COLUMNS)
        async for record in records:
            yield _csv_row(["" if value is None else value for value in record.values()])
        return
    opening = "["
    async for record in records:
        line = codec.dumps(_without_none(record)).decode()
        yield line + "\n" if form is ExportFormat.jsonl else opening + line
        opening = ",\n"
    if form is ExportFormat.json:
        yield "[]\n" if opening == "[" else "]\n"


def _without_none(record: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in record.items() if value is not None}


def _csv_row(fields: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(fields)
    return buffer.getvalue()


@asynccontextmanager
async def _sink(file: Path | None) -> AsyncGenerator[Callable[[str], Any], None]:
    if file is not None:
        async with await NewFile.open(file) as target:
            yield target.write
        return

    async def write(text: str) -> None:
        # Bytes: names may not fit the terminal's encoding, and csv writes its own line ends.
        typer.echo(text.encode("utf-8", "backslashreplace"), nl=False)

    yield write
