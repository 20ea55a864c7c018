"""The sync engine works with Rocket.Chat through the capabilities of its client only."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from ethora_async import RocketChatClient, StoppedByGuardError
from ethora_async.sandbox import RocketChatSandbox
from ethora_async.sync import CHATS, MEMBERS, USERS, apply_plan, make_plan, open_source, resume, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from ethora_async.sandbox import RequestRecord
    from ethora_async.sync.plan.plan import Plan
    from ethora_async.sync.sources.table_source import TableSource

PEOPLE = ("ann", "bea", "cyd")


@pytest.fixture
async def sandbox() -> AsyncIterator[RocketChatSandbox]:
    async with RocketChatSandbox(rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: RocketChatSandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RocketChatClient]:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    async with RocketChatClient.from_env() as client:
        yield client


class Lists:
    """The three lists of a product, as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.users(PEOPLE)
        self.chats({"order-1": "Order one", "order-2": "Order two"})
        self.members([("order-1", "ann"), ("order-1", "bea"), ("order-2", "cyd")])

    def users(self, ids: Iterable[str], *, last_name: str = "Lee") -> None:
        rows = [f"{id},{id}@example.com,{id.capitalize()},{last_name},pass-word-of-{id}" for id in ids]
        self._write("users.csv", "id,email,first_name,last_name,password", rows)

    def chats(self, titles: dict[str, str]) -> None:
        self._write("chats.csv", "id,title", [f"{id},{title}" for id, title in titles.items()])

    def members(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._write("members.csv", "chat,user", [f"{chat},{user}" for chat, user in pairs])

    async def open(self) -> dict[str, TableSource]:
        return {
            "users": await open_source(self._folder / "users.csv", USERS),
            "chats": await open_source(self._folder / "chats.csv", CHATS),
            "members": await open_source(self._folder / "members.csv", MEMBERS),
        }

    def _write(self, name: str, header: str, rows: Iterable[str]) -> None:
        (self._folder / name).write_text("\n".join([header, *rows, ""]), "utf-8")


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    return Lists(tmp_path)


def people(sandbox: RocketChatSandbox) -> dict[str, str]:
    """Return all users but the administrator, with their names."""
    return {user.username: user.name for user in sandbox.store.users if "admin" not in user.roles}


async def members(client: RocketChatClient, room: str) -> set[str]:
    return {user.id async for user in client.chats.members(room)} - {"admin"}


async def planned(client: RocketChatClient, lists: Lists, **options: object) -> Plan:
    return await make_plan(client, **await lists.open(), **options)  # type: ignore[arg-type]


async def test_users_chats_and_memberships_are_planned_applied_and_then_in_step(
    client: RocketChatClient, sandbox: RocketChatSandbox, lists: Lists
) -> None:
    async with await planned(client, lists) as plan:
        assert plan.summary.changes == {("user", "create"): 3, ("chat", "create"): 2, ("member", "grant"): 3}
        assert people(sandbox) == {}
        (await apply_plan(client, plan)).raise_for_failures()
    assert people(sandbox) == {"ann": "Ann Lee", "bea": "Bea Lee", "cyd": "Cyd Lee"}
    assert await members(client, "order-1") == {"ann", "bea"}
    assert await members(client, "order-2") == {"cyd"}
    assert (await client.chats.get("order-1")).title == "Order one"
    async with await planned(client, lists, prune=True) as again:
        assert again.summary.in_step, again.summary
    assert (await verify(client, **await lists.open(), prune=True)).in_step  # type: ignore[arg-type]


async def test_what_changed_is_changed_and_what_is_gone_is_pruned(
    client: RocketChatClient, sandbox: RocketChatSandbox, lists: Lists
) -> None:
    async with await planned(client, lists) as plan:
        await apply_plan(client, plan)
    lists.users(["ann", "bea"], last_name="Ray")
    lists.chats({"order-1": "Order one is paid"})
    lists.members([("order-1", "bea")])
    async with await planned(client, lists, prune=True) as plan:
        assert plan.guard is not None
        with pytest.raises(StoppedByGuardError):
            await apply_plan(client, plan)
    async with await planned(client, lists, prune=True, allow_delete=2) as plan:
        (await apply_plan(client, plan)).raise_for_failures()
    assert people(sandbox) == {"ann": "Ann Ray", "bea": "Bea Ray"}
    assert [chat.id async for chat in client.chats.groups()] == ["order-1"]
    assert (await client.chats.get("order-1")).title == "Order one is paid"
    assert await members(client, "order-1") == {"bea"}
    # The platform's own account and room are never planned for.
    assert sandbox.store.users.with_username("admin") is not None
    assert (await client.chats.get("general")).record_id == "GENERAL"
    async with await planned(client, lists, prune=True) as again:
        assert again.summary.in_step, again.summary


async def test_somebody_who_was_deleted_behind_our_back_is_found_missing(
    client: RocketChatClient, lists: Lists
) -> None:
    async with await planned(client, lists) as plan:
        await apply_plan(client, plan)
    await client.users.delete("bea")
    answer = await verify(client, **await lists.open())  # type: ignore[arg-type]
    assert not answer.in_step
    assert {(one.kind, one.action, one.name) for one in answer.examples} == {
        ("user", "create", "bea"),
        ("member", "grant", "order-1/bea"),
    }


PROGRAM = """
import asyncio, sys
from ethora_async import Limits, RocketChatClient
from ethora_async.sync import USERS, apply_plan, make_plan, open_source

async def main():
    async with RocketChatClient.from_env(limits=Limits(concurrency=2)) as client:
        users = await open_source(sys.argv[1], USERS)
        async with await make_plan(client, users=users, journal=sys.argv[2]) as plan:
            await apply_plan(client, plan)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_killed_process_is_resumed_to_the_same_end(lists: Lists, tmp_path: Path) -> None:
    """``kill -9`` in the middle: nobody is missing afterwards, and what was known to be done is not asked for again."""
    half_way = asyncio.Event()
    created = 0

    def watch(record: RequestRecord) -> None:
        nonlocal created
        created += record.path.endswith("users.create") and record.status == 200
        if created >= 150:
            half_way.set()

    ids = [f"user-{number}" for number in range(400)]
    lists.users(ids)
    journal = tmp_path / "people.journal"
    async with RocketChatSandbox(rate_limit=None, on_request=watch) as sandbox:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, str(tmp_path / "users.csv"), str(journal)),
            env={**os.environ, **sandbox.environment},
        )
        try:
            async with asyncio.timeout(60):
                await half_way.wait()
        finally:
            process.kill()
            await process.wait()
        before = len(people(sandbox))
        assert 150 <= before < 400
        sandbox.requests.clear()
        source = await open_source(tmp_path / "users.csv", USERS)
        async with RocketChatClient(
            url=sandbox.url, user="admin", password=sandbox.admin_password, create_tokens_secret=sandbox.secret
        ) as client:
            applied = await resume(client, journal, sources={"user": source})
            assert applied.ok
            assert sorted(people(sandbox)) == sorted(ids)
            asked = sum(record.path.endswith("users.create") for record in sandbox.requests)
            # Results are kept by the hundred: the first ones are known to be done.
            assert 400 - before <= asked <= 300
            assert (await verify(client, users=source, prune=True)).in_step
