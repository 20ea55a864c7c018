"""Workers, the planning process and PostgreSQL are killed at random: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from storm_servers import Cluster, Process
from workers_helpers import client_of, people

from ethora_async.sandbox import EthoraSandbox
from ethora_async.workers.database import Database, WorkersDatabaseError
from ethora_async.workers.ledger import Ledger, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

USERS, PASSWORDS, CHATS, MEMBERS = 15_000, 150, 5, 5_000
WORKERS = 3
KILLS = 30
BASE = ("-m", "ethora_async")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    made.start()
    made.wait()
    yield made
    made.close()


def write_lists(folder: Path) -> list[str]:
    """The options that name them. Every hundredth user has a password."""
    every = USERS // PASSWORDS
    users = [
        f"u{number},u{number}@example.com,Given,Family,{'' if number % every else 'a-password-of-its-own'}"
        for number in range(USERS)
    ]
    chats = [f"room{number},Room {number}" for number in range(CHATS)]
    members = [f"room{number % CHATS},u{number}" for number in range(MEMBERS)]
    options = []
    for name, head, rows in (
        ("users", "id,email,first_name,last_name,password", users),
        ("chats", "id,title", chats),
        ("members", "chat,user", members),
    ):
        path = folder / f"{name}.csv"
        path.write_text("\n".join([head, *rows, ""]))
        options += [f"--{name}", str(path)]
    return options


class Storm:
    """The processes to kill, which are restarted at once."""

    def __init__(self, cluster: Cluster, env: dict[str, str], lists: list[str], folder: Path) -> None:
        self.cluster = cluster
        self.kills = {"worker": 0, "planner": 0, "postgres": 0}
        self._chance = random.Random(20_261_130)
        url, journal, log = env["ETHORA_WORKERS_DATABASE"], str(folder / "journal"), folder / "log"
        together = ("--workers", url, "--rate", "60")
        apply = (*BASE, "apply", *together, *lists, "--yes", "--journal", journal)
        self._planner = Process(*apply, env=env, log=log)
        self._resumed = Process(*BASE, "resume", journal, *together, env=env, log=log)
        work = (*BASE, "work", "--timeout", "2", "--rate", "60", "--parallel", "2")
        self.workers = [Process(*work, env=env, log=log) for _ in range(WORKERS)]

    def start(self) -> None:
        for process in (self._planner, *self.workers):
            process.start()

    def close(self) -> None:
        for process in (self._planner, self._resumed, *self.workers):
            process.kill()

    def strike(self) -> None:
        """Kill one of the processes."""
        victim = self._chance.choices(("worker", "planner", "postgres"), (6, 2, 2))[0]
        self.kills[victim] += 1
        if victim == "worker":
            process = self._chance.choice(self.workers)
            process.kill()
            process.start()
        elif victim == "planner":
            self._planner.kill()
            self.mend()
        else:
            self.cluster.kill(self._chance.choice((signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)))
            self.cluster.start()
            self.cluster.wait()

    def mend(self) -> None:
        """Start the planning process again, which a missing database ends as well."""
        if not self._planner.running:
            self._planner = self._resumed
            self._planner.start()

    def pause(self) -> float:
        return self._chance.uniform(0.2, 1.2)


async def sums(ledger: Ledger) -> RunStatus | None:
    """Return the state of the only run; None while there is none, or no database."""
    with suppress(WorkersDatabaseError):
        found = await ledger.runs()
        assert len(found) < 2
        return found[0] if found else None
    return None


async def weather(storm: Storm, ledger: Ledger) -> str:
    """Kill processes until the run is done, then wait for the end; return the run."""
    async with asyncio.timeout(300):
        while True:
            await asyncio.sleep(storm.pause())
            status = await sums(ledger)
            if status is not None and status.state != "running":
                return status.run
            if status is not None and sum(storm.kills.values()) < KILLS:
                await asyncio.to_thread(storm.strike)
            if status is not None:
                storm.mend()


async def test_a_storm_loses_and_doubles_nothing(cluster: Cluster, tmp_path: Path) -> None:
    parts = urlsplit(cluster.url())
    public = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}/postgres"
    database = Database(cluster.url())
    ledger = Ledger(database)
    async with EthoraSandbox(job_polls=1) as sandbox:
        sandbox.faults.latency(0.05)
        env = {**sandbox.environment, "PGPASSWORD": unquote(parts.password or ""), "ETHORA_WORKERS_DATABASE": public}
        storm = Storm(cluster, env, write_lists(tmp_path), tmp_path)
        try:
            storm.start()
            run = await weather(storm, ledger)
            status, failures = await ledger.status(run), await ledger.failures(run)
            assert [process.running for process in storm.workers] == [True] * WORKERS
            verified = await report("verify", "--run", run, env=env)
            listed = await report("runs", env=env)
        finally:
            storm.close()
            await database.aclose()
        assert min(storm.kills.values()) > 0
        assert [process.ended_by_itself for process in storm.workers] == [0] * WORKERS
        assert failures == []
        assert status.counts == {
            ("user", "create", "created"): USERS,
            ("chat", "create", "created"): CHATS,
            ("member", "grant", "created"): MEMBERS,
        }
        assert (status.done, status.failed, status.state) == (status.total, 0, "done")
        assert verified["in_step"] is True
        assert [one["run"] for one in listed["runs"]] == [run]
        assert await people(sandbox) == {f"u{number}" for number in range(USERS)}
        app = sandbox.store.app(sandbox.app_id)
        assert len([user for user in app.users if user.uuid.startswith("u")]) == USERS
        assert await memberships(sandbox) == sorted(
            (f"room{number % CHATS}", f"u{number}") for number in range(MEMBERS)
        )


async def memberships(sandbox: EthoraSandbox) -> list[tuple[str, str]]:
    async with client_of(sandbox.environment) as client:
        named = [
            (chat, client.users.plain_id(user.id))
            for chat in (f"room{number}" for number in range(CHATS))
            async for user in client.chats.members(chat)
        ]
    return sorted(one for one in named if one[1].startswith("u"))


async def report(*args: str, env: dict[str, str]) -> Any:
    """The JSON that a command of another machine prints."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *BASE, *args, "--json", env={**kept, **env}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, out
    return json.loads(out)
