"""Runs carried out by workers: in this process, and in processes that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

import pytest
from command_processes import Command
from procrastinate.manager import JobManager
from workers_helpers import CREATE, chunks, client_of, people, pushed, users

from ethora_async.errors import InvalidInputError
from ethora_async.workers.database import WorkersDatabaseError
from ethora_async.workers.pushing import follow
from ethora_async.workers.worker import PLANNER_SILENCE, Worker

if TYPE_CHECKING:
    from pathlib import Path

    from postgres_server import Postgres

    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.workers.ledger import Ledger


async def finished(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.gather(*tasks)


async def test_two_workers_carry_out_one_run(ledger: Ledger, url: str, sandbox: EthoraSandbox) -> None:
    async with client_of(sandbox.environment) as client:
        await client.users.create("u7", email="u7@example.com", first_name="Given", last_name="Family")
        run = await pushed(ledger, client, (CREATE, chunks(users(100), users(100, 101), users(50, 201))))
        workers = [Worker(client, url) for _ in range(2)]
        working = [asyncio.create_task(worker.run()) for worker in workers]
        status = await follow(ledger, run)
        for worker in workers:
            worker.stop()
        await finished(*working)
    assert status.counts == {("user", "create", "created"): 249, ("user", "create", "existed"): 1}
    assert await people(sandbox) == {f"u{number}" for number in range(1, 251)}


async def test_trouble_of_the_platform_is_tried_again_and_counted_once(
    ledger: Ledger, url: str, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ethora_async.workers.worker.random.random", lambda: 0.0)
    sandbox.faults.fail("POST *", status=503, times=4)
    async with client_of(sandbox.environment) as client:
        run = await pushed(ledger, client, (CREATE, chunks(users(30))))
        worker = Worker(client, url)
        working = asyncio.create_task(worker.run())
        status = await follow(ledger, run)
        worker.stop()
        await finished(working)
    assert status.counts == {("user", "create", "created"): 30}


async def test_a_planning_process_is_gone_after_a_minute_of_silence(
    ledger: Ledger, url: str, sandbox: EthoraSandbox, postgres: Postgres
) -> None:
    """The database's clock counts: its planner has just been there, then has been silent for so long."""

    def silent_for(seconds: int) -> None:
        postgres.run(f"UPDATE ethora_run SET planner = now() - interval '{seconds} s'", "SELECT 1")

    async with client_of(sandbox.environment) as client:
        run = await pushed(ledger, client, (CREATE, chunks(users(2), local=users(2, 3))))
        silent_for(int(PLANNER_SILENCE) - 5)
        assert await ledger.give_up_silent_planners(PLANNER_SILENCE) == 0
        silent_for(int(PLANNER_SILENCE) + 1)
        worker = Worker(client, url)
        working = asyncio.create_task(worker.run())
        status = await follow(ledger, run)
        worker.stop()
        await finished(working)
    assert status.counts == {("user", "create", "created"): 2, ("user", "create", "failed"): 2}
    assert [one.name for one in await ledger.failures(run)] == ["u3", "u4"]
    assert await people(sandbox) == {"u1", "u2"}


