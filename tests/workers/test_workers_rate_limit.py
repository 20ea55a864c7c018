"""190 requests a second of several processes, on a platform that refuses more than 200: it refuses none."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from workers_helpers import CREATE, chunks, client_of, people, pushed, users

from ethora_async.sandbox import EthoraSandbox
from ethora_async.workers import Database, SharedRate, follow

if TYPE_CHECKING:
    from ethora_async.workers import Ledger

LIMIT, ASKED = 200, 190
ITEMS, SIZE = 20_000, 50
WORKERS = 3
SLOWED = 100_000
"""Virtual time is so many times slower than real time: what this machine takes does not count."""


class ServerClock:
    """Time as a server sees it: a permit is used when the clock has reached it."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time

    async def sleep(self, delay: float) -> None:
        self.time += delay


async def test_permits_of_several_workers_never_exceed_the_rate_in_any_second(ledger: Ledger, url: str) -> None:
    """In virtual time: what each worker is told to wait makes the moments at which it would send."""
    databases = [Database(url) for _ in range(4)]
    clocks = [ServerClock() for _ in databases]
    pairs = zip(databases, clocks, strict=True)
    rates = [SharedRate(one, "virtual", ASKED / SLOWED, workers=4, clock=clock) for one, clock in pairs]
    sent: list[float] = []
    for _ in range(10):
        for rate, clock in zip(rates, clocks, strict=True):
            clock.time = 0.0  # the database's clock stands still as well, at this speed
            await rate.acquire()
            sent.append(clock.time)
    for database in databases:
        await database.aclose()
    sent.sort()
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert min(gaps) > SLOWED / LIMIT


async def started(count: int, env: dict[str, str], rate: int) -> list[asyncio.subprocess.Process]:
    """Run this many ``ethora work`` that share one rate."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    command = (sys.executable, "-m", "ethora_async", "work", "--rate", str(rate))
    return [
        await asyncio.create_subprocess_exec(*command, env={**kept, **env}, stderr=asyncio.subprocess.DEVNULL)
        for _ in range(count)
    ]


async def killed(processes: list[asyncio.subprocess.Process]) -> None:
    for process in processes:
        process.kill()
        await process.wait()


@pytest.mark.slow
async def test_a_refusal_that_one_process_meets_stops_all_of_them(ledger: Ledger, url: str) -> None:
    """The platform asks one worker to wait for 4 s: none of three sends anything until then."""
    asked, in_flight = 4.0, 1.0
    moments: list[float] = []

    def count(record: Any) -> None:
        moments.append(asyncio.get_running_loop().time())
        if record.status == 429:
            refused.append(moments[-1])

    refused: list[float] = []
    async with EthoraSandbox(on_request=count) as sandbox:
        async with client_of(sandbox.environment) as client:
            parts = [users(SIZE, 1 + start) for start in range(0, 5_000, SIZE)]
            run = await pushed(ledger, client, (CREATE, chunks(*parts)))
        processes = await started(WORKERS, {**sandbox.environment, "ETHORA_WORKERS_DATABASE": url}, 20)
        try:
            while len(moments) < 40:  # noqa: ASYNC110  all of them work
                await asyncio.sleep(0.05)
            sandbox.faults.rate_limit(times=1, retry_after=asked)
            status = await follow(ledger, run)
        finally:
            await killed(processes)
    assert status.counts == {("user", "create", "created"): 5_000}
    (moment,) = refused
    assert [one - moment for one in moments if moment + in_flight < one < moment + asked] == []
    assert [one for one in moments if one >= moment + asked] != []


@pytest.mark.slow
async def test_no_request_is_refused_at_190_of_200(ledger: Ledger, url: str) -> None:
    """Real processes; the platform itself counts."""
    seconds: Counter[int] = Counter()

    def count(_: Any) -> None:
        seconds[int(asyncio.get_running_loop().time())] += 1

    async with EthoraSandbox(on_request=count) as sandbox:
        refusals = sandbox.faults.rate_limit(limit=LIMIT)
        async with client_of(sandbox.environment) as client:
            parts = [users(SIZE, 1 + start) for start in range(0, ITEMS, SIZE)]
            run = await pushed(ledger, client, (CREATE, chunks(*parts)))
        processes = await started(WORKERS, {**sandbox.environment, "ETHORA_WORKERS_DATABASE": url}, ASKED)
        try:
            status = await follow(ledger, run)
        finally:
            await killed(processes)
        assert status.counts == {("user", "create", "created"): ITEMS}
        assert refusals.hits == 0
        assert len(await people(sandbox)) == ITEMS
        assert max(seconds.values()) <= LIMIT
