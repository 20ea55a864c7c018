"""Rooms of a sandbox, over real sockets (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import Server, coded, ok, plain_failure, reply

from ethora_async import ForbiddenError, InvalidInputError, NewChat, NewUser, NotFoundError
from ethora_async.platforms.rocketchat.names import RecordId

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock


@pytest.fixture(autouse=True)
async def _people(rocketchat: RocketChatClient) -> None:
    users = [
        NewUser(id=id, email=f"{id}@example.com", first_name=id.title(), last_name="Lee")
        for id in ("ann", "bob", "cid")
    ]
    (await rocketchat.users.create_many(users)).raise_for_failures()


async def names_in(rocketchat: RocketChatClient, room: str) -> set[str]:
    return {user.id async for user in rocketchat.chats.members(room)} - {"admin"}


@pytest.mark.parametrize("version", ["6.13", "7.13", "8.0.0", "8.8.1", "9.0"], indirect=True)
@pytest.mark.parametrize(("access", "kind"), [("private", "group"), ("public", "public")])
async def test_a_room_lives_from_creation_to_deletion(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, access: Any, kind: str
) -> None:
    created = await rocketchat.chats.create(
        "order-7", title="Order 7", access=access, description="Two pizzas", members=["ann"]
    )
    assert created.status == "created"
    chat = await rocketchat.chats.get("order-7")
    assert (chat.id, chat.name, chat.title, chat.type, chat.access) == ("order-7", "order-7", "Order 7", kind, access)
    assert chat.description == "Two pizzas"
    assert chat.member_count == 2
    assert chat.record_id is not None
    assert (await rocketchat.chats.get(RecordId(chat.record_id))).id == "order-7"
    again = await rocketchat.chats.create("order-7", title="Another", access=access)
    assert again.status == "existed"

    assert (await rocketchat.chats.invite("order-7", ["bob", "ann", "nobody"])).counts == {"created": 2, "failed": 1}
    assert await names_in(rocketchat, "order-7") == {"ann", "bob"}
    assert (await rocketchat.chats.kick("order-7", ["bob", "cid", "nobody"])).counts == {"deleted": 1, "absent": 2}
    assert await names_in(rocketchat, "order-7") == {"ann"}

    assert (await rocketchat.chats.update("order-7", title="Order seven", description="")).status == "updated"
    assert rocketchat.chats.comparable(await rocketchat.chats.get("order-7")) == {
        "title": "Order seven",
        "description": "",
        "access": access,
    }
    assert (await rocketchat.chats.delete("order-7")).status == "deleted"
    assert (await rocketchat.chats.delete("order-7")).status == "absent"
    assert sandbox.store.rooms.with_name("order-7") is None
    for call in (
        rocketchat.chats.get("order-7"),
        rocketchat.chats.invite("order-7", "ann"),
        rocketchat.chats.kick("order-7", "ann"),
        rocketchat.chats.update("order-7", title="x"),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_all_channels_and_groups_are_listed(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    sandbox.settings["API_Upper_Count_Limit"] = 20
    chats = [NewChat(id=f"c{number}", title="T", access="public" if number % 2 else "private") for number in range(70)]
    assert (await rocketchat.chats.create_many(chats)).counts == {"created": 70}
    listed = [chat.id async for chat in rocketchat.chats.list()]
    assert len(listed) == len(set(listed))
    assert set(listed) == {"general"} | {chat.id for chat in chats}
    assert (await rocketchat.chats.channels(limit=5)).total == 36
    report = await rocketchat.chats.delete_many([chat.id for chat in chats] + ["none"])
    assert report.counts == {"deleted": 70, "absent": 1}


async def test_pairs_by_the_hundred(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    for id in ("one", "two"):
        await rocketchat.chats.create(id, title=id)
    pairs = [("one", "ann"), ("two", "bob"), ("one", "bob"), ("one", "nobody"), ("none", "ann"), ("one", "ann")]
    before = len(sandbox.requests)
    report = await rocketchat.chats.grant_many(pairs)
    assert report.counts == {"created": 4, "failed": 2}
    assert {outcome.key for outcome in report.failures} == {"one/nobody", "none/ann"}
    invitations = [record.path for record in list(sandbox.requests)[before:] if "invite" in record.path]
    assert len(invitations) == 2  # one for each room
    assert await names_in(rocketchat, "one") == {"ann", "bob"}
    report = await rocketchat.chats.revoke_many([("one", "ann"), ("one", "cid"), ("two", "bob"), ("none", "ann")])
    assert report.counts == {"deleted": 2, "absent": 2}
    assert await names_in(rocketchat, "one") == {"bob"}


async def test_a_direct_room_is_one_however_often_it_is_asked_for(rocketchat: RocketChatClient) -> None:
    chat = await rocketchat.chats.direct(["ann", "bob"])
    assert chat.type == "direct"
    assert (await rocketchat.chats.direct(["bob", "ann"])).record_id == chat.record_id
    assert (await rocketchat.as_user("ann").direct("bob")).record_id == chat.record_id
    joined = await rocketchat.as_user("ann").rooms()
    assert chat.record_id in {room.record_id for room in joined.rooms}
    assert "admin" not in (chat.extra.get("usernames") or ["ann"])
    for wrong in ([], [RecordId("x")], ["a,b"]):
        with pytest.raises(InvalidInputError):
            await rocketchat.chats.direct(wrong)


async def test_the_servers_own_rooms_are_reserved(rocketchat: RocketChatClient) -> None:
    await rocketchat.chats.create("mine", title="Mine")
    reserved = await rocketchat.chats.reserved()
    told = {chat.id: reserved(chat) async for chat in rocketchat.chats.list()}
    assert told == {"general": True, "mine": False}


async def test_a_users_own_view(rocketchat: RocketChatClient, clock: FakeClock) -> None:
    from datetime import UTC, datetime

    await rocketchat.chats.create("order-7", title="Order", members=["ann"])
    ann = rocketchat.as_user("ann")
    assert "order-7" in {room.id for room in (await ann.rooms()).rooms}
    rows = (await ann.subscriptions()).rows
    assert "order-7" in {row["name"] for row in rows}
    since = datetime.fromtimestamp(clock.now() + 1, UTC)
    clock.advance(2)
    assert (await ann.rooms(since=since)).rooms == ()
    await rocketchat.chats.kick("order-7", "ann")
    gone = await ann.subscriptions(since=since)
    assert len(gone.removed) == 1
    with pytest.raises(InvalidInputError, match="time zone"):
        await ann.rooms(since=datetime(2024, 1, 1))  # noqa: DTZ001


async def test_a_private_room_that_the_admin_is_not_in_is_said(
    rocketchat: RocketChatClient,
) -> None:
    from ethora_async.platforms.rocketchat import operations

    api = await rocketchat.as_user("ann")._context.open()
    await api.call(operations.CREATE_GROUP, data={"name": "hers"})
    with pytest.raises((ForbiddenError, NotFoundError)):
        await rocketchat.chats.invite("hers", "bob")


async def test_what_is_sent_holds_no_key_that_the_schema_does_not_know(clock: FakeClock) -> None:
    server = Server(
        channels__create=ok(channel={"_id": "r1", "name": "news", "t": "c"}),
        rooms__info=ok(room={"_id": "r1", "name": "news", "t": "c"}),
        channels__invite=ok(channel={}),
        channels__kick=ok(channel={}),
        rooms__delete=ok(),
    )
    async with server.client(clock) as client:
        await client.chats.create("news", title="News", access="public", members=["ann"])
        await client.chats.invite("news", ["ann", "ann", "bob"])
        await client.chats.kick("news", "ann")
        await client.chats.delete("news")
    sent = {one.route: one.body for one in server.sent if one.method == "POST"}
    assert sent == {
        "channels.create": {"name": "news", "members": ["ann"], "extraData": {"topic": "News"}},
        "channels.invite": {"roomId": "r1", "userIds": ["id-of-ann", "id-of-bob"]},
        "channels.kick": {"roomId": "r1", "userId": "id-of-ann"},
        "rooms.delete": {"roomId": "r1"},
    }
    assert len(server.to("rooms.info")) == 1


async def test_a_room_made_again_under_its_name_is_found_again(clock: FakeClock) -> None:
    rooms = iter([{"_id": "old", "t": "p"}, {"_id": "new", "t": "c"}])
    server = Server(
        rooms__info=lambda _: ok(room=next(rooms)),
        groups__invite=coded("error-room-not-found"),
        channels__invite=ok(channel={}),
    )
    async with server.client(clock) as client:
        assert (await client.chats.invite("r", "ann")).counts == {"failed": 1}
        assert (await client.chats.invite("r", "ann")).counts == {"created": 1}


async def test_a_failed_description_is_told_and_leaves_the_room(clock: FakeClock) -> None:
    server = Server(
        groups__create=ok(group={"_id": "r1", "name": "r", "t": "p"}),
        rooms__info=ok(room={"_id": "r1", "t": "p"}),
        groups__setDescription=plain_failure("no"),
    )
    async with server.client(clock) as client:
        report = await client.chats.create_many([NewChat(id="r", title="R", description="D")])
    assert report.counts == {"failed": 1}
    assert report.failures[0].error.operation == "chats.update"


@pytest.mark.parametrize("run", [False, True])
@pytest.mark.parametrize(
    ("topic", "description", "set_again"), [("Seven", None, 1), ("Another", None, 0), ("Seven", "Mine", 0)]
)
async def test_a_room_whose_creation_lost_its_reply_gets_its_description(
    clock: FakeClock, topic: str, description: str | None, set_again: int, *, run: bool
) -> None:
    """A room of before, as far as the topic or the description shows it, is left unchanged."""
    room = {"_id": "r7", "name": "order-7", "t": "p", "topic": topic, "description": description}
    server = Server(
        groups__create=[reply(502), coded("error-duplicate-channel-name")],
        rooms__info=ok(room=room),
        groups__setDescription=ok(description="Two pizzas"),
        rooms__saveRoomSettings=ok(rid="r7"),
    )
    async with server.client(clock) as client:
        chat = NewChat(id="order-7", title="Seven", description="Two pizzas")
        if run:
            (outcome,) = [one async for one in client.chats.create_many([chat])]
        else:
            outcome = await client.chats.create("order-7", title="Seven", description="Two pizzas")
    assert (outcome.status, outcome.attempts) == ("existed", 2)
    written = [one for one in server.sent if one.method == "POST" and one.route != "groups.create"]
    assert len(written) == set_again
    assert all("Two pizzas" in str(one.body) for one in written)
