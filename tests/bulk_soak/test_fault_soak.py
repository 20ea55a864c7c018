"""A whole import while connections are reset, servers are overloaded and jobs stall."""

from __future__ import annotations

import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from ethora_async import EthoraClient, NewUser
from ethora_async.engine import ConcurrencyChanged, Paused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SERVER = Path(__file__).with_name("fault_soak_server.py")

BAD_DAY = (
    "*: cut=after times=all every=50;"  # the work is done, the reply is lost
    "*: status=503 times=all every=50;"
    "*: status=429 retry_after=1 times=all every=700 lasts=0.5;"
    "job_stall=2 job_stall_every=40"
)


@attrs.define
class Server:
    """Run a sandbox in another process; at the end, it reports the requests that it has seen."""

    url: str
    app_id: str
    secret: str
    seen: dict[str, Any] = attrs.field(factory=dict)


@asynccontextmanager
async def misbehaving(spec: str) -> AsyncIterator[Server]:
    process = await create_subprocess_exec(sys.executable, str(SERVER), spec, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        server = Server(*(await process.stdout.readline()).decode().split())
        yield server
        process.stdin.close()
        server.seen = json.loads(await process.stdout.readline())
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def people(count: int) -> Iterator[NewUser]:
    for number in range(count):
        yield NewUser(id=f"soak-{number}", email=f"soak-{number}@example.com", first_name="Ann", last_name="Lee")


async def imported(count: int, spec: str) -> tuple[dict[str, Any], list[object]]:
    """Run an import that must succeed completely; return the server's requests and the client's events."""
    events: list[object] = []
    async with (
        misbehaving(spec) as server,
        EthoraClient(app_id=server.app_id, secret=server.secret, api_url=server.url, on_event=events.append) as client,
    ):
        run = client.users.create_many(people(count))
        async for outcome in run:
            # After a lost reply the second request finds them there.
            assert outcome.status in ("created", "existed"), outcome
        assert run.report.total == count
    # Everything arrived, and once; one more is the app's owner.
    assert server.seen["users"] == server.seen["distinct"] == count + 1
    assert server.seen["found"] == count
    return server.seen, events


def refused(seen: dict[str, int]) -> float:
    return seen.get("429", 0) / sum(seen.values())


@pytest.mark.slow
async def test_a_small_import_gets_through_a_bad_day() -> None:
    worse = BAD_DAY.replace("every=50", "every=10").replace(
        "job_stall=2 job_stall_every=40", "job_stall=0.3 job_stall_every=8"
    )
    seen, _ = await imported(2_000, worse)
    assert seen["statuses"]["503"] >= 3
    assert seen["statuses"]["0"] >= 3


@pytest.mark.slow
async def test_a_small_import_keeps_to_the_rate_of_the_platform() -> None:
    seen, events = await imported(6_000, "*: limit=60 per=1 retry_after=1")
    assert seen["statuses"]["429"] >= 1
    assert any(isinstance(event, Paused) for event in events)
    # On a busy machine requests arrive together that were sent apart: a few are refused, where most would be.
    assert refused(seen["later"]) <= 0.1


@pytest.mark.slow
async def test_100_000_users_get_through_a_bad_day_without_a_storm() -> None:
    seen, events = await imported(100_000, BAD_DAY)
    assert seen["statuses"]["503"] >= 20
    assert seen["statuses"]["0"] >= 20
    assert seen["statuses"]["429"] >= 2
    assert refused(seen["later"]) <= 0.01
    assert any(isinstance(event, Paused) for event in events)
    assert any(isinstance(event, ConcurrencyChanged) for event in events)


@pytest.mark.slow
async def test_100_000_users_at_a_platform_that_counts_are_hardly_ever_refused() -> None:
    seen, _ = await imported(
        100_000,
        "*: cut=after times=all every=50; *: status=503 times=all every=50;"
        " *: limit=80 per=1 retry_after=1; job_stall=2 job_stall_every=40",
    )
    assert seen["statuses"]["429"] >= 1
    assert refused(seen["later"]) <= 0.01
