"""Rooms and memberships (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from rocket_helpers import Rest, Who
    from still_clock import Clock

    from ethora_async.sandbox import RocketChatSandbox

MEMBER_KEYS = {
    *("_id", "rid", "t", "name", "u", "open", "ts"),
    *("unread", "userMentions", "groupMentions", "_updatedAt"),
}
FAMILIES = pytest.mark.parametrize(("family", "key"), [("channels", "channel"), ("groups", "group")])


@pytest_asyncio.fixture
async def ada(rest: Rest) -> Who:
    return await rest.make_member("ada")


@pytest_asyncio.fixture
async def bob(rest: Rest) -> Who:
    return await rest.make_member("bob")


def members(sandbox: RocketChatSandbox, room_id: str) -> list[str]:
    room = sandbox.store.rooms.with_id(room_id)
    assert room is not None
    return sorted(member.user.username for member in room.members.values())


@FAMILIES
async def test_a_room_is_made_filled_emptied_and_deleted(rest: Rest, ada: Who, bob: Who, family: str, key: str) -> None:
    body = {"name": "town", "members": ["ada", "nobody"], "readOnly": True, "extraData": {"topic": "News"}}
    room = (await rest.post(f"{family}.create", body)).body[key]
    assert (room["t"], room["name"], room["topic"], room["ro"], room["usersCount"]) == (
        family[0].replace("g", "p"),
        "town",
        "News",
        True,
        2,
    )
    invited = await rest.post(f"{family}.invite", {"roomId": room["_id"], "userIds": [bob.id, ada.id, "nobody"]})
    assert invited.body[key]["usersCount"] == 3
    listed = (await rest.get(f"{family}.members", roomId=room["_id"])).body
    assert [member["username"] for member in listed["members"]] == ["ada", "admin", "bob"]
    assert (listed["count"], listed["offset"], listed["total"]) == (3, 0, 3)
    again = await rest.post(f"{family}.invite", {"roomName": "town", "userId": bob.id})
    assert (again.status, again.body[key]["msgs"]) == (200, invited.body[key]["msgs"])
    kicked = await rest.post(f"{family}.kick", {"roomId": room["_id"], "userId": bob.id})
    assert kicked.body[key]["usersCount"] == 2
    gone = await rest.post(f"{family}.kick", {"roomId": room["_id"], "userId": bob.id})
    assert gone.body["errorType"] == "error-user-not-in-room"
    assert (await rest.post(f"{family}.delete", {"roomName": "town"})).body == {"success": True}
    assert (await rest.get(f"{family}.info", roomId=room["_id"])).body["errorType"] == "error-room-not-found"


@FAMILIES
async def test_topic_and_description_change(rest: Rest, family: str, key: str) -> None:
    room = (await rest.post(f"{family}.create", {"name": "town"})).body[key]
    body = {"roomId": room["_id"]}
    assert (await rest.post(f"{family}.setTopic", {**body, "topic": "T"})).body == {"topic": "T", "success": True}
    described = await rest.post(f"{family}.setDescription", {**body, "description": "D"})
    assert described.body == {"description": "D", "success": True}
    info = (await rest.get(f"{family}.info", **body)).body[key]
    assert (info["topic"], info["description"]) == ("T", "D")


@FAMILIES
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "general"}, "error-duplicate-channel-name"),
        ({"name": "a b"}, "error-invalid-room-name"),
        ({"name": ""}, "error-invalid-name"),
        ({}, "invalid-params"),
        ({"name": "x", "topic": "T"}, "invalid-params"),
        ({"name": "x", "extraData": {"colour": "red"}}, "invalid-params"),
    ],
)
async def test_a_bad_room_is_refused(rest: Rest, family: str, key: str, body: Any, code: str) -> None:
    reply = await rest.post(f"{family}.create", body)
    assert (reply.status, reply.body["errorType"]) == (400, code)
    assert len(rest.sandbox.store.rooms) == 1


async def test_only_groups_take_null_for_what_they_do_not_need(rest: Rest) -> None:
    body = {"name": "town", "members": None}
    assert (await rest.post("channels.create", body)).status == 400
    assert (await rest.post("groups.create", body)).status == 200


async def test_the_founder_may_stay_out(rest: Rest, ada: Who) -> None:
    room = (await rest.post("channels.create", {"name": "town", "members": ["ada"], "excludeSelf": True})).body[
        "channel"
    ]
    assert members(rest.sandbox, room["_id"]) == ["ada"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, {"errorType": "error-users-params-not-provided"}),
        ({"userIds": ["nobody"]}, {"error": "invalid-user-invite-list"}),
        ({"people": ["ada"]}, {"errorType": "invalid-params"}),
    ],
)
async def test_an_invitation_of_nobody_is_refused(rest: Rest, body: Any, error: Any) -> None:
    reply = await rest.post("channels.invite", {"roomId": "GENERAL", **body})
    assert (reply.status, reply.body | error) == (400, reply.body)


async def test_who_is_invited_may_be_said_in_many_ways(rest: Rest, ada: Who, bob: Who) -> None:
    room = (await rest.post("groups.create", {"name": "town"})).body["group"]
    for body in ({"username": "ada"}, {"usernames": ["bob"]}):
        await rest.post("groups.invite", {"roomId": room["_id"], **body})
    assert members(rest.sandbox, room["_id"]) == ["ada", "admin", "bob"]
    await rest.post("groups.kick", {"roomId": room["_id"], "username": "ada"})
    assert members(rest.sandbox, room["_id"]) == ["admin", "bob"]


@pytest.mark.parametrize(
    ("options", "status"), [({"version": "8.7"}, 200), ({"version": "8.8"}, 400)], ids=["8.7", "8.8"]
)
async def test_since_8_8_a_channel_kicks_by_id_only(rest: Rest, ada: Who, status: int) -> None:
    reply = await rest.post("channels.kick", {"roomId": "GENERAL", "username": "ada"})
    assert reply.status == status


async def test_a_room_is_named_by_id_or_by_name_not_by_both(rest: Rest) -> None:
    both = {"roomId": "GENERAL", "roomName": "general"}
    assert (await rest.post("channels.delete", both)).body["errorType"] == "invalid-params"
    assert (await rest.post("channels.delete", {})).body["errorType"] == "invalid-params"
    assert (await rest.get("rooms.info", **both)).body["errorType"] == "error-invalid-params"


async def test_a_group_hides_from_strangers_administrators_included(rest: Rest, ada: Who, bob: Who) -> None:
    room = (await rest.post("groups.create", {"name": "secret"}, who=ada)).body["group"]
    for who in (bob, rest.admin):
        reply = await rest.get("groups.info", roomId=room["_id"], who=who)
        assert reply.body["errorType"] == "error-room-not-found"
        reply = await rest.post("groups.invite", {"roomId": room["_id"], "userId": bob.id}, who=who)
        assert reply.body["errorType"] == "error-room-not-found"
        reply = await rest.get("rooms.info", roomId=room["_id"], who=who)
        assert reply.body == {"success": False, "error": "not-allowed", "errorType": "Not Allowed"}
    listed = (await rest.get("groups.listAll")).body["groups"]
    assert [group["name"] for group in listed] == ["secret"]
    assert (await rest.get("groups.list")).body["groups"] == []
    assert (await rest.get("groups.listAll", who=ada)).status == 403
    assert (await rest.post("rooms.delete", {"roomId": room["_id"]})).body == {"success": True}


async def test_members_without_a_role_may_not_invite_kick_or_delete(rest: Rest, ada: Who, bob: Who) -> None:
    for name, body in (
        ("channels.invite", {"roomId": "GENERAL", "userId": bob.id}),
        ("channels.kick", {"roomId": "GENERAL", "userId": bob.id}),
        ("channels.delete", {"roomId": "GENERAL"}),
        ("channels.setTopic", {"roomId": "GENERAL", "topic": "x"}),
        ("rooms.delete", {"roomId": "GENERAL"}),
    ):
        reply = await rest.post(name, body, who=ada)
        assert (reply.status, reply.body["errorType"]) == (400, "error-not-allowed"), name


async def test_the_last_owner_does_not_leave(rest: Rest, ada: Who, bob: Who) -> None:
    room = (await rest.post("channels.create", {"name": "town", "members": ["bob"]}, who=ada)).body["channel"]
    for reply in (
        await rest.post("channels.leave", {"roomId": room["_id"]}, who=ada),
        await rest.post("channels.kick", {"roomId": room["_id"], "userId": ada.id}),
    ):
        assert reply.body["errorType"] == "error-you-are-last-owner"
    assert (await rest.post("channels.leave", {"roomId": room["_id"]}, who=bob)).status == 200
    assert (await rest.post("channels.join", {"roomId": room["_id"]}, who=bob)).status == 200


@pytest.mark.parametrize("family", ["im", "dm"])
async def test_a_direct_room_is_made_once(rest: Rest, ada: Who, bob: Who, family: str) -> None:
    first = (await rest.post(f"{family}.create", {"username": "bob"}, who=ada)).body["room"]
    assert (first["t"], first["rid"], first["inserted"]) == ("d", first["_id"], True)
    assert sorted(first["usernames"]) == ["ada", "bob"]
    assert "name" not in first
    second = (await rest.post(f"{family}.create", {"username": "ada"}, who=bob)).body["room"]
    assert second["_id"] == first["_id"]
    assert "inserted" not in second
    both = {"usernames": "ada, bob", "excludeSelf": True}
    assert (await rest.post(f"{family}.create", both)).body["room"]["_id"] == first["_id"]
    assert (await rest.get(f"{family}.list", who=ada)).body["ims"][0]["_id"] == first["_id"]
    assert (await rest.get(f"{family}.list")).body["total"] == 0
    assert (await rest.get(f"{family}.list.everyone")).body["total"] == 1
    people = (await rest.get(f"{family}.members", username="bob", who=ada)).body["members"]
    assert sorted(member["username"] for member in people) == ["ada", "bob"]
    assert (await rest.post(f"{family}.delete", {"roomId": first["_id"]}, who=ada)).body[
        "errorType"
    ] == "error-not-allowed"
    assert (await rest.post(f"{family}.delete", {"roomId": first["_id"]})).body == {"success": True}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"usernames": ["ada", "bob"]}, "invalid-params"),
        ({"username": "ada", "usernames": "ada"}, "invalid-params"),
        ({}, "invalid-params"),
        ({"username": "nobody"}, "error-invalid-user"),
        ({"usernames": "ada,nobody"}, "error-invalid-user"),
    ],
)
async def test_direct_rooms_take_a_text_of_names(rest: Rest, ada: Who, body: Any, code: str) -> None:
    reply = await rest.post("im.create", body)
    assert (reply.status, reply.body["errorType"]) == (400, code)


async def test_without_excluding_oneself_one_is_in(rest: Rest, ada: Who, bob: Who) -> None:
    room = (await rest.post("im.create", {"usernames": "ada,bob"})).body["room"]
    assert sorted(room["usernames"]) == ["ada", "admin", "bob"]


async def test_rooms_and_memberships_are_listed_whole_or_since(rest: Rest, ada: Who, clock: Clock) -> None:
    rooms = (await rest.get("rooms.get", who=ada)).body
    assert [room["_id"] for room in rooms["update"]] == ["GENERAL"]
    clock.now += 10
    town = (await rest.post("channels.create", {"name": "town", "members": ["ada"]})).body["channel"]
    since = "2023-11-14T22:13:25.000Z"
    rooms = (await rest.get("rooms.get", who=ada, updatedSince=since)).body
    assert [room["_id"] for room in rooms["update"]] == [town["_id"]]
    subscriptions = (await rest.get("subscriptions.get", who=ada, updatedSince=since)).body
    (member,) = subscriptions["update"]
    assert {
        "_id",
        "rid",
        "t",
        "name",
        "u",
        "open",
        "ts",
        "unread",
        "userMentions",
        "groupMentions",
        "_updatedAt",
    } <= set(member)
    await rest.post("channels.kick", {"roomId": town["_id"], "userId": ada.id})
    rooms = (await rest.get("rooms.get", who=ada, updatedSince=since)).body
    assert (rooms["update"], rooms["remove"]) == ([], [])
    subscriptions = (await rest.get("subscriptions.get", who=ada, updatedSince=since)).body
    assert [gone["_id"] for gone in subscriptions["remove"]] == [member["_id"]]
    await rest.post("rooms.delete", {"roomId": "GENERAL"})
    rooms = (await rest.get("rooms.get", who=ada, updatedSince=since)).body
    assert [gone["_id"] for gone in rooms["remove"]] == ["GENERAL"]
    bad = await rest.get("rooms.get", who=ada, updatedSince="yesterday")
    assert bad.body["errorType"] == "error-updatedSince-param-invalid"


async def test_a_membership_that_is_not_there_is_null(rest: Rest, ada: Who) -> None:
    reply = await rest.get("subscriptions.getOne", roomId="nowhere", who=ada)
    assert reply.body == {"subscription": None, "success": True}
    assert (await rest.get("subscriptions.getOne", roomId="GENERAL", who=ada)).body["subscription"]["rid"] == "GENERAL"


async def test_rooms_info_of_nothing(rest: Rest) -> None:
    assert (await rest.get("rooms.info")).body["errorType"] == "error-invalid-params"
    assert (await rest.get("rooms.info", roomId="nowhere")).body["errorType"] == "error-room-not-found"
    assert (await rest.get("rooms.info", roomName="general")).body["room"]["_id"] == "GENERAL"


@pytest.mark.parametrize("options", [{"version": "7.0"}], ids=["7.0"])
async def test_rooms_info_of_nothing_on_older_servers(rest: Rest) -> None:
    assert (await rest.get("rooms.info")).body["errorType"] == "error-roomid-param-not-provided"


async def test_rooms_delete_without_an_id_is_a_plain_failure(rest: Rest) -> None:
    reply = await rest.post("rooms.delete")
    assert (reply.status, reply.body) == (400, {"success": False, "error": "The 'roomId' param is required"})
    assert (await rest.post("rooms.delete", {"roomId": "x"})).body["errorType"] == "error-invalid-room"


async def test_rooms_invite_invites_nobody(rest: Rest, ada: Who) -> None:
    reply = await rest.post("rooms.invite", {"roomId": "GENERAL", "userId": ada.id})
    assert reply.body["errorType"] == "invalid-params"
    reply = await rest.post("rooms.invite", {"roomId": "GENERAL", "action": "accept"})
    assert reply.body["errorType"] == "error-invalid-room"


async def test_new_users_join_the_default_channels(rest: Rest) -> None:
    await rest.make_user("one")
    await rest.make_user("two", joinDefaultChannels=False)
    assert members(rest.sandbox, "GENERAL") == ["admin", "one"]
    joined = (await rest.get("channels.list.joined")).body["channels"]
    assert [channel["name"] for channel in joined] == ["general"]
