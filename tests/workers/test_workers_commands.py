"""The commands: apply, resume and verify with --workers, work, and runs."""

from __future__ import annotations

import asyncio
import builtins
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner
from workers_helpers import CREATE, chunks, client_of, people, pushed, users

from ethora_async import RetryPolicy
from ethora_async.cli import repeating
from ethora_async.cli.app import app
from ethora_async.cli.runtime import Options
from ethora_async.cli.sources import open_lists
from ethora_async.cli.sync_options import SourceOptions
from ethora_async.cli.workers import rate
from ethora_async.redaction import wrapped
from ethora_async.sync.plan.plan import make_plan
from ethora_async.sync.store.journal import Journal
from ethora_async.workers.database import WorkersDatabaseError
from ethora_async.workers.ledger import Ledger
from ethora_async.workers.pushing import RUN, push

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.sandbox import EthoraSandbox


@pytest.fixture
def environment(url: str, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The settings of a machine; gives the database's URL without its password."""
    parts = urlsplit(url)
    public = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    more = {"ETHORA_WORKERS_DATABASE": public, "PGPASSWORD": unquote(parts.password or "")}
    for name, value in {**sandbox.environment, **more}.items():
        monkeypatch.setenv(name, value)
    return public


async def called(*args: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, [*args])


def list_of(folder: Path, *, passwords: int = 0, count: int = 6, more: str = "") -> str:
    rows = [
        f"u{number},u{number}@example.com,Given,Family,{'a-password-of-its-own' if number <= passwords else ''}"
        for number in range(1, count + 1)
    ]
    path = folder / "users.csv"
    path.write_text("\n".join(["id,email,first_name,last_name,password", *rows, more]))
    return str(path)


async def test_apply_writes_the_report_and_the_rejects(
    environment: str, sandbox: EthoraSandbox, tmp_path: Path, ledger: Ledger
) -> None:
    users_list = list_of(tmp_path, passwords=2, more="u7,no-address,Given,Family,\n")
    page, rejects = tmp_path / "page.html", tmp_path / "rejects.csv"
    done = await called(
        "apply", "--users", users_list, "--workers", environment, "--yes",
        "--journal", str(tmp_path / "journal"), "--report", str(page), "--reject", str(rejects), "--rate", "500",
    )  # fmt: skip
    assert done.exit_code == 1, done.stderr
    assert await people(sandbox) == {f"u{number}" for number in range(1, 7)}
    assert "6 changes made, and rows that cannot be used" in page.read_text()
    assert "u7" in rejects.read_text()
    (run,) = await ledger.runs()
    assert run.done == run.total


async def test_runs_retries_and_gives_up(environment: str, sandbox: EthoraSandbox, ledger: Ledger) -> None:
    async with client_of(sandbox.environment) as client:
        run = await pushed(ledger, client, (CREATE, chunks(users(2), local=users(2, 3))))
    shown = await called("runs", "--run", run, "--give-up-local", "--json")
    found = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert [one["name"] for one in found["failures"]] == ["u3", "u4"]
    assert all("run ethora apply again" in one["reason"] for one in found["failures"])
    assert (found["state"], found["done"], found["failed"]) == ("running", 2, 2)
    # What only their planner has is retried by that alone.
    again = await called("runs", "--run", run, "--retry")
    assert again.exit_code == 1
    assert "2 of 4, 2 failed" in again.stdout
    assert "u3: failed" in again.stdout
    listed = await called("runs")
    assert listed.stdout.startswith(run)
    missing = await called("runs", "--run", "nine")
    assert (missing.exit_code, "no run nine" in missing.stderr) == (2, True)


async def test_any_machine_resumes_and_verifies(environment: str, sandbox: EthoraSandbox, ledger: Ledger) -> None:
    async with client_of(sandbox.environment) as client:
        run = await pushed(ledger, client, (CREATE, chunks(users(3), users(3, 4))))
    before = await called("verify", "--workers", environment, "--json")
    told = json.loads(before.stdout)
    assert (before.exit_code, told["in_step"], len(told["examples"])) == (4, False, 6)
    assert "under way: 0 of 6" in before.stderr
    resumed = await called("resume", "--run", run, "--json")
    assert resumed.exit_code == 0, resumed.stderr
    assert json.loads(resumed.stdout)["results"] == [
        {"kind": "user", "action": "create", "status": "created", "count": 6}
    ]
    after = await called("verify", "--run", run, "--json")
    assert (after.exit_code, json.loads(after.stdout)["in_step"]) == (0, True)
    async with client_of(sandbox.environment) as client:
        await client.users.delete("u2")
    gone = await called("verify", "--run", run)
    assert gone.exit_code == 4
    assert "u2" in gone.stdout


async def test_the_planner_comes_back_with_its_journal(
    environment: str, sandbox: EthoraSandbox, ledger: Ledger, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    users_list = list_of(tmp_path, passwords=2)
    async with client_of(sandbox.environment) as client:
        found = await open_lists(SourceOptions({"users": [users_list]}))
        recipe = {"sources": found.recipe, "confirmed": True}
        async with await make_plan(client, **found.sources, journal=journal, recipe=recipe) as plan:
            run = await push(ledger, plan.journal)
    assert await ledger.give_up_local(run) == 2  # another machine thought it was gone
    alone = await called("resume", str(journal))
    assert (alone.exit_code, f"handed to run {run}" in alone.stderr) == (2, True)
    other = await called("resume", str(journal), "--run", "nine")
    assert (other.exit_code, "leave --run out" in other.stderr) == (2, True)
    page = tmp_path / "page.html"
    resumed = await called("resume", str(journal), "--workers", environment, "--report", str(page))
    assert resumed.exit_code == 0, resumed.stderr
    assert await people(sandbox) == {f"u{number}" for number in range(1, 7)}
    assert (await ledger.status(run)).counts == {("user", "create", "created"): 6}
    assert "6 changes made" in page.read_text()
    async with await Journal.open(journal) as kept:
        assert await kept.meta(RUN) == run


async def test_parts_are_runs_of_their_own(
    environment: str, sandbox: EthoraSandbox, ledger: Ledger, tmp_path: Path
) -> None:
    lists = ("--users", list_of(tmp_path, count=30))
    for part in ("1/3", "2/3", "3/3"):
        options = ("--part", part, "--journal", str(tmp_path / "journal"), "--yes", "--workers", environment)
        done = await called("apply", *lists, *options)
        assert done.exit_code == 0, done.stderr
        verified = await called("verify", *lists, "--part", part)
        assert verified.exit_code == 0, verified.stdout
    assert await people(sandbox) == {f"u{number}" for number in range(1, 31)}
    runs = await ledger.runs()
    assert (len(runs), sum(run.total for run in runs)) == (3, 30)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["apply", "--users", "x.csv", "--yes", "--rate", "5"], "--rate needs --workers"),
        (["resume", "x.journal", "--rate", "5"], "--rate needs --workers"),
        (["resume"], "name the JOURNAL"),
        (["plan", "--users", "x.csv", "--part", "4/3"], "part 4 of 3"),
        (["plan", "--users", "x.csv", "--part", "1/3", "--limit", "2"], "--limit and --part"),
        (["verify", "--users", "x.csv", "--workers", "postgresql://h/d"], "leave out the lists"),
        (["verify", "--workers", "mysql://h/d"], "postgresql://"),
        (["resume", "--workers", "postgresql://me:secret@h/d"], "PGPASSWORD"),
        (["work", "postgresql://me:secret@h/d"], "PGPASSWORD"),
        (["runs"], "ETHORA_WORKERS_DATABASE"),
        (["work"], "ETHORA_WORKERS_DATABASE"),
        (["verify", "--run", "x"], "ETHORA_WORKERS_DATABASE"),
    ],
)
async def test_wrong_options_are_named(sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch, args: list[str],
                                       says: str) -> None:  # fmt: skip
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ETHORA_WORKERS_DATABASE", raising=False)
    done = await called(*args)
    assert done.exit_code == 2
    assert says in done.stderr
    assert "secret" not in done.stderr.replace("secrets", "")


