"""``ethora outbox``, as operators use it."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli_runner import CliRunner
from command_processes import Command
from test_outbox_lanes import ANN_IN_ROOM, put

from ethora_async import NewUser, outbox
from ethora_async.cli.app import app
from ethora_async.outbox.lanes import LaneKey, Verdict
from ethora_async.outbox.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "canary-password"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def cli(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("ETHORA_OUTBOX_DATABASE", f"sqlite:///{path}")

    def run(*args: str, code: int = 0) -> str:
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["outbox", *args])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        assert CANARY not in result.output
        return str(result.stdout)

    return run


def test_tables_are_made_once(cli: Callable[..., Any]) -> None:
    assert "created" in cli("init")
    assert "already" in cli("init")
    assert json.loads(cli("init", "--json")) == {"created": False}


@pytest.mark.parametrize("command", ["status", "dead"])
def test_a_database_without_tables_is_told(cli: Callable[..., Any], command: str) -> None:
    reply = json.loads(cli(command, "--json", code=2))
    assert "ethora outbox init" in reply["error"]["message"]


def letters(path: Path) -> None:
    """Two dead letters and one intent that waits."""
    import asyncio

    async def fill() -> None:
        store = SqliteStore(path)
        await put(store, (LaneKey("user", "ann"), {}), (LaneKey("user", "bob"), {}), (ANN_IN_ROOM, {}))
        turn = await store.take(10, 60)
        await store.finish(turn.claim, [Verdict(lane, "dead", f"no {lane.id.key}", attempts=2) for lane in turn.lanes])
        await store.aclose()

    asyncio.run(fill())


def test_dead_letters_are_listed_retried_and_skipped(cli: Callable[..., Any], path: Path) -> None:
    cli("init")
    letters(path)
    found = json.loads(cli("status", "--json", code=1))
    assert (found["dead"], found["waiting"], found["inbox"]) == ({"user": 2}, {"member": 1}, 0)
    assert "dead: 2 user" in cli("status", code=1)
    assert [(one["kind"], one["key"], one["reason"]) for one in json.loads(cli("dead", "--json"))["letters"]] == [
        ("user", "ann", "no ann"),
        ("user", "bob", "no bob"),
    ]
    assert "user ann: no ann" in cli("dead")
    assert "1 retried" in cli("retry", "user", "ann")
    assert json.loads(cli("skip", "user", "nobody", "--json", code=1)) == {"count": 0}
    assert "1 skipped" in cli("skip", "--all")
    cli("status")


@pytest.mark.parametrize(
    "args", [(), ("user",), ("member", "c"), ("user", "ann", "x"), ("animal", "x"), ("user", "a", "--all")]
)
def test_what_names_no_dead_letter_is_refused(cli: Callable[..., Any], args: tuple[str, ...]) -> None:
    cli("init")
    cli("retry", *args, code=2)


def test_a_password_on_the_command_line_is_refused(cli: Callable[..., Any]) -> None:
    reply = cli("status", "--database", f"postgresql://app:{CANARY}@127.0.0.1:1/x", "--json", code=2)
    assert "PGPASSWORD" in reply


def test_an_unreachable_database_is_told_without_its_password(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHORA_OUTBOX_DATABASE", f"postgresql://app:{CANARY}@127.0.0.1:1/x")
    assert "does not answer" in cli("status", "--json", code=3)


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "postgresql://[bad"])
def test_a_url_that_cannot_be_used_is_refused(cli: Callable[..., Any], url: str) -> None:
    assert "database" in cli("status", "--database", url, "--json", code=2)


def test_no_database_is_told_with_the_setting(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETHORA_OUTBOX_DATABASE")
    assert "ETHORA_OUTBOX_DATABASE" in cli("status", "--json", code=2)


def test_the_database_may_stand_in_the_secret_store(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: Path
) -> None:
    cli("init")
    monkeypatch.delenv("ETHORA_OUTBOX_DATABASE")
    store = tmp_path / "secrets.json"
    store.write_text(json.dumps({"ETHORA_OUTBOX_DATABASE": f"sqlite:///{path}"}))
    monkeypatch.setenv("ETHORA_SECRETS", f"file://{store}")
    assert "inbox: 0" in cli("status")


def test_a_missing_driver_is_told_by_its_extra(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "ethora-async[outbox]" in cli("status", "--database", "postgresql://127.0.0.1:1/x", "--json", code=2)


def test_triggers_are_printed(cli: Callable[..., Any]) -> None:
    assert cli("trigger", "--table", "app.users", "--map", "email=mail").startswith("BEGIN;")
    assert "json_object" in cli("trigger", "--table", "users", "--dialect", "sqlite")
    assert json.loads(cli("trigger", "--table", "users", "--drop", "--json"))["sql"].startswith("DROP")
    cli("trigger", "--table", "users", "--map", "password=secret", code=2)
    cli("trigger", "--table", "users", "--map", "email", code=2)


@pytest.mark.parametrize("every", ["0", "x", "1y", "-1"])
def test_a_time_that_is_none_is_refused(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, every: str
) -> None:
    for name in ("ETHORA_CHAT_API_URL", "ETHORA_CHAT_APP_ID", "ETHORA_CHAT_APP_SECRET"):
        monkeypatch.setenv(name, "http://127.0.0.1:1" if name.endswith("URL") else "x" * 40)
    people = tmp_path / "people.csv"
    people.write_text("id,email,first_name,last_name\n")
    cli("reconcile", "--users", str(people), f"--every={every}", code=2)


def test_avaya_manages_no_users(cli: Callable[..., Any]) -> None:
    assert "does not support" in cli("work", "--platform", "avaya", "--json", code=2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_drains_when_it_is_told_to_stop(
    sandbox_settings: dict[str, str], path: Path, number: signal.Signals
) -> None:
    import sqlite3
    import time

    env = {"PATH": os.environ["PATH"], **sandbox_settings, "ETHORA_OUTBOX_DATABASE": f"sqlite:///{path}"}
    with Command("outbox", "init", env=env) as made:
        made.communicate()
    assert made.returncode == 0
    worker = Command("outbox", "work", "--json", env=env, text=True)
    try:
        assert worker.stderr is not None
        assert "working on" in worker.stderr.readline()
        with sqlite3.connect(path, timeout=10) as connection:
            outbox.want_user(  # type: ignore[unused-awaitable]
                connection, NewUser(id="ann", email="ann@example.com", first_name="Ann", last_name="Lee")
            )
        ends = time.monotonic() + 120
        done = "SELECT count(*) FROM ethora_lane WHERE due IS NULL"
        while not connection.execute(done).fetchone()[0] and time.monotonic() < ends:
            time.sleep(0.05)
        connection.close()
        worker.send_signal(number)
        stdout, stderr = worker.communicate()
        assert worker.returncode == (0 if number == signal.SIGTERM else 130), stderr
        assert json.loads(stdout)["done"] == 1
    finally:
        worker.close()


def test_drift_is_found_and_carried_out_by_commands(
    cli: Callable[..., Any], sandbox_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in sandbox_settings.items():
        monkeypatch.setenv(name, value)
    people = tmp_path / "people.csv"
    people.write_text("id,email,first_name,last_name\nann,ann@example.com,Ann,Lee\n")
    cli("init")
    found = json.loads(cli("reconcile", "--users", str(people), "--json", code=4))
    assert (found["drift"], found["in_step"]) == ({"user create": 1}, False)
    assert "1 on their way" in cli("reconcile", "--users", str(people))
    assert json.loads(cli("work", "--once", "--json")) == {"done": 1, "dead": 0, "retries": 0}
    assert "no drift" in cli("reconcile", "--users", str(people), "--lag", "0")
    people.write_text("id,email,first_name,last_name\n")
    assert "nothing was written" not in cli("reconcile", "--users", str(people), "--lag", "0")
    stopped = json.loads(cli("reconcile", "--users", str(people), "--lag", "0", "--prune", "--json", code=5))
    assert "1 of 1 users" in stopped["guard"]
