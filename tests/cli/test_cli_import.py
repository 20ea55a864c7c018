from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from cli_helpers import people

from ethora_async.cli.import_report import Tally
from ethora_async.cli.import_run import print_import_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_helpers import Cli

    from ethora_async.sandbox import EthoraSandbox

    Csv = Callable[[str, str], str]

HEADER = "id,email,first_name,last_name\n"


def place(failure: dict[str, Any]) -> tuple[int, str | None, str]:
    return failure["row"], failure["column"], failure["id"]


def test_everyone_is_created_and_exists_when_imported_again(cli: Cli, csv: Csv, sandbox: EthoraSandbox) -> None:
    path = csv("people.csv", people(250))
    first = cli("users", "import", path, "--json")
    assert first.code == 0
    assert first.json == {
        "counts": {"created": 250},
        "files": [{"file": path, "counts": {"created": 250}}],
        "failures": [],
    }
    assert cli("users", "import", path, "--json").json["counts"] == {"existed": 250}
    assert len(sandbox.store.app(sandbox.app_id).users) == 251


def test_somebody_who_is_there_already_is_not_updated(cli: Cli, csv: Csv) -> None:
    cli("users", "import", csv("a.csv", HEADER + "ann,ann@example.com,Ann,Lee\n"))
    cli("users", "import", csv("b.csv", HEADER + "ann,ann@example.com,Anna,Leigh\n"))
    assert cli("users", "get", "ann").stdout == "ann\tann@example.com\tAnn Lee\n"


def test_bad_rows_are_named_the_good_ones_go_through_and_the_exit_code_is_1(cli: Cli, csv: Csv) -> None:
    rows = [
        "ann,ann@example.com,Ann,Lee",
        "bob,bob.example.com,Bob,Ray",
        'cyd,cyd@example.com,"Cyd\nthe second",Fox',
        "dan,dan@example.com,Dan",
        "ann,ann2@example.com,Ann,Two",
        "eve,eve@example.com,Eve,Kay",
        "flo,EVE@example.com,Flo,Jay",
        "gus,gus@example.com,G,Hay",
    ]
    path = csv("people.csv", HEADER + "\n".join(rows) + "\n")
    result = cli("users", "import", path, "--json")
    assert result.code == 1
    assert result.json["counts"] == {"created": 2, "failed": 6}
    failures = {failure["row"]: failure for failure in result.json["failures"]}
    assert {failure["file"] for failure in failures.values()} == {path}
    assert sorted(map(place, failures.values())) == [
        (3, "email", "bob"),
        (4, "first_name", "cyd"),
        (6, None, "dan"),
        (7, "id", "ann"),
        (9, None, "flo"),
        (10, None, "gus"),
    ]
    assert "already used on line 2" in failures[7]["reason"]
    assert "belongs to another user" in failures[9]["reason"]
    assert "at least 2 characters" in failures[10]["reason"]


def test_the_report_for_people_has_counts_and_failures_in_the_order_of_the_file(cli: Cli, csv: Csv) -> None:
    path = csv("people.csv", HEADER + "ann,ann@example.com,A,Lee\nbob,bad,Bob,Ray\ncyd,cyd@example.com,Cyd,Fox\n")
    result = cli("users", "import", path)
    summary, first, second = result.stdout.splitlines()
    assert summary == "people.csv: 1 created, 2 failed"
    assert first.startswith('  people.csv line 2: "firstName" length')
    assert second == "  people.csv line 3, email: email 'bad' is not a valid e-mail address"
    assert result.stderr == "users: 3 done\n"


def test_a_long_list_of_failures_is_cut_for_people_and_whole_in_json(cli: Cli, csv: Csv) -> None:
    path = csv("people.csv", HEADER + "x,bad,Ann,Lee\n" * 30)
    assert cli("users", "import", path).stdout.splitlines()[-1] == "  … and 10 more; --json lists all"
    assert len(cli("users", "import", path, "--json").json["failures"]) == 30


def test_a_reason_that_quotes_a_field_without_end_is_cut_short(cli: Cli, csv: Csv) -> None:
    path = csv("people.csv", HEADER + f"ann,{'x' * 100_000},Ann,Lee\n")
    result = cli("users", "import", path, "--json")
    assert result.json["failures"][0]["reason"] == "email is longer than 254 characters"
    assert len(result.stdout) < 1_000
    path = csv("rooms.csv", f"id,title,access\nroom,Room,{'x' * 100_000}\n")
    result = cli("plan", "--chats", path, "--json")
    assert result.json["problems"][0]["reason"].endswith("…")
    assert len(result.stdout) < 2_000


def test_a_list_without_rows_is_done_and_says_so(cli: Cli, csv: Csv) -> None:
    path = csv("people.csv", HEADER)
    assert cli("users", "import", path, "--json").json == {
        "counts": {},
        "files": [{"file": path, "counts": {}}],
        "failures": [],
    }
    result = cli("users", "import", path)
    assert (result.code, result.stdout) == (0, "people.csv: no rows\n")


def test_a_list_that_was_interrupted_at_its_beginning_is_not_called_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Tally() as tally:
        for file in ("empty.csv", "long.csv"):
            tally.begin(file)
        tally.end("empty.csv")
        print_import_report(tally, as_json=False)
    assert capsys.readouterr().out == "empty.csv: no rows\nlong.csv: no row was done\n"


