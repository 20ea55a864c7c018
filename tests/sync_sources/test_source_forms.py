"""The forms in which people's spreadsheets, databases and products write lists."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import tempfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_helpers import ANN, BOB, HEADER, bad, items, json_lines, person, refused, rows

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources import cell_errors
from ethora_async.sync.sources.csv_dialect import named_delimiter
from ethora_async.sync.sources.encoding import named_encoding
from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS
from ethora_async.sync.sources.opening import ReadOptions, open_source
from ethora_async.sync.sources.source import BadRow, Row

CHAT_HEADER = "id,title,access,description\n"

# Delimiters and encodings

WESTERN = "aéèüñß œ’“”–€"
TEXT = st.text(st.sampled_from("abcXYZ 0123;,|'\"" + WESTERN), max_size=12).map(lambda text: f"x{text}x")
WIDE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=12).map(lambda text: f"x{text}x")


def _written(table: list[tuple[str, str]], delimiter: str, encoding: str, quoting: Any, *, said: bool) -> bytes:
    text = io.StringIO(newline="")
    if said:
        text.write(f"sep={delimiter}\r\n")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)
    writer.writerow(("id", "title"))
    writer.writerows((f"c{number}", title) for number, (title, _) in enumerate(table))
    return text.getvalue().encode(encoding)


def _read(content: bytes) -> list[str]:
    async def read() -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chats.csv"
            path.write_bytes(content)
            return [item.title for item in await items(path, CHATS)]

    return asyncio.run(read())


@settings(max_examples=50, deadline=None)
@given(
    table=st.lists(st.tuples(WIDE | TEXT, st.none().map(str)), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    said=st.booleans(),
)
def test_every_delimiter_and_encoding_of_unicode_is_told_by_itself(
    table: list[tuple[str, str]], delimiter: str, encoding: str, quoting: Any, said: bool
) -> None:
    content = _written(table, delimiter, encoding, quoting, said=said)
    assert _read(content) == [title.strip() for title, _ in table]


@settings(max_examples=50, deadline=None)
@given(words=st.lists(st.sampled_from(["José", "Müller", "Zoë’s", "Ægir", "plain", "5 €"]), min_size=1, max_size=9))
def test_windows_1252_is_told_by_its_letters(words: list[str]) -> None:
    content = "id;title\r\n" + "".join(f"c{number};{word}\r\n" for number, word in enumerate(["Anaïs", *words]))
    assert _read(content.encode("cp1252")) == ["Anaïs", *words]


async def test_what_is_unusual_is_stated_and_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes((HEADER + "ann,ann@example.com,Żółć,Lee\n").replace(",", ";").encode("iso-8859-2"))
    source = await open_source(path, USERS, options=ReadOptions(encoding="latin2"))
    assert source.notes == (f"{path}: fields separated by semicolons, encoded in iso8859-2",)
    (user,) = [row async for row in source.rows()]
    assert isinstance(user, Row)
    assert user.item.first_name == "Żółć"
    path.write_text(HEADER + ANN)
    assert (await open_source(path, USERS)).notes == ()
    path.write_text((HEADER + ANN).replace(",", "~"))
    assert len(await items(path, options=ReadOptions(delimiter="~"))) == 1


async def test_cyrillic_is_not_taken_for_windows_1252(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes((HEADER + "ann,ann@example.com,Анна,Lee\n" + BOB).encode("cp1251"))
    assert "--encoding" in (await bad(path)).error.message
    assert [user.first_name for user in await items(path, options=ReadOptions(encoding="cp1251"))] == ["Анна", "Bob"]


@pytest.mark.parametrize("name", ["rot13", "hex", "no-such-thing", "idna", "unicode_escape", "base64", "x" * 99])
def test_what_is_no_encoding_of_files_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="not a known encoding"):
        named_encoding(name)


@pytest.mark.parametrize("text", ["", "ab", '"', "\n", "a", "5"])
def test_what_cannot_separate_fields_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot separate"):
        named_delimiter(text)


async def test_tsv_and_txt_are_read(tmp_path: Path) -> None:
    for name in ("p.tsv", "p.txt"):
        path = tmp_path / name
        path.write_text((HEADER + ANN).replace(",", "\t"))
        assert len(await items(path)) == 1


# Rows


async def test_nothing_inside_a_row_is_read_as_rows(tmp_path: Path) -> None:
    path = tmp_path / "chats.csv"
    inside = "evil,Injected,public,x\n"
    for many in (150, 40_000):
        path.write_text(f'{CHAT_HEADER}a,A,,"{inside * many}"\nb,B,,\n')
        found = await rows(path, CHATS)
        ids = [row.item.id if isinstance(row, Row) else row.error.row for row in found]
        # So many that a field may not be so long: that one row is refused, and nothing of it read.
        assert ids == (["a", "b"] if many == 150 else [2, "b"])


async def test_a_quotation_mark_that_takes_in_the_next_row_costs_those_two(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(HEADER + 'u1,u1@example.com,"Ann,Lee\nu2,u2@example.com,Bob",Ray\n' + ANN)
    wrong, good = await rows(path)
    assert isinstance(wrong, BadRow)
    assert "first_name holds a line break" in wrong.error.message
    assert isinstance(good, Row)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\n", "\r"])
async def test_no_single_line_field_holds_a_control_character(tmp_path: Path, character: str) -> None:
    path = json_lines(tmp_path / "p.jsonl", [person(last_name=f"L{character}ee"), person("b")])
    assert "last_name holds" in (await bad(path)).error.message
    chats = json_lines(tmp_path / "c.jsonl", [{"id": "a", "title": "A", "description": f"x{character}y"}])
    found = await rows(chats, CHATS)
    assert isinstance(found[0], Row if character in "\t\n\r\u2028" else BadRow)


async def test_columns_that_come_twice_matter_only_where_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("n,note,email,first_name,last_name,note\nann,a,ann@example.com,Ann,Lee,b\n")
    assert [user.id for user in await items(path, mapping={"id": "n"})] == ["ann"]
    assert "column note more than once" in (await refused(path, mapping={"id": "n", "profile_image": "note"})).message
    path.write_text("n,email,first_name,last_name,N\nann,ann@example.com,Ann,Lee,b\n")
    assert "column n more than once" in (await refused(path, mapping={"id": "n"})).message


async def test_empty_cells_at_the_end_and_repeated_headers_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,email,first_name,last_name,,\n" + ANN.replace("\n", ",,,,\n") + HEADER[:-1] + ",,\n" + BOB)
    assert [user.id for user in await items(path)] == ["ann", "bob"]
    chats = tmp_path / "c.csv"
    chats.write_text("id,title\na,A\nID,Title\nb,B\n")
    assert [chat.id for chat in await items(chats, CHATS)] == ["a", "b"]


@pytest.mark.parametrize(
    ("written", "read"),
    [('"=""00123"""', "00123"), ("00123", "00123"), ("1e5", "1e5"), ("v1.0.1", "v1.0.1"), ("+1555", "+1555")],
)
async def test_ids_of_spreadsheets_are_unwrapped_where_that_is_certain(tmp_path: Path, written: str, read: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEADER + ANN.replace("ann,", f"{written},", 1))
    assert [user.id for user in await items(path)] == [read]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("'00125", "apostrophe"), ("1.23E+05", "scientific"), ('"1,23E+05"', "scientific"), ("12345.0", "write 12345"),
        ("=A1", "formula"), ("#REF!", "error value"), ("5E-3", "scientific"),
    ],
)  # fmt: skip
async def test_ids_that_a_spreadsheet_spoilt_are_refused_with_the_reason(
    tmp_path: Path, written: str, words: str
) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"chat,user\nteam,ann\nteam,{written}\n")
    wrong = await bad(path, MEMBERS)
    assert (wrong.error.row, wrong.error.column) == (3, "user")
    assert words in wrong.error.message


