"""What a typed call costs over the aiohttp that one would write by hand: CPU of the client's process per call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median
from typing import Any

import aiohttp
import orjson
from _measure import interleaved, pin, quick, ratio, server, show
from yarl import URL

from ethora_async import EthoraClient

IN_FLIGHT = (1, 64)
APP = "646cc8dc96d4a4dc8f7b2f2d"
SECRET = "only-for-this-benchmark-0123456789"
DESCRIPTION = "Everything about the order: where it is, who packs it, and what to do when it is late again"
MEMBERS = ("customer-1042", "clerk-7")
REPLY = {
    "result": {
        "_id": "6705f0a1b2c3d4e5f6a7b8c9",
        "name": f"{APP}_order-1042",
        "title": "Order 1042",
        "type": "group",
        "appId": APP,
        "usersCnt": 2,
        "createdAt": "2026-10-01T12:00:00.000Z",
        "updatedAt": "2026-10-01T12:00:00.000Z",
    }
}

Call = Callable[[int], Awaitable[object]]


def body(number: int) -> dict[str, Any]:
    """What the contract wants to create a chat (§1.6): some 300 bytes of JSON."""
    return {
        "uuid": f"order-{number}",
        "title": f"Order {number}",
        "type": "group",
        "description": DESCRIPTION,
        "members": [f"{APP}_{member}" for member in MEMBERS],
    }


def typed(client: EthoraClient) -> Call:
    async def call(number: int) -> object:
        return await client.chats.create(
            f"order-{number}", title=f"Order {number}", description=DESCRIPTION, members=MEMBERS
        )

    return call


def tuned(session: aiohttp.ClientSession, base: str, token: str) -> Call:
    """Everything prepared that can be, orjson both ways; compare `session_of_an_expert`."""
    url = URL(f"{base}/v2/chats")
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "benchmark",
        "Authorization": f"Bearer {token}",
        "x-custom-token": token,
    }

    async def call(number: int) -> object:
        data = orjson.dumps(body(number))
        async with session.post(url, data=data, headers=headers, allow_redirects=False) as response:
            return orjson.loads(await response.read())["result"]

    return call


def plain(session: aiohttp.ClientSession, base: str, token: str) -> Call:
    """As a tutorial has it."""

    async def call(number: int) -> object:
        headers = {"Authorization": f"Bearer {token}", "x-custom-token": token}
        async with session.post(f"{base}/v2/chats", json=body(number), headers=headers) as response:
            response.raise_for_status()
            return (await response.json())["result"]

    return call


def session_of_an_expert() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=30))


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


def measure(runner: asyncio.Runner, calls: dict[str, Call], *, rounds: int, size: int) -> None:
    ratios, parts = {}, []
    for in_flight in IN_FLIGHT:
        variants = {name: partial(cpu_per_call, runner, call, size, in_flight) for name, call in calls.items()}
        samples = interleaved(variants, rounds)
        ratios[in_flight] = ratio(samples, "typed", "tuned")
        times = ", ".join(f"{name} {median(taken) * 1e6:.0f} µs" for name, taken in samples.items())
        parts.append(
            f"{in_flight} in flight: {times}; typed / tuned {ratios[in_flight]:.3f}, "
            f"typed / plain {ratio(samples, 'typed', 'plain'):.3f}"
        )
    headline = " / ".join(f"{one:.2f}" for one in ratios.values())
    in_flight = " / ".join(str(one) for one in IN_FLIGHT)
    show("request_overhead", f"{headline} x tuned aiohttp, {in_flight} in flight", parts, "<= 1.10, and below plain")


async def prepared(base: str) -> tuple[EthoraClient, list[aiohttp.ClientSession], dict[str, Call]]:
    client = EthoraClient(app_id=APP, secret=SECRET, api_url=base)
    sessions = [session_of_an_expert(), aiohttp.ClientSession()]
    token = (await client.tokens.for_server()).value
    return (
        client,
        sessions,
        {"typed": typed(client), "tuned": tuned(sessions[0], base, token), "plain": plain(sessions[1], base, token)},
    )


async def close(client: EthoraClient, sessions: list[aiohttp.ClientSession]) -> None:
    await client.aclose()
    for session in sessions:
        await session.close()


def main() -> None:
    rounds, size = (5, 256) if quick(__doc__ or "") else (41, 1024)
    with server("_fixed_server.py", orjson.dumps(REPLY).decode()) as (port,), asyncio.Runner() as runner:
        pin(0)
        client, sessions, calls = runner.run(prepared(f"http://127.0.0.1:{port}"))
        measure(runner, calls, rounds=rounds, size=size)
        runner.run(close(client, sessions))


if __name__ == "__main__":
    main()
