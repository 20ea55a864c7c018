"""Plan, apply and verify against a real server, from real files."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from fake_platform import FakePlatform
from sync_world import person

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox
from ethora_async.sync import CHATS, MEMBERS, USERS, apply_plan, make_plan, open_source, resume, verify
from ethora_async.sync.sources.source import Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from ethora_async.records import NewUser

PASSWORD = "pw-canary-40bd"


async def files(directory: Path, first: int, last: int) -> dict[str, Any]:
    """People in chats of ten; every seventh has a password."""
    people = range(first, last)
    users = [f"u{n},u{n}@example.com,First{n},Last{n},{PASSWORD if n % 7 == 0 else ''}\n" for n in people]
    rooms = sorted({n // 10 for n in people})
    (directory / "u.csv").write_text("id,email,first_name,last_name,password\n" + "".join(users))
    (directory / "c.csv").write_text("id,title\n" + "".join(f"c{room},Room {room}\n" for room in rooms))
    (directory / "m.csv").write_text("chat,user\n" + "".join(f"c{n // 10},u{n}\n" for n in people))
    return {
        "users": await open_source(directory / "u.csv", USERS),
        "chats": await open_source(directory / "c.csv", CHATS),
        "members": await open_source(directory / "m.csv", MEMBERS),
    }


@pytest.mark.parametrize(("people", "moved"), [(60, 5), pytest.param(250, 20, marks=pytest.mark.slow)])
async def test_a_whole_directory_moves_on_and_both_sides_agree_each_time(
    people: int, moved: int, tmp_path: Path
) -> None:
    async with (
        EthoraSandbox(deletion_lag=0.3) as sandbox,
        EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client,
    ):
        for round_, (first, last) in enumerate([(0, people), (moved, people + moved)]):
            sources = await files(tmp_path, first, last)
            journal = tmp_path / f"{round_}.journal"
            async with await make_plan(client, **sources, prune=True, journal=journal) as plan:
                done = await apply_plan(client, plan)
            assert done.raise_for_failures().counts["user", "create", "created"] in (people, moved)
            assert (await resume(client, journal)).counts == done.counts
            assert PASSWORD.encode() not in journal.read_bytes()
            assert (await verify(client, **sources, prune=True, wait=20)).in_step
            async with await make_plan(client, **sources, prune=True) as plan:
                assert plan.summary.in_step
        app = sandbox.store.app(sandbox.app_id)
        assert app.users.find(f"u{moved - 1}") is None
        assert app.users.find(f"u{moved}") is not None
        assert app.owner is not None


class Many:
    """So many people, made as they are read."""

    name = "many"

    def __init__(self, count: int) -> None:
        self.count = count

    async def fingerprint(self) -> str:
        return str(self.count)

    async def rows(self) -> AsyncGenerator[Row[NewUser], None]:
        for number in range(self.count):
            yield Row(person(f"u{number}"), number + 2, self.name)


async def peak(count: int) -> int:
    platform = FakePlatform(page=500)
    client = platform.client(batch_size=100, concurrency=8)
    # What the platform itself remembers is not the engine's.
    platform.create_user = lambda new, key: ("created", None)  # type: ignore[method-assign,assignment,return-value]
    tracemalloc.start()
    async with await make_plan(client, users=Many(count)) as plan:
        done = await apply_plan(client, plan)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.counts == {("user", "create", "created"): count}
    return found


@pytest.mark.slow
async def test_two_hundred_thousand_need_no_more_memory_than_ten() -> None:
    few, many = await peak(10_000), await peak(200_000)
    assert many < 1.3 * few + 500_000, (few, many)
