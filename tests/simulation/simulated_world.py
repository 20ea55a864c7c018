"""What outlives a process: the platform, the network, the secret store, the journal; and time."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import shutil
import sqlite3
import weakref
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import attrs
from simulated_loop import START, Killed, run_process
from simulated_network import Line, Network
from simulated_platforms import ORIGIN, SimulatedEthora, SimulatedRocketChat

from ethora_async.config import RetryPolicy
from ethora_async.engine.events import RequestFinished, RequestStarted
from ethora_async.outbox import worker as outbox_worker
from ethora_async.outbox.sqlite import store as outbox_store
from ethora_async.sandbox.ethora import names
from ethora_async.sync.store import file as journal_file
from ethora_async_secrets import SecretBundle
from ethora_async_secrets.concurrency import OwnThread
from ethora_async_secrets.errors import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulated_platforms import Simulated

TIMEOUT = 10.0
JOB_TIMEOUT = 15.0
PASSWORD = "sim-password-canary-77aa"
ADMIN = "sim-admin-password-canary-01"
PERSONAL = "sim-personal-token-canary-02"
SETTLED = 3.0
"""Seconds after which a secret that both sides agree on must work."""
MOST_PROCESSES = 12
LOOSE_END = 1e-6


class WorldClock:
    """The world's time, as clients and platforms want it."""

    def __init__(self) -> None:
        self.elapsed = START

    def monotonic(self) -> float:
        with suppress(RuntimeError):
            self.elapsed = asyncio.get_running_loop().time()
        return self.elapsed

    def now(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    async def sleep(self, delay: float, /) -> None:
        await asyncio.sleep(delay)


class SimulatedStore:
    """A secret store: slow, at times away, and behind or ahead of the platform while a secret is rotated."""

    source = "simulated"

    def __init__(self, values: dict[str, str], dice: random.Random) -> None:
        self._dice = dice
        self._version = itertools.count(1)
        self.failing = 0.0
        self.may_fail = False
        self.put(values)

    def put(
        self,
        values: dict[str, str],
        *,
        previous: dict[str, str] | None = None,
        pending: dict[str, str] | None = None,
    ) -> None:
        """Store values, and what stood there before or will stand there next."""
        version = f"v{next(self._version)}"
        self.bundle = SecretBundle(values, version=version, source=self.source, previous=previous, pending=pending)

    async def fetch(self) -> SecretBundle:
        return await self.refresh()

    async def refresh(self) -> SecretBundle:
        await asyncio.sleep(self._dice.random() * 0.1)
        if self._dice.random() < self.failing:
            msg = "the simulated store is away"
            raise SecretUnavailableError(msg)
        return self.bundle

    def invalidate(self, version: str) -> None:
        pass

    async def aclose(self) -> None:
        pass


@attrs.define
class Told:
    """Everything that a schedule printed: events, errors, reports."""

    texts: list[str] = attrs.field(factory=list)

    def note(self, thing: object) -> None:
        self.texts.append(f"{thing!r} {thing}")


class World:
    """What outlives a process: the platform, the network, the secret store, the journal's file."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.dice = random.Random(seed)
        self.clock = WorldClock()
        self.told = Told()
        self.secrets = [f"sim-secret-canary-{seed}-{number:02d}-abcdef" for number in range(4)]
        made: Simulated
        if self.dice.random() < 0.6:
            made = SimulatedEthora(self.secrets[0], self.clock.now, self.dice.choice((0, 1, 3)))
        else:
            token = PERSONAL if self.dice.random() < 0.3 else None
            made = SimulatedRocketChat(self.secrets[0], self.clock.now, ADMIN, token)
        self.platform = made
        dice = random.Random(self.dice.random())
        self.network = Network(made.gateway, dice, self.clock.monotonic, ORIGIN)
        self.store = SimulatedStore(made.settings(), random.Random(self.dice.random()))
        self.canaries = (*self.secrets, PASSWORD, ADMIN, PERSONAL)
        self.connections: list[weakref.ref[sqlite3.Connection]] = []
        self.dead = False
        self.steps = 0
        self.notes: Counter[str] = Counter()
        self.trace: list[str] = []
        self.broken = ""

    def client(self, timeout: float = TIMEOUT) -> Any:
        retry = RetryPolicy(attempts=self.dice.choice((2, 4, 6)), base=0.2)
        self.line = Line(self.network)
        return self.platform.client(
            self.store, transport=self.line, clock=self.clock, timeout=timeout, retry=retry, on_event=self._heard
        )

    def note(self, event: object) -> None:
        """Keep an event, unless its process is dead."""
        if not self.dead:
            self.told.note(event)

    def _heard(self, event: object) -> None:
        if self.dead:
            return
        self.told.note(event)
        if isinstance(event, RequestStarted):
            self.network.begin_call()
        elif isinstance(event, RequestFinished):
            self.trace.append(f"{self.clock.monotonic():.6f} {event}")
            # A request of a run may queue for longer, until whoever waits for it gives up.
            if event.seconds > TIMEOUT + LOOSE_END and event.error != "CancelledError":
                self.fail(f"a call went on beyond its deadline: {event}")
            # A rotation is nobody's affair, as long as the store answers and there is time to ask it.
            # A log-out may be repeated; a log-in with one of two passwords is part of another call.
            early = event.seconds < TIMEOUT / 2 and event.operation not in ("tokens.revoke", "session.login")
            if event.error == "UnauthorizedError" and early and not self.store.failing:
                self.fail(f"a call failed although the secret was rotated properly: {event}")

    def fail(self, what: str) -> None:
        """Remember the first invariant that broke: it may be found where nothing that is raised gets out."""
        self.notes["broken"] += 1
        self.broken = self.broken or what

    def process(self, main: Any, *, kill_at: int | None = None) -> Any:
        """Run one process: its result, or None when it was killed."""
        self.dead, self.network.dead = False, False
        # Whoever rotates the secret ends what was begun, whatever became of the process before.
        self.store.put(self.platform.settings())
        result, loop, left = run_process(main, began=self.clock.elapsed, kill_at=kill_at, bury=self._bury)
        self.clock.elapsed = loop.time()
        self.steps += loop.steps
        if left:
            self.fail(f"tasks were left running: {left}")
        if self.network.open:
            self.fail(f"{self.network.open} requests were left under way")
        if not self.dead and not self.line.closed:
            self.fail("the transport was left open")
        for reference in self.connections:
            if (connection := reference()) is not None:
                connection.close()
        self.connections.clear()
        return result

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.network.calm()
        self.store.failing = 0.0

    def settle(self) -> None:
        """Let everything that is still on its way arrive."""
        _, loop, _ = run_process(self.network.settle(), began=self.clock.elapsed, kill_at=None, bury=lambda: None)
        self.clock.elapsed = loop.time()

    def _bury(self) -> None:
        self.dead = self.network.dead = True
        self.notes["kills"] += 1
        # The files as they are now: what the process does while it is taken apart must not count.
        journal = self.folder / "plan.journal"
        for end in ("", "-wal", "-shm"):
            part = Path(f"{journal}{end}")
            kept = Path(f"{journal}.kept{end}")
            kept.unlink(missing_ok=True)
            if part.exists():
                shutil.copyfile(part, kept)

    def exhume(self) -> None:
        """Put the files of the killed process back."""
        journal = self.folder / "plan.journal"
        for end in ("", "-wal", "-shm"):
            Path(f"{journal}{end}").unlink(missing_ok=True)
            kept = Path(f"{journal}.kept{end}")
            if kept.exists():
                kept.rename(f"{journal}{end}")

    async def rotations(self) -> None:
        """Change secrets a few times, on the platform first or in the store first.

        A store holds the admin's next password or token before the change, and the last one after it: a client that
        starts with a wrong one is told so at once by design, since repeated log-ins lock the account.
        """
        for secret in self.secrets[1 : 1 + self.dice.randrange(3)]:
            await asyncio.sleep(self.dice.uniform(0.5, 12.0))
            kind = self.dice.choice(self.platform.kinds())
            staged = kind in ("ROCKETCHAT_PASSWORD", "ROCKETCHAT_TOKEN") or self.dice.random() < 0.3
            gap = self.dice.uniform(0.0, 1.0)
            before = self.platform.settings()
            after = {**before, kind: secret}
            self.notes["rotations"] += 1
            self.notes[f"rotated {kind}"] += 1
            if staged:
                self.store.put(before, pending=after)
                # A client may keep what it has read of the store for some time, unless it was rejected.
                await asyncio.sleep(gap)
            if self.dice.random() < 0.5:
                self.platform.rotate(kind, secret)
                await asyncio.sleep(gap)
                self.store.put(after, previous=before if staged else None)
            else:
                self.store.put(after, previous=before if staged else None)
                await asyncio.sleep(gap)
                self.platform.rotate(kind, secret)


@contextmanager
def determined(seed: int) -> Iterator[None]:
    """Let everything that is drawn come from the seed, ids and passwords as well."""
    dice = random.Random(seed)
    before = random.getstate()
    random.seed(seed)
    with (
        mock.patch.object(secrets, "token_hex", lambda size=32: dice.randbytes(size).hex()),
        mock.patch.object(secrets, "token_bytes", lambda size=32: dice.randbytes(size)),
        mock.patch.object(secrets, "token_urlsafe", lambda size=32: dice.randbytes(size).hex()),
        mock.patch.object(secrets, "choice", dice.choice),
        mock.patch.object(names, "time", SimpleNamespace(time=lambda: 1_700_000_000.0)),
    ):
        try:
            yield
        finally:
            random.setstate(before)


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Let threads be steps of the loop, and nothing of a dead process take effect."""

    async def run(self: OwnThread, func: Callable[..., Any], *args: Any) -> Any:
        await asyncio.sleep(0)
        if world.dead:
            raise Killed
        result = func(*args)
        await asyncio.sleep(0)
        return result

    def finish(self: OwnThread, last: Callable[[], object]) -> asyncio.Future[object]:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result(last())
        return done

    class Kept(sqlite3.Connection):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            world.connections.append(weakref.ref(self))

    connect = sqlite3.connect
    virtual = SimpleNamespace(monotonic=world.clock.monotonic, time=world.clock.now)

    def connected(*args: Any, **named: Any) -> sqlite3.Connection:
        return connect(*args, **{**named, "factory": Kept})

    with (
        mock.patch.object(OwnThread, "run", run),
        mock.patch.object(OwnThread, "finish", finish),
        mock.patch.object(journal_file.sqlite3, "connect", connected),
        mock.patch.object(outbox_worker, "time", virtual),
        mock.patch.object(outbox_store, "time", virtual),
    ):
        yield
