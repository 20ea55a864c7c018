"""The speed of the outbox: 5,000 waiting users, and the time from a commit to a worker.

    python -m benchmarks.outbox [--quick]

It needs PostgreSQL's binaries (Debian: ``apt-get install postgresql``), and starts a cluster of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / name) for name in ("outbox_storm", "servers")]

import psycopg  # noqa: E402
from storm_servers import Cluster  # noqa: E402

from ethora_async import EthoraClient, NewUser, outbox  # noqa: E402
from ethora_async.outbox.lanes import Verdict  # noqa: E402
from ethora_async.outbox.postgres.store import PostgresStore  # noqa: E402
from ethora_async.sandbox import EthoraSandbox  # noqa: E402

WAITING = 5_000


def people(count: int, prefix: str) -> list[NewUser]:
    return [
        NewUser(id=f"{prefix}{number}", email=f"{prefix}{number}@example.com", first_name="Ann", last_name="Lee")
        for number in range(count)
    ]


async def fresh(cluster: Cluster) -> PostgresStore:
    store = PostgresStore(cluster.url())
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS ethora_wish, ethora_lane, ethora_outbox")
        connection.execute("DROP FUNCTION IF EXISTS ethora_wish_announce()")
    await store.init()
    return store


async def carried_out(cluster: Cluster, count: int) -> tuple[float, int]:
    """Seconds and requests for so many new users who wait when the worker starts."""
    store = await fresh(cluster)
    requests = 0

    def counted(_: object) -> None:
        nonlocal requests
        requests += 1

    with psycopg.connect(cluster.url()) as connection:
        await outbox.want_users(connection, people(count, "u"))
    sandbox = EthoraSandbox(on_request=counted, job_polls=0)
    async with sandbox, EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client:
        worker = outbox.Worker(client, store)
        started = time.perf_counter()
        await _until_done(worker, store)
        took = time.perf_counter() - started
    await store.aclose()
    return took, requests


async def _until_done(worker: outbox.Worker, store: PostgresStore) -> None:
    async with worker:
        while True:
            await asyncio.sleep(0.01)
            status = await store.status()
            if not status.inbox and not status.waiting:
                return


async def drained(cluster: Cluster, count: int) -> float:
    """Lanes a second that one worker folds, claims and finishes, with nothing to do for them."""
    store = await fresh(cluster)
    with psycopg.connect(cluster.url()) as connection:
        await outbox.want_users(connection, people(count, "u"))
    started = time.perf_counter()
    while (turn := await store.take(500, 60)).lanes:
        await store.finish(turn.claim, [Verdict(lane, "done") for lane in turn.lanes])
    await store.aclose()
    return count / (time.perf_counter() - started)


async def handed(cluster: Cluster, count: int) -> list[float]:
    """Milliseconds from a commit to the moment at which a waiting worker holds the lane."""
    store = await fresh(cluster)
    found: list[float] = []
    await store.wait(0.5)
    async with await psycopg.AsyncConnection.connect(cluster.url(), autocommit=True) as connection:
        for person in people(count, "h"):
            waiting = asyncio.create_task(store.wait(1))
            await asyncio.sleep(0.005)
            async with connection.transaction():
                await outbox.want_user(connection, person)
            committed = time.perf_counter()
            await waiting
            turn = await store.take(500, 60)
            found.append((time.perf_counter() - committed) * 1000)
            await store.finish(turn.claim, [Verdict(lane, "done") for lane in turn.lanes])
    await store.aclose()
    return found


async def measure(cluster: Cluster, *, quick: bool) -> None:
    took, requests = await carried_out(cluster, WAITING)
    print(f"outbox: {took:.2f} s and {requests} requests for {WAITING:,} waiting users")
    rate = await drained(cluster, 5_000 if quick else 50_000)
    print(f"  {rate:,.0f} lanes a second by one worker, with nothing to do for them")
    times = sorted(await handed(cluster, 50 if quick else 300))
    p99 = times[int(len(times) * 0.99)]
    print(f"  commit to the worker's hand: p50 {statistics.median(times):.1f} ms, p99 {p99:.1f} ms")


def main() -> None:
    cluster = Cluster()
    try:
        cluster.start()
        cluster.wait()
        asyncio.run(measure(cluster, quick="--quick" in sys.argv))
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
