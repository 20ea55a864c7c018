"""Run work with this package, or with bare aiohttp: the counterpart of ``_node_sdk.cjs``, with the same protocol."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from _measure import event_loops
from yarl import URL

from ethora_async import EthoraClient, NewUser
from ethora_async.sync import USERS, apply_plan, make_plan, open_source, verify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from ethora_async.bulk import Run

    Work = Callable[[], Awaitable[int]]

BATCH = 100
FIRST_POLL = 0.025
_fresh = count()


def people(number: int) -> list[NewUser]:
    return [
        NewUser(id=f"user-{one}", email=f"user-{one}@example.com", first_name=f"First{one}", last_name=f"Last{one}")
        for one in range(number)
    ]


async def created(run: Run[NewUser]) -> int:
    return (await run).raise_for_failures().counts["created"]


class Client:
    """One `EthoraClient` and one session for as long as the process lives. Each piece of work is prepared, then
    measured.
    """

    def __init__(self, client: EthoraClient, session: aiohttp.ClientSession, base: str) -> None:
        self._client = client
        self._session = session
        self._base = base
        self._batches = URL(f"{base}/v2/users/batch")

    def single(self, count: int, in_flight: int) -> Work:
        """Create users with one request each, by the route that answers at once."""
        users = people(count)
        options: dict[str, Any] = {"batch_size": 1, "concurrency": in_flight, "synchronous": True}
        return lambda: created(self._client.users.create_many(users, **options))

    def awaited(self, count: int, in_flight: int) -> Work:
        """Create users with `Users.create`, which waits for each user's job: two requests."""
        users = iter(people(count))

        async def one_after_another() -> int:
            done = 0
            for user in users:
                outcome = await self._client.users.create(
                    user.id, email=user.email, first_name=user.first_name, last_name=user.last_name
                )
                done += outcome.status == "created"
            return done

        async def work() -> int:
            return sum(await asyncio.gather(*(one_after_another() for _ in range(in_flight))))

        return work

    def batches(self, count: int, in_flight: int) -> Work:
        """Create users in batches of a hundred, each with its job."""
        users = people(count)
        return lambda: created(self._client.users.create_many(users, batch_size=BATCH, concurrency=in_flight))

    def bare(self, count: int, in_flight: int) -> Work:
        """Send the same requests with hand-written, tuned code; nothing is checked, matched or reported."""
        rows = [
            {"uuid": user.id, "email": user.email, "firstName": user.first_name, "lastName": user.last_name}
            for user in people(count)
        ]
        lists = iter([rows[start : start + BATCH] for start in range(0, count, BATCH)])

        async def work() -> int:
            headers = await self._headers()
            return sum(await asyncio.gather(*(self._post_all(lists, headers) for _ in range(in_flight))))

        return work

    def bare_single(self, count: int, in_flight: int) -> Work:
        """Send the requests of `single` with hand-written, tuned code."""
        rows = iter(
            [
                {"uuid": user.id, "email": user.email, "firstName": user.first_name, "lastName": user.last_name}
                for user in people(count)
            ]
        )
        url = URL(f"{self._base}/v1/users/batch")

        async def one_after_another(headers: dict[str, str]) -> int:
            done = 0
            for row in rows:
                body = orjson.dumps({"bypassEmailConfirmation": True, "usersList": [row]})
                async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                    done += len(orjson.loads(await response.read())["results"])
            return done

        async def work() -> int:
            headers = await self._headers()
            return sum(await asyncio.gather(*(one_after_another(headers) for _ in range(in_flight))))

        return work

    async def _headers(self) -> dict[str, str]:
        token = (await self._client.tokens.for_server()).value
        return {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "x-custom-token": token}

    async def _post_all(self, lists: Iterator[Sequence[dict[str, str]]], headers: dict[str, str]) -> int:
        url = self._batches
        done = 0
        for rows in lists:
            body = orjson.dumps({"bypassEmailConfirmation": True, "usersList": rows})
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                job = orjson.loads(await response.read())["jobId"]
            await asyncio.sleep(FIRST_POLL)
            async with self._session.get(url / job, headers=headers, allow_redirects=False) as response:
                done += len(orjson.loads(await response.read())["result"]["results"])
        return done

    def plan_and_apply(self, file: str) -> Work:
        """Do the same as ``ethora apply``: read and check the file, write the plan to a journal, and apply it."""

        async def work() -> int:
            with tempfile.TemporaryDirectory() as folder:
                users = await open_source(file, USERS)
                async with await make_plan(self._client, users=users, journal=Path(folder, "journal")) as plan:
                    applied = await apply_plan(self._client, plan)
            return applied.raise_for_failures().counts["user", "create", "created"]

        return work

    def second_plan(self, file: str) -> Work:
        """Plan again when the platform has all users; return the number of compared records."""

        async def work() -> int:
            async with await make_plan(self._client, users=await open_source(file, USERS)) as plan:
                assert plan.summary.in_step
                return plan.summary.compared["user"]

        return work

    def verification(self, file: str) -> Work:
        """Do the same as ``ethora verify``; return the number of compared records."""

        async def work() -> int:
            done = await verify(self._client, users=await open_source(file, USERS))
            assert done.in_step
            return done.summary.compared["user"]

        return work

    def listing(self) -> Work:
        """List all users."""

        async def work() -> int:
            return len([user async for user in self._client.users.list()])

        return work

    def sign(self, count: int) -> Work:
        """Sign tokens of users who have none yet."""

        async def work() -> int:
            for _ in range(count):
                await self._client.tokens.for_user(f"fresh-{next(_fresh)}")
            return count

        return work


async def measured(work: Work) -> dict[str, float]:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    number = await work()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "count": number}


async def main() -> None:
    async with (
        EthoraClient.from_env() as client,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        works = Client(client, session, os.environ["ETHORA_CHAT_API_URL"])
        while line := await asyncio.to_thread(sys.stdin.readline):
            request = json.loads(line)
            work = getattr(works, request.pop("work"))(**request)
            print(json.dumps(await measured(work)), file=sys.stderr, flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loops()[os.environ.get("BENCHMARK_LOOP", "asyncio")]) as runner:
        runner.run(main())
