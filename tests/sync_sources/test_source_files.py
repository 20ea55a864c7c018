"""JSON Lines, Parquet and patterns of files."""

from __future__ import annotations

import json
import shutil
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from source_helpers import ANN, BOB, HEADER, bad, fingerprint, items, json_lines, person, refused, rows

from ethora_async.errors import ConfigError
from ethora_async.sync.sources.formats import MEMBERS, USERS
from ethora_async.sync.sources.opening import open_source
from ethora_async.sync.sources.source import BadRow, Row
from ethora_async.sync.sources.text_file import LONGEST_LINE
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from pathlib import Path

UUID_TEXT = "6f2d1b3a-0000-4000-8000-000000000001"


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


# JSON Lines


async def test_objects_are_read_with_their_lines_and_blank_lines_counted(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(person(7)).encode() + b"\r\n\n  \n" + json.dumps(person("b")).encode()
    )
    found = await rows(path)
    assert [(row.item.id, row.line) for row in found if isinstance(row, Row)] == [("7", 1), ("b", 4)]


async def test_columns_may_be_written_in_any_case_and_unknown_ones_of_the_first_row_are_told(tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "p.json", [{"ID": "a", "Email ": "a@b.c", "First_Name": "A", "LAST_NAME": "B", "x": []}]
    )
    (user,) = await items(path)
    assert user.email == "a@b.c"
    assert (await open_source(path, USERS)).unused == ("x",)


@pytest.mark.parametrize(
    ("record", "column", "words"),
    [
        (person(email=5), "email", ["email must be text, not a whole number"]),
        (person(first_name=True), "first_name", ["not true or false"]),
        (person(last_name=["x"]), "last_name", ["not a list"]),
        (person(profile_image={}), "profile_image", ["not an object"]),
        (person(password=12345678), "password", ["password must be text, not a whole number"]),
        (person(id=1.5), "id", ["id must be text, an integer or a UUID, not a decimal number"]),
        (person(id=1e30), "id", ["not a decimal number"]),
        (person(id=True), "id", ["not true or false"]),
        (person(email=None), "email", ["email is missing"]),
        ({"id": "ann"}, "email", ["email is missing"]),
        (person() | {"EMAIL": "x"}, "email", ["the column email more than once"]),
        ('{"id": "a\\udcff"}', None, ["not valid JSON", "surrogate"]),
        ('{"id": ', None, ["not valid JSON", "at character"]),
        ('"ann"', None, ["not a JSON object"]),
        ("x" * (LONGEST_LINE + 9), None, [f"longer than {LONGEST_LINE} bytes"]),
    ],
)
async def test_a_bad_line_is_named_by_line_and_column_and_those_around_it_go_through(
    tmp_path: Path, record: Any, column: str | None, words: list[str]
) -> None:
    path = json_lines(tmp_path / "p.ndjson", [person("x1"), record, person("x2")])
    first, wrong, last = await rows(path)
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert (last.item.id, last.line) == ("x2", 3)
    assert isinstance(wrong, BadRow)
    assert (wrong.error.file, wrong.error.row, wrong.error.column) == (str(path), 2, column)
    for word in words:
        assert word in wrong.error.message
    assert "12345678" not in f"{wrong!r}{wrong.error}"


async def test_a_line_that_is_not_utf8_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"id": "\xff"}\n')
    assert "not UTF-8" in (await bad(path)).error.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n  "id": "a"\n}\n', ["over several lines", "jq -c"]),
        ('{"id": "a"}'.encode("utf-16"), ["UTF-16"]),
    ],
)
async def test_a_file_of_json_that_is_no_json_lines_is_refused(
    tmp_path: Path, content: bytes, words: list[str]
) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    error = await refused(path)
    for word in [str(path), *words]:
        assert word in error.message


# Parquet


