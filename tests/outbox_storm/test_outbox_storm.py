"""An application, its workers, its database and the platform, killed and cut at random: in the end both sides agree.

``pytest tests/outbox_storm -m slow --kills 500`` is the long version.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from ports import free_port
from storm_servers import Cluster, File, Process
from storm_traffic import Traffic

from ethora_async import EthoraClient, RocketChatClient
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

Ground = Cluster | File
"""Where the application's tables are."""

EXAMPLES = str(Path(__file__).parents[2] / "examples")
WORKERS = 2
QUIET = 60.0
"""Far above what is asked for: a busy machine must not fail the test. The benchmark measures it."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    made.start()
    made.wait()
    yield made
    made.close()


class Watch:
    """Sees after each request what the platform has: nobody goes back, and nothing is made twice."""

    def __init__(self) -> None:
        self.sandbox: Any = None
        self._newest: dict[str, int] = {}
        self._there: set[str] = set()
        self._made: set[tuple[str, str, str]] = set()
        self.went_back: list[str] = []
        self.twice: list[str] = []

    def look(self, _: object) -> None:
        if self.sandbox is None:
            return
        now = people(self.sandbox)
        for person, (email, name) in now.items():
            version = int(name[name.rindex("V") + 1 :])
            if version < self._newest.get(person, 0):
                self.went_back.append(f"{person}: {self._newest[person]} to {version}")
            self._newest[person] = max(version, self._newest.get(person, 0))
            if person not in self._there:
                # A swap makes somebody anew under the same version, with another address.
                if (person, email, name) in self._made:
                    self.twice.append(f"{person} {email} V{version}")
                self._made.add((person, email, name))
        self._there = set(now)


def people(sandbox: Any) -> dict[str, tuple[str, str]]:
    """Id to e-mail address and name."""
    if isinstance(sandbox, EthoraSandbox):
        users = sandbox.store.app(sandbox.app_id).users
        return {one.uuid: (one.email, one.last_name) for one in users if one.last_name.startswith("V")}
    return {one.username: (one.email, one.name) for one in sandbox.store.users if " V" in one.name}


async def rooms(sandbox: Any, client: Any) -> dict[str, set[str]]:
    there = set(people(sandbox))
    found = {}
    for number in range(5):
        members = {user.id async for user in client.chats.members(f"r{number}")}
        found[f"r{number}"] = members & there
    return found


def tables(database: Ground, prefix: str) -> tuple[dict[str, tuple[str, str]], dict[str, set[str]]]:
    members: dict[str, set[str]] = {f"r{number}": set() for number in range(5)}
    for room, person in database.rows(f"SELECT room, person FROM {prefix}seat"):
        members[room].add(person)
    persons = database.rows(f"SELECT id, email, last_name FROM {prefix}person")
    return {id: (email, name) for id, email, name in persons}, members


def application(kind: str, database: Ground, platform: str, settings: dict[str, str], port: int, log: Path) -> Process:
    """`kind`: ``fastapi``, ``django``, ``trigger``, or ``sqlite``, which has its worker in the application."""
    env = {**settings, "PLATFORM": platform, "WORKER": "1" if kind == "sqlite" else "0"}
    uvicorn = ("-m", "uvicorn", "--app-dir", EXAMPLES, "--log-level", "critical", "--port", str(port))
    if kind == "django":
        env["DATABASE_URL"] = database.url()
        Process(f"{EXAMPLES}/outbox_django.py", "migrate", env=env, log=log).run()
        return Process(*uvicorn, "--lifespan", "off", "outbox_django:app", env=env, log=log)
    env["DATABASE_URL"] = database.url("+aiosqlite" if kind == "sqlite" else "+asyncpg")
    if kind == "trigger":
        env["PYTHONPATH"] = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(Path(__file__).parent), EXAMPLES])
        return Process(*uvicorn, "storm_trigger_app:app", env=env, log=log)
    return Process(*uvicorn, "outbox_fastapi:app", env=env, log=log)


TRIGGERS = (
    ("--table", "person"),
    ("--table", "room", "--kind", "chat"),
    ("--table", "seat", "--kind", "member", "--map", "chat=room", "--map", "user=person"),
)


async def follow_by_triggers(database: Ground) -> None:
    """Put the triggers on the application's tables, as soon as it has made them, as `ethora outbox trigger` prints."""
    there = "SELECT to_regclass('person') IS NOT NULL AND to_regclass('ethora_wish') IS NOT NULL"
    while database.rows(there) != [(True,)]:  # noqa: ASYNC110  it comes about in another process
        await asyncio.sleep(0.05)
    for options in TRIGGERS:
        command = (sys.executable, "-m", "ethora_async", "outbox", "trigger", *options)
        printed = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
        database.run(printed.stdout)


