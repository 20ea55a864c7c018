"""Commands that are interrupted at any point, and resumed."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, INTERRUPTED, SOME_FAILED, STOPPED, USAGE, Shell, people
from command_processes import Command

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sandbox import EthoraSandbox

HOW = ("--users", "users.csv", "--yes", "--json")


def begun(shell: Shell, process: Command) -> None:
    """Wait until some users are known to be created."""
    assert process.stderr is not None
    seen = b""
    while line := process.stderr.readline():
        seen += line
        if line.startswith(b"creating users: "):
            return
    raise AssertionError(seen)


def there(sandbox: EthoraSandbox) -> int:
    return len(sandbox.store.app(sandbox.app_id).users) - 1


@pytest.mark.usefixtures("stalling")
def test_ctrl_c_tells_what_was_done_and_resume_does_the_rest(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(3000)))
    process = shell.start("apply", *HOW)
    begun(shell, process)
    process.send_signal(signal.SIGINT)
    result = shell.finish(process)
    assert result.code == INTERRUPTED
    assert "ethora resume ethora-apply.journal" in result.stderr
    assert result.stderr.endswith("interrupted\n")
    assert result.json["applied"] is False
    done = result.json["results"]["user create"]["created"]
    assert 100 <= done <= there(sandbox) < 3000
    sandbox.faults.clear()
    sandbox._log._listener = None
    resumed = shell("resume", "ethora-apply.journal", "--json")
    assert resumed.code == DONE, resumed
    assert sum(resumed.json["results"]["user create"].values()) == 3000
    assert there(sandbox) == 3000
    assert shell("verify", "--users", "users.csv").code == DONE
    replaced = shell("apply", "--users", shell.write("more.csv", people(range(3001))), "--yes")
    assert (replaced.code, "replacing the journal" in replaced.stderr) == (DONE, True)


@pytest.mark.usefixtures("stalling")
@pytest.mark.slow
def test_after_kill_9_the_journal_and_the_list_go_on_on_another_machine_passwords_included(
    shell: Shell, sandbox: EthoraSandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shell.write("users.csv", people(range(2950)) + "".join(
        f"p{n},p{n}@example.com,Ann,Lee,canary-password-{n}\n" for n in range(50)))  # fmt: skip
    process = shell.start("apply", *HOW)
    begun(shell, process)
    process.kill()
    process.wait()
    assert there(sandbox) < 3000
    sandbox.faults.clear()
    sandbox._log._listener = None
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for path in shell.folder.iterdir():
        shutil.move(path, elsewhere / path.name)
    other = Shell(elsewhere, sandbox.environment)
    resumed = other("resume", "ethora-apply.journal", "--json")
    assert resumed.code == DONE, resumed
    assert "is gone: reading" in resumed.stderr
    assert there(sandbox) == 3000
    assert other("verify", "--users", "users.csv").code == DONE
    (elsewhere / "users.csv").unlink()
    assert b"canary-password" not in other.files()
    assert "canary-password" not in other.seen


@pytest.mark.usefixtures("stalling")
@pytest.mark.slow
def test_without_their_list_those_who_have_a_password_fail_and_a_later_resume_has_them(
    shell: Shell, sandbox: EthoraSandbox
) -> None:
    shell.write("users.csv", people(range(2000)) + "pia,pia@example.com,Ann,Lee,canary-password\n")
    process = shell.start("apply", *HOW)
    begun(shell, process)
    process.kill()
    process.wait()
    sandbox.faults.clear()
    sandbox._log._listener = None
    (shell.folder / "users.csv").rename(shell.folder / "moved.csv")
    resumed = shell("resume", "ethora-apply.journal", "--json")
    assert resumed.code == SOME_FAILED
    assert "going on without the users list" in resumed.stderr
    assert [failure["id"] for failure in resumed.json["failures"]] == ["pia"]
    last = shell("resume", "ethora-apply.journal", "--users", "moved.csv", "--json")
    assert (last.code, last.json["failures"]) == (DONE, [])
    assert there(sandbox) == 2001
    assert "canary-password" not in shell.seen


def test_a_platform_that_goes_away_in_between_is_3_and_can_be_resumed(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(2500)))
    sandbox.faults.load("POST *: status=401")
    result = shell("apply", *HOW)
    assert result.code == 3
    assert "ethora resume ethora-apply.journal" in result.stderr
    sandbox.faults.clear()
    assert shell("resume", "ethora-apply.journal").code == DONE
    assert there(sandbox) == 2500


def test_what_nobody_said_yes_to_is_not_resumed(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(3)))
    ours, theirs = os.openpty()
    process = Command("apply", "--users", "users.csv", env=shell.env, cwd=shell.folder, stdin=theirs, stdout=theirs,
                      stderr=theirs, terminal=True)  # fmt: skip
    os.close(theirs)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(ours, 65536)
    process.close()
    os.close(ours)
    result = shell("resume", "ethora-apply.journal")
    assert (result.code, there(sandbox)) == (STOPPED, 0)
    assert "was never confirmed" in result.stderr
    assert shell("apply", "--users", "users.csv", "--yes").code == DONE


def test_a_file_that_is_no_journal_is_not_touched(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(3)))
    path: Path = shell.folder / shell.write("thesis.txt", "ten years of work")
    result = shell("apply", "--users", "users.csv", "--yes", "--journal", "thesis.txt")
    assert (result.code, path.read_text(), there(sandbox)) == (USAGE, "ten years of work", 0)
    assert "thesis.txt is not a journal" in result.stderr


@pytest.mark.usefixtures("stalling")
def test_cron_runs_the_same_command_again_after_kill_9_and_converges(shell: Shell, sandbox: EthoraSandbox) -> None:
    shell.write("users.csv", people(range(2000)) + "pia,pia@example.com,Ann,Lee,canary-password\n")
    process = shell.start("apply", *HOW)
    begun(shell, process)
    process.kill()
    process.wait()
    assert there(sandbox) < 2001
    sandbox.faults.clear()
    sandbox._log._listener = None
    again = shell("apply", *HOW)
    assert again.code == DONE, again
    assert "cut off with" in again.stderr
    assert there(sandbox) == 2001
    assert shell("apply", *HOW).json["summary"]["total"] == 0
    assert "canary-password" not in shell.seen


@pytest.mark.usefixtures("stalling")
def test_a_saved_plan_that_was_cut_off_is_finished_by_the_same_command(shell: Shell, sandbox: EthoraSandbox) -> None:
    users = shell.write("users.csv", people(range(2000)))
    assert shell("plan", "--users", users, "--out", "plan.json").code == DONE
    process = shell.start("apply", "plan.json", "--yes", "--json")
    begun(shell, process)
    process.kill()
    process.wait()
    sandbox.faults.clear()
    sandbox._log._listener = None
    again = shell("apply", "plan.json", "--yes", "--json")
    assert again.code == DONE, again
    assert "finishing what an earlier run left" in again.stderr
    assert sum(again.json["results"]["user create"].values()) == there(sandbox) == 2000
