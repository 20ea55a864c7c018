"""Lists from every kind of source; refused rows in a file; no passwords in any output."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, SOME_FAILED, USAGE, people

if TYPE_CHECKING:
    from cli_sync_helpers import Shell

    from ethora_async.sandbox import EthoraSandbox


def there(sandbox: EthoraSandbox) -> int:
    return len(sandbox.store.app(sandbox.app_id).users) - 1


def test_a_pattern_of_csv_and_json_lines_is_one_list(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("people-a.csv", people(range(3)))
    one = {"id": "kim", "email": "kim@example.com", "first_name": "Kim", "last_name": "Ray"}
    shell.write("people-b.jsonl", json.dumps(one) + "\n")
    assert shell("apply", "--users", "people-*", "--yes").code == DONE
    assert there(sandbox) == 4
    assert shell("resume", "ethora-apply.journal").code == DONE


def test_a_database_is_read_by_its_query_and_again_by_resume(shell: Shell, sandbox: EthoraSandbox) -> None:
    with sqlite3.connect(shell.folder / "hr.db") as database:
        database.execute("CREATE TABLE staff (uid TEXT, mail TEXT, name TEXT)")
        database.execute("INSERT INTO staff VALUES ('kim', 'kim@example.com', 'Kim Ray')")
        database.execute("CREATE TABLE rooms (id TEXT, title TEXT)")
        database.execute("INSERT INTO rooms VALUES ('team', 'The Team')")
    database.close()
    shell.write("map.toml", '[users]\nid = "uid"\ndisplay_name = "name"\n')
    options = (
        *("--users", "sqlite:///hr.db", "--users-query", "SELECT * FROM staff", "--map", "email=mail"),
        *("--chats", "sqlite:///hr.db", "--chats-query", "SELECT * FROM rooms", "--mapping", "map.toml"),
    )
    applied = shell("apply", *options, "--yes", "--json")
    assert applied.code == DONE, applied
    assert applied.json["results"] == {"chat create": {"created": 1}, "user create": {"created": 1}}
    assert shell("users", "get", "kim").stdout == "kim\tkim@example.com\tKim Ray\n"
    assert shell("resume", "ethora-apply.journal").code == DONE


def test_an_ambiguous_map_is_refused_and_a_prefix_makes_it_clear(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(1)).replace("id,", "uid,", 1))
    chats = shell.write("chats.csv", "id,title\nteam,The Team\n")
    options = ("--users", users, "--chats", chats, "--map")
    refused = shell("plan", *options, "id=uid")
    assert (refused.code, "write users.id=uid" in refused.stderr) == (USAGE, True)
    assert shell("plan", *options, "users.id=uid").code == DONE


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:canary-password@127.0.0.1:1/hr",
        "postgresql://me@127.0.0.1:1/hr?password=canary-password",
        "postgresql://me:canary-password@x@127.0.0.1:1/hr",
    ],
)
@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("verify",)])
def test_a_database_url_with_a_password_is_refused_and_not_repeated(
    shell: Shell, sandbox: EthoraSandbox, url: str, command: tuple[str, ...]
) -> None:
    result = shell(*command, "--users", url, "--users-query", "SELECT 1")
    assert result.code == USAGE
    # Refused for what it is, and not because nobody answers there.
    assert "--users: " in result.stderr
    assert "must not hold a password" in result.stderr or "percent-encoded" in result.stderr
    assert "canary" not in shell.seen
    assert "canary" not in shell.files().decode()
    assert there(sandbox) == 0


def test_the_database_password_comes_from_the_environment_and_stays_there(shell: Shell) -> None:
    shell.env["ETHORA_SOURCE_PASSWORD"] = "canary-password"
    result = shell("plan", "--users", "postgresql://me@127.0.0.1:1/hr", "--users-query", "SELECT 1", "--out", "p.json")
    assert result.code == USAGE
    assert "cannot be read" in result.stderr
    assert "canary" not in result.stderr


def test_refused_rows_are_collected_repaired_and_fed_back(shell: Shell, sandbox: EthoraSandbox) -> None:
    bad = "bad,no-address,Ann,Lee,\n" + "odd,odd@example.com,O,Lee,canary-password\n" + "u1,more@example.com,Ann,Lee,\n"
    users = shell.write("users.csv", people(range(5)) + bad)
    result = shell("apply", "--users", users, "--yes", "--reject", "refused.csv")
    assert result.code == SOME_FAILED
    assert "3 refused rows for repair: refused.csv" in result.stderr
    path = shell.folder / "refused.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    refused = path.read_text()
    assert [line.split(",")[1] for line in refused.splitlines()[1:]] == ["7", "8", "9"]
    path.write_text(
        refused.replace("no-address", "bad@example.com").replace(",O,", ",Oda,").replace("u1,more", "new,more")
    )
    again = shell("apply", "--users", "refused.csv", "--yes")
    assert (again.code, there(sandbox)) == (DONE, 8)


def test_several_lists_have_a_reject_file_each(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(2)) + "bad,no-address,Ann,Lee,\n")
    chats = shell.write("chats.csv", "id,title\nteam,The Team\n")
    members = shell.write("members.csv", "chat,user\nteam,u1\nteam,nobody\n")
    options = ("--users", users, "--chats", chats, "--members", members, "--reject", "refused.csv")
    assert shell("plan", *options).code == SOME_FAILED
    assert "bad,no-address" in (shell.folder / "refused.users.csv").read_text()
    assert (shell.folder / "refused.members.csv").read_text().endswith("team,nobody\n")
    assert not (shell.folder / "refused.chats.csv").exists()
    second_night = shell("plan", *options)
    assert second_night.code == SOME_FAILED
    assert "bad,no-address" in (shell.folder / "refused.users.csv").read_text()
    assert "bad,no-address" in (shell.folder / "refused.users.previous.csv").read_text()
    (shell.folder / "refused.users.csv").write_text("my own work\n")
    refused = shell("plan", *options)
    assert (refused.code, "exists already" in refused.stderr) == (USAGE, True)
    assert (shell.folder / "refused.users.csv").read_text() == "my own work\n"


def test_passwords_are_in_no_output_plan_or_journal(shell: Shell, sandbox: EthoraSandbox) -> None:
    text = people(range(30), password="canary-password") + "odd,odd@example.com,O,Lee,canary-password\n"
    users = shell.write("users.csv", text)
    for args in (
        ("plan", "--users", users, "--out", "plan.json", "--json"),
        ("plan", "--users", users),
        ("apply", "plan.json", "--yes"),
        ("resume", "plan.journal", "--json"),
        ("apply", "--users", users, "--yes", "--json"),
        ("verify", "--users", users, "--json"),
    ):
        assert shell(*args).code in (0, 1, 4)
    assert there(sandbox) == 30
    (shell.folder / "users.csv").unlink()
    assert len(list(shell.folder.iterdir())) >= 3
    assert b"canary" not in shell.files()
    assert "canary" not in shell.seen


def test_users_import_takes_patterns_databases_and_a_reject_file(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("people-a.csv", people(range(3)) + "odd,odd@example.com,O,Lee,\n")
    one = {"id": "kim", "email": "kim@example.com", "first_name": "Kim", "last_name": "Ray"}
    shell.write("people-b.jsonl", json.dumps(one) + "\n" + json.dumps({**one, "id": "no", "email": "bad"}) + "\n")
    result = shell("users", "import", "people-*", "--reject", "refused.jsonl", "--json")
    assert result.code == SOME_FAILED
    assert [one["counts"] for one in result.json["files"]] == [
        {"created": 3, "failed": 1},
        {"created": 1, "failed": 1},
    ]
    refused = [json.loads(line) for line in (shell.folder / "refused.jsonl").read_text().splitlines()]
    places = {(one["reject_file"], one["reject_line"]) for one in refused}
    assert places == {("people-a.csv", 5), ("people-b.jsonl", 2)}
    with sqlite3.connect(shell.folder / "hr.db") as database:
        database.execute("CREATE TABLE staff (id TEXT, mail TEXT, first_name TEXT, last_name TEXT)")
        database.execute("INSERT INTO staff VALUES ('sue', 'sue@example.com', 'Sue', 'Ray')")
    database.close()
    query = ("--users-query", "SELECT * FROM staff", "--map", "email=mail")
    assert shell("users", "import", "sqlite:///hr.db", *query).code == DONE
    assert there(sandbox) == 5


def test_users_import_refuses_a_database_url_with_a_password(shell: Shell) -> None:
    url = "postgresql://me:canary-password@127.0.0.1:1/hr"
    result = shell("users", "import", url, "--users-query", "SELECT 1")
    assert (result.code, "must not hold a password" in result.stderr) == (USAGE, True)
    assert "canary" not in shell.seen


def test_a_list_whose_name_says_nothing_is_imported_as_csv(shell: Shell, sandbox: EthoraSandbox) -> None:
    assert shell("users", "import", shell.write("people.txt", people(range(3)))).code == DONE
    assert there(sandbox) == 3


@pytest.mark.parametrize("name", ["refused.csv", "refused.jsonl"])
def test_users_import_runs_every_night_with_the_same_reject_file(name: str, shell: Shell) -> None:
    stem, _, ending = name.partition(".")
    shell.write("people.csv", people(range(3)) + "bad,first-night,Ann,Lee,\n")
    assert shell("users", "import", "people.csv", "--reject", name).code == SOME_FAILED
    shell.write("people.csv", people(range(3)) + "bad,second-night,Ann,Lee,\n")
    assert shell("users", "import", "people.csv", "--reject", name).code == SOME_FAILED
    assert "second-night" in (shell.folder / name).read_text()
    assert "first-night" in (shell.folder / f"{stem}.previous.{ending}").read_text()
    shell.write(name, "my own work\n")
    refused = shell("users", "import", "people.csv", "--reject", name)
    assert (refused.code, "exists already" in refused.stderr) == (USAGE, True)
    assert (shell.folder / name).read_text() == "my own work\n"


@pytest.mark.parametrize("command", [("users", "import"), ("apply", "--yes", "--users"), ("plan", "--users")])
def test_refused_rows_never_go_where_the_list_is_read(command: tuple[str, ...], shell: Shell) -> None:
    shell.write("people.csv", people(range(2)) + "bad,no-address,Ann,Lee,\n")
    assert shell("users", "import", "people.csv", "--reject", "refused.csv").code == SOME_FAILED
    before = (shell.folder / "refused.csv").read_text()
    (shell.folder / "link.csv").symlink_to("refused.csv")
    for list_name, target in (
        ("refused.csv", "refused.csv"),
        ("link.csv", "refused.csv"),
        ("refused.csv", "./refused.csv"),
    ):
        result = shell(*command, list_name, "--reject", target)
        assert (result.code, "is the list that is read" in result.stderr) == (USAGE, True), result
    assert (shell.folder / "refused.csv").read_text() == before
    assert not list(shell.folder.glob("*.previous.*"))
