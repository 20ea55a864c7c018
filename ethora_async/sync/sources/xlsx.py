"""Excel workbooks, read by python-calamine (extra ``sync``)."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.sources.cell_errors import error_cells
from ethora_async.sync.sources.table import RawRow, Reader, guarded
from ethora_async.sync.sources.text_file import GZIP, check_regular, what_it_is

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ethora_async.sync.sources.values import CellError

_LARGEST = 1 << 30
"""Maximum size of an unpacked workbook in bytes."""


@attrs.frozen
class XlsxTable:
    """The first sheet of a workbook that is not hidden, as a table.

    Its first row with a value is the header; rows are numbered as in Excel.

    A sheet is in memory while it is read.
    """

    path: Path
    wanted: tuple[str, ...]
    title: str | None = None
    ordered: bool = True
    nested: bool = False

    @property
    def counted(self) -> Literal["line", "row"]:
        """Rows."""
        return "row"

    @property
    def name(self) -> str:
        """The path as the caller wrote it."""
        return self.title or str(self.path)

    def reader(self) -> Reader:
        """Return a reader of its rows below the header."""
        return _XlsxReader(self)


class _XlsxReader(Reader):
    def __init__(self, table: XlsxTable) -> None:
        self._table = table
        self._name = table.name
        self._columns: tuple[str, ...] | None = None
        self._rows: Iterator[list[Any]] = iter(())
        self._sheet = ""
        self._sheets = 0
        self._errors: Mapping[int, Mapping[int, CellError]] = {}
        self._last = 0

    def columns(self) -> tuple[str, ...]:
        if self._columns is None:
            # calamine is not imported yet, so its errors cannot be named here.
            self._columns = guarded(self._open, Exception, self._unreadable)
        return self._columns

    def notes(self) -> tuple[str, ...]:
        if self._sheets < 2:
            return ()
        return (f"{self._name}: sheet {self._sheet!r} of {self._sheets}; the others are not read",)

    def read(self, count: int) -> list[RawRow]:
        self.columns()
        return guarded(partial(self._read, count), Exception, self._unreadable)

    def close(self) -> None:
        self._rows = iter(())

    def _open(self) -> tuple[str, ...]:
        path = self._table.path
        check_regular(path)
        try:
            from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum
        except ImportError:
            msg = (
                "Excel workbooks are read by python-calamine, which is not installed: pip install 'ethora-async[sync]'"
            )
            raise ConfigError(msg) from None
        self._check_beginning(path)
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > _LARGEST:
                msg = f"{self._name} unpacks to more than {_LARGEST} bytes: save it as CSV"
                raise InvalidInputError(msg, file=self._name)
            workbook = CalamineWorkbook.from_path(str(path))
            sheets = [one for one in workbook.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
            shown = [one for one in sheets if one.visible == SheetVisibleEnum.Visible]
            self._sheets = len(sheets)
            self._sheet = (shown or sheets or workbook.sheets_metadata)[0].name
            self._errors = error_cells(archive, self._sheet)
        self._rows = iter(workbook.get_sheet_by_name(self._sheet).to_python(skip_empty_area=False))
        for row in self._rows:
            self._last += 1
            columns = tuple(_text(value) for value in row)
            if any(columns):
                return columns
        msg = f"{self._name} is empty: its first row must be a header with {', '.join(self._table.wanted)}"
        raise InvalidInputError(msg, file=self._name, row=1)

    def _check_beginning(self, path: Path) -> None:
        with path.open("rb") as file:
            start = file.read(200)
        if start.startswith(b"PK"):
            return
        found = what_it_is(start) if start else "empty"
        if start.startswith(GZIP):
            found = "compressed with gzip (unpack it)"
        if found is None and start.isascii():
            found = "a text file (name it .csv if that is what it holds)"
        if found is not None:
            msg = f"{self._name} is {found}, not an Excel workbook"
            raise InvalidInputError(msg, file=self._name, row=1)

    def _read(self, count: int) -> list[RawRow]:
        rows: list[RawRow] = []
        columns = self.columns()
        for row in self._rows:
            self._last += 1
            values = [None if value == "" else value for value in row]
            for column, shown in self._errors.get(self._last, {}).items():
                if column < len(values):  # further right there is no header
                    values[column] = shown
            if any(value is not None for value in values):
                rows.append(RawRow(self._last, dict(zip(columns, values, strict=False))))
            if len(rows) == count:
                break
        return rows

    def _unreadable(self, error: Exception) -> InvalidInputError:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if getattr(error, "strerror", None):
            reason = str(error.strerror)  # type: ignore[attr-defined]
        where = f" after row {self._last}" if self._last else ""
        msg = f"{self._name} cannot be read as an Excel workbook{where}: {reason}"
        return InvalidInputError(msg, file=self._name, row=self._last or None)


def _text(value: Any) -> str:
    return str(value).strip()
