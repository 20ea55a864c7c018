"""Problems of users who run these commands every night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, NOT_IN_STEP, SOME_FAILED, STOPPED, USAGE, people

if TYPE_CHECKING:
    from cli_sync_helpers import Shell

    from ethora_async.sandbox import EthoraSandbox

CANNOT_CHANGE = 6
HEADER = "id,email,first_name,last_name"


def test_what_cannot_be_changed_is_no_agreement(shell: Shell) -> None:
    public = ("--chats", shell.write("public.csv", "id,title,access\nteam,Team,public\n"))
    private = ("--chats", shell.write("private.csv", "id,title,access\nteam,Team,private\n"))
    assert shell("apply", *public, "--yes").code == DONE
    assert shell("verify", *public).code == DONE
    found = shell("verify", *private)
    assert found.code == CANNOT_CHANGE
    assert "In step" not in found.stdout
    assert "access: 'public' → 'private'" in found.stdout
    told = shell("verify", *private, "--json").json
    assert (told["in_step"], told["verdict"], told["summary"]["compared"]) == (False, "cannot change", {"chat": 1})


def test_exchanged_addresses_are_no_agreement_on_ethora(shell: Shell) -> None:
    one = shell.write("one.csv", f"{HEADER}\na,a@example.com,Ann,Lee\nb,b@example.com,Bea,Lee\n")
    two = shell.write("two.csv", f"{HEADER}\na,b@example.com,Ann,Lee\nb,a@example.com,Bea,Lee\n")
    assert shell("apply", "--users", one, "--yes").code == DONE
    assert shell("verify", "--users", two).code == CANNOT_CHANGE
    assert shell("apply", "--users", two, "--yes").code == DONE


@pytest.mark.parametrize("command", ["verify", "plan", "apply"])
def test_parts_without_a_list_compare_nothing(shell: Shell, command: str) -> None:
    users = shell.write("users.csv", people(range(3)))
    more = ("--yes",) if command == "apply" else ()
    result = shell(command, "--users", users, "--only", "chats", *more)
    assert (result.code, result.stdout) == (USAGE, "")
    assert "leaves nothing to compare: pass chats" in result.stderr


def test_a_list_that_is_only_a_header_is_not_in_step(shell: Shell) -> None:
    result = shell("verify", "--users", shell.write("users.csv", f"{HEADER}\n"))
    assert (result.code, result.stdout) == (USAGE, "")
    assert "users.csv has no rows, so nothing was compared" in result.stderr
    planned = shell("plan", "--users", "users.csv")
    assert planned.code == DONE
    assert "no list has a row, so nothing was compared" in planned.stdout
    assert "agree" not in planned.stdout


def test_every_verdict_says_how_much_was_compared(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(3)))
    assert "3 users compared" in shell("verify", "--users", users).stdout
    shell("apply", "--users", users, "--yes")
    assert "In step: both sides agree (3 users compared)" in shell("verify", "--users", users).stdout


def test_an_emptied_cell_clears_and_an_absent_column_leaves_alone(shell: Shell) -> None:
    def apply(text: str) -> None:
        assert shell("apply", "--chats", shell.write("chats.csv", text), "--yes").code == DONE

    apply("id,title,description\nd1,One,old\n")
    apply("id,title\nd1,One\n")
    assert shell("verify", "--chats", shell.write("same.csv", "id,title,description\nd1,One,old\n")).code == DONE
    emptied = shell.write("emptied.csv", "id,title,description\nd1,One,\n")
    assert shell("verify", "--chats", emptied).code == NOT_IN_STEP
    apply("id,title,description\nd1,One,\n")
    assert shell("verify", "--chats", emptied).code == DONE


def test_an_emptied_picture_is_taken_away(shell: Shell) -> None:
    row = "ann,ann@example.com,Ann,Lee"
    with_picture = shell.write("with.csv", f"{HEADER},profile_image\n{row},https://example.com/a.png\n")
    without = shell.write("without.csv", f"{HEADER},profile_image\n{row},\n")
    assert shell("apply", "--users", with_picture, "--yes").code == DONE
    assert shell("plan", "--users", without, "--json").json["summary"]["changes"] == {"user update": 1}
    assert shell("apply", "--users", without, "--yes").code == DONE
    assert shell("verify", "--users", without).code == DONE


def test_the_guard_judges_the_whole_plan_and_0_means_none(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell("apply", "--users", shell.write("all.csv", people(range(40))), "--yes")
    one = ("--users", shell.write("one.csv", people(range(1))), "--prune", "--limit", "3", "--yes")
    stopped = shell("apply", *one)
    assert (stopped.code, "39 of 40 users" in stopped.stderr) == (STOPPED, True)
    fewer = ("--users", shell.write("fewer.csv", people(range(38))), "--prune", "--yes")
    assert shell("apply", *fewer, "--allow-delete", "0").code == STOPPED
    assert shell("apply", *fewer, "--allow-delete", "1").code == STOPPED
    assert len(sandbox.store.app(sandbox.app_id).users) == 41
    assert shell("apply", *fewer, "--allow-delete", "2").code == DONE


def test_a_member_who_has_left_does_not_block_a_prune(shell: Shell) -> None:
    def lists(count: int) -> tuple[str, ...]:
        return (
            *("--users", shell.write("users.csv", people(range(count)))),
            *("--chats", shell.write("chats.csv", "id,title\nboard,Board\n")),
            *("--members", shell.write("members.csv", "chat,user\n" + "".join(f"board,u{n}\n" for n in range(20)))),
        )

    assert shell("apply", *lists(20), "--yes").code == DONE
    for _night in range(2):
        result = shell("apply", *lists(19), "--prune", "--yes", "--json")
        assert result.code == SOME_FAILED
        assert [row["id"] for row in result.json["problems"]] == ["board/u19"]
    assert shell("users", "get", "u19").code != DONE


def test_only_a_plan_or_a_new_file_is_ever_written(shell: Shell, sandbox: EthoraSandbox) -> None:
    users = shell.write("src.csv", people(range(3)))
    before = (shell.folder / users).read_bytes()
    result = shell("plan", "--users", users, "--out", users)
    assert (result.code, (shell.folder / users).read_bytes()) == (USAGE, before)
    assert "exists and is not a plan" in result.stderr
    assert not sandbox.requests
    assert shell("plan", "--users", users, "--out", "plan.json").code == DONE
    assert shell("plan", "--users", users, "--out", "plan.json").code == DONE


def test_an_option_that_holds_one_value_is_given_once(shell: Shell) -> None:
    one, two = shell.write("a.csv", people(range(3))), shell.write("b.csv", people(range(3, 6)))
    for command in ("plan", "verify"):
        result = shell(command, "--users", one, "--encoding", "utf-8", "--encoding", "utf-16")
        assert (result.code, result.stdout) == (USAGE, "")
        assert "--encoding was given 2 times, but takes one value" in " ".join(result.stderr.replace("│", " ").split())
        assert "6" in shell(command, "--users", one, "--users", two).stdout
    assert shell("plan", "--users", one, "--only", "users", "--only", "chats").code == DONE


def test_a_saved_plan_finds_its_passwords_row_by_row(shell: Shell, sandbox: EthoraSandbox) -> None:
    users = shell.write("users.csv", people(range(3), password="canary-password"))
    assert shell("plan", "--users", users, "--out", "plan.json").code == DONE
    shell.write("users.csv", people(range(3), password="canary-password") + "new,new@example.com,Ann,Lee,\n")
    assert shell("apply", "plan.json", "--yes").code == DONE
    assert len(sandbox.store.app(sandbox.app_id).users) == 4
    assert "canary-password" not in shell.seen


def test_memberships_that_wait_for_their_users_are_not_blamed_on_a_limit(shell: Shell) -> None:
    lists = (
        *("--users", shell.write("users.csv", people(range(3)))),
        *("--chats", shell.write("chats.csv", "id,title\nteam,Team\n")),
        *("--members", shell.write("members.csv", "chat,user\nteam,u0\nteam,u1\n")),
    )
    result = shell("plan", *lists, "--only", "access")
    assert result.code == DONE
    assert "2 more are left for later since the users or chats that they need do not exist yet" in result.stdout
    assert "--limit" not in result.stdout


def test_a_new_id_for_the_same_address_is_named_and_nobody_is_deleted(shell: Shell, sandbox: EthoraSandbox) -> None:
    rest = "".join(f"u{n},u{n}@example.com,Ann,Lee\n" for n in range(20))
    shell("apply", "--users", shell.write("old.csv", f"{HEADER}\nold,s@example.com,Sue,Lee\n{rest}"), "--yes")
    new = ("--users", shell.write("new.csv", f"{HEADER}\nnew,s@example.com,Sue,Ray\n{rest}"), "--prune")
    planned = shell("plan", *new, "--json")
    (stuck,) = planned.json["cannot_change"]
    assert (stuck["id"], stuck["before"], stuck["after"]) == ("old", {"id": "old"}, {"id": "new"})
    assert "the platform cannot rename" in stuck["reason"]
    assert shell("apply", *new, "--yes", "--json").json["results"] == {"user update": {"updated": 1}}
    assert "Ray" in shell("users", "get", "old").stdout
    assert shell("verify", *new).code == CANNOT_CHANGE
    assert shell("apply", *new, "--replace-renamed", "--yes").code == DONE
    assert shell("users", "get", "old").code != DONE
    assert shell("verify", *new).code == DONE
