from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sync.sources.formats import RowFormat

HEADER = "id,email,first_name,last_name\n"
ANN = "ann,ann@example.com,Ann,Lee\n"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def rows(path: Path, kind: RowFormat[Any] = USERS) -> list[Row[Any] | BadRow]:
    return [row async for row in (await CsvFile.open(path, kind)).rows()]


async def lines(path: Path, kind: RowFormat[Any] = USERS) -> list[tuple[int | None, str | None]]:
    """Each row's line, and what is wrong with it."""
    return [
        (row.line, None) if isinstance(row, Row) else (row.error.row, row.error.message)
        for row in await rows(path, kind)
    ]


async def bad(path: Path, kind: RowFormat[Any] = USERS) -> BadRow:
    (row,) = [row for row in await rows(path, kind) if isinstance(row, BadRow)]
    return row


async def refused(path: Path, kind: RowFormat[Any] = USERS) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        await CsvFile.open(path, kind)
    return caught.value


# What is accepted


async def test_a_row_becomes_a_user_with_every_field_trimmed_and_the_email_lowered(tmp_path: Path) -> None:
    text = "id,email,first_name,last_name,password,profile_image\n ann , ANN@Example.com , Ann , Lee ,pw-long-1, u \n"
    (row,) = await rows(written(tmp_path, text))
    assert isinstance(row, Row)
    user = row.item
    assert (user.id, user.email, user.first_name, user.last_name) == ("ann", "ann@example.com", "Ann", "Lee")
    assert user.profile_image == "u"
    assert user.password.reveal() == "pw-long-1"
    assert row.line == 2


async def test_an_empty_password_is_none_and_an_empty_picture_clears_it(tmp_path: Path) -> None:
    text = "id,email,first_name,last_name,password,profile_image\nann,ann@example.com,Ann,Lee,, \n"
    (row,) = await rows(written(tmp_path, text))
    assert isinstance(row, Row)
    assert row.item.password is None
    assert row.item.profile_image == ""


async def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    assert await lines(written(tmp_path, b"\xef\xbb\xbf" + (HEADER + ANN).encode())) == [(2, None)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_lines_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    assert await lines(written(tmp_path, (HEADER + "\n" + ANN).replace("\n", end))) == [(3, None)]


async def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    assert await lines(written(tmp_path, (HEADER + ANN).rstrip())) == [(2, None)]


async def test_a_quoted_field_may_hold_commas_quotes_and_lines_and_the_rows_after_it_keep_their_numbers(
    tmp_path: Path,
) -> None:
    text = 'id,title,access,description\nann,Ann,,"Ann\nof, ""Ur""\r\n"\nbob,Bob,nonsense,Ray\n'
    good, wrong = await rows(written(tmp_path, text), CHATS)
    assert isinstance(good, Row)
    assert good.item.description == 'Ann\nof, "Ur"'
    assert good.line == 2
    assert isinstance(wrong, BadRow)
    assert wrong.error.row == 5


async def test_the_header_itself_may_span_lines(tmp_path: Path) -> None:
    text = 'id,email,first_name,last_name,"what they\nlike"\nann,ann@example.com,Ann,Lee,x\n'
    assert await lines(written(tmp_path, text)) == [(3, None)]


async def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    text = HEADER + "\n \n,,,\n" + ANN
    assert await lines(written(tmp_path, text)) == [(5, None)]


async def test_columns_may_stand_in_any_order_and_case_and_others_beside_them(tmp_path: Path) -> None:
    text = "Last_Name, shoe size ,EMAIL,,First_Name,ID\nLee,44,ann@example.com,?,Ann,ann\n"
    file = await CsvFile.open(written(tmp_path, text), USERS)
    (row,) = [row async for row in file.rows()]
    assert isinstance(row, Row)
    assert (row.item.id, row.item.first_name, row.item.last_name) == ("ann", "Ann", "Lee")
    assert file.unused == ("shoe size",)


async def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert await rows(written(tmp_path, HEADER)) == []


async def test_a_file_can_be_read_again(tmp_path: Path) -> None:
    file = await CsvFile.open(written(tmp_path, HEADER + ANN), USERS)
    assert [row async for row in file.rows()] == [row async for row in file.rows()]


# Files that are refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty", "id, email, first_name, last_name"]),
        (b"\xef\xbb\xbf", ["is empty"]),
        ("\n" + HEADER, ["begins with a blank line"]),
        (",,\n", ["begins with a blank line"]),
        ("id,email,first_name\n", ["lacks the column last_name", "line 1"]),
        (HEADER.replace(",", "~"), ["lacks the column id"]),
        (b"id,email,first_name,last_name,\xff\n", ["header", "not UTF-8"]),
        ('id,email,first_name,"last_name\n' + ANN, ["header", "not valid CSV"]),
        ("id,email,ID,first_name,last_name\n", ["the column id more than once"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["header", "not UTF-8"]),
    ],
)
async def test_a_file_that_cannot_be_such_a_list_is_refused_with_its_name_and_the_reason(
    tmp_path: Path, content: str | bytes, words: list[str]
) -> None:
    path = written(tmp_path, content)
    error = await refused(path)
    assert error.file == str(path)
    for word in [str(path), *words]:
        assert word in error.message
    assert "\n" not in error.message


