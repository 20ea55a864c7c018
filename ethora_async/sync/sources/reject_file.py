"""Refused rows collected for repair: fix them, and feed the file back."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Self

from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.binding import REJECT_COLUMNS
from ethora_async.sync.sources.new_file import check_place, put, temporary_text, unwritable
from ethora_async.sync.sources.source import BadRow, Row
from ethora_async.sync.sources.table import guarded
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from types import TracebackType

    from ethora_async.sync.sources.table_source import TableSource

_PLACE = REJECT_COLUMNS[:3]
_TEXT = REJECT_COLUMNS[3]
_OWN = frozenset(REJECT_COLUMNS)
_AT_ONCE = 200
_Refused = tuple[Row[Any] | BadRow, ChatError]
_JSON = (".jsonl", ".ndjson", ".json")


class RejectFile:
    """Takes the refused rows of one source, with ``reject_file``, ``reject_line`` and ``reject_reason`` before them.

    ::

        async with await RejectFile.open("refused.csv", source) as refused:
            ...
            await refused.add(row, row.error)

    The rows stand there under the source's own column names, so that the repaired file is read with the same mapping;
    the columns added here are passed over then. A row that could not be taken apart has its fields (CSV), or its text
    under ``reject_text`` (JSON Lines), as they were: it is refused again until somebody has repaired it.

    The file appears, whole, when the block ends, however it ends, and only if a row was refused; until then what is
    collected has no name on disk. It holds people's data and, where the source has them, **their passwords**, without
    which a repaired row would create a user with another one: its mode is 0600. Nothing is ever overwritten.

    Attributes:
        path: where it will be.
        count: rows taken so far.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] | None) -> None:
        self.path = path
        self.count: int = 0
        self._columns = columns
        self._waiting: list[_Refused] = []
        self._collected: IO[str] | None = None
        self._lock = Lock()

    @classmethod
    async def open(cls, path: str | Path, source: TableSource[Any]) -> RejectFile:
        """Check that it can be written.

        The ending chooses the kind: ``.csv``, or ``.jsonl``, ``.ndjson``, ``.json``. Rows that each have columns of
        their own, as those of JSON Lines, cannot be put into CSV.

        Raises:
            InvalidInputError: there is such a file already, its folder is missing or closed to us, or the ending is
            another.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix != ".csv" and suffix not in _JSON:
            msg = f"{path} cannot take refused rows: its name must end in .csv or {_JSON[0]}"
            raise InvalidInputError(msg, file=str(path))
        if suffix == ".csv" and source.columns is None:
            msg = f"{path} cannot take rows of {source.name}, whose columns differ: name a {_JSON[0]} file"
            raise InvalidInputError(msg, file=str(path))
        await run_blocking(check_place, target)
        if suffix != ".csv":
            return cls(target, None)
        return cls(target, tuple(name for name in source.columns or () if name.lower() not in _OWN))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def add(self, row: Row[Any] | BadRow, error: ChatError) -> None:
        """Take a row and why it was refused, by us or by the platform.

        Raises:
            InvalidInputError: the disk refuses.
        """
        self.count += 1
        self._waiting.append((row, error))
        if len(self._waiting) == _AT_ONCE:
            waiting, self._waiting = self._waiting, []
            await run_blocking(self._write, waiting)

    async def close(self) -> None:
        """Put the file in its place, if it holds anything. Once closed it takes no more.

        Raises:
            InvalidInputError: it cannot be put there.
        """
        waiting, self._waiting = self._waiting, []
        await run_blocking(self._publish, waiting)

    def _write(self, rows: list[_Refused]) -> None:
        with self._lock:
            guarded(partial(self._append, rows), OSError, partial(unwritable, self.path))

    def _publish(self, rows: list[_Refused]) -> None:
        # A cancelled `add` may still be writing in its thread.
        with self._lock:
            guarded(partial(self._append, rows), OSError, partial(unwritable, self.path))
            collected, self._collected = self._collected, None
            if collected is not None:
                with collected:
                    guarded(partial(put, collected, self.path), OSError, partial(unwritable, self.path))

    def _append(self, rows: list[_Refused]) -> None:
        if rows and self._collected is None:
            self._collected = temporary_text(self.path.parent)
            if self._columns is not None:
                csv.writer(self._collected).writerow([*_PLACE, *self._columns])
        for row, error in rows:
            assert self._collected is not None  # noqa: S101  for the type checkers: made above
            if self._columns is not None:
                csv.writer(self._collected).writerow(_csv_fields(row, error, self._columns))
            else:
                self._collected.write(_json_line(row, error))


def _csv_fields(row: Row[Any] | BadRow, error: ChatError, columns: tuple[str, ...]) -> list[str]:
    place = [str(value) for value in _place(row, error)]
    if isinstance(row, BadRow) and row.broken:
        fields = [part.reveal() for part in row.broken]
        # By chance as many as there should be: kept apart by nothing, they would pass for a good row.
        return place + (fields if len(fields) != len(columns) else [",".join(fields)])
    return place + ["" if (value := _plain(row.raw.get(name))) is None else str(value) for name in columns]


def _json_line(row: Row[Any] | BadRow, error: ChatError) -> str:
    record: dict[str, Any] = dict(zip(_PLACE, _place(row, error), strict=True))
    record |= {name: _plain(value) for name, value in row.raw.items() if name.lower() not in _OWN}
    if isinstance(row, BadRow) and row.broken:
        record[_TEXT] = ",".join(part.reveal() for part in row.broken)
    return json.dumps(record, ensure_ascii=False, default=str) + "\n"


def _place(row: Row[Any] | BadRow, error: ChatError) -> tuple[str, int, str]:
    if isinstance(row, Row):
        return row.file or "", row.line, str(error)
    return row.error.file or "", row.error.row or 0, str(error)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value
