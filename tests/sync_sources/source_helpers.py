"""What the tests of sources share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.formats import USERS
from ethora_async.sync.sources.opening import open_source
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ethora_async.sync.sources.formats import RowFormat

HEADER = "id,email,first_name,last_name\n"
ANN = "ann,ann@example.com,Ann,Lee\n"
BOB = "bob,bob@example.com,Bob,Ray\n"


def person(id: Any = "ann", **others: Any) -> dict[str, Any]:
    return {"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee"} | others


def json_lines(path: Path, records: Iterable[Mapping[str, Any] | str]) -> Path:
    """A JSON Lines file; a text is a line as it is."""
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in records))
    return path


async def rows(location: str | Path, kind: RowFormat[Any] = USERS, **options: Any) -> list[Row[Any] | BadRow]:
    return [row async for row in (await open_source(location, kind, **options)).rows()]


async def items(location: str | Path, kind: RowFormat[Any] = USERS, **options: Any) -> list[Any]:
    """What the rows describe, all of which must be good."""
    found = await rows(location, kind, **options)
    assert [row.error for row in found if isinstance(row, BadRow)] == []
    return [row.item for row in found if isinstance(row, Row)]


async def bad(location: str | Path, kind: RowFormat[Any] = USERS, **options: Any) -> BadRow:
    """The one bad row."""
    (row,) = [row for row in await rows(location, kind, **options) if isinstance(row, BadRow)]
    return row


async def refused(location: str | Path, kind: RowFormat[Any] = USERS, **options: Any) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        await open_source(location, kind, **options)
    return caught.value


async def fingerprint(location: str | Path, kind: RowFormat[Any] = USERS, **options: Any) -> str:
    return await (await open_source(location, kind, **options)).fingerprint()
