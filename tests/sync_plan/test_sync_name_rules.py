"""What the platform would refuse, may refuse, or does not hold is in the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fake_source import FakeSource

from ethora_async import EthoraClient, RocketChatClient
from ethora_async.platforms.rocketchat.name_rules import ROOM_NAMES, USER_NAMES
from ethora_async.records import NewChat, NewUser
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox
from ethora_async.sync import apply_plan, make_plan, verify

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def person(id: str) -> NewUser:
    return NewUser(id=id, email=f"u{sum(map(ord, id))}@example.com", first_name="Ann", last_name="Lee")


@pytest.fixture
async def sandbox() -> AsyncGenerator[RocketChatSandbox, None]:
    async with RocketChatSandbox(rate_limit=None) as found:
        yield found


@pytest.fixture
async def client(sandbox: RocketChatSandbox) -> AsyncGenerator[RocketChatClient, None]:
    async with RocketChatClient(
        url=sandbox.url, user="admin", password=sandbox.admin_password, create_tokens_secret=sandbox.secret
    ) as found:
        yield found


def sources(users: list[str], chats: list[str]) -> dict[str, Any]:
    return {
        "users": FakeSource([person(id) for id in users], "people.csv"),
        "chats": FakeSource([NewChat(id=id, title=id) for id in chats], "chats.csv"),
        "members": FakeSource([(chat, user) for chat in chats for user in users], "members.csv"),
    }


async def test_names_that_the_server_refuses_are_rejected_in_the_plan(
    sandbox: RocketChatSandbox, client: RocketChatClient
) -> None:
    sandbox.settings[USER_NAMES] = ".+"
    (await client.users.create_many([person("jörg")])).raise_for_failures()
    sandbox.settings[USER_NAMES] = "^[0-9a-zA-Z-_.]+$"
    wanted = sources(["ann", "jörg", "süß", "a+b", "名"], ["board", "räume"])
    async with await make_plan(client, **wanted) as plan:
        problems = {(row.kind, row.id): row.reason async for row in plan.problems()}
        done = await apply_plan(client, plan)
    assert done.ok, done.failures
    assert {id for kind, id in problems if kind == "user"} == {"süß", "a+b", "名"}
    assert {id for kind, id in problems if kind == "chat"} == {"räume"}
    reason = "id {!r} is not allowed: names must match [0-9a-zA-Z-_.]+ (the server's setting {})"
    assert problems["user", "süß"] == reason.format("süß", USER_NAMES)
    assert problems["chat", "räume"] == reason.format("räume", ROOM_NAMES)
    assert problems["member", "board/süß"] == "the user süß cannot be used"
    assert [user.id async for user in client.chats.members("board") if user.id != "admin"] == ["ann", "jörg"]


async def test_the_rule_is_the_one_that_the_server_has(sandbox: RocketChatSandbox, client: RocketChatClient) -> None:
    sandbox.settings[USER_NAMES] = "[a-z]+"
    async with await make_plan(client, users=FakeSource([person("ann"), person("ann2")], "people.csv")) as plan:
        assert [row.id async for row in plan.problems()] == ["ann2"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "[a-z", "", r"[\p{L}]+", "[z-a]+", "x" * 1000])
async def test_a_rule_that_is_not_one_class_of_characters_is_left_to_the_server(
    sandbox: RocketChatSandbox, client: RocketChatClient, pattern: str
) -> None:
    sandbox.settings[USER_NAMES] = pattern
    async with await make_plan(client, users=FakeSource([person("a" * 50 + "!")], "people.csv")) as plan:
        assert plan.summary.total == 1


async def test_a_picture_that_is_neither_set_nor_compared_is_no_agreement(client: RocketChatClient) -> None:
    people = [NewUser(id=id, email=f"{id}@example.com", first_name="Ann", last_name="Lee", profile_image=picture)
              for id, picture in (("ann", "https://example.com/a.png"), ("bob", ""), ("cid", None))]  # fmt: skip
    users = FakeSource(people, "people.csv")
    async with await make_plan(client, users=users) as plan:
        assert (await apply_plan(client, plan)).ok
        told = [(entry.key, entry.after, entry.line) async for entry in plan.cannot_change()]
    assert told == [("ann", {"fields": {"profile_image": "https://example.com/a.png"}}, 2)]
    found = await verify(client, users=users)
    assert (found.verdict, found.summary.cannot_change) == ("cannot change", {"user": 1})
    assert "neither set nor compared" in (found.examples[0].reason or "")
    assert (await verify(client, users=FakeSource(people[1:], "people.csv"))).in_step


async def test_short_names_that_some_servers_refuse_are_warned_of_with_their_place() -> None:
    people = [
        NewUser(id=f"u{number}", email=f"u{number}@example.com", first_name=first, last_name=last)
        for number, (first, last) in enumerate([("Ann", "Lee"), ("Z", "Lee"), ("李", "王"), ("Bo", "Ng")])
    ]
    async with (
        EthoraSandbox(lenient=True) as sandbox,
        EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client,
    ):
        users = FakeSource(people, "people.csv")
        async with await make_plan(client, users=users) as plan:
            first, last = plan.summary.warnings
            assert (await apply_plan(client, plan)).ok
        assert first.startswith("people.csv line 3, first_name: 'Z' (and 1 more row): ")
        assert last.startswith("people.csv line 4, last_name: '王': ")
        # What this server has accepted is not warned of again.
        assert (await verify(client, users=users)).summary.warnings == ()
        people[3] = NewUser(id="u3", email="u3@example.com", first_name="B", last_name="Ng")
        async with await make_plan(client, users=FakeSource(people, "people.csv")) as plan:
            assert [text[:31] for text in plan.summary.warnings] == ["people.csv line 5, first_name: "]
