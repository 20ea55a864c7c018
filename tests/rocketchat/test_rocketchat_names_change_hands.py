"""A name may move to another account, and an account may become an administrator: cached answers expire in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from managed_platforms import client_for

from ethora_async.errors import NotFoundError, PrivilegedAccountError
from ethora_async.platforms.rocketchat.directory import A_MOMENT, REMEMBERED
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.tokens import CHECKED_FOR

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.testing.users import FakeClock


def handed_over(sandbox: RocketChatSandbox, name: str) -> tuple[User, User]:
    """Rename an account, and add another one under its name; the former and the new bearer."""
    former = next(user for user in sandbox.store.users if user.username == name)
    sandbox.store.users.rename(former, username=f"{name}-before", email=f"{name}-before@example.com")
    return former, sandbox.add_user(name)


def inside(sandbox: RocketChatSandbox, room: str) -> set[str]:
    (found,) = [one for one in sandbox.store.rooms if one.name == room]
    return {member.user.id for member in found.members.values()}


async def ann_on_the_board(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> User:
    """Make two rooms, and let ann into one of them by a run, which remembers her record."""
    ann = sandbox.add_user("ann")
    await rocketchat.chats.create("news", title="News")
    await rocketchat.chats.create("board", title="Board")
    await rocketchat.chats.grant_many([("board", "ann")])
    return ann


async def test_whoever_bears_the_name_now_is_let_in_and_taken_out(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    sandbox.add_user("ann")
    await rocketchat.chats.create("news", title="News")
    await rocketchat.chats.create("board", title="Board")
    await rocketchat.chats.invite("news", "ann")
    former, new = handed_over(sandbox, "ann")
    await rocketchat.chats.invite("board", "ann")
    assert new.id in inside(sandbox, "board")
    assert former.id not in inside(sandbox, "board")
    assert (await rocketchat.chats.kick("news", "ann")).counts == {"absent": 1}
    assert former.id in inside(sandbox, "news")
    await rocketchat.chats.add_role("board", "ann", "owner")
    await rocketchat.users.add_role("ann", "bot")
    assert "bot" not in former.roles
    assert "bot" in new.roles


@pytest.mark.parametrize("bulk", ["grant", "revoke"])
async def test_a_run_trusts_what_it_looked_up_for_a_minute(
    bulk: str, rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    sandbox.add_user("ann")
    await rocketchat.chats.create("news", title="News", members=["ann"])
    await rocketchat.chats.create("board", title="Board")
    await rocketchat.chats.grant_many([("board", "ann")])
    former, new = handed_over(sandbox, "ann")
    clock.advance(REMEMBERED + 1)
    if bulk == "grant":
        await rocketchat.chats.grant_many([("news", "ann")])
        assert new.id in inside(sandbox, "news")
    else:
        assert (await rocketchat.chats.revoke_many([("board", "ann")])).counts == {"absent": 1}
        assert former.id in inside(sandbox, "board")


@pytest.mark.parametrize("bulk", ["grant", "revoke"])
async def test_a_run_looks_up_anew_what_is_gone(
    bulk: str, rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    """Somebody else deletes the account that the name stood for a moment ago, and makes another one."""
    former = await ann_on_the_board(rocketchat, sandbox)
    async with client_for("rocketchat", sandbox.environment) as other:
        await other.users.delete("ann")
        await other.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
        await other.chats.invite("board", "ann")
    if bulk == "grant":
        assert (await rocketchat.chats.grant_many([("news", "ann")])).counts == {"created": 1}
        assert inside(sandbox, "news") & {one.id for one in sandbox.store.users if one.username == "ann"}
    else:
        assert (await rocketchat.chats.revoke_many([("board", "ann")])).counts == {"deleted": 1}
        assert former.id not in inside(sandbox, "board")
    with pytest.raises(NotFoundError):
        await rocketchat.users.get(RecordId(former.id))


async def test_names_that_are_forgotten_are_looked_up_anew(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    await ann_on_the_board(rocketchat, sandbox)
    _, new = handed_over(sandbox, "ann")
    rocketchat.forget_names()
    await rocketchat.chats.grant_many([("news", "ann")])
    assert new.id in inside(sandbox, "news")


async def test_a_room_of_the_same_name_is_another_room(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    sandbox.add_user("ann")
    await rocketchat.chats.create("board", title="Board")
    (first,) = [one for one in sandbox.store.rooms if one.name == "board"]
    sandbox.store.rooms.rename(first, "board-before")
    clock.advance(A_MOMENT + 1)
    await rocketchat.chats.create("board", title="Board")
    await rocketchat.chats.invite("board", "ann")
    assert len(first.members) == 1
    await rocketchat.chats.delete("board")
    assert first in list(sandbox.store.rooms)


async def test_a_kept_token_is_not_handed_to_the_next_bearer_of_the_name(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    sandbox.add_user("ann")
    before = await rocketchat.tokens.for_user("ann")
    former, new = handed_over(sandbox, "ann")
    clock.advance(CHECKED_FOR + 1)
    after = await rocketchat.tokens.for_user("ann")
    assert (before.extra["userId"], after.extra["userId"]) == (former.id, new.id)
    assert before.value != after.value


async def test_a_kept_token_is_refused_once_its_user_is_an_administrator(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    ann = sandbox.add_user("ann")
    token = await rocketchat.tokens.for_user("ann")
    ann.roles = ["user", "admin"]
    clock.advance(CHECKED_FOR + 1)
    with pytest.raises(PrivilegedAccountError):
        await rocketchat.tokens.for_user("ann")
    assert (await rocketchat.tokens.for_user("ann", allow_privileged=True)).value == token.value
    ann.roles = ["user"]
    clock.advance(CHECKED_FOR + 1)
    assert (await rocketchat.tokens.for_user("ann", allow_privileged=True)).value == token.value
    assert (await rocketchat.tokens.for_user("ann")).value == token.value


async def test_a_kept_token_ends_with_its_user(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    ann = sandbox.add_user("ann")
    await rocketchat.tokens.for_user("ann")
    sandbox.store.users.remove(ann)
    clock.advance(CHECKED_FOR + 1)
    with pytest.raises(NotFoundError):
        await rocketchat.tokens.for_user("ann")


async def test_many_who_ask_at_once_are_one_question_and_a_kept_token_asks_none(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    sandbox.add_user("ann")
    await rocketchat.tokens.for_user("ann")
    clock.advance(CHECKED_FOR + 1)

    def asked() -> int:
        return sum(request.path.endswith("users.info") for request in sandbox.requests)

    before = asked()
    await asyncio.gather(*(rocketchat.tokens.for_user("ann") for _ in range(20)))
    assert asked() == before + 1
    await rocketchat.tokens.for_user("ann")
    assert asked() == before + 1


async def test_a_server_that_does_not_answer_leaves_the_token_as_it_is(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, clock: FakeClock
) -> None:
    for name in ("ann", "bob"):
        sandbox.add_user(name)
    tokens = {name: (await rocketchat.tokens.for_user(name)).value for name in ("ann", "bob")}
    clock.advance(CHECKED_FOR + 1)
    sandbox.faults.fail("GET /api/v1/users.info", times=None)
    assert (await rocketchat.tokens.for_user("ann")).value == tokens["ann"]
    asked = len(sandbox.requests)
    assert (await rocketchat.tokens.for_user("bob")).value == tokens["bob"]
    assert not [one for one in list(sandbox.requests)[asked:] if one.path.endswith("users.info")]