def test_chats_and_members_follow_the_users(cli: Cli, csv: Csv) -> None:
    chats = csv(
        "chats.csv", "id,title,access\nteam,The Team,\nopen,For All,public\nbad,,\nodd,Odd,secret\nteam,Again,\n"
    )
    members = csv("members.csv", "chat,user\nteam,u1\nteam,u2\nopen,u1\nopen,nobody\nnowhere,u1\nteam,@\n,u1\n")
    args = ("users", "import", csv("people.csv", people(2)), "--chats", chats, "--members", members, "--json")
    result = cli(*args)
    assert result.code == 1
    assert [one["counts"] for one in result.json["files"]] == [
        {"created": 2},
        {"created": 2, "failed": 3},
        {"created": 3, "failed": 4},
    ]
    failures = result.json["failures"]
    assert sorted(map(place, (one for one in failures if one["file"] == chats))) == [
        (4, "title", "bad"),
        (5, "access", "odd"),
        (6, "id", "team"),
    ]
    assert sorted(map(place, (one for one in failures if one["file"] == members))) == [
        (5, None, "open/nobody"),
        (6, None, "nowhere/u1"),
        (7, "user", "team/@"),
        (8, "chat", ""),
    ]
    assert [user["id"] for user in cli("users", "list", "--chat", "open", "--json").json["users"]] == ["u1"]
    assert cli(*args).json["files"][1]["counts"] == {"existed": 2, "failed": 3}


@pytest.mark.parametrize("option", ["--chats", "--members"])
@pytest.mark.parametrize("content", ["", "nonsense\n"])
def test_every_file_is_checked_before_the_first_row_of_any_is_sent(
    cli: Cli, csv: Csv, sandbox: EthoraSandbox, option: str, content: str
) -> None:
    second = csv("second.csv", content)
    result = cli("users", "import", csv("people.csv", people(3)), option, second, "--json")
    assert result.is_only_an_error(2)
    assert result.stderr.startswith(f"error: {second} ")
    assert not sandbox.requests


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_not_there_or_is_a_directory_is_exit_code_2(cli: Cli, tmp_path: Path, name: str) -> None:
    result = cli("users", "import", str(tmp_path / name))
    assert (result.code, result.stdout) == (2, "")
    assert f"error: {tmp_path / name} cannot be read: " in result.stderr


def test_columns_that_are_not_used_are_told(cli: Cli, csv: Csv) -> None:
    path = csv("people.csv", "id,email,first_name,last_name,shoe_size\nann,ann@example.com,Ann,Lee,44\n")
    result = cli("users", "import", path, "--json")
    assert result.code == 0
    assert f"{path}: the column 'shoe_size' is not used" in result.stderr


def test_a_file_whose_name_is_not_utf_8_is_imported_and_reported(cli: Cli, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")
    with open(path, "w") as file:
        file.write(HEADER + "ann,bad,Ann,Lee\n")
    result = cli("users", "import", path, "--json")
    assert result.code == 1
    assert result.json["failures"][0]["file"].endswith(r"/\udcff.csv")
    assert r"\udcff.csv line 2" in cli("users", "import", path).stdout


def test_a_platform_that_refuses_our_token_is_exit_code_3_with_a_report_of_what_was_found(
    cli: Cli, csv: Csv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHORA_CHAT_APP_SECRET", "another-secret-altogether")
    result = cli("users", "import", csv("people.csv", HEADER + "ann,bad,Ann,Lee\nbob,bob@x.io,Bob,Ray\n"), "--json")
    assert result.code == 3
    assert sorted(map(place, result.json["failures"])) == [(2, "email", "ann"), (3, None, "bob")]
    assert "error: " in result.stderr
    assert "401" in result.stderr


@pytest.mark.parametrize("status", [403, 501])
def test_a_platform_that_fails_at_every_row_is_exit_code_3_and_the_next_file_is_not_begun(
    cli: Cli, csv: Csv, sandbox: EthoraSandbox, status: int
) -> None:
    sandbox.faults.fail("POST /v2/users/batch", times=None, status=status)
    chats = csv("chats.csv", "id,title\nteam,The Team\n")
    result = cli("users", "import", csv("people.csv", people(2) + "bad,bad,Ann,Lee\n"), "--chats", chats, "--json")
    assert result.code == 3
    assert sum(result.json["counts"].values()) == 3
    assert len(result.json["files"]) == 1
    assert f"HTTP {status}" in result.stderr


def test_a_platform_that_fails_at_some_rows_only_is_exit_code_1(cli: Cli, csv: Csv, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("POST /v2/users/batch", times=1, status=403)
    result = cli("users", "import", csv("people.csv", people(150)), "--json")
    assert result.code == 1
    assert sorted(result.json["counts"]) == ["created", "failed"]
    assert sum(result.json["counts"].values()) == 150


@pytest.mark.usefixtures("impatient")
def test_a_reply_that_is_lost_leaves_its_rows_unknown(cli: Cli, csv: Csv, sandbox: EthoraSandbox) -> None:
    cli("users", "import", csv("people.csv", people(1)))
    sandbox.faults.fail("POST /v2/users/batch", times=None, cut="after")
    result = cli("users", "import", csv("people.csv", people(2)), "--json")
    assert result.code == 3
    assert result.json["counts"] == {"unknown": 2}
    assert len(sandbox.store.app(sandbox.app_id).users) == 3
