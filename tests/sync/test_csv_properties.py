from __future__ import annotations

import asyncio
import csv
import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethora_async.sync.sources import csv_lines
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.csv_lines import CsvRow, Lines
from ethora_async.sync.sources.formats import RowFormat
from ethora_async.sync.sources.source import Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINE_ENDS = re.compile(r"\r\n|\r|\n")
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12) | st.text(
    "a\",;\r\n '", max_size=8
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1, max_size=8)
)
# Up to Python 3.12 the writer leaves a lone CR unquoted unless the line ends hold one.
FORMS = st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)])


def _fields(row: Mapping[str, str]) -> list[str]:
    return list(row.values())


def _write(table: Sequence[Sequence[str]], end: str, quoting: Literal[0, 1]) -> tuple[str, list[int]]:
    """The CSV text, and the line on which each row of it starts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    starts = []
    for row in table:
        starts.append(1 + len(LINE_ENDS.findall(text.getvalue())))
        writer.writerow(row)
    return text.getvalue(), starts


async def _read(content: bytes, names: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        file = await CsvFile.open(
            path, RowFormat(required=names, optional=(), make=_fields, multiline=frozenset(names))
        )
        rows = [row async for row in file.rows()]
    assert all(isinstance(row, Row) for row in rows)
    return [(row.line, row.item) for row in rows if isinstance(row, Row)]


@settings(max_examples=50, deadline=None)
@given(table=TABLES, form=FORMS)
def test_whatever_a_csv_writer_wrote_is_read_back_trimmed_with_the_line_each_row_starts_on(
    table: list[list[str]], form: tuple[str, Literal[0, 1]]
) -> None:
    names = tuple(f"column{number}" for number in range(len(table[0])))
    text, starts = _write([names, *table], *form)
    trimmed = [[field.strip() for field in row] for row in table]
    expected = [(start, row) for start, row in zip(starts[1:], trimmed, strict=True) if any(row)]
    assert asyncio.run(_read(text.encode(), names)) == expected


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=200) | st.text('a,"\r\n', max_size=60).map(str.encode))
def test_any_bytes_below_a_header_end_in_rows_good_or_bad_whose_lines_only_grow(content: bytes) -> None:
    async def lines() -> list[int]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            path.write_bytes(b"first,second\n" + content)
            file = await CsvFile.open(path, RowFormat(required=("first",), optional=("second",), make=_fields))
            return [row.line if isinstance(row, Row) else row.error.row or 0 async for row in file.rows()]

    found = asyncio.run(lines())
    assert found == sorted(set(found))
    assert all(2 <= line <= 2 + len(LINE_ENDS.findall(content.decode("latin-1"))) for line in found)


class _Singly(csv_lines._Source):
    """Gives lines one by one only."""

    def read_block(self) -> str:
        return ""


@settings(deadline=None)
@given(
    text=st.text(st.sampled_from('a,"\r\n é\x00'), max_size=80), block=st.integers(1, 20), longest=st.integers(8, 40)
)
def test_blocks_give_the_rows_that_single_lines_give(text: str, block: int, longest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_lines, "_BLOCK", block)
        patch.setattr(csv_lines, "LONGEST_LINE", longest)
        in_blocks = _all_rows(text)
        patch.setattr(csv_lines, "_Source", _Singly)
        assert in_blocks == _all_rows(text)


def _all_rows(text: str) -> list[CsvRow]:
    lines = Lines(lambda: io.StringIO(text, newline=""))
    header = lines.header()
    return [*([header] if header else []), *lines.read(1000)]