@pytest.mark.parametrize("method", ["prune_stalled_workers", "get_stalled_jobs"])
async def test_a_worker_ends_though_a_cancellation_gets_lost(
    url: str, ledger: Ledger, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """As in psycopg's pool: `wait_for` of Python 3.11 returns a result that is there when it is cancelled."""
    assert await ledger.runs() == []
    reached = asyncio.Event()
    real = getattr(JobManager, method)

    async def losing(*args: Any, **options: Any) -> Any:
        if not reached.is_set():
            reached.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return await real(*args, **options)

    monkeypatch.setattr(JobManager, method, losing)
    monkeypatch.setattr("ethora_async.workers.worker._CANCELLED_AGAIN", 0.01)
    async with client_of(sandbox.environment) as client:
        worker = Worker(client, url)
        working = asyncio.create_task(worker.run())
        await reached.wait()
        worker.stop()
        done, _ = await asyncio.wait([working], timeout=30)
        assert done
        await working


async def test_a_worker_for_another_app_refuses_the_run(ledger: Ledger, url: str, sandbox: EthoraSandbox) -> None:
    async with client_of(sandbox.environment) as client:
        run = await ledger.push("<another app>", [(CREATE, chunks(users(1)))])
        with pytest.raises(InvalidInputError, match="another app"):
            await Worker(client, url).run()
    assert (await ledger.status(run)).done == 0
    assert await people(sandbox) == set()


def command(*args: str, env: dict[str, str]) -> dict[str, Any]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    pipe = asyncio.subprocess.PIPE
    return {"program": sys.executable, "args": ("-m", "ethora_async", *args), "env": {**kept, **env}, "stdout": pipe}


async def start(*args: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    how = command(*args, env=env)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        how["program"], *how["args"], env=how["env"], stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )


async def ran(*args: str, env: dict[str, str]) -> tuple[int | None, bytes]:
    """Run a command to its end; return its exit code and its output."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with Command(*args, env={**kept, **env}, stderr=DEVNULL) as process:
        out, _ = await asyncio.to_thread(process.communicate)
        return process.returncode, out


async def test_apply_with_workers_and_runs_from_anywhere(url: str, sandbox: EthoraSandbox, tmp_path: Path) -> None:
    rows = [f"u{number},u{number}@example.com,Given,Family," for number in range(60)]
    rows[5] += "a-password-of-its-own"
    path = tmp_path / "users.csv"
    path.write_text("id,email,first_name,last_name,password\n" + "\n".join(rows) + "\n")
    env = {**sandbox.environment, "ETHORA_WORKERS_DATABASE": url, "PGPASSWORD": url.split(":")[2].split("@")[0]}
    options = ("--users", str(path), "--yes", "--json", "--journal", str(tmp_path / "journal"))
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    env["PGPASSWORD"] = unquote(parts.password or "")
    public = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    code, out = await ran("apply", "--workers", public, *options, env=env)
    document = json.loads(out)
    assert code == 0
    assert document["results"] == [{"kind": "user", "action": "create", "status": "created", "count": 60}]
    assert await people(sandbox) == {f"u{number}" for number in range(60)}
    assert not (tmp_path / "journal").exists()
    _, out = await ran("runs", "--json", env=env)
    assert [one["run"] for one in json.loads(out)["runs"]] == [document["run"]]
    code, _ = await ran("apply", "--workers", url, *options, env=env)
    assert code == 2


async def under_way(ledger: Ledger, run: str) -> bool:
    try:
        return (await ledger.status(run)).state == "running"
    except WorkersDatabaseError:
        return True


@pytest.mark.slow
async def test_soak_kill_9_of_workers_loses_and_doubles_nothing(
    ledger: Ledger, url: str, sandbox: EthoraSandbox, postgres: Postgres
) -> None:
    """Workers are killed, and the database's connections cut, until every item is done: the ledger is exact."""
    count, size = 20_000, 100
    parts = [users(size, 1 + start) for start in range(0, count, size)]
    async with client_of(sandbox.environment) as client:
        run = await pushed(ledger, client, (CREATE, chunks(*parts)))
    env = {**sandbox.environment, "ETHORA_WORKERS_DATABASE": url}
    workers = [await start("work", "--timeout", "2", env=env) for _ in range(3)]
    kills = 0
    try:
        while await under_way(ledger, run):
            await asyncio.sleep(0.7)
            victim = kills % 3
            workers[victim].send_signal(signal.SIGKILL)
            await workers[victim].wait()
            workers[victim] = await start("work", "--timeout", "2", env=env)
            kills += 1
            if kills % 4 == 0:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                await asyncio.to_thread(postgres.run, f"{others} AND datname = current_database()")
            if kills > 25:
                break
        status = await follow(ledger, run)
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
    assert kills > 3
    assert status.counts == {("user", "create", "created"): count}
    assert await people(sandbox) == {f"u{number}" for number in range(1, count + 1)}
