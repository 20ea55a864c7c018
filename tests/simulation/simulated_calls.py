"""Calls as an application makes them: several at once, while the secret changes."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from simulated_world import JOB_TIMEOUT, PASSWORD, SETTLED, TIMEOUT, World

from ethora_async.errors import ChatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


async def direct_calls(world: World) -> None:
    """Several tasks that create, grant, post and mint at once, while the secret changes."""
    async with world.client() as client:
        turning = asyncio.create_task(world.rotations())
        number = itertools.count(1)
        workers = [Worker(world, client, number).work() for _ in range(world.dice.randint(1, 4))]
        await asyncio.gather(*workers)
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        await _still_works(world, client)


async def _still_works(world: World, client: Any) -> None:
    """With both sides in agreement and a fair network, a call must succeed."""
    world.calm()
    world.store.put(world.platform.settings())
    await asyncio.sleep(SETTLED + 5.0)
    try:
        if world.platform.name == "ethora":
            await client.users.list(limit=1).__aiter__().__anext__()
        else:
            users = world.platform.users()
            if users:
                await client.tokens.for_user(min(users), renew=True)
    except StopAsyncIteration:
        pass
    except ChatError as error:
        world.fail(f"after the rotations, with a fair network, a call failed: {error!r}")


class Worker:
    """One task of the application: it creates, grants, posts and mints."""

    def __init__(self, world: World, client: Any, numbers: Iterator[int]) -> None:
        self._world = world
        self._client = client
        self._numbers = numbers
        self._rooms: list[str] = []
        self._people: list[str] = []

    async def work(self) -> None:
        """Make a few calls."""
        dice = self._world.dice
        for _ in range(dice.randint(1, 5)):
            kind = dice.choice(("user", "room", "grant", "post", "post", "mint", "list"))
            if kind in ("grant", "mint") and not self._people:
                kind = "user"
            if kind in ("grant", "post") and not self._rooms:
                kind = "room"
            await getattr(self, f"_{kind}")(next(self._numbers))
            await asyncio.sleep(dice.random() * 2.0)

    @property
    def _on_ethora(self) -> bool:
        return self._world.platform.name == "ethora"

    async def _user(self, number: int) -> None:
        id = f"d{number}"
        named: dict[str, Any] = {"email": f"{id}@example.com", "first_name": "New", "last_name": "Lee"}
        if self._on_ethora:
            named["timeout"] = JOB_TIMEOUT
        call = self._client.users.create
        done = lambda: id in self._world.platform.users()  # noqa: E731
        if await tried(self._world, lambda: call(id, password=PASSWORD, **named), done):
            self._people.append(id)

    async def _room(self, number: int) -> None:
        id = f"r{number}"
        call = self._client.chats.create
        if await tried(self._world, lambda: call(id, title="Room"), lambda: id in self._world.platform.chats()):
            self._rooms.append(id)

    async def _grant(self, _: int) -> None:
        room, person = self._rooms[-1], self._people[-1]
        call = self._client.chats.grant if self._on_ethora else self._client.chats.invite
        inside = lambda: person in self._world.platform.chats().get(room, frozenset())  # noqa: E731
        await tried(self._world, lambda: call(room, person), inside)

    async def _post(self, number: int) -> None:
        text, room = f"text-{number}", self._rooms[-1]
        await tried(self._world, lambda: self._posted(room, text), lambda: self._world.platform.texts()[text] > 0)

    async def _posted(self, room: str, text: str) -> Any:
        if self._on_ethora:
            return await self._client.broadcasts.send(text, chats=[room], timeout=JOB_TIMEOUT)
        return await self._client.messages.send(room, text)

    async def _mint(self, _: int) -> None:
        await tried(self._world, lambda: self._client.tokens.for_user(self._people[-1]), lambda: None)

    async def _list(self, _: int) -> None:
        async def everybody() -> None:
            async for _ in self._client.users.list():
                pass

        await tried(self._world, everybody, lambda: None)


async def tried(world: World, call: Callable[[], Any], happened: Callable[[], bool | None]) -> bool:
    """Make one call, and compare what it says with what happened. Return whether it succeeded."""
    started = world.clock.monotonic()
    first = len(world.network.log)
    try:
        result = await call()
    except ChatError as error:
        world.told.note(error)
        world.notes[type(error).__name__] += 1
        # Behind a proxy that repeats requests, a refusal may be the answer to the second of two.
        repeated = any(attempt.repeated for attempt in world.network.log[first:])
        if error.effect == "none" and happened() and not repeated:
            world.fail(f"an error says that nothing happened, and it did: {error!r}")
        return False
    finally:
        # A call may wait for a job, and then asks for it once more.
        if world.clock.monotonic() - started > 4 * TIMEOUT + JOB_TIMEOUT:
            world.fail(f"a call took {world.clock.monotonic() - started:.1f} s: {world.network.log[first:]}")
    world.told.note(result)
    failed = getattr(result, "failures", ())
    if not failed and happened() is False:
        world.fail(f"a call succeeded, and nothing happened: {result!r}")
    return not failed
