"""What changes about people, and what they do in rooms, arrives as typed events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import ForbiddenError, NotSentError
from ethora_async.platforms.rocketchat.realtime.events import (
    AccountChanged,
    AvatarChanged,
    HistoryCleaned,
    MessagesRead,
    Notified,
    PresenceChanged,
    RoleChanged,
    SettingChanged,
    StreamEvent,
    Typing,
    UserDeleted,
    UserRenamed,
)
from ethora_async.platforms.rocketchat.realtime.people_events import (
    about_account,
    about_people,
    about_room,
    about_settings,
    read_people_event,
)

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock


@pytest.fixture
async def room_id(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> str:
    """A room with ann and bob in it."""
    for name in ("ann", "bob"):
        if sandbox.store.users.with_username(name) is None:
            sandbox.add_user(name)
    await rocketchat.chats.create("town", title="Town", members=["ann", "bob"])
    return (await rocketchat.chats.get("town")).record_id or ""


async def events(stream: Any, *kinds: type) -> list[Any]:
    """The next event of each kind, in this order."""
    found: list[Any] = []
    async with asyncio.timeout(120):
        async for event in stream:
            if isinstance(event, kinds[len(found)]):
                found.append(event)
                if len(found) == len(kinds):
                    break
    return found


async def test_the_user_and_the_server(rocketchat: RocketChatClient, room_id: str, sandbox: RocketChatSandbox) -> None:
    ann = (await rocketchat.users.get("ann")).record_id
    async with rocketchat.realtime("ann") as stream:
        await stream.watch_settings()
        await stream.watch_account()
        await stream.watch_account()  # once more changes nothing
        said = await rocketchat.as_user("bob").messages.send("town", "@ann come here")
        await rocketchat.users.update("ann", name="Annie")
        await rocketchat.request("POST", "/api/v1/settings/Site_Name", json={"value": "Ours"})
        sandbox.add_personal_token("ann", "phone")
        told = await events(stream, Notified, AccountChanged, SettingChanged)
    assert told[0] == Notified("town", "@ann come here", room_id, said.id, "bob")
    assert "come here" not in repr(told[0])
    assert (told[1].action, told[1].user_id, told[1].changes["name"]) == ("updated", ann, "Annie")
    assert "Annie" not in repr(told[1])
    assert told[2] == SettingChanged("updated", "Site_Name", "Ours")


async def test_the_same_stream_may_be_watched_as_it_is(rocketchat: RocketChatClient, room_id: str) -> None:
    ann = (await rocketchat.users.get("ann")).record_id
    async with rocketchat.realtime("ann") as stream:
        await stream.watch_settings()  # by now the server has confirmed what every connection subscribes to
        await stream.watch("stream-notify-user", f"{ann}/userData")
        await rocketchat.users.update("ann", name="Annie")
        (told,) = await events(stream, StreamEvent)
    assert (told.name, told.args[0]["type"]) == (f"{ann}/userData", "updated")
    del room_id


def test_an_account_shows_no_credentials() -> None:
    tokens = [{"hashedToken": "h"}]
    hashed = {"services.resume.loginTokens": tokens, "services": {"totp": {}}, "e2e": {"private_key": "k"}}
    (topic,) = [one for one in about_account("u1") if one.name == "u1/userData"]

    def told(**more: Any) -> list[Any]:
        return read_people_event(topic, [{"type": "updated", "id": "u1", **more}])

    assert told(diff=hashed, unset={"services.email2fa": 1}) == []
    assert told(diff={**hashed, "name": "A"}, unset={"bio": 1, "services.x": 1}) == [
        AccountChanged("updated", "u1", {"name": "A"}, ("bio",))
    ]
    (new,) = read_people_event(topic, [{"type": "inserted", "id": "u1", "data": {**hashed, "name": "A"}}])
    assert new == AccountChanged("inserted", "u1", {"name": "A"})


async def test_people(rocketchat: RocketChatClient, room_id: str) -> None:
    bob = (await rocketchat.users.get("bob")).record_id or ""
    view = rocketchat.as_user("bob")
    async with rocketchat.realtime("ann") as stream:
        await stream.watch_people()
        await view.people.set_status("away", text="at lunch")
        await rocketchat.users.add_role("bob", "bot")
        await rocketchat.chats.add_role("town", "bob", "moderator")
        await rocketchat.chats.remove_role("town", "bob", "moderator")
        await rocketchat.users.set_avatar(id="bob", url="https://example.com/bob.png")
        await rocketchat.users.update("bob", name="Robert")
        await rocketchat.users.delete("bob")
        told = await events(
            stream, PresenceChanged, RoleChanged, RoleChanged, RoleChanged, AvatarChanged, UserRenamed, UserDeleted
        )
    assert told == [
        PresenceChanged(bob, "bob", "away", "at lunch"),
        RoleChanged("added", "bot", bob, "bob"),
        RoleChanged("added", "moderator", bob, "bob", room_id),
        RoleChanged("removed", "moderator", bob, "bob", room_id),
        AvatarChanged("bob"),
        UserRenamed(bob, "bob", "Robert"),
        UserDeleted(bob),
    ]


async def test_what_people_do_in_a_room(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, room_id: str, clock: FakeClock
) -> None:
    hub = sandbox._platform.hub
    async with rocketchat.realtime("ann") as stream:
        await stream.watch_room("town")
        hub.emit("stream-notify-room", f"{room_id}/user-activity", ["bob", ["user-typing"], {}])
        hub.emit("stream-notify-room", f"{room_id}/user-activity", ["bob", [], {}])
        await rocketchat.messages.send("town", "hello")
        await rocketchat.as_user("bob").chats.mark_read("town")
        await rocketchat.chats.clean_history("town", before=datetime.fromtimestamp(clock.now() + 60, UTC))
        told = await events(stream, Typing, Typing, MessagesRead, HistoryCleaned)
    assert told == [
        Typing(room_id, "bob", composing=True),
        Typing(room_id, "bob", composing=False),
        MessagesRead(room_id),
        HistoryCleaned(room_id),
    ]


async def test_they_come_again_after_a_gap_and_beside_the_raw_ones(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, room_id: str
) -> None:
    async with rocketchat.realtime("ann") as stream:
        await stream.watch("stream-notify-logged", "roles-change")
        await stream.watch_people()
        sandbox.realtime.drop()
        async with asyncio.timeout(120):
            while sandbox.store is not None:
                event = await anext(stream)
                if type(event).__name__ == "Reconnected":
                    break
        await stream.watch_people()
        await rocketchat.users.add_role("bob", "bot")
        role, raw = await events(stream, RoleChanged, StreamEvent)
    assert (role.role, raw.name, raw.args[0]["_id"]) == ("bot", "roles-change", "bot")


async def test_a_room_of_others_is_refused(rocketchat: RocketChatClient, room_id: str) -> None:
    await rocketchat.chats.create("secret", title="Secret", members=["bob"])
    stream = rocketchat.realtime("ann")
    with pytest.raises(NotSentError):
        await stream.watch_people()
    async with stream:
        with pytest.raises(ForbiddenError):
            await stream.watch_room("secret")


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["_id", "u", "type"]), inner),
        ),
        max_size=3,
    )
)
def test_whatever_comes_is_read_or_passed_over(args: list[Any]) -> None:
    for topic in (*about_people(), *about_room("r1"), *about_account("u1"), *about_settings()):
        assert len(read_people_event(topic, args)) <= 1
