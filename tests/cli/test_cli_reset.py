"""``ethora reset``: nothing is deleted before the user has typed the app's id."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cli_helpers import Cli, Process, clean
from command_processes import Command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from command_result import Result

    from ethora_async.sandbox import EthoraSandbox

STOPPED = 5


@pytest.fixture(autouse=True)
def filled(cli: Cli) -> None:
    people = [("--email", f"{id}@example.com", "--first-name", "Ann", "--last-name", "Lee") for id in "xyz"]
    for id, options in zip("xyz", people, strict=True):
        assert cli("users", "create", id, *options).code == 0
    assert cli("chats", "create", "c1", "--title", "Chat", "--member", "x").code == 0


def left(sandbox: EthoraSandbox) -> int:
    app = sandbox.store.app(sandbox.app_id)
    return len(app.users) + len(app.chats)


def test_a_script_passes_the_id(cli: Cli, sandbox: EthoraSandbox) -> None:
    result = cli("reset", "--confirm", sandbox.app_id, "--json")
    assert (result.code, result.json) == (0, {"counts": {"deleted": 4}, "failures": []})
    assert left(sandbox) == 1  # the owner
    again = cli("reset", "--confirm", sandbox.app_id)
    assert (again.code, again.stdout) == (0, "nothing to do\n")


def test_a_wrong_id_stops_it(cli: Cli, sandbox: EthoraSandbox) -> None:
    before = len(sandbox.requests)
    result = cli("reset", "--confirm", "another-app")
    assert (result.code, result.stdout) == (STOPPED, "")
    assert result.stderr == "stopped: 'another-app' is not the app's id; nothing was deleted\n"
    assert (left(sandbox), len(sandbox.requests)) == (5, before)


def test_with_nobody_to_ask_it_stops(cli: Cli, sandbox: EthoraSandbox) -> None:
    for stdin in (None, sandbox.app_id):
        result = cli("reset", stdin=stdin)
        assert (result.code, result.stdout) == (STOPPED, "")
        assert "--confirm APP_ID" in result.stderr
    assert left(sandbox) == 5


def test_what_cannot_be_deleted_is_named(cli: Cli, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("DELETE /v1/chats", status=403)
    result = cli("reset", "--confirm", sandbox.app_id)
    first, second = result.stdout.splitlines()
    assert (result.code, first) == (1, "3 deleted, 1 failed")
    assert second.startswith("  c1: ")


def test_settings_may_stand_in_the_secret_store(
    bare: Cli, settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, sandbox: EthoraSandbox, tmp_path: Path
) -> None:
    for name, value in settings.items():
        monkeypatch.delenv(name)
        (tmp_path / name).write_text(value)
    assert bare("--secrets", f"file://{tmp_path}", "reset", "--confirm", sandbox.app_id).code == 0
    assert left(sandbox) == 1


def answered(settings: Mapping[str, str], answer: bytes) -> Result:
    """Run the command on a terminal, and type `answer`."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer)
        return Process(Command("reset", env=clean(settings), stdin=theirs)).finish()
    finally:
        os.close(ours)
        os.close(theirs)


def test_at_a_terminal_the_id_is_asked_for(settings: Mapping[str, str], sandbox: EthoraSandbox) -> None:
    for wrong in (b"yes\n", b"\n"):
        ran = answered(settings, wrong)
        assert ran.code == STOPPED
        assert f"every user and every chat of the app {sandbox.app_id}" in ran.stderr
    assert left(sandbox) == 5
    ran = answered(settings, f"{sandbox.app_id}\n".encode())
    assert (ran.code, ran.stdout) == (0, "4 deleted\n")
    assert left(sandbox) == 1
