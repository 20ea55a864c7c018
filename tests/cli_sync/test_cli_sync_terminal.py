"""Prompts, progress bars and colours at a terminal, and none of them in pipes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, INTERRUPTED, STOPPED, people

if TYPE_CHECKING:
    from cli_sync_helpers import Shell

    from ethora_async.sandbox import EthoraSandbox

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9]")
ANY_ESCAPE = re.compile(r"\x1b")


def there(sandbox: EthoraSandbox) -> int:
    return len(sandbox.store.app(sandbox.app_id).users) - 1


def test_yes_carries_out_what_was_shown(shell: Shell, sandbox: EthoraSandbox) -> None:
    users = shell.write("users.csv", people(range(7)))
    result = shell.on_terminal("apply", "--users", users, answer=b"y\n")
    assert (result.code, there(sandbox)) == (DONE, 7)
    assert "+ 7 to create" in result.stdout
    assert "'u0@example.com', 'Ann', 'Lee'" in result.stdout
    assert "and 3 more" in result.stdout
    assert result.stdout.index("to make") < result.stdout.index("[y/N]") < result.stdout.index("created")
    assert COLOUR.search(result.stdout)
    assert "━" in result.stdout


@pytest.mark.parametrize(
    ("answer", "code"), [(b"n\n", STOPPED), (b"\n", STOPPED), (b"\x04", STOPPED), (b"\x03", INTERRUPTED)]
)
def test_anything_but_yes_changes_nothing_and_leaves_no_journal(
    shell: Shell, sandbox: EthoraSandbox, answer: bytes, code: int
) -> None:
    users = shell.write("users.csv", people(range(3)))
    result = shell.on_terminal("apply", "--users", users, answer=answer)
    assert (result.code, there(sandbox)) == (code, 0)
    assert "nothing was changed" in result.stdout
    assert [path.name for path in shell.folder.iterdir()] == ["users.csv"]


def test_nobody_is_asked_when_there_is_nothing_to_do(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(3)))
    shell("apply", "--users", users, "--yes")
    result = shell.on_terminal("apply", "--users", users, answer=b"")
    assert (result.code, "[y/N]" in result.stdout) == (DONE, False)
    assert "Both sides agree" in result.stdout


def test_no_color_means_no_colour(shell: Shell) -> None:
    users = shell.write("users.csv", people(range(3)))
    result = shell.on_terminal("plan", "--users", users, answer=b"", env={"NO_COLOR": "1"})
    assert "+ 3 to create" in result.stdout
    assert not COLOUR.search(result.stdout)


def test_a_pipe_sees_neither_escapes_nor_broken_lines(shell: Shell) -> None:
    row = f"long,{'x' * 40}@{'y' * 40}.example.com,{'Ann' * 10},{'Lee' * 10},\n"
    users = shell.write("users.csv", people(range(3)) + row)
    for result in (shell("plan", "--users", users), shell("apply", "--users", users, "--yes")):
        assert not ANY_ESCAPE.search(result.stdout + result.stderr)
        (line,) = [one for one in result.stdout.splitlines() if "+ long" in one]
        assert line.endswith(f"'{'Lee' * 10}'")


def test_a_narrow_terminal_cuts_examples_instead_of_wrapping_them(shell: Shell) -> None:
    row = f"long,{'x' * 40}@{'y' * 40}.example.com,{'Ann' * 10},{'Lee' * 10},\n"
    users = shell.write("users.csv", "id,email,first_name,last_name,password\n" + row)
    result = shell.on_terminal("plan", "--users", users, answer=b"", env={"NO_COLOR": "1"}, columns=50)
    (line,) = [one for one in result.stdout.splitlines() if "+ long" in one]
    assert line.rstrip().endswith("…")
    assert len(line.rstrip()) <= 50


def test_what_a_source_holds_cannot_steer_the_terminal(shell: Shell) -> None:
    users = shell.write(
        "users.csv",
        people(range(1)) + "evil,evil@example.com,Ann\x1b]0;owned\x07,Lee,\nred,red@example.com,Ann,[red]Lee[/red],\n",
    )
    result = shell("plan", "--users", users)
    assert not ANY_ESCAPE.search(result.stdout)
    assert "[red]Lee[/red]" in result.stdout
