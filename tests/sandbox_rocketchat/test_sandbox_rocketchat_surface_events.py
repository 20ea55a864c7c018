"""DDP sends changes of rooms, messages and people to the right subscribers."""

from __future__ import annotations

from typing import Any

import pytest
from rocket_helpers import Ddp, Rest, Who

SETTINGS = [
    ("rename", {"name": "city"}, "r", "city"),
    ("setTopic", {"topic": "t"}, "room_changed_topic", "t"),
    ("setDescription", {"description": "d"}, "room_changed_description", "d"),
    ("setAnnouncement", {"announcement": "a"}, "room_changed_announcement", "a"),
    ("setReadOnly", {"readOnly": True}, "room-set-read-only", "admin"),
    ("setType", {"type": "p"}, "room_changed_privacy", "private"),
    ("archive", {}, "room-archived", "admin"),
]


async def town(rest: Rest) -> tuple[str, Who]:
    """A channel with ada in it, and her token."""
    ada = await rest.make_member("ada")
    room = (await rest.post("channels.create", {"name": "town", "members": ["ada"]})).body["channel"]
    return room["_id"], ada


@pytest.mark.parametrize(("call", "more", "kind", "text"), SETTINGS)
async def test_a_changed_room_is_told_by_message_and_to_each_member(
    rest: Rest, call: str, more: dict[str, Any], kind: str, text: str
) -> None:
    room, ada = await town(rest)
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub("stream-room-messages", room)
        await ddp.sub("stream-notify-user", f"{ada.id}/rooms-changed")
        assert (await rest.post(f"channels.{call}", {"roomId": room, **more})).status == 200
        events = [frame["fields"] for frame in await ddp.quiet() if frame.get("msg") == "changed"]
    told = [event["args"][0] for event in events if event["eventName"] == room]
    assert [(message["t"], message["msg"]) for message in told] == [(kind, text)]
    changed = [event["args"] for event in events if event["eventName"] == f"{ada.id}/rooms-changed"]
    assert changed
    assert {(action, shape["_id"]) for action, shape in changed} == {("updated", room)}


@pytest.mark.parametrize(
    ("call", "body", "field"),
    [
        ("chat.react", {"emoji": "tada"}, "reactions"),
        ("chat.pinMessage", {}, "pinned"),
        ("chat.starMessage", {}, "starred"),
        ("chat.followMessage", {}, "replies"),
    ],
)
async def test_a_mark_sends_the_whole_message_again(rest: Rest, call: str, body: dict[str, Any], field: str) -> None:
    room, ada = await town(rest)
    sent = (await rest.post("chat.postMessage", {"roomId": room, "text": "hello"})).body["message"]["_id"]
    key = "mid" if call.endswith("followMessage") else "messageId"
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub("stream-room-messages", room)
        assert (await rest.post(call, {key: sent, **body})).status == 200
        (message,) = await ddp.event(room)
        assert (message["_id"], bool(message[field])) == (sent, True)


async def test_roles_favourites_and_cleaning_are_told(rest: Rest) -> None:
    room, ada = await town(rest)
    sent = (await rest.post("chat.postMessage", {"roomId": room, "text": "dust"})).body["message"]["_id"]
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub("stream-notify-user", f"{ada.id}/subscriptions-changed")
        await ddp.sub("stream-notify-logged", "roles-change")
        await ddp.sub("stream-notify-room", f"{room}/deleteMessage")
        await rest.post("channels.addModerator", {"roomId": room, "userId": ada.id})
        (role,) = await ddp.event("roles-change")
        assert (role["type"], role["_id"], role["u"]["username"], role["scope"]) == ("added", "moderator", "ada", room)
        await rest.post("rooms.favorite", {"roomId": room, "favorite": True}, who=ada)
        action, standing = await ddp.event(f"{ada.id}/subscriptions-changed")
        while not standing.get("f"):
            action, standing = await ddp.event(f"{ada.id}/subscriptions-changed")
        assert (action, standing["roles"]) == ("updated", ["moderator"])
        span = {"oldest": "2000-01-01T00:00:00.000Z", "latest": "2100-01-01T00:00:00.000Z"}
        await rest.post("rooms.cleanHistory", {"roomId": room, **span})
        gone = [frame["fields"]["args"][0]["_id"] for frame in await ddp.quiet() if _deletes(frame, room)]
        assert sent in gone


def _deletes(frame: Any, room: str) -> bool:
    return frame.get("msg") == "changed" and frame["fields"]["eventName"] == f"{room}/deleteMessage"


async def test_presence_and_pictures_are_told_to_everybody(rest: Rest) -> None:
    _, ada = await town(rest)
    async with await Ddp.connect(rest, ada) as ddp:
        for event in ("user-status", "updateAvatar"):
            await ddp.sub("stream-notify-logged", event)
        await rest.post("users.setStatus", {"status": "busy", "message": "now"})
        ((user_id, name, state, text, *_),) = await ddp.event("user-status")
        assert (user_id, name, state, text) == (rest.admin.id, "admin", 3, "now")
        await rest.post("users.setAvatar", {"avatarUrl": "https://example.com/x.png"})
        (told,) = await ddp.event("updateAvatar")
        assert (told["username"], bool(told["etag"])) == ("admin", True)
