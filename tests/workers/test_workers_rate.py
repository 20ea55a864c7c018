"""The shared rate limit: permits in blocks, and the effect of a refusal on all workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict

from ethora_async.errors import ConfigError, NotSentError
from ethora_async.request import Request, Response
from ethora_async.transport import MemoryTransport
from ethora_async.workers.database import Database
from ethora_async.workers.rate import RateLimitedTransport, SharedRate

if TYPE_CHECKING:
    from postgres_server import Postgres

    from ethora_async.workers.ledger import Ledger


class Waits:
    """A clock that stands still and notes how long was waited."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return 1000.0

    def now(self) -> float:
        return 1000.0

    async def sleep(self, delay: float) -> None:
        self.waits.append(delay)


def request(timeout: float = 5.0) -> Request:
    return Request("GET", "http://api.example/", {}, None, timeout)


async def test_workers_share_one_limit(ledger: Ledger, url: str) -> None:
    clocks = [Waits(), Waits()]
    databases = [Database(url) for _ in clocks]
    rates = [SharedRate(one, "shared", 0.5, clock=clock) for one, clock in zip(databases, clocks, strict=True)]
    for _ in range(3):
        for rate in rates:
            await rate.acquire()
    for database in databases:
        await database.aclose()
    # Two seconds between any two permits, whoever has them; the first one comes at once.
    waits = sorted([*clocks[0].waits, *clocks[1].waits])
    assert [round(wait) for wait in waits] == [2, 4, 6, 8, 10]


async def test_a_block_is_spread_over_its_time(ledger: Ledger, url: str, postgres: Postgres) -> None:
    database, clock = Database(url), Waits()
    rate = SharedRate(database, "spread", 100, workers=1, clock=clock)
    for _ in range(5):
        await rate.acquire()
    await database.aclose()
    assert [round(wait, 3) for wait in clock.waits] == [0.01, 0.02, 0.03, 0.04]
    assert postgres.run("SELECT count(*) FROM ethora_rate WHERE name = 'spread'") == [(1,)]


@pytest.mark.parametrize(("header", "least"), [("30", 29), ("", 0), ("nonsense", 0), ("9" * 50, 0)])
async def test_a_refusal_pushes_everybody_back(ledger: Ledger, url: str, header: str, least: int) -> None:
    database, clock = Database(url), Waits()
    name = f"pushed {header}"
    mine, others = (SharedRate(database, name, 1000, clock=clock) for _ in range(2))
    refusing = MemoryTransport(lambda _: Response(429, CIMultiDict({"Retry-After": header} if header else {}), b""))
    assert (await RateLimitedTransport(refusing, mine).send(request())).status == 429
    await others.acquire()
    await database.aclose()
    assert clock.waits[-1] > least
    assert clock.waits[-1] <= max(1, least + 1)


async def test_without_a_permit_nothing_is_sent(ledger: Ledger, url: str, unused_tcp_port: int) -> None:
    sent: list[Request] = []

    def answer(one: Request) -> Response:
        sent.append(one)
        return Response(200, CIMultiDict(), b"")

    class Never(Waits):
        async def sleep(self, delay: float) -> None:
            await asyncio.Event().wait()

    database = Database(url)
    rate = SharedRate(database, "slow", 0.001, clock=Never())
    await rate.acquire()
    with pytest.raises(NotSentError, match="shared rate limit"):
        await RateLimitedTransport(MemoryTransport(answer), rate).send(request(0.01))
    await database.aclose()
    away = SharedRate(Database(f"postgresql://127.0.0.1:{unused_tcp_port}/db"), "away", 1)
    with pytest.raises(NotSentError):
        await RateLimitedTransport(MemoryTransport(answer), away).send(request())
    assert sent == []


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(url: str, rate: float) -> None:
    with pytest.raises(ConfigError, match="requests a second"):
        SharedRate(Database(url), "x", rate)
