"""Messages, their past, and methods over REST (docs/platforms/rocketchat.md#messages, #server-info)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from rocket_helpers import Rest, Who
    from still_clock import Clock

REQUIRED = {"_id", "rid", "msg", "ts", "u", "_updatedAt"}


@pytest_asyncio.fixture
async def ada(rest: Rest) -> Who:
    return await rest.make_member("ada")


async def send(rest: Rest, text: str, *, who: Who | str = "admin", **more: Any) -> Any:
    reply = await rest.post("chat.sendMessage", {"message": {"rid": "GENERAL", "msg": text, **more}}, who=who)
    assert reply.status == 200, reply
    return reply.body["message"]


async def test_a_message_goes_to_rooms_names_and_people(rest: Rest, ada: Who, clock: Clock) -> None:
    for key, target in (("roomId", "GENERAL"), ("channel", "#general"), ("channel", "general")):
        reply = await rest.post("chat.postMessage", {key: target, "text": "hi"})
        assert reply.body["message"].keys() >= REQUIRED
        assert reply.body["ts"] == int(clock.now * 1000)
        assert reply.body["channel"] == target
    several = await rest.post("chat.postMessage", {"roomId": ["GENERAL"], "text": "hi"})
    assert several.body["channel"] == "GENERAL"
    direct = (await rest.post("chat.postMessage", {"channel": "@ada", "text": "psst"})).body
    assert direct["channel"] == "@ada"
    room = (await rest.get("im.list", who=ada)).body["ims"][0]
    assert (room["_id"], room["lastMessage"]["msg"]) == (direct["message"]["rid"], "psst")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"channel": "#nowhere", "text": "x"}, "invalid-channel"),
        ({"channel": "@nobody", "text": "x"}, "invalid-channel"),
        ({"roomId": "general", "text": "x"}, "invalid-channel"),
        ({"text": "x"}, "invalid-params"),
        ({"channel": "#general", "roomId": "GENERAL"}, "invalid-params"),
        ({"channel": "#general", "tmid": "x"}, "invalid-params"),
        ({"channel": "#general", "msg": "x"}, "invalid-params"),
        ({"channel": "#general", "alias": "King"}, "error-not-allowed"),
    ],
)
async def test_a_bad_target_or_key_is_refused(rest: Rest, body: Any, code: str) -> None:
    reply = await rest.post("chat.postMessage", body)
    assert (reply.status, reply.body["errorType"]) == (400, code)
    if code == "invalid-channel":
        assert reply.body["error"] == "[invalid-channel]"


async def test_bots_may_speak_under_another_name(rest: Rest) -> None:
    bot = await rest.make_token((await rest.make_user("bot", roles=["bot"]))["_id"])
    message = await send(rest, "hi", who=bot, alias="Clippy", emoji=":paperclip:")
    assert (message["alias"], message["emoji"], message["u"]["username"]) == ("Clippy", ":paperclip:", "bot")


async def test_a_repeated_id_stores_nothing_and_the_message_can_be_fetched(rest: Rest) -> None:
    message = await send(rest, "once", _id="chosen-by-client1")
    assert message["_id"] == "chosen-by-client1"
    again = await rest.post(
        "chat.sendMessage", {"message": {"rid": "GENERAL", "msg": "twice", "_id": "chosen-by-client1"}}
    )
    assert again.status == 400
    assert "errorType" not in again.body
    assert (await rest.get("chat.getMessage", msgId="chosen-by-client1")).body["message"]["msg"] == "once"
    assert len(rest.sandbox.store.rooms.with_id("GENERAL").messages) == 1  # type: ignore[union-attr]


async def test_only_members_write(rest: Rest, ada: Who) -> None:
    group = (await rest.post("groups.create", {"name": "secret"})).body["group"]
    reply = await rest.post("chat.sendMessage", {"message": {"rid": group["_id"], "msg": "x"}}, who=ada)
    assert reply.body["errorType"] == "error-not-allowed"
    reply = await rest.post("chat.sendMessage", {"message": {"rid": "nowhere", "msg": "x"}})
    assert reply.body["errorType"] == "error-invalid-room"
    reply = await rest.post("chat.sendMessage", {"message": {"msg": "x"}})
    assert reply.body["errorType"] == "error-invalid-params"


async def test_read_only_rooms_take_words_of_owners_only(rest: Rest, ada: Who) -> None:
    await rest.post("channels.create", {"name": "news", "readOnly": True, "members": ["ada"]})
    reply = await rest.post("chat.postMessage", {"channel": "#news", "text": "x"}, who=ada)
    assert reply.body["errorType"] == "error-not-allowed"
    assert (await rest.post("chat.postMessage", {"channel": "#news", "text": "x"})).status == 200


async def test_messages_are_changed_and_deleted(rest: Rest, ada: Who, clock: Clock) -> None:
    message = await send(rest, "old")
    body = {"roomId": "GENERAL", "msgId": message["_id"]}
    refused = await rest.post("chat.update", {**body, "text": "x"}, who=ada)
    assert refused.body["errorType"] == "error-action-not-allowed"
    clock.now += 5
    changed = (await rest.post("chat.update", {**body, "text": "new"})).body["message"]
    assert (changed["msg"], changed["ts"], changed["editedBy"]["username"]) == ("new", message["ts"], "admin")
    assert changed["editedAt"] == changed["_updatedAt"] != message["_updatedAt"]
    deleted = (await rest.post("chat.delete", body)).body
    assert (deleted["_id"], deleted["ts"]) == (message["_id"], str(int(clock.now * 1000)))
    assert (await rest.post("chat.delete", body)).body["error"].startswith("No message found")


async def test_the_past_comes_newest_first_between_two_moments(rest: Rest, clock: Clock) -> None:
    stamps = []
    for number in range(5):
        clock.now += 1
        stamps.append((await send(rest, str(number)))["ts"])
    everything = (await rest.get("channels.history", roomId="GENERAL")).body["messages"]
    assert [message["msg"] for message in everything] == ["4", "3", "2", "1", "0"]
    span = {"roomId": "GENERAL", "oldest": stamps[1], "latest": stamps[3]}
    inside = (await rest.get("channels.history", **span)).body["messages"]
    assert [message["msg"] for message in inside] == ["2"]
    around = (await rest.get("channels.history", **span, inclusive="true")).body["messages"]
    assert [message["msg"] for message in around] == ["3", "2", "1"]
    page = (await rest.get("channels.history", roomId="GENERAL", count=2, offset=1)).body["messages"]
    assert [message["msg"] for message in page] == ["3", "2"]
    assert (await rest.get("channels.history", roomId="GENERAL", inclusive="yes")).status == 400
    assert (await rest.get("channels.history", roomId="GENERAL", latest="now")).status == 400
    listed = (await rest.get("channels.messages", roomId="GENERAL", count=2)).body
    assert ([m["msg"] for m in listed["messages"]], listed["total"]) == (["4", "3"], 5)


@pytest.mark.parametrize("family", ["im", "dm"])
async def test_direct_rooms_have_a_past_too(rest: Rest, ada: Who, family: str) -> None:
    sent = (await rest.post("chat.postMessage", {"channel": "@ada", "text": "psst"})).body["message"]
    past = (await rest.get(f"{family}.history", roomId=sent["rid"], who=ada)).body["messages"]
    assert [message["msg"] for message in past] == ["psst"]
    listed = (await rest.get(f"{family}.messages", username="admin", who=ada)).body
    assert listed["total"] == 1
    bob = await rest.make_member("bob")
    assert (await rest.get(f"{family}.history", roomId=sent["rid"], who=bob)).body["errorType"] == "error-not-allowed"


async def test_what_changed_since_is_told(rest: Rest, clock: Clock) -> None:
    old, gone = await send(rest, "old"), await send(rest, "gone")
    clock.now += 10
    since = "2023-11-14T22:13:25.000Z"
    await send(rest, "fresh")
    await rest.post("chat.update", {"roomId": "GENERAL", "msgId": old["_id"], "text": "edited"})
    await rest.post("chat.delete", {"roomId": "GENERAL", "msgId": gone["_id"]})
    result = (await rest.get("chat.syncMessages", roomId="GENERAL", lastUpdate=since)).body["result"]
    assert sorted(message["msg"] for message in result["updated"]) == ["edited", "fresh"]
    assert [message["_id"] for message in result["deleted"]] == [gone["_id"]]
    assert (await rest.get("chat.syncMessages", roomId="GENERAL")).body["errorType"] == "error-param-required"


async def test_what_changed_can_be_paged_by_cursor(rest: Rest, clock: Clock) -> None:
    for number in range(5):
        clock.now += 1
        await send(rest, str(number))
    texts: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        reply = await rest.get("chat.syncMessages", roomId="GENERAL", type="UPDATED", count=2, **cursor)
        result = reply.body["result"]
        texts.append([message["msg"] for message in result["updated"]])
        if result["cursor"]["next"] is None:
            break
        cursor = {"next": result["cursor"]["next"]}
    assert texts == [["0", "1"], ["2", "3"], ["4"]]
    before = result["cursor"]["previous"]
    back = await rest.get("chat.syncMessages", roomId="GENERAL", type="UPDATED", count=2, previous=before)
    assert [message["msg"] for message in back.body["result"]["updated"]] == ["2", "3"]
    bad = await rest.get("chat.syncMessages", roomId="GENERAL", type="UPDATED", next="soon")
    assert bad.body["errorType"] == "error-cursor-conflict"


async def test_unread_counts_grow_and_are_read_away(rest: Rest, ada: Who) -> None:
    await send(rest, "to all")
    await send(rest, "hello @ada")
    member = (await rest.get("subscriptions.getOne", roomId="GENERAL", who=ada)).body["subscription"]
    assert (member["unread"], member["userMentions"], member["alert"]) == (1, 1, True)
    assert (await rest.post("subscriptions.read", {"rid": "GENERAL"}, who=ada)).body == {"success": True}
    member = (await rest.get("subscriptions.getOne", roomId="GENERAL", who=ada)).body["subscription"]
    assert (member["unread"], member["userMentions"], member["alert"]) == (0, 0, False)
    assert (await rest.post("subscriptions.read", {"roomId": "nowhere"}, who=ada)).status == 400


async def test_what_the_system_writes_is_marked(rest: Rest, ada: Who) -> None:
    room = (await rest.post("channels.create", {"name": "town"})).body["channel"]
    await rest.post("channels.invite", {"roomId": room["_id"], "userId": ada.id})
    await rest.post("channels.setTopic", {"roomId": room["_id"], "topic": "T"})
    await rest.post("channels.kick", {"roomId": room["_id"], "userId": ada.id})
    past = (await rest.get("channels.history", roomId=room["_id"])).body["messages"]
    assert [(message["t"], message["msg"]) for message in past] == [
        ("ru", "ada"),
        ("room_changed_topic", "T"),
        ("au", "ada"),
    ]


async def test_threads_belong_to_a_message(rest: Rest) -> None:
    head = await send(rest, "head")
    await send(rest, "reply", tmid=head["_id"])
    with_threads = (await rest.get("channels.history", roomId="GENERAL")).body["messages"]
    assert [message.get("tmid") for message in with_threads] == [head["_id"], None]
    without = await rest.get("channels.history", roomId="GENERAL", showThreadMessages="false")
    assert [message["msg"] for message in without.body["messages"]] == ["head"]
    bad = await rest.post("chat.sendMessage", {"message": {"rid": "GENERAL", "msg": "x", "tmid": "nothing"}})
    assert bad.body["errorType"] == "error-invalid-message"


@pytest.mark.parametrize(
    ("options", "status"), [({"version": "6.0"}, 200), ({"version": "8.0"}, 400)], ids=["6.0", "8.0"]
)
async def test_methods_run_over_rest_inside_of_texts(rest: Rest, status: int) -> None:
    async def call(method: str, params: Any, path: str | None = None) -> Any:
        message = json.dumps({"msg": "method", "id": "7", "method": method, "params": params})
        return await rest.post(f"method.call/{path or method}", {"message": message})

    reply = await call("sendMessage", [{"rid": "GENERAL", "msg": "hi"}])
    frame = json.loads(reply.body["message"])
    assert (reply.status, frame["msg"], frame["id"], frame["result"]["msg"]) == (200, "result", "7", "hi")
    assert frame["result"]["ts"] == {"$date": 1_700_000_000_000}
    reply = await call("rooms/get", [], "rooms:get")  # the name inside counts
    assert [room["_id"] for room in json.loads(reply.body["message"])["result"]] == ["GENERAL"]
    reply = await call("nonsense", [])
    assert reply.status == status
    assert json.loads(reply.body["message"])["error"]["error"] == 404
    assert (await rest.post("method.call/x", {"message": "{"})).body["errorType"] == "error-invalid-params"
    assert (await rest.post("method.call/x", {})).body["errorType"] == "invalid-params"