async def test_parquet_is_read_with_its_types_and_its_rows_numbered_from_one(tmp_path: Path) -> None:
    # A path with a pattern's characters, in a folder that reads like a partition.
    folder = tmp_path / "id=5"
    folder.mkdir()
    path = parquet(
        folder / "a[b]*.parquet", f"SELECT 7 AS chat, '{UUID_TEXT}'::uuid AS \"user\" UNION ALL SELECT NULL, NULL"
    )
    assert (await open_source(path, MEMBERS)).unused == ()
    good, wrong = await rows(path, MEMBERS)
    assert isinstance(good, Row)
    assert (good.item, good.line) == (("7", UUID_TEXT), 1)
    assert isinstance(wrong, BadRow)
    assert (wrong.error.row, wrong.error.column, wrong.error.message) == (2, "chat", "chat is missing")


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense PAR1", b"id,email\n"])
async def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.parquet"
    path.write_bytes(content)
    error = await refused(path)
    assert error.message.startswith(f"{path} cannot be read as Parquet: ")
    assert "\n" not in error.message


async def test_parquet_lacking_a_column_is_refused(tmp_path: Path) -> None:
    error = await refused(parquet(tmp_path / "p.parquet", "SELECT 1 AS chat"), MEMBERS)
    assert "lacks the column user: it must have chat, user" in error.message


async def test_without_duckdb_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "p.parquet", "SELECT 1 AS chat")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigError, match=r"pip install 'ethora-async\[sync\]'"):
        await open_source(path, MEMBERS)


# Patterns


async def test_files_of_a_pattern_are_one_source_in_the_order_of_their_names_of_any_kind(
    tmp_path: Path,
) -> None:
    (tmp_path / "b.csv").write_text(HEADER + ANN)
    (tmp_path / "a.csv").write_text("last_name,first_name,email,id\nRay,Bob,bob@example.com,bob\n")
    json_lines(tmp_path / "c.jsonl", [person("cyd")])
    (tmp_path / "folder.csv").mkdir()
    found = await rows(f"{tmp_path}/*")
    assert [(row.item.id, row.file) for row in found if isinstance(row, Row)] == [
        ("bob", f"{tmp_path}/a.csv"),
        ("ann", f"{tmp_path}/b.csv"),
        ("cyd", f"{tmp_path}/c.jsonl"),
    ]
    assert (await open_source(f"{tmp_path}/*.csv", USERS)).name == f"{tmp_path}/*.csv"


async def test_a_repeated_id_names_both_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + BOB + ANN)
    (tmp_path / "b.csv").write_text(HEADER + "\n" + ANN)
    error = (await bad(f"{tmp_path}/*.csv")).error
    assert (error.file, error.row) == (f"{tmp_path}/b.csv", 3)
    assert error.message == f"id 'ann' was already used in {tmp_path}/a.csv, line 3"


async def test_one_file_of_a_pattern_without_the_columns_refuses_all_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + ANN)
    (tmp_path / "b.csv").write_text("id,email\n")
    assert f"{tmp_path}/b.csv lacks the column first_name" in (await refused(f"{tmp_path}/*.csv")).message


async def test_no_match_and_an_unknown_ending_are_refused(tmp_path: Path) -> None:
    assert (await refused(f"{tmp_path}/*.csv")).message == f"no file matches {tmp_path}/*.csv"
    error = await refused(tmp_path / "people.docx")
    assert "use one of .csv, .tsv, .txt, .jsonl, .ndjson, .json, .parquet, .xlsx" in error.message


async def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "people[1].csv"
    path.write_text(HEADER + ANN)
    assert len(await items(str(path))) == 1
    assert len(await items(path)) == 1


# Fingerprints


