"""Users of a sandbox, over real sockets (docs/platforms/rocketchat.md#users)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rocketchat_helpers import Server, coded, ok, plain_failure

from ethora_async import ConflictError, InvalidInputError, NewChat, NewUser, NotFoundError
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.users import UserChange, UserOptions

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock

EVERY_VERSION = pytest.mark.parametrize("version", ["6.13", "7.13", "8.0.0", "8.8.1", "9.0"], indirect=True)


def person(id: str, **changes: str) -> NewUser:
    fields = {"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee van Dam", **changes}
    return NewUser(**fields)  # type: ignore[arg-type]


async def add(rocketchat: RocketChatClient, *ids: str) -> None:
    report = await rocketchat.users.create_many([person(id) for id in ids])
    report.raise_for_failures()


@EVERY_VERSION
async def test_a_user_lives_from_creation_to_deletion(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    created = await rocketchat.users.create("ann", email="Ann@Example.com", first_name="Ann", last_name="Lee")
    assert created.status == "created"
    user = await rocketchat.users.get("ann")
    assert (user.id, user.email, user.first_name, user.last_name) == ("ann", "ann@example.com", "Ann", "Lee")
    assert user.created_at is not None
    assert user.record_id is not None
    assert (await rocketchat.users.get(RecordId(user.record_id))).id == "ann"
    assert (await rocketchat.users.get("@ann")).id == "ann"

    again = await rocketchat.users.create("ann", email="other@example.com", first_name="B", last_name="C")
    assert again.status == "existed"
    assert again.value.email == "ann@example.com"
    with pytest.raises(ConflictError):
        await rocketchat.users.create("bob", email="ann@example.com", first_name="B", last_name="C")

    changed = await rocketchat.users.update("ann", name="Ann  van Dam", email="ann2@example.com")
    assert changed.status == "updated"
    assert rocketchat.users.comparable(await rocketchat.users.get("ann")) == {
        "name": "Ann van Dam",
        "email": "ann2@example.com",
    }
    assert (await rocketchat.users.delete("ann")).status == "deleted"
    assert (await rocketchat.users.delete("ann")).status == "absent"
    with pytest.raises(NotFoundError):
        await rocketchat.users.get("ann")
    assert sandbox.store.users.with_username("ann") is None


async def test_the_list_ends_by_the_total_and_not_by_a_short_page(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    await add(rocketchat, *(f"u{number}" for number in range(230)))
    sandbox.settings["API_Upper_Count_Limit"] = 40  # pages come shorter than asked for, in silence
    listed = [user.id async for user in rocketchat.users.list()]
    assert len(listed) == len(set(listed))
    assert {f"u{number}" for number in range(230)} <= set(listed)
    page = await rocketchat.users.list(limit=7, offset=3)
    assert (len(page.items), page.offset, page.next_offset) == (7, 3, 10)
    assert page.total == len(listed)
    with pytest.raises(InvalidInputError, match="limit"):
        rocketchat.users.list(limit=101)


async def test_changes_and_deletions_by_the_hundred(rocketchat: RocketChatClient) -> None:
    await add(rocketchat, "u1", "u2")
    report = await rocketchat.users.update_many(
        [UserChange(id="u1", name="One"), UserChange(id="nobody", name="X"), UserChange(id="u2")]
    )
    assert report.counts == {"updated": 1, "failed": 2}
    kinds = {outcome.key: type(outcome.error) for outcome in report.failures}
    assert kinds == {"nobody": NotFoundError, "u2": InvalidInputError}
    report = await rocketchat.users.delete_many(["u1", "nobody", "", "u2"])
    assert report.counts == {"deleted": 2, "absent": 1, "failed": 1}


async def test_the_own_records_of_the_platform_are_reserved(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    await add(rocketchat, "ann")
    sandbox.add_user("helper", password="a-password-1", roles=["bot"])
    reserved = await rocketchat.users.reserved()
    told = {user.id: reserved(user) async for user in rocketchat.users.list()}
    assert told["admin"]
    assert told["helper"]
    assert not told["ann"]


async def test_a_change_for_the_sync_engine_makes_the_two_sides_equal(rocketchat: RocketChatClient) -> None:
    await add(rocketchat, "ann")
    wanted = person("ann", email="new@example.com", first_name="Anna")
    fields = frozenset({"name", "email"})
    assert fields | {"id"} == rocketchat.users.changeable
    await rocketchat.users.update_many([rocketchat.users.change(wanted, fields)])
    found = await rocketchat.users.get("ann")
    assert rocketchat.users.comparable(found) == rocketchat.users.comparable(wanted)
    assert rocketchat.users.key(7) == "7"


async def test_another_spelling_of_somebody_is_a_conflict_that_names_them(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    await add(rocketchat, "Ann", "bob")
    with pytest.raises(ConflictError, match="'ann' cannot be created because 'Ann' exists"):
        await rocketchat.users.create("ann", email="new@example.com", first_name="A", last_name="B")
    outcome = (await rocketchat.chats.create_many([NewChat(id="order", title="Order", members=["ann"])])).failures[0]
    assert isinstance(outcome.error, NotFoundError)
    assert sandbox.store.rooms.with_name("order") is None
    assert rocketchat.users.key("Ann") == rocketchat.users.key("ann") == rocketchat.chats.key("ann")


async def test_the_rooms_of_a_user_are_told_to_the_admin(rocketchat: RocketChatClient) -> None:
    await add(rocketchat, "ann", "bob")
    await rocketchat.chats.create("order-7", title="Order", members=["ann"])
    await rocketchat.chats.create("news", title="News", access="public", members=["ann"])
    await rocketchat.chats.direct(["ann", "bob"])
    chats = {chat.type: chat.name for chat in await rocketchat.users.chats("ann")}
    assert chats["group"] == "order-7"
    assert chats["public"] == "news"
    assert "direct" in chats
    with pytest.raises(NotFoundError):
        await rocketchat.users.chats("nobody")


async def test_switching_a_user_off_ends_their_tokens(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    await add(rocketchat, "ann")
    first = await rocketchat.tokens.for_user("ann")
    await rocketchat.users.set_active("ann", False)
    await rocketchat.users.set_active("ann", True)
    assert (await rocketchat.tokens.for_user("ann")).value != first.value


async def test_the_last_owner_of_a_room_is_deleted_only_when_that_is_confirmed(rocketchat: RocketChatClient) -> None:
    await add(rocketchat, "ann")
    mine = rocketchat.as_user("ann")
    api = await mine._context.open()
    from ethora_async.platforms.rocketchat import operations

    await api.call(operations.CREATE_CHANNEL, data={"name": "hers"})
    await rocketchat.chats.invite("hers", ["admin"])
    with pytest.raises(ConflictError):
        await rocketchat.users.delete("ann")
    assert (await rocketchat.users.delete("ann", confirm_relinquish=True)).status == "deleted"


async def test_what_is_sent_holds_no_key_that_the_schema_does_not_know(clock: FakeClock) -> None:
    server = Server(users__create=ok(user={"_id": "x", "username": "ann"}))
    async with server.client(clock) as client:
        await client.users.create(
            "ann",
            email="ann@example.com",
            first_name="Ann",
            last_name="Lee",
            password="chosen-password",
            options=UserOptions(roles="guest", verified=False),
        )
    (sent,) = server.to("users.create")
    assert sent.body == {
        "name": "Ann Lee",
        "email": "ann@example.com",
        "username": "ann",
        "password": "chosen-password",
        "verified": False,
        "joinDefaultChannels": False,
        "requirePasswordChange": False,
        "sendWelcomeEmail": False,
        "roles": ["guest"],
    }


async def test_a_password_is_made_up_where_none_is_given(clock: FakeClock) -> None:
    server = Server(users__create=ok(user={"_id": "x", "username": "ann"}))
    async with server.client(clock) as client:
        await client.users.create_many([person("ann"), person("bob")])
    one, two = (sent.body["password"] for sent in server.to("users.create"))
    assert one != two
    assert min(len(one), len(two)) >= 40


async def test_a_clash_is_looked_into_whatever_it_is_called(clock: FakeClock) -> None:
    for refusal in (
        coded("error-field-unavailable", "ann is already in use :("),
        plain_failure("Username already exists.", 403),
    ):
        server = Server(users__create=refusal)
        async with server.client(clock) as client:
            assert (await client.users.create_many([person("ann")])).counts == {"existed": 1}


async def test_a_reply_with_password_digests_shows_none(clock: FakeClock) -> None:
    services = {"password": {"bcrypt": "$2b$10$canary-digest"}, "resume": {"loginTokens": [{"hashedToken": "h"}]}}
    server = Server(users__info=ok(user={"_id": "x", "username": "ann", "name": "Ann", "services": services}))
    async with server.client(clock) as client:
        user = await client.users.get("ann")
    assert "services" not in user.extra
    assert user.last_name is None