async def test_whole_numbers_that_tables_keep_with_a_decimal_are_ids(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "m.jsonl", ['{"chat": 7.0, "user": 12345.0}'])
    assert await items(path, MEMBERS) == [("7", "12345")]


async def test_suspicious_values_are_warned_of_once_and_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    text = HEADER + "a,a@example.com,NULL,Lee\nb,b@example.com,NULL,nan\nc,c@example.com,Null,\\N\n"
    path.write_text(text)
    told: list[str] = []
    source = await open_source(path, USERS, on_warning=told.append)
    for _ in range(2):
        assert len([row async for row in source.rows()]) == 3
    assert [text.partition(";")[0] for text in told] == [
        f"{path} line 2: first_name is 'NULL'",
        f"{path} line 3: last_name is 'nan'",
        f"{path} line 4: first_name is 'Null'",
        f"{path} line 4: last_name is '\\\\N'",
    ]


# Files that are something else


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"  <html><body>Log in</body></html>", "a web page"),
        (b"PAR1", "a Parquet file"),
        (b"BZh91AY&SY", "compressed in a format other than gzip"),
        (b"\xfd7zXZ\0\0\x04", "compressed in a format other than gzip"),
        (b"\x28\xb5\x2f\xfd\x24", "compressed in a format other than gzip"),
        (b"%PDF-1.7", "a PDF"),
        (gzip.compress(HEADER.encode(), mtime=0), "compressed with gzip: name it"),
        (b'{"id": "a"}\n', "is JSON, not CSV"),
        (b'[{"id": "a"}]', "is JSON, not CSV"),
        ("\u200bid,email,first_name,last_name\n".encode(), "'\\u200bid' holds an invisible character"),
    ],
)
async def test_a_file_named_csv_is_told_for_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    assert words in (await refused(path)).message


