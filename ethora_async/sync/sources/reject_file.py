"""Collect rejected rows for repair: fix them, and import the file."""

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
from ethora_async.sync.sources.new_file import check_place, discard, put, temporary_text, unwritable
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
    """Collects the rejected rows of one source, with ``reject_file``, ``reject_line`` and ``reject_reason`` prepended.

    ::

        async with await RejectFile.open("refused.csv", source) as refused:
            ...
            await refused.add(row, row.error)

    The rows keep the source's own column names, so that the repaired file is read with the same mapping; the added
    columns are then ignored. A row that could not be parsed keeps its fields (CSV), or its text under ``reject_text``
    (JSON Lines), unchanged: it is rejected again until it has been repaired.

    The complete file appears when the block ends, with or without an error, and only if a row was rejected and the disk
    took all of them; until then its content has no name on disk. It contains personal data and, if the source has them,
    **passwords**, without which a repaired row would create a user with another password: its mode is 0600. An existing
    file is never overwritten.

    Attributes:
        path: the file's path.
        count: number of rows so far.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] | None) -> None:
        self.path = path
        self.count: int = 0
        self._columns = columns
        self._waiting: list[_Refused] = []
        self._collected: IO[str] | None = None
        self._failed = False
        self._lock = Lock()

    @classmethod
    async def open(cls, path: str | Path, source: TableSource[Any]) -> RejectFile:
        """Check that the file can be written.

        The ending selects the format: ``.csv``, or ``.jsonl``, ``.ndjson``, ``.json``. Rows with columns that differ,
        such as those of JSON Lines, cannot be written as CSV.

        Raises:
            InvalidInputError: the file exists, its folder is missing or not writable, or the ending is unknown.
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
        """Add a row and the reason for which it was rejected, locally or by the platform.

        Raises:
            InvalidInputError: the disk cannot be written.
        """
        self.count += 1
        self._waiting.append((row, error))
        if len(self._waiting) == _AT_ONCE:
            waiting, self._waiting = self._waiting, []
            await run_blocking(self._write, waiting)

    async def close(self) -> None:
        """Write the file to its path, if it has rows. No row can be added afterwards.

        Raises:
            InvalidInputError: the file cannot be written.
        """
        waiting, self._waiting = self._waiting, []
        await run_blocking(self._publish, waiting)

    def _write(self, rows: list[_Refused]) -> None:
        with self._lock:
            self._append_or_discard(rows)

    def _append_or_discard(self, rows: list[_Refused]) -> None:
        if self._failed:
            return
        try:
            guarded(partial(self._append, rows), OSError, partial(unwritable, self.path))
        except InvalidInputError:
            # Half a row, repaired and fed back, would pass for a whole one.
            self._failed = True
            if self._collected is not None:
                discard(self._collected)
                self._collected = None
            raise

    def _publish(self, rows: list[_Refused]) -> None:
        # A cancelled `add` may still be writing in its thread.
        with self._lock:
            self._append_or_discard(rows)
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
        if self._collected is not None:
            self._collected.flush()  # a full disk shows here, and not in what comes later


def _csv_fields(row: Row[Any] | BadRow, error: ChatError, columns: tuple[str, ...]) -> list[str]:
    place = [str(value) for value in _place(row, error)]
    if isinstance(row, BadRow) and row.broken:
        fields = [part.reveal() for part in row.broken]
        # It happens to have the expected number of fields: without a mark it would pass for a valid row.
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
