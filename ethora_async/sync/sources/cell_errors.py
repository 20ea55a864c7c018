"""Cells of an Excel sheet that show an error, such as ``#N/A``.

calamine reads them as empty, and an empty cell clears a field: a look-up formula that finds nothing must not do that.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ethora_async.sync.sources.values import CellError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile

_BLOCK = 1 << 20
_LONGEST_CELL = 1 << 16
"""Bytes of the sheet that are kept from block to block: more than a cell with an error has."""
_IS_ERROR = b't="e"'
_PLACE = re.compile(rb' r="([A-Z]{1,3})([0-9]{1,7})"')
_SHOWN = re.compile(rb"v>([^<]{1,100})<")


def error_cells(archive: ZipFile, sheet: str) -> dict[int, dict[int, CellError]]:
    """Return what the cells with errors show: by row, from 1, and column, from 0.

    A workbook whose parts do not have the usual names or form has none.
    """
    found: dict[int, dict[int, CellError]] = {}
    part = _part_of(archive, sheet)
    if part is None:
        return found
    with archive.open(part) as file:
        kept = b""
        while block := file.read(_BLOCK):
            data = kept + block
            for column, row, shown in _errors_in(data):
                found.setdefault(row, {})[column] = shown
            kept = data[-_LONGEST_CELL:]  # a cell that is seen twice is noted twice
    return found


def _errors_in(data: bytes) -> Iterator[tuple[int, int, CellError]]:
    at = data.find(_IS_ERROR)
    while at >= 0:
        start, end = data.rfind(b"<", 0, at), data.find(b">", at)
        place = _PLACE.search(data, start, end) if 0 <= start < end else None
        if place is not None and b">" not in data[start:end]:  # and is no text that quotes the attribute
            shown = _SHOWN.search(data, end, data.find(b"</c>", end))
            text = shown[1].decode("utf-8", "replace") if shown else "an error"
            yield _column(place[1]), int(place[2]), CellError(text)
        at = data.find(_IS_ERROR, at + 1)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


def _part_of(archive: ZipFile, sheet: str) -> str | None:
    """Return the name of the sheet's part in the archive."""
    try:
        book, relations = (_tree(archive, name) for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
    except (KeyError, ElementTree.ParseError):
        return None
    ids = [
        value
        for element in book.iter()
        if element.tag.endswith("}sheet") and element.get("name") == sheet
        for name, value in element.items()
        if name.endswith("}id")
    ]
    targets = [element.get("Target", "") for element in relations if element.get("Id") in ids]
    parts = [posixpath.normpath(posixpath.join("/xl", target)).lstrip("/") for target in targets]
    return next((part for part in parts if part in archive.NameToInfo), None)


def _tree(archive: ZipFile, name: str) -> ElementTree.Element:
    data = archive.read(name)
    if b"<!DOCTYPE" in data:  # Excel writes none, and entities could be made to fill the memory
        raise KeyError(name)
    return ElementTree.fromstring(data)  # noqa: S314
