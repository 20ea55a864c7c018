"""Every exit code of plan, apply and verify, with its message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, NOT_IN_STEP, PLATFORM, SOME_FAILED, STOPPED, USAGE, people

from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.platforms.ethora.context import API_URL

if TYPE_CHECKING:
    from cli_sync_helpers import Shell

    from ethora_async.sandbox import EthoraSandbox


def lists(shell: Shell, count: int = 30) -> tuple[str, ...]:
    """Three lists, as options."""
    return (
        *("--users", shell.write("users.csv", people(range(count)))),
        *("--chats", shell.write("chats.csv", "id,title\nteam,The Team\nopen,For All\n")),
        *("--members", shell.write("members.csv", "chat,user\n" + "".join(f"team,u{n}\n" for n in range(count)))),
    )


def test_after_apply_verify_agrees_and_a_second_plan_is_empty(shell: Shell, sandbox: EthoraSandbox) -> None:
    options = lists(shell)
    before = shell("verify", *options, "--json")
    assert (before.code, before.json["in_step"]) == (NOT_IN_STEP, False)
    first = shell("plan", *options, "--json")
    assert first.code == DONE
    assert first.json["summary"]["changes"] == {"chat create": 2, "member grant": 30, "user create": 30}
    applied = shell("apply", *options, "--yes", "--json")
    assert applied.code == DONE, applied
    assert applied.json["results"] == {
        "chat create": {"created": 2},
        "member grant": {"created": 30},
        "user create": {"created": 30},
    }
    assert len(sandbox.store.app(sandbox.app_id).users) == 31
    again = shell("plan", *options, "--json")
    assert (again.code, again.json["summary"]["total"], again.json["changes"]) == (DONE, 0, [])
    verified = shell("verify", *options, "--json")
    assert (verified.code, verified.json["in_step"]) == (DONE, True)


def test_the_json_documents_have_their_fields(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(2)) + "u1,other@example.com,Ann,Lee,\n")
    plan = shell("plan", "--users", users, "--json").json
    assert sorted(plan) == ["cannot_change", "changes", "extras", "guard", "plan", "platform", "problems", "summary"]
    assert plan["changes"][0] == {
        "kind": "user", "action": "create", "id": "u0", "before": None, "file": "users.csv", "line": 2,
        "after": {"id": "u0", "email": "u0@example.com", "first_name": "Ann", "last_name": "Lee"},
    }  # fmt: skip
    assert [(one["file"], one["line"], one["column"]) for one in plan["problems"]] == [("users.csv", 4, "id")]
    applied = shell("apply", "--users", users, "--yes", "--json").json
    assert sorted(applied) == ["applied", "failures", "journal", "platform", "problems", "results", "summary"]
    assert (applied["applied"], applied["journal"]) == (True, "ethora-apply.journal")
    verified = shell("verify", "--users", users, "--json").json
    assert sorted(verified) == ["examples", "in_step", "problems", "summary", "verdict", "waited"]


def test_a_row_that_cannot_be_used_is_named_and_the_others_go_through(shell: Shell, sandbox: EthoraSandbox) -> None:
    users = shell.write("users.csv", people(range(3)) + "bad,no-address,Ann,Lee,\n")
    assert shell("plan", "--users", users).code == SOME_FAILED
    result = shell("apply", "--users", users, "--yes")
    assert result.code == SOME_FAILED
    assert "users.csv line 5, email: email 'no-address' is not a valid e-mail address" in result.stdout
    assert len(sandbox.store.app(sandbox.app_id).users) == 4
    assert shell("verify", "--users", users).code == NOT_IN_STEP


def test_what_the_platform_refuses_is_some_failed(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(2)) + "odd,odd@example.com,O,Lee,\n")
    result = shell("apply", "--users", users, "--yes", "--json")
    assert result.code == SOME_FAILED
    assert result.json["results"] == {"user create": {"created": 2, "failed": 1}}
    (failure,) = result.json["failures"]
    assert (failure["id"], failure["file"], failure["line"], failure["status"]) == ("odd", "users.csv", 4, "failed")
    assert "at least 2 characters" in failure["reason"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("plan",), "name a list with --users"),
        (("apply", "--yes"), "name a plan, or lists"),
        (("verify", "--users", "nowhere.csv"), "nowhere.csv"),
        (("plan", "--users", "users.csv", "--allow-delete", "3"), "--allow-delete needs --prune"),
        (("plan", "--users", "users.csv", "--map", "nonsense"), "maps no column"),
        (("plan", "--users", "users.csv", "--chats-query", "SELECT 1"), "--chats-query needs --chats"),
        (("apply", "plan.json", "--limit", "3", "--yes"), "applied as it was made"),
        (("apply", "users.csv", "--yes"), "users.csv is not a plan"),
        (("resume", "nowhere.journal"), "nowhere.journal"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line_before_anything_is_sent(
    shell: Shell, sandbox: EthoraSandbox, args: tuple[str, ...], said: str
) -> None:
    shell.write("users.csv", people(range(3)))
    result = shell(*args)
    assert (result.code, result.stdout) == (USAGE, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(sandbox.store.app(sandbox.app_id).users) == 1
    assert not list(shell.folder.glob("*.journal"))


def test_a_platform_that_cannot_be_reached_or_refuses_us_is_3(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(3)))
    shell.env[APP_SECRET] = "a-wrong-secret-of-the-app"
    for command in (("plan",), ("apply", "--yes"), ("verify",)):
        assert shell(*command, "--users", users).code == PLATFORM
    shell.env[API_URL] = "http://127.0.0.1:9"
    assert shell("verify", "--users", users).code == PLATFORM
    assert not list(shell.folder.glob("*.journal"))


def test_nobody_to_ask_is_a_stop_before_the_first_request(shell: Shell, sandbox: EthoraSandbox) -> None:
    result = shell("apply", "--users", shell.write("users.csv", people(range(3))))
    assert (result.code, result.stdout) == (STOPPED, "")
    assert "pass --yes" in result.stderr
    assert not sandbox.requests


def test_the_guard_of_prune_stops_plan_and_apply_until_the_number_is_allowed(
    shell: Shell, sandbox: EthoraSandbox
) -> None:
    users = sandbox.store.app(sandbox.app_id).users
    shell("apply", "--users", shell.write("all.csv", people(range(30))), "--yes")
    fewer = ("--users", shell.write("fewer.csv", people(range(10))), "--prune")
    planned = shell("plan", *fewer, "--json", "--out", "plan.json")
    assert planned.code == STOPPED
    assert "20 of 30 users" in planned.json["guard"]
    for args in (("apply", *fewer), ("apply", "plan.json")):
        stopped = shell(*args, "--yes")
        assert stopped.code == STOPPED, stopped
        assert "20 of 30 users" in stopped.stderr
        assert len(users) == 31
    assert shell("apply", *fewer, "--allow-delete", "19", "--yes").code == STOPPED
    assert shell("apply", *fewer, "--allow-delete", "20", "--yes").code == DONE
    assert len(users) == 11


def test_without_prune_extras_stay_are_told_and_do_not_count(shell: Shell) -> None:
    shell("apply", "--users", shell.write("all.csv", people(range(5))), "--yes")
    fewer = ("--users", shell.write("fewer.csv", people(range(4))))
    result = shell("plan", *fewer)
    assert (result.code, "1 user there and in no list" in result.stdout) == (DONE, True)
    assert shell("verify", *fewer).code == DONE
    assert shell("verify", *fewer, "--prune").code == NOT_IN_STEP


def test_a_saved_plan_is_carried_out_except_for_what_changed_since(shell: Shell) -> None:
    shell("apply", "--users", shell.write("old.csv", people(range(3), first="Ann")), "--yes")
    shell("plan", "--users", shell.write("new.csv", people(range(3), first="Eve")), "--out", "plan.json")
    shell("apply", "--users", shell.write("other.csv", people(range(1), first="Kim")), "--yes")
    result = shell("apply", "plan.json", "--yes", "--json")
    assert result.code == SOME_FAILED
    assert result.json["results"] == {"user update": {"failed": 1, "updated": 2}}
    assert result.json["failures"][0]["id"] == "u0"
    assert (
        "changed since the plan was made: first_name was 'Ann', and is 'Kim' now"
        in result.json["failures"][0]["reason"]
    )
    assert "Kim" in shell("users", "get", "u0").stdout
    assert shell("resume", "plan.journal").code == SOME_FAILED
    assert "Kim" in shell("users", "get", "u0").stdout


def test_a_plan_of_which_everything_changed_is_stopped_and_leaves_no_journal(shell: Shell) -> None:
    shell("apply", "--users", shell.write("old.csv", people(range(2), first="Ann")), "--yes")
    shell("plan", "--users", shell.write("new.csv", people(range(2), first="Eve")), "--out", "plan.json")
    shell("apply", "--users", shell.write("other.csv", people(range(2), first="Kim")), "--yes")
    result = shell("apply", "plan.json", "--yes")
    assert result.code == STOPPED
    assert "everything in the plan has changed" in result.stderr
    assert "Kim" in shell("users", "get", "u1").stdout
    assert not (shell.folder / "plan.journal").exists()


def test_a_plan_that_came_about_by_itself_is_done(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(2)))
    shell("plan", "--users", users, "--out", "plan.json")
    shell("apply", "--users", users, "--yes")
    result = shell("apply", "plan.json", "--yes", "--json")
    assert (result.code, result.json["results"]) == (DONE, {"user create": {"existed": 2}})


def test_a_dry_run_changes_nothing_and_leaves_nothing(shell: Shell, sandbox: EthoraSandbox) -> None:
    result = shell("apply", "--users", shell.write("users.csv", people(range(3))), "--dry-run", "--json")
    assert (result.code, result.json["applied"], result.json["summary"]["total"]) == (DONE, False, 3)
    assert len(sandbox.store.app(sandbox.app_id).users) == 1
    assert [path.name for path in shell.folder.iterdir()] == ["users.csv"]


def test_limit_tries_a_few_first_and_only_leaves_the_rest_out(shell: Shell, sandbox: EthoraSandbox) -> None:
    options = lists(shell)
    limited = shell("apply", *options, "--limit", "5", "--yes", "--json")
    assert limited.json["results"] == {
        "chat create": {"created": 2}, "member grant": {"created": 5}, "user create": {"created": 5},
    }  # fmt: skip
    assert limited.json["summary"]["left"] == 50
    assert shell("apply", *options, "--only", "users", "--yes", "--json").json["results"] == {
        "user create": {"created": 25}
    }
    assert shell("verify", *options, "--only", "users", "--only", "chats").code == DONE
    assert shell("verify", *options).code == NOT_IN_STEP


@pytest.mark.slow
def test_verify_waits_until_the_listings_have_caught_up(shell: Shell, sandbox: EthoraSandbox) -> None:
    options = lists(shell)
    shell("apply", *options, "--yes")
    sandbox.faults.deletion_lag = 3.0
    shell.write("members.csv", "chat,user\n" + "".join(f"team,u{n}\n" for n in range(28)))
    assert shell("apply", *options, "--prune", "--yes").code == DONE
    assert shell("verify", *options, "--prune").code == NOT_IN_STEP
    waited = shell("verify", *options, "--prune", "--wait", "50", "--json")
    assert (waited.code, waited.json["waited"] > 0) == (DONE, True)