async def test_a_missing_file_a_directory_and_a_pipe_are_refused_with_their_name(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in [
        (tmp_path / "nowhere.csv", "No such file"),
        (tmp_path, "Is a directory"),
        (pipe, "not a regular file"),
        (tmp_path / ("x" * 300), "File name too long"),
        (tmp_path / "a\0b", "null"),
    ]:
        error = await refused(path)
        assert str(path) in error.message
        assert reason in error.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_is_refused_with_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER)
    path.chmod(0)
    assert "Permission denied" in (await refused(path)).message


# Rows that are refused while the others go through


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (b"bob,bob@example.com,Jos\xff,Ray\n", "first_name", ["first_name is not UTF-8"]),
        (b"b\xffb,bob@example.com,Bob,Ray\n", "id", ["id is not UTF-8"]),
        (b"bob,bob@example.com,Bob\n", None, ["3 fields", "the header 4"]),
        (b"bob,bob@example.com,Bob,Ray,x\n", None, ["5 fields", "the header 4"]),
        (b"b\xffb,bob\n", None, ["2 fields"]),
        (b"bob,bob@example.com,B\0b,Ray\n", "first_name", ["NUL"]),
        (b"bob,bob.example.com,Bob,Ray\n", "email", ["'bob.example.com' is not a valid e-mail"]),
        (b"bob,,Bob,Ray\n", "email", ["email is empty"]),
        (b"bob,bob@example.com, ,Ray\n", "first_name", ["first_name is empty"]),
        (b"bob,bob@example.com,Bob,\n", "last_name", ["last_name is empty"]),
        (b",bob@example.com,Bob,Ray\n", "id", ["id is empty"]),
        (b"b ob,bob@example.com,Bob,Ray\n", "id", ["holds a space"]),
        (b"b/ob,bob@example.com,Bob,Ray\n", "id", ["holds /"]),
        (b"b@ob,bob@example.com,Bob,Ray\n", "id", ["holds @"]),
        (b"b\x07b,bob@example.com,Bob,Ray\n", "id", ["control character"]),
        (b'bob,bob@example.com,"Bob"by,Ray\n', None, ["not valid CSV", "double a quotation mark"]),
        (b'bob,bob@example.com,"Bob,Ray\n', None, ["never ends"]),
        (b"bob,bob@example.com," + b"x" * 200_000 + b",Ray\n", None, ["longer than 131072"]),
        (b"ann,other@example.com,Ann,Two\n", "id", ["id 'ann' was already used on line 2"]),
    ],
)
async def test_a_bad_row_is_named_by_line_and_column_and_the_rows_around_it_go_through(
    tmp_path: Path, row: bytes, column: str | None, words: list[str]
) -> None:
    path = written(tmp_path, (HEADER + ANN).encode() + row + b"cyd,cyd@example.com,Cyd,Fox\n")
    first, wrong, last = await rows(path)
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert (last.item.id, last.line) == ("cyd", 4)
    assert isinstance(wrong, BadRow)
    assert (wrong.error.file, wrong.error.row, wrong.error.column) == (str(path), 3, column)
    for word in words:
        assert word in wrong.error.message


