"""One plan on many workers: items a second with 1, 2 and 4 workers compared with one process.

    python -m benchmarks.workers [--quick | --full]

It needs PostgreSQL's binaries (Debian: ``apt-get install postgresql``), and starts a cluster of its own, which writes
to the disk as usual (fsync). The platform is ``_bulk_server.py``: cheap, and the same for all. All of them share the
machine: with more processes than cores the workers take time from the server and from PostgreSQL. The CPU time of each
says how many items a second a machine of its own could carry out, whatever else runs here.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests" / "servers"), str(HERE)]

from _bulk_server import APP  # noqa: E402
from _workers import environment  # noqa: E402
from storm_servers import Cluster  # noqa: E402

from ethora_async import EthoraClient  # noqa: E402
from ethora_async.sync.plan.apply import apply_plan  # noqa: E402
from ethora_async.sync.plan.directories import identity  # noqa: E402
from ethora_async.sync.plan.plan import PLANNED, Plan, summary_of  # noqa: E402
from ethora_async.sync.store.items import STEPS, Entry  # noqa: E402
from ethora_async.sync.store.journal import Journal  # noqa: E402
from ethora_async.workers.database import Database  # noqa: E402
from ethora_async.workers.ledger import CHUNK, ChunkItems, Ledger, Step  # noqa: E402
from ethora_async.workers.pushing import follow  # noqa: E402
from ethora_async.workers.worker import engine_schema  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

CREATE = STEPS["user", "create"]


def entries(first: int, count: int) -> list[Entry]:
    return [
        Entry(
            number, CREATE, "user", "create", f"u{number}",
            after={"id": f"u{number}", "email": f"u{number}@example.com", "first_name": "Ann", "last_name": "Lee"},
        )
        for number in range(first, first + count)
    ]  # fmt: skip


async def chunks(count: int) -> AsyncGenerator[ChunkItems, None]:
    for first in range(1, count + 1, CHUNK):
        yield ChunkItems(entries(first, min(CHUNK, count + 1 - first)))


def client_of(port: str) -> EthoraClient:
    settings = environment(port)
    return EthoraClient(app_id=APP, secret=settings["ETHORA_CHAT_APP_SECRET"], api_url=settings["ETHORA_CHAT_API_URL"])


def cpu(*pids: int) -> float:
    """Seconds of CPU that processes and their children have used."""
    found, ticks = 0, os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(stat.parent.name) in pids or int(fields[1]) in pids:
            found += sum(map(int, fields[11:13])) + (
                sum(map(int, fields[13:15])) if int(stat.parent.name) in pids else 0
            )
    return found / ticks


@attrs.frozen
class Took:
    """What a run took: items a second, seconds for its push, bytes an item on disk, and CPU µs an item."""

    rate: float
    push: float
    size: float
    workers: float
    postgres: float
    server: float


@contextmanager
def server() -> Generator[tuple[str, int], None, None]:
    command = [sys.executable, HERE / "_bulk_server.py", "0", "brief"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
        process.stdin.close()


@contextmanager
def working(number: int, port: str, url: str) -> Generator[list[int], None, None]:
    """So many ``ethora work``, which have had a moment to start."""
    env = {**environment(port), "ETHORA_WORKERS_DATABASE": url, "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-m", "ethora_async", "work"]
    pids = []
    with ExitStack() as stack:
        for _ in range(number):
            process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            assert process.stderr is not None
            stack.callback(process.stderr.close)
            process.stderr.readline()  # "working on ..."
            pids.append(process.pid)
        time.sleep(1)
        yield pids


async def by_workers(number: int, count: int, place: tuple[str, int], cluster: Cluster) -> Took:
    port, serving = place
    database = Database(cluster.url())
    ledger = Ledger(database)
    try:
        await ledger.init(engine_schema())
        async with client_of(port) as client:
            await client.users.reserved()
            platform = identity(client)
        with working(number, port, cluster.url()) as pids:
            started = time.perf_counter()
            run = await ledger.push(platform, [(Step(CREATE, "user", "create"), chunks(count))])
            pushed = time.perf_counter() - started
            groups = (pids, [cluster.pid], [serving])
            before = [cpu(*group) for group in groups]
            started = time.perf_counter()
            status = await follow(ledger, run)
            took = time.perf_counter() - started
            spent = [(cpu(*group) - was) / count * 1e6 for group, was in zip(groups, before, strict=True)]
        assert (status.done, status.failed) == (count, 0), status
        async with database.transaction() as connection:
            query = b"SELECT pg_total_relation_size('ethora_chunk')"
            row = await (await connection.execute(query)).fetchone()
            await connection.execute("TRUNCATE ethora_run CASCADE")
        return Took(count / took, pushed, (row[0] if row else 0) / count, *spent)
    finally:
        await database.aclose()


async def by_one(count: int, port: str) -> tuple[float, float]:
    """Items a second that `apply_plan` carries out from a journal, and its CPU µs an item."""
    async with client_of(port) as client:
        await client.users.reserved()
        async with await Journal.create(None, meta={"state": PLANNED, "platform": identity(client)}) as journal:
            for first in range(1, count + 1, CHUNK):
                await journal.add(entries(first, min(CHUNK, count + 1 - first)))
            plan = Plan(journal, {}, await summary_of(journal), None, identity(client))
            started, before = time.perf_counter(), time.process_time()
            done = await apply_plan(client, plan)
            took, spent = time.perf_counter() - started, time.process_time() - before
        assert (done.total, done.failed) == (count, 0)
    return count / took, spent / count * 1e6


async def measure(cluster: Cluster, place: tuple[str, int], *, count: int, rounds: int, growth: list[int]) -> None:
    alone: list[tuple[float, float]] = []
    together: dict[int, list[Took]] = {1: [], 2: [], 4: []}
    for _ in range(rounds):
        alone.append(await by_one(count, place[0]))
        for number, found in together.items():
            found.append(await by_workers(number, count, place, cluster))
    one, cost = (statistics.median(values) for values in zip(*alone, strict=True))
    rates = {number: statistics.median(took.rate for took in found) for number, found in together.items()}
    print(
        f"workers: {max(rates.values()):,.0f} items a second at most, {one:,.0f} by one process"
        f" ({cost:.1f} µs CPU each); {count:,} items, {os.cpu_count()} cores, {rounds} interleaved rounds,"
        f" load {os.getloadavg()[0]:.1f}"
    )
    for number, found in together.items():
        parts = [statistics.median(getattr(took, name) for took in found) for name in ("workers", "postgres", "server")]
        ceiling = 1e6 * (os.cpu_count() or 1) / sum(parts)
        print(
            f"  {number} workers: {rates[number]:,.0f} items a second, {rates[number] / one:.2f} x one process; CPU an"
            f" item: workers {parts[0]:.1f} µs, PostgreSQL {parts[1]:.1f}, server {parts[2]:.1f}: at most"
            f" {ceiling:,.0f} a second with all cores free"
        )
    for size in growth:
        took = await by_workers(2, size, place, cluster)
        print(
            f"  2 workers, {size:,} items: {took.rate:,.0f} a second; CPU an item: workers {took.workers:.1f} µs,"
            f" PostgreSQL {took.postgres:.1f}; pushed in {took.push:.1f} s, {took.size:.0f} bytes an item on disk"
        )


def main() -> None:
    cluster = Cluster(fsync=True)
    quick, full = "--quick" in sys.argv, "--full" in sys.argv
    count, rounds = (20_000, 1) if quick else (200_000, 3)
    growth = [20_000, 60_000] if quick else [100_000, 1_000_000, *([10_000_000] if full else [])]
    try:
        cluster.start()
        cluster.wait()
        with server() as place:
            asyncio.run(measure(cluster, place, count=count, rounds=rounds, growth=growth))
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