@pytest.mark.parametrize("limit", ["0", "-3", "nan"])
async def test_a_rate_that_is_none_is_refused(environment: str, limit: str) -> None:
    done = await called("work", "--rate", limit)
    assert (done.exit_code, "requests a second" in done.stderr) == (2, True)


async def test_a_worker_without_its_secret_says_so(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETHORA_CHAT_APP_SECRET")
    done = await called("work")
    assert (done.exit_code, "ETHORA_CHAT_APP_SECRET" in done.stderr) == (2, True)


async def test_a_worker_that_starts_while_its_database_restarts_waits_for_it(
    environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repeating, "_SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(repeating, "_PAUSES", RetryPolicy(base=0, cap=0))
    real, tries = Ledger.init, 0

    async def init(ledger: Ledger, engine: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            msg = "the database is starting up"
            raise WorkersDatabaseError(msg)
        await real(ledger, engine)

    monkeypatch.setattr(Ledger, "init", init)
    url = wrapped(environment)
    async with rate.limited_client(Options(), None, url, None, patience=rate.RESTART):
        assert tries == 3
    assert capsys.readouterr().err == "the database is starting up; trying again for 60 s\n"
    tries = 0
    with pytest.raises(WorkersDatabaseError):
        async with rate.limited_client(Options(), None, url, None):
            pass
    assert tries == 1


@pytest.mark.parametrize("module", ["psycopg", "procrastinate"])
async def test_a_worker_without_its_extra_says_so(
    environment: str, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **named: Any) -> Any:
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return real(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    done = await called("work")
    assert (done.exit_code, "pip install 'ethora-async[workers]'" in done.stderr) == (2, True)