class Storm:
    """Kills one thing after another, and starts it again."""

    def __init__(
        self, sandbox: Any, cluster: Ground, app: Process, workers: list[Process], traffic: Traffic, seed: int
    ) -> None:
        self._sandbox = sandbox
        self._traffic = traffic
        self._answered = 0
        self._cluster = cluster
        self._app = app
        self._workers = workers
        self._random = random.Random(seed)
        self.kills: dict[str, int] = {}

    async def rage(self, kills: int) -> None:
        acts = {"worker": 10, "application": 6, "cut": 4, "database": 2, "outage": 1}
        if not self._workers:
            acts = {"application": 16, "cut": 4, "outage": 1}
        while sum(self.kills.values()) < kills:
            await asyncio.sleep(self._random.uniform(0.1, 0.6))
            (act,) = self._random.choices([*acts], [*acts.values()])
            if act in ("application", "database") and self._traffic.answered < self._answered + 20:
                continue  # it has not come back yet: nothing would ever be committed
            if act == "worker" and not any(worker.speaks for worker in self._workers) and self._random.random() > 0.2:
                continue  # on a busy machine they would be killed while they start, and never do anything
            self._answered = self._traffic.answered if act in ("application", "database") else self._answered
            self.kills[act] = self.kills.get(act, 0) + 1
            await getattr(self, f"_{act}")()
        self._sandbox.faults.clear()

    async def _worker(self) -> None:
        worker = self._random.choice(self._workers)
        await asyncio.to_thread(worker.kill)
        worker.start()

    async def _application(self) -> None:
        await asyncio.to_thread(self._app.kill)
        self._app.start()

    async def _cut(self) -> None:
        route = self._random.choice(["*", "POST *", "DELETE *"])
        self._sandbox.faults.fail(route, times=3, cut=self._random.choice(["before", "after", "body"]))
        self._sandbox.faults.fail(route, times=3, status=503)
        self._sandbox.faults.latency(self._random.uniform(0, 0.3), times=5)

    async def _database(self) -> None:
        assert isinstance(self._cluster, Cluster)
        how = self._random.choice([signal.SIGKILL, signal.SIGQUIT, signal.SIGINT])
        await asyncio.to_thread(self._cluster.kill, how)
        await asyncio.sleep(self._random.uniform(0, 0.5))
        self._cluster.start()

    async def _outage(self) -> None:
        await self._sandbox.aclose()
        await asyncio.sleep(self._random.uniform(0.2, 1.5))
        await self._sandbox.start()


async def quiet(database: Ground) -> tuple[float, list[Any]]:
    """Wait until no intent is waiting; the seconds that took, and what was waiting last."""
    started = time.monotonic()
    inbox = "SELECT count(*) FROM ethora_wish"
    lanes = "SELECT kind, key, other, attempts, claim IS NOT NULL, reason FROM ethora_lane WHERE due IS NOT NULL"
    last: list[Any] = []
    while time.monotonic() - started < QUIET:
        with suppress(psycopg.OperationalError):
            waiting = database.rows(lanes)
            if not waiting and database.rows(inbox) == [(0,)]:
                break
            last = waiting or last
        await asyncio.sleep(0.1)
    return time.monotonic() - started, last


@pytest.mark.parametrize("platform", ["ethora", "rocketchat"])
@pytest.mark.parametrize("kind", ["fastapi", "django", "trigger", "sqlite"])
async def test_both_sides_agree_after_a_storm(
    kind: str, platform: str, tmp_path: Path, pytestconfig: pytest.Config, request: pytest.FixtureRequest
) -> None:
    """The workers run with their default timeouts."""
    database: Ground = File(tmp_path) if kind == "sqlite" else request.getfixturevalue("cluster")
    seed = random.randrange(10**6)
    watch = Watch()
    options = {"port": free_port(), "on_request": watch.look}
    # Whoever is killed three times a second logs in more often than a server admits. Other tests hold that limit.
    sandbox: Any = EthoraSandbox(**options) if platform == "ethora" else RocketChatSandbox(**options, rate_limit=None)
    log = tmp_path / "log"
    async with sandbox:
        watch.sandbox = sandbox
        settings = sandbox.environment
        port = free_port()
        app = application(kind, database, platform, settings, port, log)
        command = ("-m", "ethora_async", "outbox", "work", "--platform", platform)
        env = {**settings, "ETHORA_OUTBOX_DATABASE": database.url()}
        count = 0 if kind == "sqlite" else WORKERS
        workers = [Process(*command, env=env, log=tmp_path / f"worker{number}") for number in range(count)]
        # A trigger cannot say that somebody leaves and comes back, which is how an address changes on Ethora.
        moving = not (kind == "trigger" and platform == "ethora")
        traffic = Traffic(f"http://127.0.0.1:{port}", seed, addresses_change=moving)
        storm = Storm(sandbox, database, app, workers, traffic, seed)
        try:
            app.start()
            if kind == "trigger":
                await follow_by_triggers(database)
            await traffic.open_rooms()
            for worker in workers:
                worker.start()
            driving = asyncio.create_task(traffic.run())
            await storm.rage(pytestconfig.getoption("--kills"))
            traffic.stopping = True
            await driving
            database.wait()
            took, last = await quiet(database)
        finally:
            for process in (app, *workers):
                process.kill()
        told = f"{kind}-{platform} seed {seed}, {storm.kills}, {traffic.answered} committed, quiet after {took:.1f} s"
        print(told, "the last:", last[:5])  # noqa: T201  for people who run it by hand, with -s
        assert traffic.answered > 0
        wanted, members = tables(database, "shop_" if kind == "django" else "")
        assert database.rows("SELECT kind, key, other, reason FROM ethora_lane WHERE dead") == [], told
        there = {id: (email, name.rpartition(" ")[2]) for id, (email, name) in people(sandbox).items()}
        assert there == wanted, told
        async with _client(platform, settings) as client:
            assert await rooms(sandbox, client) == members, told
        assert watch.went_back == [], told
        assert watch.twice == [], told
        assert [worker.ended_by_itself for worker in workers] == [0] * len(workers), told


def _client(platform: str, settings: dict[str, str]) -> Any:
    if platform == "ethora":
        return EthoraClient(
            app_id=settings["ETHORA_CHAT_APP_ID"],
            secret=settings["ETHORA_CHAT_APP_SECRET"],
            api_url=settings["ETHORA_CHAT_API_URL"],
        )
    return RocketChatClient(
        url=settings["ROCKETCHAT_URL"], user=settings["ROCKETCHAT_USER"], password=settings["ROCKETCHAT_PASSWORD"]
    )