async def test_a_stray_quotation_mark_costs_its_own_row_alone(tmp_path: Path) -> None:
    # The mark on line 2 pairs up with the first one of line 4: all between would be one field.
    text = HEADER + 'bob,bob@example.com,"Bob,Ray\n' + ANN + 'cyd,cyd@example.com,"Cyd",Fox\n'
    found = await lines(written(tmp_path, text))
    assert [line for line, _ in found] == [2, 3, 4]
    assert [problem is None for _, problem in found] == [False, True, True]


async def test_a_quotation_mark_that_is_never_closed_costs_its_own_row_alone_in_a_long_file(tmp_path: Path) -> None:
    people = [f"u{number},u{number}@example.com,Ann,Lee\n" for number in range(10_000)]
    text = HEADER + 'bob,bob@example.com,"Bob,Ray\n' + "".join(people)
    found = await lines(written(tmp_path, text))
    assert [line for line, problem in found if problem is not None] == [2]
    assert [line for line, _ in found] == list(range(2, 10_003))


async def test_every_repetition_of_an_id_names_the_line_of_the_first_good_row(tmp_path: Path) -> None:
    text = HEADER + "ann,nonsense,Ann,Lee\n" + ANN + ANN + ANN
    found = await lines(written(tmp_path, text))
    assert found[1] == (3, None)
    assert [problem for _, problem in found[2:]] == ["id 'ann' was already used on line 3"] * 2


async def test_a_bad_row_keeps_its_id_where_that_can_be_read(tmp_path: Path) -> None:
    assert (await bad(written(tmp_path, HEADER + " bob ,x,Bob,Ray\n"))).id == "bob"
    assert (await bad(written(tmp_path, (HEADER + "bob,x,").encode() + b"\xff,Ray\n"))).id == "bob"
    assert (await bad(written(tmp_path, HEADER.encode() + b"\xff,x,Bob,Ray\n"))).id == ""
    assert (await bad(written(tmp_path, HEADER.encode() + b"\xff,x\n"))).id == ""


async def test_a_password_is_in_no_complaint(tmp_path: Path) -> None:
    path = written(tmp_path, "id,email,first_name,last_name,password\nbob,x,Bob,Ray,canary-pass\nb,c,canary-pass\n")
    for row in await rows(path):
        assert isinstance(row, BadRow)
        assert "canary" not in f"{row!r} {row.error!r} {row.error}"


# Chats and members


@pytest.mark.parametrize(
    ("written_access", "access"),
    [("private", "private"), ("public", "public"), (" Public ", "public"), ("", "private")],
)
async def test_a_chat_is_private_unless_its_access_says_public(
    tmp_path: Path, written_access: str, access: str
) -> None:
    (row,) = await rows(written(tmp_path, f"id,title,access\nteam,Team,{written_access}\n"), CHATS)
    assert isinstance(row, Row)
    assert row.item.access == access


async def test_chats_need_no_access_column(tmp_path: Path) -> None:
    (row,) = await rows(written(tmp_path, "id,title,description\nteam,Team,\n"), CHATS)
    assert isinstance(row, Row)
    assert (row.item.access, row.item.description) == ("private", "")


async def test_a_chat_with_another_access_or_without_a_title_is_a_bad_row(tmp_path: Path) -> None:
    wrong = await bad(written(tmp_path, "id,title,access\nteam,Team,secret\n"), CHATS)
    assert (wrong.error.column, wrong.error.row) == ("access", 2)
    assert "private or public" in wrong.error.message
    assert (await bad(written(tmp_path, "id,title\nteam,\n"), CHATS)).error.column == "title"


async def test_members_may_repeat_and_need_both_ids(tmp_path: Path) -> None:
    found = await rows(written(tmp_path, "chat,user\nteam, ann \nteam,ann\n,ann\nteam,\n"), MEMBERS)
    assert [row.item for row in found if isinstance(row, Row)] == [("team", "ann")] * 2
    assert [row.error.column for row in found if isinstance(row, BadRow)] == ["chat", "user"]
