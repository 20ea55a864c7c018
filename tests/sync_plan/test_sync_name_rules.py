"""Names that the server would refuse are in the plan, by the rule that the server itself states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fake_source import FakeSource

from ethora_async import RocketChatClient
from ethora_async.platforms.rocketchat.name_rules import ROOM_NAMES, USER_NAMES
from ethora_async.records import NewChat, NewUser
from ethora_async.sandbox import RocketChatSandbox
from ethora_async.sync import apply_plan, make_plan

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
