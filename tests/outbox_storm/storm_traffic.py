"""People who sign up, change, leave, return, swap addresses and join rooms at random."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = 60
ROOMS = 5
CLIENTS = 4


class Traffic:
    """Requests to an application that may be down. Two about one person are never under way together.

    Args:
        addresses_change: whether somebody who is there ever gets another e-mail address.
    """

    def __init__(self, url: str, seed: int, *, addresses_change: bool = True) -> None:
        self._addresses_change = addresses_change
        self._url = url
        self._random = random.Random(seed)
        self._locks = {f"u{number}": asyncio.Lock() for number in range(PEOPLE)}
        self._addresses: dict[str, str] = {}
        self._swapped: set[str] = set()
        self._version = 0
        self.stopping = False
        self.answered = 0

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._client(session))

    async def open_rooms(self) -> None:
        async with aiohttp.ClientSession() as session:
            for number in range(ROOMS):
                while await self._ask(session, "PUT", f"/rooms/r{number}?title=Room-{number}") is not True:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _client(self, session: aiohttp.ClientSession) -> None:
        acts: list[Callable[..., Any]] = [self._change, self._change, self._leave, self._join, self._join, self._part]
        if self._addresses_change:
            acts += [self._move, self._swap, self._hand_over]
        while not self.stopping:
            first, second = sorted(self._random.sample([*self._locks], 2))
            async with self._locks[first], self._locks[second]:
                await self._random.choice(acts)(session, first, second)

    def _form(self, person: str, email: str | None = None) -> dict[str, str]:
        self._version += 1
        kept = email or self._addresses.get(person) or f"{person}-{self._version}@example.com"
        return {"email": kept, "first_name": "Ann", "last_name": f"V{self._version}"}

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> bool | None:
        """Whether it was done; None when that is not known: the application was killed, or lost its database."""
        try:
            async with session.request(method, self._url + path, json=body) as reply:
                await reply.read()
                if reply.status < 500:
                    self.answered += reply.status == 200
                    return reply.status == 200
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.05)
        return None

    async def _put(self, session: aiohttp.ClientSession, person: str, email: str | None = None) -> None:
        form = self._form(person, email)
        # Whatever became of it: the next change of this person says which address is meant.
        self._addresses[person] = form["email"]
        if await self._ask(session, "PUT", f"/people/{person}", form):
            self._swapped.discard(person)

    async def _change(self, session: aiohttp.ClientSession, first: str, _: str) -> None:
        await self._put(session, first)

    async def _move(self, session: aiohttp.ClientSession, first: str, _: str) -> None:
        self._version += 1
        await self._put(session, first, f"{first}-{self._version}@example.com")

    async def _leave(self, session: aiohttp.ClientSession, first: str, _: str) -> None:
        done = await self._ask(session, "DELETE", f"/people/{first}")
        # They come back with another address; who may still be there keeps theirs where addresses never change.
        if done is not None or self._addresses_change:
            self._addresses.pop(first, None)

    async def _join(self, session: aiohttp.ClientSession, first: str, _: str) -> None:
        await self._ask(session, "PUT", f"/rooms/r{self._random.randrange(ROOMS)}/people/{first}")

    async def _part(self, session: aiohttp.ClientSession, first: str, _: str) -> None:
        await self._ask(session, "DELETE", f"/rooms/r{self._random.randrange(ROOMS)}/people/{first}")

    async def _swap(self, session: aiohttp.ClientSession, first: str, second: str) -> None:
        if {first, second} & self._swapped:
            return  # swapped back, they would be as they were: that nobody is made twice could not be told
        self._swapped |= {first, second}
        done = await self._ask(session, "POST", f"/people/{first}/swap/{second}")
        if done is not False:
            # Which address who has now is known to the table alone.
            for person in (first, second):
                self._addresses.pop(person, None)

    async def _hand_over(self, session: aiohttp.ClientSession, first: str, second: str) -> None:
        address = self._addresses.get(first)
        if address is not None and await self._ask(session, "DELETE", f"/people/{first}"):
            self._addresses.pop(first)
            await self._put(session, second, address)
