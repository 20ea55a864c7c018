"""`rooms.saveRoomSettings`: who may change what of which kind of room; all of it, or nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rocket_helpers import Rest, Who

IMAGE = b"a picture"
PICTURE = "data:image/png;base64," + base64.b64encode(IMAGE).decode()


@pytest.fixture
async def ada(rest: Rest) -> Who:
    return await rest.make_member("ada")


@pytest.fixture
async def eve(rest: Rest) -> Who:
    return await rest.make_member("eve")


async def rooms(rest: Rest, ada: Who, eve: Who) -> dict[str, str]:
    """A room of each kind, owned by ada where rooms have owners; eve is in all of them."""
    found = {}
    for kind, family in (("c", "channels"), ("p", "groups")):
        reply = await rest.post(f"{family}.create", {"name": family, "members": ["eve"]}, who=ada)
        found[kind] = reply.body[family[:-1]]["_id"]
    direct = await rest.post("im.create", {"username": "eve"}, who=ada)
    return {**found, "d": direct.body["room"]["_id"]}


async def save(rest: Rest, rid: str, who: Who | str, **settings: Any) -> str:
    reply = await rest.post("rooms.saveRoomSettings", {"rid": rid, **settings}, who=who)
    return "done" if reply.status == 200 else str(reply.body["details"]["action"])


async def shown(rest: Rest, rid: str, who: Who) -> Any:
    return (await rest.get("rooms.info", roomId=rid, who=who)).body["room"]


@pytest.mark.parametrize("options", [{"version": one} for one in ("6.0", "8.8.1", "9.0")])
async def test_encryption_is_for_groups_and_direct_rooms(rest: Rest, ada: Who, eve: Who) -> None:
    places = await rooms(rest, ada, eve)
    outcomes = {
        (name, kind): await save(rest, rid, who, encrypted=True)
        for kind, rid in places.items()
        for name, who in (("eve", eve), ("ada", ada), ("admin", "admin"))
    }
    assert outcomes == {
        ("eve", "c"): "Editing_room", ("ada", "c"): "Change_Room_Encrypted", ("admin", "c"): "Change_Room_Encrypted",
        ("eve", "p"): "Editing_room", ("ada", "p"): "done", ("admin", "p"): "done",
        ("eve", "d"): "done", ("ada", "d"): "done", ("admin", "d"): "done",
    }  # fmt: skip
    assert [(await shown(rest, rid, eve))["encrypted"] for rid in places.values()] == [False, True, True]
    # Nothing else of a direct room is theirs to change.
    assert await save(rest, places["d"], eve, encrypted=False, roomTopic="ours") == "done"
    assert (await shown(rest, places["d"], eve)).get("topic") is None
    assert await save(rest, places["d"], eve, roomTopic="ours") == "Editing_room"


@pytest.mark.parametrize("setting", ["default", "featured"])
async def test_what_administrators_decide_is_refused_to_owners(rest: Rest, ada: Who, eve: Who, setting: str) -> None:
    places = await rooms(rest, ada, eve)
    for kind, rid in places.items():
        refused = "Viewing_room_administration" if kind != "d" else "Editing_room"
        assert await save(rest, rid, ada, **{setting: True}) == refused
        assert await save(rest, rid, "admin", **{setting: True}) == "done"
        assert (await shown(rest, rid, eve))[setting] is True


async def test_all_is_saved_or_nothing(rest: Rest, ada: Who, eve: Who) -> None:
    rid = (await rooms(rest, ada, eve))["p"]
    good = {"roomTopic": "News", "joinCode": "sesame", "roomCustomFields": {"a": 1}, "readOnly": True}
    before = await shown(rest, rid, eve)
    for bad in (
        {"default": True}, {"roomName": "general"}, {"roomName": "no blanks"}, {"roomType": "x"}, {"roomType": "d"},
        {"roomAvatar": "https://example.com/x.png"}, {"roomAvatar": "data:image/png;base64,??"}, {"retentionMaxAge": 3},
        {"nonsense": 1}, {"favorite": {"favorite": True}}, {"readOnly": "yes"}, {"systemMessages": [1]},
    ):  # fmt: skip
        reply = await rest.post("rooms.saveRoomSettings", {"rid": rid, **good, **bad}, who=ada)
        assert (reply.status, "errorType" in reply.body) == (400, True), bad
        assert await shown(rest, rid, eve) == before, bad
    assert (await rest.post("rooms.saveRoomSettings", {"rid": rid, **good, "roomType": None}, who=ada)).status == 200
    after = await shown(rest, rid, eve)
    assert (after["topic"], after["customFields"], after["ro"], after["t"]) == ("News", {"a": 1}, True, "p")
    count = after["msgs"]
    assert await save(rest, rid, ada, roomTopic="News", readOnly=True) == "done"  # changes nothing, and says nothing
    assert (await shown(rest, rid, eve))["msgs"] == count


async def test_the_rest_is_kept_and_shown(rest: Rest, ada: Who, eve: Who) -> None:
    rid = (await rooms(rest, ada, eve))["p"]
    settings = {"reactWhenReadOnly": True, "systemMessages": ["uj"], "roomAvatar": PICTURE}
    favorite = {"favorite": True, "defaultValue": False}
    retention = {"retentionOverrideGlobal": True, "retentionEnabled": True, "retentionMaxAge": 9}
    assert await save(rest, rid, ada, favorite=favorite, **settings, **retention) == "done"
    room = await shown(rest, rid, eve)
    assert (room["reactWhenReadOnly"], room["sysMes"]) == (True, ["uj"])
    assert room["favorite"] == {"value": True, "defaultValue": False}
    assert room["retention"] == {"enabled": True, "overrideGlobal": True}
    assert await save(rest, rid, ada, retentionMaxAge=9) == "done"
    assert (await shown(rest, rid, eve))["retention"]["maxAge"] == 9
    picture = await rest.get(f"/avatar/room/{rid}", who=None)
    assert picture.headers["ETag"] == f'"{room["avatarETag"]}"'
    assert picture.body.encode() == IMAGE
    assert await save(rest, rid, ada, roomAvatar="") == "done"
    assert "svg" in (await rest.get(f"/avatar/room/{rid}", who=None)).body


async def test_reactions_in_a_read_only_room(rest: Rest, ada: Who, eve: Who) -> None:
    rid = (await rooms(rest, ada, eve))["c"]
    sent = await rest.post("chat.sendMessage", {"message": {"rid": rid, "msg": "hi"}}, who=ada)
    react = {"messageId": sent.body["message"]["_id"], "emoji": "smile"}
    assert await save(rest, rid, ada, readOnly=True) == "done"
    refused = await rest.post("chat.react", react, who=eve)
    assert (refused.status, refused.body["error"]) == (400, "You can't send messages because the room is readonly.")
    assert (await rest.post("chat.react", react, who=ada)).status == 200
    assert await save(rest, rid, ada, reactWhenReadOnly=True) == "done"
    assert (await rest.post("chat.react", react, who=eve)).status == 200
