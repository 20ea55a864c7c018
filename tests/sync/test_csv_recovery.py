"""After a row that is no CSV, nothing that may be inside its quoted field is read as a row."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources import csv_recovery
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.csv_lines import Lines
from ethora_async.sync.sources.formats import RowFormat
from ethora_async.sync.sources.source import BadRow, Row

FORMAT = RowFormat(required=("id", "title"), optional=("description",), make=dict, multiline=frozenset({"description"}))
HEADER = "id,title,description\n"
AFTER = "c1,One,x\nc2,Two,y\n"


def read(text: str) -> tuple[list[str], list[int], list[str]]:
    """The ids of the rows that are read, the lines that are refused, and what is said of them."""

    async def found() -> tuple[list[str], list[int], list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chats.csv"
            path.write_bytes(text.encode())
            file = await CsvFile.open(path, FORMAT)
            rows = [row async for row in file.rows()]
        bad = [row.error for row in rows if isinstance(row, BadRow)]
        ids = [row.item["id"] for row in rows if isinstance(row, Row)]
        return ids, [error.row or 0 for error in bad], [error.message for error in bad]

    return asyncio.run(found())


@pytest.mark.parametrize(
    "inside",
    [
        'he said "hi"\nevil,Injected,x\nend"\n',
        'the "A" team is\nevil,Injected,x\nhere"\n',
        'he said "hi", then left\nevil,Injected,x\nend"\n',
        'he said "hi"\n"evil","Injected","x"\nend"\n',
        'he said "hi"\n\n"evil","Injected","x"\nand "evil2,Injected,x\nend"\n',
        '5" by 7" by 9"\nevil,Injected,x\nevil2,Injected,x\nend"\n',
        'a\r\nevil,Injected,x\r\nsaid "hi" again\r\nevil2,Injected,x\r\nend"\r\n',
    ],
)
@pytest.mark.parametrize("start", ['b,Two,"', 'b,"'])
def test_the_lines_of_a_broken_field_are_refused_one_by_one_with_the_line_it_begins_on(start: str, inside: str) -> None:
    ids, lines, said = read(HEADER + "a,Zero,w\n" + start + inside + AFTER)
    assert ids == ["a", "c1", "c2"]
    assert lines[0] == 3
    assert "valid CSV" in said[0] or "never ends" in said[0]
    assert len(said) > 1
    assert all("begins on line 3" in text for text in said[1:])


def test_a_file_that_was_cut_off_within_a_field_has_no_rows_there() -> None:
    ids, lines, said = read(HEADER + 'a,Zero,w\nb,Two,"long text\nevil,Injected,x\nand no en')
    assert (ids, lines) == (["a"], [3, 4, 5])
    assert "never ends" in said[0]
    assert "line 3" in said[1]


@pytest.mark.parametrize(
    "broken",
    ['a,"Two"x,w\n', 'a,"5" screen",w\n', 'a,Two,"w\n', 'a,"Two,w\n', 'a,Two,"the "A" team"\n', '"a"a,Two,w"\n'],
)
def test_what_follows_a_stray_mark_is_read_where_every_line_is_a_whole_row(broken: str) -> None:
    ids, lines, _ = read(HEADER + broken + AFTER + '"d","Four","a ""b"" c"\n' + AFTER.replace("c", "e"))
    assert (ids, lines) == (["c1", "c2", "d", "e1", "e2"], [2])


LINES = st.sampled_from(
    ["evil,Injected,x", '"evil","Injected","x"', 'say "hi" to', 'a 5" screen', "text", "", 'x "y", z', "evil,,"]
)


@settings(max_examples=150, deadline=None)
@given(
    before=st.integers(0, 3),
    inside=st.lists(LINES, max_size=6),
    last=st.sampled_from(["end", 'the "end', '"the" end']),
    opening=st.sampled_from(['b,Two,"', 'b,"', '"b","Two","', '"b,Two"x,"']),
    closed=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_no_line_of_an_illegal_field_becomes_a_row(
    before: int, inside: list[str], last: str, opening: str, closed: bool, end: str
) -> None:
    if not closed:
        # Cut off behind what closes the field, and completes its row: nothing tells that there was more.
        inside = [line for line in inside if not line.endswith(", z")]
    good = [f"a{number},Good,w" for number in range(before)]
    broken = opening + end.join(["first", *inside, last])
    text = end.join([HEADER.strip(), *good, broken]) + (f'"{end}c1,One,x{end}c2,Two,y{end}' if closed else "")
    ids, _, _ = read(text)
    assert ids[:before] == [f"a{number}" for number in range(before)]
    assert not [id for id in ids if id.startswith("evil")], text
    if closed:
        assert ids[-2:] == ["c1", "c2"]


def test_the_file_is_read_twice_at_most_however_many_rows_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 500
    text = "id,title\n" + 'a,"One"x\nb,"Two"\n' * rows
    read_ahead = 0
    real = csv_recovery.Recovery._next_line

    def counted(recovery: csv_recovery.Recovery) -> str:
        nonlocal read_ahead
        read_ahead += 1
        return real(recovery)

    monkeypatch.setattr(csv_recovery.Recovery, "_next_line", counted)
    lines = Lines(lambda: io.StringIO(text, newline=""))
    lines.header()
    found = lines.read(4 * rows)
    lines.close()
    assert [row.problem is None for row in found] == [False, True] * rows
    assert read_ahead <= 2 * rows + 2


def test_rows_that_are_broken_within_their_lines_cost_nothing_but_themselves() -> None:
    ids, lines, _ = read(HEADER + 'a,"One"x,w\nb,Two,y\n' * 2 + '"c","Three",z\nd,"Four",9" by 9"\n')
    assert (ids, lines) == (["b", "b", "c", "d"], [2, 4])


def test_a_line_of_many_marks_is_looked_at_once() -> None:
    line = 'a,"b"c' + '","' * 100_000 + "\n"
    text = "id,title\n" + line + 'x","\n' * 10 + "y\n"
    lines = Lines(lambda: io.StringIO(text, newline=""))
    lines.header()
    assert lines.read(100)
    lines.close()


def test_a_broken_header_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "chats.csv"
    path.write_text('id,title,"description\nevil,Injected,x\n')
    with pytest.raises(InvalidInputError, match="header"):
        asyncio.run(CsvFile.open(path, FORMAT))
