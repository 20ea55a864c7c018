"""Renames, exchanged addresses, other spellings and prunes against both sandboxes, over real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fake_source import FakeSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_sided_worlds import ROOM, World, spelled_like, worlds

from ethora_async import EthoraClient, RocketChatClient
from ethora_async.records import NewChat, NewUser
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox
from ethora_async.sync import apply_plan, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
AT_LENGTH = settings(SETTINGS, max_examples=400)


def sources_of(world: World) -> dict[str, Any]:
    return {
        "users": FakeSource(world.users(), "people.csv"),
        "chats": FakeSource([NewChat(id=ROOM, title="Board")], "chats.csv"),
        "members": FakeSource(world.pairs(), "members.csv"),
    }


async def seed(client: Any, world: World) -> None:
    people = [NewUser(id=one.id, email=one.email, first_name=one.name, last_name="Lee") for one in world.there]
    if people:
        (await client.users.create_many(people)).raise_for_failures()
    (await client.chats.create_many([NewChat(id=ROOM, title="Board")])).raise_for_failures()
    if world.inside:
        (await client.chats.grant_many([(ROOM, id) for id in sorted(world.inside)])).raise_for_failures()


class Watch:
    """After every request, who of those who were inside from the start is not inside now."""

    def __init__(self) -> None:
        self.inside: Callable[[], set[int]] | None = None
        self.before: dict[int, str] = {}
        self.lost: set[str] = set()

    def __call__(self, _: object) -> None:
        if self.inside is not None:
            now = self.inside()
            self.lost |= {mark for person, mark in self.before.items() if person not in now}


async def converge(client: Any, world: World, watch: Watch, *, prune: bool) -> None:
    folds = True  # by the platforms' keys, whatever their look-ups do
    options: dict[str, Any] = {**sources_of(world), "prune": prune}
    async with await make_plan(client, **options, allow_delete=100) as plan:
        told = plan.summary
        done = await apply_plan(client, plan)
    assert done.ok, done.failures
    async with await make_plan(client, **options) as again:
        assert not again.summary.total, [entry async for entry in again.changes()]
        assert (again.summary.cannot_change, again.summary.problems) == (told.cannot_change, told.problems)
    matches = world.matches(folds=folds)
    assert not {there for id, there in matches.items() if id in world.admitted} & watch.lost
    here = {user.id async for user in client.users.list()}
    gone = {one.id for one in world.there} - here
    renamed = {there for id, there in matches.items() if id != there}
    assert not [id for id in gone - renamed if spelled_like(id, [one.id for one in world.wanted])]


async def on_rocketchat(world: World, *, prune: bool) -> None:
    watch = Watch()
    async with (
        RocketChatSandbox(rate_limit=None, on_request=watch) as sandbox,
        RocketChatClient(
            url=sandbox.url, user="admin", password=sandbox.admin_password, create_tokens_secret=sandbox.secret
        ) as client,
    ):
        await seed(client, world)
        users, rooms = sandbox.store.users, sandbox.store.rooms
        room = next(room for room in rooms if room.name == ROOM)
        watch.before = {id(user): user.username for user in users if user.username in world.inside}
        watch.inside = lambda: {id(user) for user in users if user.id in room.members}
        await converge(client, world, watch, prune=prune)


async def on_ethora(world: World, *, prune: bool) -> None:
    watch = Watch()
    async with (
        EthoraSandbox(on_request=watch) as sandbox,
        EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client,
    ):
        await seed(client, world)
        app = sandbox.store.app(sandbox.app_id)
        board = app.chats.find(ROOM)
        assert board is not None
        watch.before = {id(user): name for name in world.inside if (user := app.users.find(name)) is not None}
        watch.inside = lambda: {id(user) for user in board.members}
        await converge(client, world, watch, prune=prune)


@SETTINGS
@given(world=worlds(), prune=st.booleans())
def test_rocketchat_converges(world: World, prune: bool) -> None:
    asyncio.run(on_rocketchat(world, prune=prune))


@SETTINGS
@given(world=worlds(), prune=st.booleans())
def test_ethora_converges(world: World, prune: bool) -> None:
    asyncio.run(on_ethora(world, prune=prune))


@pytest.mark.slow
@AT_LENGTH
@given(world=worlds(), prune=st.booleans(), rocketchat=st.booleans())
def test_both_converge_at_length(world: World, prune: bool, rocketchat: bool) -> None:
    asyncio.run((on_rocketchat if rocketchat else on_ethora)(world, prune=prune))