async def test_a_zero_width_character_in_an_id_is_shown_escaped(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEADER + "a\u200bb,a@example.com,Ann,Lee\n", "utf-8")
    message = (await bad(path)).error.message
    assert "\\u200b" in message
    assert "\u200b" not in message


async def test_a_path_that_exists_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "people1.csv").write_text(HEADER + BOB)
    (tmp_path / "people[1].csv").write_text(HEADER + ANN)
    assert [user.id for user in await items(f"{tmp_path}/people[1].csv")] == ["ann"]
    (tmp_path / "people[1].csv").unlink()
    assert [user.id for user in await items(f"{tmp_path}/people[1].csv")] == ["bob"]


async def test_compressed_text_is_read_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "people.csv.gz"
    content = gzip.compress((HEADER + ANN + BOB).encode())
    path.write_bytes(content)
    assert len(await items(path)) == 2
    other = tmp_path / "p.jsonl.gz"
    other.write_bytes(gzip.compress(json.dumps(person()).encode()))
    assert len(await items(other)) == 1
    path.write_bytes(content[:-12])
    assert "gzip data is damaged" in (await refused(path)).message


async def test_a_line_without_end_is_bounded_in_memory(tmp_path: Path) -> None:
    size = 16_000_000
    for middle in ("x" * size, '"' + "x" * size):
        path = tmp_path / "p.csv"
        path.write_text(HEADER + ANN + "bob,bob@example.com," + middle + ",Ray\n" + BOB.replace("bob", "cyd"))
        tracemalloc.start()
        try:
            found = await rows(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert [isinstance(row, Row) for row in found] == [True, False, True]
        assert peak < size


# Excel, JSON arrays and nested fields


def workbook(path: Path, table: list[list[Any]], *, sheets: int = 1) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in table:
        sheet.append(row)
    for number in range(1, sheets):
        book.create_sheet(f"More {number}")
    book.save(path)
    return path


async def test_a_workbook_is_read_from_its_first_sheet(tmp_path: Path) -> None:
    table: list[list[Any]] = [["chat", "user", None], ["team", 7], [], ["team", "00123"], ["team", True]]
    path = workbook(tmp_path / "m.xlsx", table, sheets=3)
    source = await open_source(path, MEMBERS)
    found = [row async for row in source.rows()]
    assert [(row.item, row.line) for row in found if isinstance(row, Row)] == [
        (("team", "7"), 2), (("team", "00123"), 4),
    ]  # fmt: skip
    assert [row.error.row for row in found if isinstance(row, BadRow)] == [5]
    assert source.notes == (f"{path}: sheet 'Sheet' of 3; the others are not read",)


@pytest.mark.parametrize("before", [0, 50])
async def test_a_cell_that_shows_an_error_is_no_empty_one(
    before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty cell clears a field on the platform, and a look-up that finds nothing must not."""
    monkeypatch.setattr(cell_errors, "_BLOCK", 100)
    monkeypatch.setattr(cell_errors, "_LONGEST_CELL", 300)
    book = openpyxl.Workbook()
    other, sheet = book.active, book.create_sheet("P&ople")
    assert other is not None
    other.sheet_state = "hidden"
    other.append(["#REF!"])
    sheet.append(["note", "id", "email", "first_name", "last_name"])
    for number in range(before):
        sheet.append(['t="e" r="B2"', f"u{number}", f"u{number}@example.com", "Ann", "Lee"])
    sheet.append(["#N/A", "ann", "ann@example.com", "Ann", "Lee"])
    sheet.append(["", "bob", "bob@example.com", "Bob", "#N/A"])
    sheet.append(["", "#DIV/0!", "eve@example.com", "Eve", "Lee"])
    book.save(tmp_path / "u.xlsx")
    found = [row async for row in (await open_source(tmp_path / "u.xlsx", USERS)).rows()]
    assert len([row for row in found if isinstance(row, Row)]) == before + 1  # `note` is not read
    told = [(row.error.row, row.error.field, str(row.error)) for row in found if isinstance(row, BadRow)]
    assert [one[:2] for one in told] == [(before + 3, "last_name"), (before + 4, "id")]
    assert "last_name shows #N/A" in told[0][2]
    assert "id shows #DIV/0!" in told[1][2]


async def test_a_cell_with_an_error_and_nothing_else_may_stand_anywhere(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["chat", "user"], ["team", "ann"]):
        book.active.append(row)
    book.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain, zipfile.ZipFile(tmp_path / "m.xlsx", "w") as edited:
        for name in plain.namelist():
            far = b'<c r="XFD2" t="e"/></row><row r="9999999"><c r="A9999999" t="e"/></row></sheetData>'
            edited.writestr(name, plain.read(name).replace(b"</row></sheetData>", far))
    source = await open_source(tmp_path / "m.xlsx", MEMBERS)
    assert [row.item async for row in source.rows() if isinstance(row, Row)] == [("team", "ann")]


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
async def test_a_hidden_sheet_and_a_chart_before_the_list_are_not_read(state: str, tmp_path: Path) -> None:
    """Excel shows neither as the first table: look-up lists hide in front, and a chart has no rows."""
    book = openpyxl.Workbook()
    hidden = book.active
    assert hidden is not None
    hidden.append(["chat", "user"])
    hidden.append(["old", "old"])
    hidden.sheet_state = state
    book.create_chartsheet("Chart", 0)
    shown = book.create_sheet("People")
    shown.append(["chat", "user"])
    shown.append(["team", "ann"])
    book.active = 2
    book.save(tmp_path / "m.xlsx")
    source = await open_source(tmp_path / "m.xlsx", MEMBERS)
    assert [row.item async for row in source.rows() if isinstance(row, Row)] == [("team", "ann")]
    assert source.notes == (f"{tmp_path / 'm.xlsx'}: sheet 'People' of 2; the others are not read",)


async def test_a_broken_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    path.write_bytes(b"PK\x03\x04nonsense")
    assert "cannot be read as an Excel workbook" in (await refused(path)).message
    assert "is empty" in (await refused(workbook(path, []))).message


WRAPPED = [
    lambda people: json.dumps(people),
    lambda people: json.dumps(people, indent=2),
    lambda people: json.dumps({"users": people, "count": 2}),
    lambda people: json.dumps({"ok": True, "items": people}, indent=1),
    lambda people: "\ufeff" + json.dumps(people),
]


@pytest.mark.parametrize("form", WRAPPED)
async def test_json_arrays_are_read_at_the_top_or_inside_an_object(tmp_path: Path, form: Any) -> None:
    path = tmp_path / "p.json"
    path.write_text(form([person("a"), person(7) | {"name": {"first": "Bo"}}]), "utf-8")
    assert [user.id for user in await items(path)] == ["a", "7"]


async def test_nested_fields_are_read_by_their_path(tmp_path: Path) -> None:
    record = {"key": {"id": 7}, "mails": [{"address": "a@example.com"}], "name": {"First": "Ann", "last": "Lee"}}
    mapping = {"id": "key.id", "email": "mails.0.address", "first_name": "name.first", "last_name": "name.last"}
    for text in (json.dumps(record), json.dumps([record])):
        path = tmp_path / "p.json"
        path.write_text(text)
        (user,) = await items(path, mapping=mapping)
        assert (user.id, user.email, user.first_name) == ("7", "a@example.com", "Ann")
    wrong = await bad(path, mapping=mapping | {"email": "mails[1].address"})
    assert wrong.error.message == "email is missing"


@pytest.mark.parametrize("text", ['{"id": "a", "id": "b"}', '[{"id": "a", "x": {"k": 1, "k": 2}}]'])
async def test_a_doubled_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    assert "more than once" in (await bad(path)).error.message


async def test_an_array_that_breaks_off_is_told_with_the_row(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([person("a"), person("b")])[:-20])
    with pytest.raises(InvalidInputError, match="cannot be read as JSON"):
        await rows(path)


@pytest.mark.parametrize("digits", [640, 641, 4_301, 70_000])
@pytest.mark.parametrize("before", [0, 65_530, 65_000])
async def test_a_number_too_long_for_python_is_refused_wherever_it_stands(
    digits: int, before: int, tmp_path: Path
) -> None:
    """The C library behind ijson crashes the process at an integer that Python refuses to make."""
    place = tmp_path / "people.json"
    place.write_text(f'[{json.dumps(person())},{" " * before}{json.dumps(person("b"))[:-1]},"n":{"9" * digits}}}]')
    if digits == 640:
        assert [one.id for one in await items(place)] == ["ann", "b"]
        return
    with pytest.raises(InvalidInputError, match="a number has more than 640 digits"):
        await items(place)


@pytest.mark.parametrize("levels", [98, 99, 70_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"[{":', "}")])
@pytest.mark.parametrize(
    "before", ["", " " * 65_500, '"n":"' + '[\\"{' * 13_099 + '\\\\",', '"n":"' + "\\\\" * 32_760 + '",']
)
async def test_an_array_is_nested_at_most_a_hundred_levels(
    levels: int, brackets: tuple[str, str], before: str, tmp_path: Path
) -> None:
    """ijson builds a path for every open value: 100 kB of brackets made it take 22 GB, and the kernel ended it."""
    place = tmp_path / "people.json"
    deep = brackets[0] * levels + "1" + brackets[1] * levels
    place.write_text(f'[{json.dumps(person())},{{{before}"deep":{deep},{json.dumps(person("b"))[1:]}]')
    if levels == 98:
        assert [one.id for one in await items(place)] == ["ann", "b"]
        return
    with pytest.raises(InvalidInputError, match="nested deeper than 100 levels"):
        await items(place)


async def test_brackets_alone_are_refused_in_an_object_over_lines_too(tmp_path: Path) -> None:
    place = tmp_path / "people.json"
    place.write_text('{\n"a": ' + '{"a":' * 70_000)
    with pytest.raises(InvalidInputError, match="nested deeper than 100 levels"):
        await items(place)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old Excel workbook, or one with a password"),
        (b"id,email\nann,ann@example.com\n", "a text file (name it .csv"),
        (b"<html><body>Log in</body></html>", "a web page"),
        (b"\x1f\x8b\x08rest", "compressed with gzip (unpack it)"),
        (b"PAR1rest", "a Parquet file"),
        (b"", "empty"),
    ],
)
async def test_what_is_no_workbook_is_named_for_what_it_is(content: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        await open_source(path, MEMBERS)
    assert f"{path} is {found}" in caught.value.message
    assert caught.value.message.endswith(", not an Excel workbook")


async def test_another_workbook_format_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "m.XLS"
    path.write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(InvalidInputError, match=r"save this workbook as \.xlsx"):
        await open_source(path, MEMBERS)
