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
    AvatarChanged,
    HistoryCleaned,
    MessagesRead,
    PresenceChanged,
    RoleChanged,
    StreamEvent,
    Typing,
    UserDeleted,
    UserRenamed,
)
from ethora_async.platforms.rocketchat.realtime.people_events import about_people, about_room, read_people_event

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
    async with asyncio.timeout(30):
        async for event in stream:
            if isinstance(event, kinds[len(found)]):
                found.append(event)
                if len(found) == len(kinds):
                    break
    return found


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
        async with asyncio.timeout(30):
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
    for topic in (*about_people(), *about_room("r1")):
        assert len(read_people_event(topic, args)) <= 1