@pytest.mark.parametrize("change", ["email", "password", "order", "line", "bad row", "file"])
async def test_the_fingerprint_changes_with_the_rows(tmp_path: Path, change: str) -> None:
    header = "id,email,first_name,last_name,password\n"
    ann, bob = "ann,ann@example.com,Ann,Lee,canary-one\n", "bob,bob@example.com,Bob,Ray,\n"
    before = header + ann + bob + "x,y\n"
    after = {
        "email": before.replace("ann@", "ann2@"),
        "password": before.replace("-one", "-two"),
        "order": header + bob + ann + "x,y\n",
        "line": header + "\n" + ann + bob + "x,y\n",
        "bad row": before.replace("x,y", "x,z"),
        "file": before.replace("bob,", "bo,"),
    }[change]
    path = tmp_path / "p.csv"
    path.write_text(before)
    first = await fingerprint(path)
    path.write_text(after)
    assert await fingerprint(path) != first
    assert "canary" not in first


async def test_a_copy_elsewhere_has_the_same_fingerprint_and_unused_columns_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEADER + ANN)
    (tmp_path / "sub").mkdir()
    copy = tmp_path / "sub" / "q.csv"
    shutil.copy(path, copy)
    assert await fingerprint(path) == await fingerprint(copy)
    copy.write_text("seen," + HEADER + "now," + ANN)
    assert await fingerprint(path) == await fingerprint(copy)


async def test_a_password_enters_the_fingerprint_only_through_scrypt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ethora_async.sync.sources import fingerprint as module

    costs: list[tuple[int, int, int]] = []
    real = module.hashlib.scrypt

    def noted(secret: bytes, **options: Any) -> bytes:
        costs.append((options["n"], options["r"], options["p"]))
        return real(secret, **options)

    monkeypatch.setattr(module.hashlib, "scrypt", noted)
    path = json_lines(tmp_path / "p.jsonl", [person(password="canary-one")])
    first = await fingerprint(path)
    json_lines(path, [person(password="canary-two")])
    second = await fingerprint(path)
    assert costs == [(2**14, 8, 5)] * 2
    # All but the part that went through it is the same.
    assert first.split(":")[:2] == second.split(":")[:2]
    assert first.split(":")[2] != second.split(":")[2]


# Secrets and memory


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
async def test_no_password_is_in_what_rows_print_or_pickle(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"p.{kind}"
    record = person(password="canary-pass")
    wrong = person("b@d", password="canary-pass")
    if kind == "csv":
        lines = [
            ",".join(record),
            ",".join(record.values()),
            ",".join(wrong.values()),
            "x,y,z,v,canary-pass,",
            '"canary-pass"x',
        ]
        path.write_text("\n".join(lines) + "\n")
    elif kind == "jsonl":
        json_lines(path, [record, wrong, '{"password": "canary-pass"', record | {"ID": "x"}])
    else:
        columns = ", ".join(f"'{value}' AS {name}" for name, value in record.items())
        parquet(path, f"SELECT {columns} UNION ALL SELECT '', {columns.partition(', ')[2]}")
    with Canary("canary-pass") as canary:
        source = await open_source(path, USERS)
        found = [row async for row in source.rows()]
        print_of = await source.fingerprint()
    assert len(found) >= 2
    canary.check(source, print_of, *found, *(row.error for row in found if isinstance(row, BadRow)))
    assert any(row.raw["password"].reveal() == "canary-pass" for row in found if "password" in row.raw)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_memory_does_not_grow_with_the_source(tmp_path: Path, kind: str) -> None:
    async def peak(count: int) -> int:
        path = tmp_path / f"{count}.{kind}"
        with path.open("w") as file:
            if kind == "csv":
                file.write(HEADER)
            for number in range(count):
                one = person(f"u{number}")
                file.write((",".join(one.values()) if kind == "csv" else json.dumps(one)) + "\n")
        source = await open_source(path, USERS)
        tracemalloc.start()
        try:
            await source.fingerprint()
            seen = 0
            async for _ in source.rows():
                seen += 1
            assert seen == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = await peak(20_000)
    assert await peak(100_000) < few + 1_000_000
