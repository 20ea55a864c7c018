"""Plans, kills and resumes: synchronise a list over as many processes as needed."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import attrs
from simulated_world import PASSWORD, World

from ethora_async.errors import ChatError
from ethora_async.records import NewChat, NewUser
from ethora_async.sync import apply_plan, make_plan, resume
from ethora_async.sync.sources.source import Row

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from simulated_network import Attempt

MOST_PROCESSES = 12


class Rows:
    """A source in memory."""

    name = "wanted"

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    async def fingerprint(self) -> str:
        return f"{len(self._items)} rows"

    async def rows(self) -> AsyncGenerator[Row[Any], None]:
        for line, item in enumerate(self._items, 2):
            yield Row(item, line, self.name)


@attrs.frozen
class Wanted:
    """What a plan is to bring about."""

    users: tuple[str, ...]
    chats: tuple[str, ...]
    members: tuple[tuple[str, str], ...]

    @classmethod
    def drawn(cls, dice: random.Random) -> Wanted:
        users = tuple(f"u{number}" for number in range(dice.randint(1, 9)))
        chats = tuple(f"c{number}" for number in range(dice.randint(0, 2)))
        pairs = tuple((chat, user) for chat in chats for user in users if dice.random() < 0.5)
        return cls(users, chats, pairs)

    def sources(self) -> dict[str, Rows]:
        people = [
            NewUser(
                id=id, email=f"{id}@example.com", first_name="New", last_name="Lee",
                password=PASSWORD if id.endswith(("1", "4")) else None,
            )
            for id in self.users
        ]  # fmt: skip
        found = {"user": Rows(people)}
        if self.chats:
            found["chat"] = Rows([NewChat(id=id, title="Room") for id in self.chats])
            found["member"] = Rows(list(self.members))
        return found


def synchronized(world: World) -> None:
    """Synchronise a list over as many processes as needed; some are killed, some give up."""
    wanted = Wanted.drawn(world.dice)
    there = [id for id in wanted.users if world.dice.random() < 0.2]
    world.platform.seed(there, [])
    journal = world.folder / "plan.journal"
    settled: set[str] = set()
    kills = world.dice.choice((0, 1, 1, 2, 3))
    for attempt in range(MOST_PROCESSES):
        if attempt >= MOST_PROCESSES - 3:
            world.calm()
        kill_at = int(world.dice.triangular(2, 900, 60)) if kills > attempt else None
        sent = len(world.network.log)
        done = world.process(_in_step(world, wanted, journal, found=journal.exists()), kill_at=kill_at)
        _check_not_again(world, world.network.log[sent:], settled)
        if world.dead:
            world.exhume()
        if journal.exists():
            settled |= _known(journal)
            world.told.texts.append(journal.read_bytes().decode("latin-1"))
        if done is True:
            break
    else:
        world.fail("the list was not in step after all processes, the last three in fair weather")
    world.settle()
    _check_in_step(world, wanted)


async def _in_step(world: World, wanted: Wanted, journal: Path, *, found: bool) -> bool:
    sources = wanted.sources()
    async with world.client() as client:
        turning = asyncio.create_task(world.rotations())
        try:
            if found:
                done = await resume(client, journal, sources=sources)  # type: ignore[arg-type]
            else:
                named = {"user": "users", "chat": "chats", "member": "members"}
                given: Any = {named[kind]: source for kind, source in sources.items()}
                async with await make_plan(client, **given, journal=journal) as plan:
                    done = await apply_plan(client, plan)
            world.told.note(done)
        except ChatError as error:
            world.told.note(error)
            world.notes[f"plan: {type(error).__name__}"] += 1
            return False
        finally:
            turning.cancel()
            await asyncio.gather(turning, return_exceptions=True)
    return done.ok


def _known(journal: Path) -> set[str]:
    """Return the names of the items that a journal knows to be done."""
    with sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT kind, action, key, other FROM item WHERE step > 0 AND status IN"
            " ('created', 'existed', 'updated', 'unchanged')"
        ).fetchall()
    database.close()
    return {" ".join(row) for row in rows if row[0] == "user" and row[1] == "create"}


def _check_not_again(world: World, log: list[Attempt], settled: set[str]) -> None:
    for name in settled:
        marker = f'"{name.split()[2]}@example.com"'.encode()
        for attempt in log:
            if attempt.method == "POST" and marker in attempt.body:
                world.fail(f"{name!r} is known to be done, and was done again: {attempt.method} {attempt.url}")


def _check_in_step(world: World, wanted: Wanted) -> None:
    users, chats = world.platform.users(), world.platform.chats()
    if lost := sorted(set(wanted.users) - users.keys()):
        world.fail(f"users were lost: {lost}")
    if lost := sorted(set(wanted.chats) - chats.keys()):
        world.fail(f"rooms were lost: {lost}")
    if missing := [pair for pair in wanted.members if pair[1] not in chats.get(pair[0], ())]:
        world.fail(f"memberships were lost: {missing}")
    if extra := sorted(users.keys() - set(wanted.users)):
        world.fail(f"users came from nowhere: {extra}")
    old = sorted(id for id in wanted.users if users.get(id) not in (None, "New"))
    if old:
        world.fail(f"users were not updated: {old}")
