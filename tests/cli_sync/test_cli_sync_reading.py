"""Real-world lists on the command line; signals; always exactly one JSON document."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, INTERRUPTED, USAGE, Shell, people, until
from command_processes import Command

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox

HOW = ("--users", "users.csv", "--yes", "--json")


def ids(sandbox: EthoraSandbox) -> set[str]:
    return {user.xmpp_username.rpartition("_")[2] for user in sandbox.store.app(sandbox.app_id).users}


@pytest.mark.usefixtures("stalling")
def test_sigterm_ends_apply_as_ctrl_c_does(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(1500)))
    process = shell.start("apply", *HOW)
    until(lambda: len(sandbox.store.app(sandbox.app_id).users) > 100)
    process.send_signal(signal.SIGTERM)
    result = shell.finish(process)
    assert result.code == INTERRUPTED
    assert "ethora resume ethora-apply.journal" in result.stderr
    assert result.stderr.endswith("interrupted\n")
    assert result.json["applied"] is False


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_signal_during_plan_leaves_nothing_behind(
    shell: Shell, sandbox: EthoraSandbox, tmp_path: Path, number: signal.Signals
) -> None:
    shell.write("users.csv", people(range(300)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shell.env["TMPDIR"] = str(scratch)
    before = len(sandbox.requests)
    sandbox.faults.latency(3600, "GET *")
    process = shell.start("plan", "--users", "users.csv", "--json")
    until(lambda: len(sandbox.requests) > before or any(scratch.rglob("*")))
    process.send_signal(number)
    result = shell.finish(process)
    sandbox.faults.clear()
    assert result.code == INTERRUPTED
    assert result.json["error"]["kind"] == "interrupted"
    assert not list(scratch.rglob("*"))
    assert not list(shell.folder.glob("*.journal*"))


def test_sigterm_at_the_question_changes_nothing(shell: Shell) -> None:
    shell.write("users.csv", people(range(3)))
    result = shell.on_terminal("apply", "--users", "users.csv", answer=b"\x03")
    assert result.code == INTERRUPTED
    assert not list(shell.folder.glob("*.journal*"))


@pytest.mark.parametrize(
    "args",
    [
        ("plan", "--json"),
        ("plan", "--users", "missing.csv", "--json"),
        ("apply", "--users", "missing.csv", "--yes", "--json"),
        ("verify", "--users", "users.csv", "--no-such-option", "--json"),
        ("resume", "--json"),
        ("resume", "missing.journal", "--json"),
        ("no-such-command", "--json"),
        ("users", "import", "--json"),
        ("users", "import", "missing.csv", "--json"),
        ("plan", "--users", "users.csv", "--limit", "none", "--json"),
        ("plan", "--users", "users.csv", "--where", "nonsense", "--json"),
        ("plan", "--users", "users.csv", "--delimiter", "ab", "--json"),
        ("plan", "--users", "users.csv", "--encoding", "rot13", "--json"),
        ("plan", "--users", "users.csv", "--preset", "myspace", "--json"),
        ("--platform", "avaya", "users", "list", "--json"),
    ],
)
def test_json_is_one_object_with_the_error_for_every_wrong_usage(shell: Shell, args: tuple[str, ...]) -> None:
    shell.write("users.csv", people(range(1)))
    result = shell(*args)
    assert result.code == USAGE
    assert list(result.json) == ["error"]
    assert result.json["error"]["exit_code"] == USAGE
    assert result.json["error"]["message"]


def test_a_list_given_twice_is_read_from_both(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("a.csv", people(range(2)))
    shell.write("b.csv", people(range(5, 7)))
    assert shell("apply", "--users", "a.csv", "--users", "b.csv", "--yes").code == DONE
    assert {"u0", "u1", "u5", "u6"} <= ids(sandbox)
    assert shell("verify", "--users", "a.csv", "--users", "b.csv", "--prune").code == DONE
    assert shell("resume", "ethora-apply.journal").code == DONE
    assert shell("users", "import", "a.csv", "b.csv", "--json").json["counts"] == {"existed": 4}


def test_a_folder_whose_name_is_not_utf8_works(shell: Shell, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xefste"))
    folder.mkdir()
    shell.folder = folder
    shell.write("users.csv", people(range(2), password="good-password-1") + "bad row\n")
    for place in ("users.csv", str(folder / "users.csv")):
        planned = shell("plan", "--users", place, "--json")
        assert (planned.code, len(planned.json["problems"])) == (1, 1)
    assert shell("plan", "--users", str(folder / "users.csv"), "--out", "p.json").code == 1
    assert shell("apply", "p.json", "--yes").code == 1
    applied = shell("apply", "--users", str(folder / "users.csv"), "--yes", "--json")
    assert applied.json["results"] == {}
    shell.folder = tmp_path
    planned = shell("plan", "--users", str(folder / "users.csv"), "--out", str(folder / "q.json"), "--json")
    assert planned.json["plan"].endswith(r"/l\udcefste/q.json")
    shell.write("more.csv", people(range(3)))
    more = shell("apply", "--users", "more.csv", "--journal", str(folder / "kept"), "--yes", "--json")
    assert more.json["journal"].endswith(r"/l\udcefste/kept")
    assert shell("users", "export", str(folder / "out.csv"), "--json").json["file"].endswith(r"/l\udcefste/out.csv")


def test_a_list_is_read_from_stdin(shell: Shell, sandbox: EthoraSandbox) -> None:
    for text in (people(range(3)), json.dumps([{"id": "j", "email": "j@x.io", "first_name": "Jo", "last_name": "Xu"}])):
        how = ("apply", "--users", "-", "--yes", "--json")
        with Command(*how, env=shell.env, cwd=shell.folder, stdin=PIPE) as process:
            _, stderr = process.communicate(text.encode())
        assert process.returncode == DONE, stderr
    assert {"u0", "u2", "j"} <= ids(sandbox)
    assert shell("resume", "ethora-apply.journal").code == DONE
    refused = shell("plan", "--users", "-", "--chats", "-")
    assert "only one list can be read from stdin" in refused.stderr


def test_conditions_and_the_form_are_kept_for_resume_and_stated(shell: Shell, sandbox: EthoraSandbox) -> None:
    rows = "mail;Vorname;Nachname;status\nann@x.io;Zoë;Lee;active\nold@x.io;Old;Hand;gone\n"
    (shell.folder / "staff.csv").write_bytes(rows.encode("cp1252"))
    shell.write("map.toml", '[users]\nid = "{email.local}"\nemail = "mail"\nfirst_name = "Vorname"\n'
                '[users.defaults]\nlast_name = "{first_name}"\n')  # fmt: skip
    how = ("--users", "staff.csv", "--mapping", "map.toml", "--where", "status=active")
    planned = shell("plan", *how, "--out", "plan.json")
    assert planned.code == DONE
    assert "staff.csv: fields separated by semicolons, encoded in Windows-1252" in planned.stderr
    assert shell("apply", "plan.json", "--yes").code == DONE
    assert shell("users", "get", "ann").stdout == "ann\tann@x.io\tZoë Zoë\n"
    assert "old" not in ids(sandbox)
    assert shell("resume", "plan.journal").code == DONE
    assert shell("verify", *how, "--prune").code == DONE
    both = (*how[:4], "--chats", shell.write("chats.csv", "id,title\na,A\n"), "--where", "status=active")
    assert "write users.status=active" in shell("plan", *both).stderr


def test_a_preset_reads_an_export_and_flags_override_it(shell: Shell, sandbox: EthoraSandbox) -> None:
    users = [
        {"id": "1", "username": "ann", "firstName": "Ann", "lastName": "Lee", "email": "a@x.io", "enabled": True},
        {"id": "2", "username": "old", "firstName": "Old", "lastName": "Hand", "email": "o@x.io", "enabled": False},
    ]
    shell.write("realm-users-0.json", json.dumps({"realm": "example", "users": users}, indent=2))
    how = ("--users", "realm-users-0.json", "--preset", "keycloak")
    assert shell("plan", *how, "--json").json["summary"]["changes"] == {"user create": 1}
    assert shell("apply", *how, "--map", "id=username", "--yes").code == DONE
    assert "ann" in ids(sandbox)
    assert "--preset needs --users" in shell("plan", "--chats", "c.csv", "--preset", "slack").stderr


def test_suspicious_values_are_warned_of(shell: Shell) -> None:
    shell.write("users.csv", people(range(2), first="NULL"))
    planned = shell("plan", "--users", "users.csv")
    assert planned.code == DONE
    assert planned.stderr.count("warning: ") == 1
    assert "first_name is 'NULL'" in planned.stderr


@pytest.mark.parametrize("id", ["a\u00b2b", "\u00bd", "\U0001f600", "a\u05d0", "ann\u2163", "x\u0378"])
def test_ids_that_no_jid_can_hold_are_refused_by_plan_and_import_with_their_place(
    id: str, shell: Shell, sandbox: EthoraSandbox
) -> None:
    shell.write("users.csv", f"Login,email,first_name,last_name\nok,ok@example.com,Ann,Lee\n{id},b@example.com,Bo,Li\n")
    shell.write("chats.csv", f"Room,title\n{id},Chat\nok,Chat\n")
    shell.write("members.csv", f"Room,Who\nok,{id}\n{id},ok\n")
    lists = ("--users", "users.csv", "--chats", "chats.csv", "--members", "members.csv")
    maps = (
        "--map",
        "users.id=Login",
        "--map",
        "chats.id=Room",
        "--map",
        "members.chat=Room",
        "--map",
        "members.user=Who",
    )
    result = shell("plan", *lists, *maps, "--json")
    assert result.code != 0
    told = sorted((row["file"], row["line"], row["column"]) for row in result.json["problems"])
    expected = [
        ("chats.csv", 2, "Room"),
        ("members.csv", 2, "Who"),
        ("members.csv", 3, "Room"),
        ("users.csv", 3, "Login"),
    ]
    assert told == expected
    assert all("JID" in row["reason"] for row in result.json["problems"])
    result = shell("users", "import", "users.csv", "--map", "id=Login", "--json")
    (failure,) = result.json["failures"]
    assert (failure["row"], failure["column"]) == (3, "Login")
    assert ids(sandbox) >= {"ok"}


@pytest.mark.parametrize(
    "args",
    [
        ("plan", "--users", ""),
        ("plan", "--users", "users.csv", "--out", ""),
        ("apply", "--users", "users.csv", "--journal="),
        ("verify", "--users", " "),
        ("resume", ""),
        ("users", "import", ""),
        ("users", "export", ""),
        ("users", "import", "users.csv", "--reject", ""),
    ],
)
def test_an_empty_value_is_not_the_current_directory(shell: Shell, args: tuple[str, ...]) -> None:
    shell.write("users.csv", "id,email,first_name,last_name\n")
    result = shell(*args)
    assert result.code == 2
    assert " is empty: " in result.stderr


@pytest.mark.parametrize(
    "option", ["--part", "--where", "--map", "--users", "--mapping", "--preset", "--delimiter", "--x"]
)
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_long_value_is_not_repeated_whole(shell: Shell, option: str, more: tuple[str, ...]) -> None:
    shell.write("users.csv", "id,email,first_name,last_name\n")
    lists = () if option == "--users" else ("--users", "users.csv")
    result = shell("plan", *lists, option, "9" * 100_000, *more)
    assert result.code == 2
    assert len(result.stdout + result.stderr) < 5_000
