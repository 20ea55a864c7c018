from __future__ import annotations

import csv
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from source_helpers import ANN, HEADER, items, json_lines, person, rows

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import ConflictError, InvalidInputError
from ethora_async.sync.importing import import_rows
from ethora_async.sync.sources.formats import USERS
from ethora_async.sync.sources.opening import open_source
from ethora_async.sync.sources.reject_file import RejectFile
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable
    from pathlib import Path

    from ethora_async.records import NewUser


async def reject_bad(location: str | Path, target: Path, **options: Any) -> RejectFile:
    """Every bad row of a source goes into a reject file."""
    source = await open_source(location, USERS, **options)
    async with await RejectFile.open(target, source) as refused:
        async for row in source.rows():
            if isinstance(row, BadRow):
                await refused.add(row, row.error)
    return refused


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_bytes().decode(errors="surrogateescape").splitlines()))


async def test_a_refused_row_is_written_as_it_stood_with_its_place_and_reason(tmp_path: Path) -> None:
    path, target = tmp_path / "p.csv", tmp_path / "bad.csv"
    path.write_text('Shoe,ID,Email,First_Name,Last_Name,Password\n" 44 ",bob,no mail,Bob,"R, y",canary-pass\n')
    refused = await reject_bad(path, target)
    assert refused.count == 1
    header, row = table(target)
    place = ["reject_file", "reject_line", "reject_reason"]
    assert header == [*place, "Shoe", "ID", "Email", "First_Name", "Last_Name", "Password"]
    reason = "email 'no mail' is not a valid e-mail address"
    assert row == [str(path), "2", reason, " 44 ", "bob", "no mail", "Bob", "R, y", "canary-pass"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_repaired_file_is_fed_back_and_the_columns_added_are_passed_over(tmp_path: Path) -> None:
    path, target = tmp_path / "p.csv", tmp_path / "bad.csv"
    path.write_text(HEADER + ANN + "bob,bob.example.com,Bob,Ray\ncyd,cyd@example.com,Cyd\n")
    await reject_bad(path, target)
    # As it is it is refused again, and its own reject file has each added column once.
    again = tmp_path / "again.csv"
    assert (await reject_bad(target, again)).count == 2
    assert again.read_text().partition("\n")[0].count("reject_line") == 1
    text = target.read_text().replace(",bob.example.com", ",bob@example.com").replace(",Cyd\n", ",Cyd,Fox\n")
    target.write_text(text.replace(",Cyd\r\n", ",Cyd,Fox\r\n"))
    assert [user.id for user in await items(target)] == ["bob", "cyd"]
    assert (await open_source(target, USERS)).unused == ()


async def test_rows_that_could_not_be_taken_apart_keep_their_bytes_and_stay_bad_until_repaired(tmp_path: Path) -> None:
    path, target = tmp_path / "p.csv", tmp_path / "bad.csv"
    broken = b'bob,bob@example.com,"Bob"by,Ray\n'
    path.write_bytes(HEADER.encode() + broken + b"cyd,cyd@example.com,C\xffd,Fox\n")
    await reject_bad(path, target)
    assert b"C\xffd" in target.read_bytes()
    assert [isinstance(row, BadRow) for row in await rows(target)] == [True, True]
    header, first, *_ = table(target)
    assert first[3:] == [broken.decode().rstrip()]
    assert len(header) == 7


@pytest.mark.parametrize("surplus", [1, 2, 3])
async def test_a_row_with_too_many_fields_never_passes_for_a_good_one(tmp_path: Path, surplus: int) -> None:
    path, target = tmp_path / "p.csv", tmp_path / "bad.csv"
    path.write_text(HEADER + "x,ann@example.com,Ann,Lee" + ",y" * surplus + "\n")
    (tmp_path / "q.csv").write_text("more,and,still," + HEADER)
    await reject_bad(f"{tmp_path}/[pq].csv", target)
    assert [isinstance(row, BadRow) for row in await rows(target)] == [True]


async def test_json_lines_keep_their_types_and_lines_that_were_none_their_text(tmp_path: Path) -> None:
    path, target = tmp_path / "p.jsonl", tmp_path / "bad.jsonl"
    wrong = person(5, email=7, tags=["a", None], password="canary-pass")
    json_lines(path, [wrong, '{"id": ', person(6)])
    await reject_bad(path, target)
    first, second = map(json.loads, target.read_text().splitlines())
    place = {"reject_file": str(path), "reject_line": 1, "reject_reason": "email must be text, not a whole number"}
    assert first == place | wrong
    assert (second["reject_line"], second["reject_text"]) == (2, '{"id": ')
    target.write_text(json.dumps(first | {"email": "a@b.c"}) + "\n")
    (user,) = await items(target)
    assert (user.id, user.email, user.password.reveal()) == ("5", "a@b.c", "canary-pass")


async def test_nothing_is_written_when_nothing_was_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(HEADER + ANN)
    await reject_bad(tmp_path / "p.csv", tmp_path / "bad.csv")
    assert os.listdir(tmp_path) == ["p.csv"]


async def test_it_appears_whole_at_the_end_even_when_the_work_fails(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(HEADER + "bob,x,Bob,Ray\n" * 450)
    source = await open_source(tmp_path / "p.csv", USERS)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  the block is what is tested
        async with await RejectFile.open(tmp_path / "bad.csv", source) as refused:
            async for row in source.rows():
                assert isinstance(row, BadRow)
                await refused.add(row, row.error)
            assert os.listdir(tmp_path) == ["p.csv"]
            _ = 1 / 0
    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 451
    assert sorted(os.listdir(tmp_path)) == ["bad.csv", "p.csv"]


async def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path, target = tmp_path / "p.csv", tmp_path / "bad.csv"
    path.write_text(HEADER + "bob,x,Bob,Ray\n")
    source = await open_source(path, USERS)
    target.write_text("repaired")
    with pytest.raises(InvalidInputError, match="exists already"):
        await RejectFile.open(target, source)
    target.unlink()
    with pytest.raises(InvalidInputError, match="cannot be written"):  # noqa: PT012  the block is what is tested
        async with await RejectFile.open(target, source) as refused:
            async for row in source.rows():
                assert isinstance(row, BadRow)
                await refused.add(row, row.error)
            target.write_text("somebody else's")
    assert target.read_text() == "somebody else's"
    assert sorted(os.listdir(tmp_path)) == ["bad.csv", "p.csv"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("bad.txt", "must end in .csv or .jsonl"), ("none/bad.jsonl", "No such file"), ("bad.csv", "columns differ")],
)
async def test_a_place_that_will_not_do_is_refused_before_any_row(tmp_path: Path, name: str, words: str) -> None:
    source = await open_source(json_lines(tmp_path / "p.jsonl", [person()]), USERS)
    with pytest.raises(InvalidInputError, match=words):
        await RejectFile.open(tmp_path / name, source)


async def test_an_import_collects_bad_rows_and_what_the_platform_refused(tmp_path: Path) -> None:
    async def picky(users: AsyncIterable[NewUser]) -> AsyncGenerator[Outcome[NewUser], None]:
        async for user in users:
            if user.id == "cyd":
                yield Outcome(user, user.id, "failed", ConflictError("taken"))
            else:
                yield Outcome(user, user.id, "created")

    (tmp_path / "a.csv").write_text(HEADER + ANN + "bob,x,Bob,Ray\n")
    (tmp_path / "b.csv").write_text(HEADER + "cyd,cyd@example.com,Cyd,Fox\n")
    source = await open_source(f"{tmp_path}/*.csv", USERS)
    results: list[tuple[str, int, str]] = []
    async with await RejectFile.open(tmp_path / "bad.jsonl", source) as refused:
        await import_rows(
            source,
            picky,  # type: ignore[arg-type]
            lambda result: results.append((result.file[-5:], result.row, result.status)),
            reject=refused,
        )
    assert sorted(results) == [("a.csv", 2, "created"), ("a.csv", 3, "failed"), ("b.csv", 2, "failed")]
    found = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert sorted((one["id"], one["reject_line"], one["reject_reason"]) for one in found) == [
        ("bob", 3, "email 'x' is not a valid e-mail address"),
        ("cyd", 2, "taken"),
    ]


async def test_rows_of_a_file_carry_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("shoe," + HEADER + " 44," + ANN)
    (row,) = await rows(tmp_path / "p.csv")
    assert isinstance(row, Row)
    assert row.raw == {
        "shoe": " 44", "id": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"
    }  # fmt: skip
    assert "44" not in repr(row)
