"""The cost of a typed call over hand-written aiohttp code: CPU of the client's process per call.

With uvloop too, where it is installed (extra ``speed``).
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import aiohttp
import orjson
from _calls import APP, CREATE, CREATE_AND_READ, GET, UPDATE, Call, Kind, by_client, by_expert, by_hand, expert_session
from _measure import Samples, event_loops, interleaved, pin, quick, ratio, server, show

from ethora_async import EthoraClient

if TYPE_CHECKING:
    from collections.abc import Callable

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]

IN_FLIGHT = (1, 64)
SECRET = "only-for-this-benchmark-0123456789"


async def many(call: Call, calls: int, in_flight: int) -> None:
    async def one_after_another(start: int) -> None:
        for number in range(start, calls, in_flight):
            await call(number)

    await asyncio.gather(*(one_after_another(start) for start in range(in_flight)))


def cpu_per_call(runner: asyncio.Runner, call: Call, calls: int, in_flight: int) -> float:
    """Seconds, user and system."""
    started = time.process_time()
    runner.run(many(call, calls, in_flight))
    return (time.process_time() - started) / calls


async def prepare(kind: Kind, base: str) -> tuple[EthoraClient, list[aiohttp.ClientSession], dict[str, Call]]:
    client = EthoraClient(app_id=APP, secret=SECRET, api_url=base)
    sessions = [expert_session(), aiohttp.ClientSession()]
    token = (await client.tokens.for_server()).value
    calls = {
        "typed": by_client(kind, client),
        "tuned": by_expert(kind, sessions[0], base, token),
        "plain": by_hand(kind, sessions[1], base, token),
    }
    return client, sessions, calls


async def close(client: EthoraClient, sessions: list[aiohttp.ClientSession]) -> None:
    await client.aclose()
    for session in sessions:
        await session.close()


def measure(kind: Kind, loop: LoopFactory | None, *, rounds: int, size: int) -> dict[int, Samples]:
    """CPU seconds per call, by how many were in flight."""
    reply = orjson.dumps(kind.reply).decode()
    with server("_fixed_server.py", reply) as (port,), asyncio.Runner(loop_factory=loop) as runner:
        client, sessions, calls = runner.run(prepare(kind, f"http://127.0.0.1:{port}"))
        samples = {
            in_flight: interleaved(
                {name: partial(cpu_per_call, runner, call, size, in_flight) for name, call in calls.items()}, rounds
            )
            for in_flight in IN_FLIGHT
        }
        runner.run(close(client, sessions))
    return samples


def describe(name: str, loop: str, in_flight: int, samples: Samples) -> str:
    times = "  ".join(f"{variant} {median(taken) * 1e6:.0f} us" for variant, taken in samples.items())
    tuned, plain = ratio(samples, "typed", "tuned"), ratio(samples, "typed", "plain")
    return f"{name:24} {loop:7} {in_flight:2} in flight: {times}  typed/tuned {tuned:.3f}  typed/plain {plain:.3f}"


def main() -> None:
    rounds, size = (5, 128) if quick(__doc__ or "") else (61, 512)
    pin(0)
    measured = {
        (kind.name, name): measure(kind, loop, rounds=rounds, size=size)
        for name, loop in event_loops().items()
        for kind in (UPDATE, GET, CREATE, CREATE_AND_READ)
    }
    headline = ratio(measured[UPDATE.name, "asyncio"][IN_FLIGHT[-1]], "typed", "tuned")
    show(
        "request_overhead",
        f"{headline:.2f} x tuned aiohttp ({UPDATE.name}, {IN_FLIGHT[-1]} in flight)",
        [
            describe(name, loop, in_flight, samples)
            for (name, loop), by_number in measured.items()
            for in_flight, samples in by_number.items()
        ],
        aim="at most 1.10, users.get and chats.create 1.15, each below plain aiohttp",
    )


if __name__ == "__main__":
    main()
