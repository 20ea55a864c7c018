"""An outbox: an application writes what it wants, several workers carry it out, and some are killed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from simulated_world import MOST_PROCESSES, PASSWORD, World

from ethora_async.errors import ConfigError
from ethora_async.outbox import (
    PasswordSeal,
    Worker,
    want_chat,
    want_member,
    want_no_chat,
    want_no_member,
    want_no_user,
    want_user,
)
from ethora_async.outbox.sqlite.store import SqliteStore
from ethora_async.records import NewChat, NewUser

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.outbox.lanes import OutboxStatus

DEADLINE = 5.0
LONGEST = 1_200.0
"""Seconds in which the workers must have done everything, in fair weather."""
KEY = "c2ltLW91dGJveC1rZXktY2FuYXJ5LTAwMDAwMDAwMDA="


class Application:
    """Whoever writes the intents, and what it wants: everybody's first name, and the rooms with their members."""

    def __init__(self, world: World, path: Path) -> None:
        self._dice = world.dice
        self._path = path
        self._seal = PasswordSeal(KEY)
        self.people: dict[str, str] = {}
        self.rooms: dict[str, set[str]] = {}
        self.left = world.dice.randint(1, 14)

    async def write(self) -> None:
        """Write the intents that are left, each in a transaction, with pauses."""
        while self.left:
            with closing(sqlite3.connect(self._path)) as connection, connection:
                self._act(connection)
            self.left -= 1
            await asyncio.sleep(self._dice.choice((0.0, 0.05, 1.0, 6.0)) * self._dice.random())

    def _act(self, connection: sqlite3.Connection) -> None:
        dice = self._dice
        person, room = dice.choice(("ann", "bob", "cy")), dice.choice(("one", "two"))
        act = dice.choice(("user", "user", "user", "chat", "join", "join", "part", "gone", "no chat"))
        if act in ("join", "part") and (person not in self.people or room not in self.rooms):
            act = "chat" if person in self.people else "user"
        if act == "user":
            name = self.people[person] = dice.choice(("New", "Other"))
            user = NewUser(
                id=person, email=f"{person}@example.com", first_name=name, last_name="Lee", password=PASSWORD
            )
            want_user(connection, user, seal=self._seal)
        elif act == "gone":
            self.people.pop(person, None)
            for members in self.rooms.values():
                members.discard(person)
            want_no_user(connection, person)
        elif act == "chat":
            self.rooms.setdefault(room, set())
            want_chat(connection, NewChat(id=room, title="Room"))
        elif act == "no chat":
            self.rooms.pop(room, None)
            want_no_chat(connection, room)
        elif act == "join":
            self.rooms[room].add(person)
            want_member(connection, room, person)
        else:
            self.rooms[room].discard(person)
            want_no_member(connection, room, person)


def carried_out(world: World) -> None:
    """Let workers carry out intents over as many processes as needed."""
    # A copy of a request that was answered long ago may undo a newer one: nobody can know of it.
    world.network.late_repeats = False
    path = world.folder / "app.db"
    application = Application(world, path)
    kills = world.dice.choice((0, 1, 1, 2, 3))
    workers = world.dice.randint(1, 3)
    for attempt in range(MOST_PROCESSES):
        last = attempt >= kills
        kill_at = None if last else int(world.dice.triangular(2, 900, 100))
        done = world.process(_worked(world, application, path, workers, last=last), kill_at=kill_at)
        if done is not None:
            break
    world.settle()
    world.told.texts.append(path.read_bytes().decode("latin-1"))
    if world.platform.users() != application.people:
        world.fail(f"the platform has {world.platform.users()}, and wanted is {application.people}")
    rooms = {id: set(members) for id, members in world.platform.chats().items()}
    if rooms != application.rooms:
        world.fail(f"the platform has {rooms}, and wanted is {application.rooms}")


async def _worked(world: World, application: Application, path: Path, workers: int, *, last: bool) -> bool:
    stores = [SqliteStore(path, clock=world.clock.now) for _ in range(workers)]
    await stores[0].init()
    async with world.client() as client:
        crew = [_Supervised(world, client, store) for store in stores]
        running = [asyncio.create_task(worker.run()) for worker in crew]
        turning = asyncio.create_task(world.rotations())
        try:
            await application.write()
            if last:
                await asyncio.gather(turning)
                world.calm()
            await _finished(world, stores[0])
        finally:
            turning.cancel()
            for worker in crew:
                worker.stop()
            results: list[Any] = await asyncio.gather(turning, *running, return_exceptions=True)
            for store in stores:
                await store.aclose()
    for result in results[1:]:
        if isinstance(result, Exception):
            world.fail(f"a worker ended: {result!r}")
    return True


class _Supervised:
    """A worker that is started again when its settings could not be read, as a supervisor does."""

    def __init__(self, world: World, client: Any, store: SqliteStore) -> None:
        self._world = world
        self._batch = world.dice.choice((1, 2, 500))
        self._client = client
        self._store = store
        self._stopped = False
        self._worker = self._made()

    async def run(self) -> None:
        while not self._stopped:
            try:
                await self._worker.run()
            except ConfigError:
                if not self._world.store.may_fail:
                    raise
                self._world.notes["workers started again"] += 1
                await asyncio.sleep(1.0)
                self._worker = self._made()

    def stop(self) -> None:
        self._stopped = True
        self._worker.stop()

    def _made(self) -> Worker:
        return Worker(
            self._client,
            self._store,
            batch=self._batch,
            deadline=DEADLINE,
            seal=PasswordSeal(KEY),
            on_event=self._world.note,
        )


async def _finished(world: World, store: SqliteStore) -> None:
    """Wait until nothing is left to do."""
    began = world.clock.monotonic()
    while True:
        status = await store.status()
        if status.dead:
            world.fail(f"intents were given up: {await store.dead()}")
            return
        if not _busy(status):
            return
        if world.clock.monotonic() - began > LONGEST:
            world.fail(f"intents were left waiting: {status}")
            return
        await asyncio.sleep(2.0)


def _busy(status: OutboxStatus) -> bool:
    return bool(status.inbox or sum(status.waiting.values()) or status.claimed)


__all__ = ["Application", "carried_out"]
