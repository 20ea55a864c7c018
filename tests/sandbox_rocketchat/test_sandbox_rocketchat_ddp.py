"""Frames, methods and subscriptions (docs/platforms/rocketchat.md#realtime)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from rocket_helpers import ADMIN_PASSWORD, Ddp, Rest, Who, eventually

if TYPE_CHECKING:
    from still_clock import Clock

MESSAGES = "stream-room-messages"
NOTIFY_USER = "stream-notify-user"
NOTIFY_ROOM = "stream-notify-room"
LOGGED = "stream-notify-logged"
ALL = "stream-notify-all"
EE = pytest.mark.parametrize("options", [{"microservices": True}], ids=["microservices"])


@pytest_asyncio.fixture
async def ada(rest: Rest) -> Who:
    return await rest.make_member("ada")


def refusal(code: str | int, reason: str = "") -> dict[str, Any]:
    return {
        "isClientSafe": True,
        "error": code,
        "reason": reason,
        "message": f"{reason} [{code}]".strip(),
        "errorType": "Meteor.Error",
    }


async def test_a_conversation_begins_with_a_frame_that_means_nothing(rest: Rest) -> None:
    async with await Ddp.open(rest) as ddp:
        assert await ddp.receive() == {"server_id": "0"}
        await ddp.send({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]})
        connected = await ddp.receive()
        assert connected.keys() == {"msg", "session"}
        assert len(connected["session"]) == 17
        await ddp.send({"msg": "connect", "version": "1", "support": ["1"]})
        assert (await ddp.receive())["reason"] == "Already connected"


async def test_the_first_frame_can_be_left_out(rest: Rest) -> None:
    rest.sandbox.realtime.quirks.server_id = False
    async with await Ddp.connect(rest) as ddp:
        assert [frame["msg"] for frame in ddp.seen] == ["connected"]


@EE
async def test_microservices_name_the_first_frame(rest: Rest) -> None:
    async with await Ddp.open(rest) as ddp:
        assert await ddp.receive() == {"msg": "server_id", "server_id": "0"}


@pytest.mark.parametrize("frame", [{"version": "2", "support": ["2"]}, {"version": "1"}, {}])
async def test_another_version_is_declined_and_the_line_closed(rest: Rest, frame: Any) -> None:
    async with await Ddp.open(rest) as ddp:
        await ddp.send({"msg": "connect", **frame})
        assert await ddp.until(msg="failed") == {"msg": "failed", "version": "1"}
        assert await ddp.closed() == 1000


async def test_who_does_not_connect_first_is_told(rest: Rest) -> None:
    async with await Ddp.open(rest) as ddp:
        frame = {"msg": "ping"}
        await ddp.send(frame)
        assert await ddp.until(msg="error") == {
            "msg": "error",
            "reason": "Must connect first",
            "offendingMessage": frame,
        }


async def test_nonsense_is_complained_about_and_survived(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        for text in ("{", "[]", '"x"', "null"):
            await ddp.send(text)
            assert (await ddp.receive())["reason"] == "Parse error"
        for frame in ({"msg": "dance"}, {}, {"msg": ["x"]}):
            await ddp.send(frame)
            assert (await ddp.receive())["reason"] == "Bad request"
        for part in ({"msg": "method"}, {"msg": "method", "id": 1, "method": "login"}, {"msg": "sub", "id": "s"}):
            await ddp.send(part)
            assert (await ddp.receive())["msg"] == "error"
        assert await ddp.quiet() == []


@EE
@pytest.mark.parametrize(("text", "code"), [('{"msg": "ping"}', 1002), ("{", 1007)])
async def test_microservices_close_instead(rest: Rest, text: str, code: int) -> None:
    async with await Ddp.open(rest) as ddp:
        await ddp.send(text)
        assert await ddp.closed() == code


async def test_a_ping_is_answered_with_its_id(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        await ddp.send({"msg": "ping"})
        assert await ddp.receive() == {"msg": "pong"}
        await ddp.send({"msg": "ping", "id": "x"})
        assert await ddp.receive() == {"msg": "pong", "id": "x"}


async def test_a_login_by_token_tells_its_expiry(rest: Rest, ada: Who, clock: Clock) -> None:
    async with await Ddp.connect(rest) as ddp:
        reply = await ddp.call("login", {"resume": ada.token})
        assert reply["result"] == {
            "id": ada.id,
            "token": ada.token,
            "tokenExpires": {"$date": int((clock.now + 90 * 86_400) * 1000)},
            "type": "resume",
        }
        added = next(frame for frame in ddp.seen if frame.get("msg") == "added")
        assert (added["collection"], added["id"], added["fields"]["username"]) == ("users", ada.id, "ada")
        assert await ddp.receive() == {"msg": "updated", "methods": [reply["id"]]}


async def test_a_personal_token_has_no_expiry(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        result = (await ddp.call("login", {"resume": rest.admin.token}))["result"]
        assert "tokenExpires" not in result
        for expiry, told in (("null", None), ("no date", {"$date": None})):
            rest.sandbox.realtime.quirks.personal_expiry = expiry  # type: ignore[assignment]
            assert (await ddp.call("login", {"resume": rest.admin.token}))["result"]["tokenExpires"] == told


async def test_a_login_by_password_makes_a_token(rest: Rest) -> None:
    digest = hashlib.sha256(ADMIN_PASSWORD.encode()).hexdigest()
    password = {"digest": digest, "algorithm": "sha-256"}
    async with await Ddp.connect(rest) as ddp:
        for user in ({"username": "admin"}, {"email": "admin@sandbox.localhost"}):
            result = (await ddp.call("login", {"user": user, "password": password}))["result"]
            assert (result["type"], result["id"]) == ("password", rest.admin.id)
            assert (await rest.get("me", who=Who(result["id"], result["token"]))).status == 200
        wrong = await ddp.call("login", {"user": {"username": "admin"}, "password": "x"})
        assert wrong["error"] == refusal(403, "Unauthorized")
        assert (await ddp.call("login", {}))["error"]["error"] == 400


@EE
async def test_microservices_take_tokens_only(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest) as ddp:
        error = (await ddp.call("login", {"user": {"username": "admin"}, "password": ADMIN_PASSWORD}))["error"]
        assert error["error"] == 403
        assert "result" in await ddp.call("login", {"resume": ada.token})
        assert "error" not in await ddp.call("logout")
        assert await ddp.closed() == 1002
    assert (await rest.get("me", who=ada)).status == 401


async def test_a_logout_ends_the_token_and_the_subscriptions_and_returns_nothing(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL", "s")
        assert (await ddp.call("logout")).keys() == {"msg", "id"}
        assert {"msg": "nosub", "id": "s", "error": refusal("not-allowed")} in ddp.seen
        assert (await rest.get("me", who=ada)).status == 401
        assert not ddp.socket.closed


async def test_updated_may_come_before_the_result(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.quiet()
        rest.sandbox.realtime.quirks.updated_first = True
        await ddp.call("rooms/get")
        assert [frame["msg"] for frame in ddp.seen[-2:]] == ["updated", "result"]


async def test_methods_work_on_the_same_state_as_rest(rest: Rest, ada: Who, clock: Clock) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        sent = (await ddp.call("sendMessage", {"_id": "a" * 17, "rid": "GENERAL", "msg": "hi"}))["result"]
        assert (sent["_id"], sent["ts"]) == ("a" * 17, {"$date": int(clock.now * 1000)})
        assert (await rest.get("chat.getMessage", msgId="a" * 17)).body["message"]["msg"] == "hi"
        rooms = (await ddp.call("rooms/get"))["result"]
        assert [room["_id"] for room in rooms] == ["GENERAL"]
        since = {"$date": int(clock.now * 1000) + 1}
        # Nothing changed since, so both lists are empty; the object itself is something.
        assert (await ddp.call("subscriptions/get", since))["result"] == {"update": [], "remove": []}
        assert "result" not in await ddp.call("setReaction", ":wave:", "a" * 17)
        message = (await rest.get("chat.getMessage", msgId="a" * 17)).body["message"]
        assert message["reactions"] == {":wave:": {"usernames": ["ada"]}}
        await ddp.call("setReaction", ":wave:", "a" * 17)
        assert "reactions" not in (await rest.get("chat.getMessage", msgId="a" * 17)).body["message"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nonsense", [], 404),
        ("sendMessage", [{"rid": "nowhere", "msg": "x"}], "error-invalid-room"),
        ("sendMessage", ["x"], 400),
        ("setReaction", [], "error-not-allowed"),
        ("readMessages", ["nowhere"], "error-invalid-room"),
    ],
)
async def test_a_method_fails_inside_of_its_result(rest: Rest, ada: Who, method: str, params: Any, code: Any) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        assert (await ddp.call(method, *params))["error"]["error"] == code


async def test_a_stranger_calls_nothing_and_hears_nothing(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        assert (await ddp.call("rooms/get"))["error"]["error"] == "error-invalid-user"
        for stream, event in ((MESSAGES, "GENERAL"), (MESSAGES, "__my_messages__"), (LOGGED, "user-status")):
            assert await ddp.sub(stream, event, "s") == {"msg": "nosub", "id": "s", "error": refusal("not-allowed")}
        assert (await ddp.sub(ALL, "public-settings-changed"))["msg"] == "ready"


async def test_who_may_hear_what(rest: Rest, ada: Who) -> None:
    group = (await rest.post("groups.create", {"name": "secret"})).body["group"]["_id"]
    channel = (await rest.post("channels.create", {"name": "open"})).body["channel"]["_id"]
    async with await Ddp.connect(rest, ada) as ddp:
        for stream, event, allowed in (
            (MESSAGES, "GENERAL", True),
            (MESSAGES, channel, True),
            (MESSAGES, "__my_messages__", True),
            (MESSAGES, group, False),
            (MESSAGES, "nowhere", False),
            (NOTIFY_USER, f"{ada.id}/notification", True),
            (NOTIFY_USER, f"{rest.admin.id}/notification", False),
            (NOTIFY_ROOM, "GENERAL/user-activity", True),
            (NOTIFY_ROOM, f"{channel}/user-activity", False),
            (NOTIFY_ROOM, f"{group}/user-activity", False),
            (LOGGED, "user-status", True),
        ):
            assert ((await ddp.sub(stream, event))["msg"] == "ready") is allowed, (stream, event)
        assert (await ddp.sub("stream-nonsense", "x"))["error"]["error"] == 404
        assert (await ddp.sub(MESSAGES, None))["error"]["error"] == "invalid-event-name"
        await ddp.send({"msg": "sub", "id": "bare", "name": MESSAGES})
        assert (await ddp.until(msg="nosub", id="bare"))["error"]["error"] == "invalid-event-name"


async def test_a_message_is_an_event_without_the_subscriptions_id(rest: Rest, ada: Who, clock: Clock) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        options = {"useCollection": False, "args": [None]}
        assert await ddp.sub(MESSAGES, "GENERAL", "s1", options) == {"msg": "ready", "subs": ["s1"]}
        message = (await rest.post("chat.postMessage", {"channel": "#general", "text": "hi"})).body["message"]
        frame = await ddp.until(msg="changed")
        assert (frame["collection"], frame["id"], frame["fields"]["eventName"]) == (MESSAGES, "id", "GENERAL")
        (seen,) = frame["fields"]["args"]
        assert (seen["_id"], seen["ts"], seen["msg"]) == (message["_id"], {"$date": int(clock.now * 1000)}, "hi")
        body = {"roomId": "GENERAL", "msgId": message["_id"], "text": "better"}
        await rest.post("chat.update", body)
        (edited,) = await ddp.event("GENERAL")
        assert (edited["_id"], edited["msg"], "editedAt" in edited) == (message["_id"], "better", True)
        await ddp.send({"msg": "unsub", "id": "s1"})
        assert await ddp.until(msg="nosub") == {"msg": "nosub", "id": "s1"}
        await rest.post("chat.postMessage", {"channel": "#general", "text": "unheard"})
        assert await ddp.quiet() == []


async def test_an_unknown_unsub_is_answered_all_the_same(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        await ddp.send({"msg": "unsub", "id": "never"})
        assert await ddp.receive() == {"msg": "nosub", "id": "never"}


async def test_subscribing_twice_brings_everything_twice(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL", "one")
        await ddp.sub(MESSAGES, "GENERAL", "two")
        await ddp.send({"msg": "sub", "id": "two", "name": MESSAGES, "params": ["GENERAL", False]})
        await rest.post("chat.postMessage", {"channel": "#general", "text": "hi"})
        assert [frame["msg"] for frame in await ddp.quiet()] == ["changed", "changed"]


async def test_use_collection_adds_a_frame(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL", "s", {"useCollection": True, "args": []})
        assert ddp.seen[-2] == {
            "msg": "added",
            "collection": MESSAGES,
            "id": "id",
            "fields": {"eventName": "GENERAL"},
        }


async def test_my_messages_brings_all_readable_rooms(rest: Rest, ada: Who) -> None:
    await rest.post("groups.create", {"name": "secret"})
    await rest.post("channels.create", {"name": "open"})
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "__my_messages__")
        for target in ("#secret", "#open", "#general", "@ada"):
            await rest.post("chat.postMessage", {"channel": target, "text": target})
        events = [frame["fields"]["args"] for frame in await ddp.quiet()]
        assert [(message["msg"], about) for message, about in events] == [
            ("#open", {"roomParticipant": False, "roomType": "c", "roomName": "open"}),
            ("#general", {"roomParticipant": True, "roomType": "c", "roomName": "general"}),
            ("@ada", {"roomParticipant": True, "roomType": "d", "roomName": "admin"}),
        ]


def named_event(frame: Any) -> tuple[str, list[Any]]:
    """An event of a user's own, without the id in front, and its arguments."""
    return frame["fields"]["eventName"].partition("/")[2], frame["fields"]["args"]


async def test_ones_rooms_and_memberships_are_told_as_they_change(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        for event in ("rooms-changed", "subscriptions-changed", "notification"):
            await ddp.sub(NOTIFY_USER, f"{ada.id}/{event}")
        room = (await rest.post("groups.create", {"name": "town", "members": ["ada"]})).body["group"]["_id"]
        events = [
            (frame["fields"]["eventName"].partition("/")[2], *frame["fields"]["args"]) for frame in await ddp.quiet()
        ]
        assert [(name, action) for name, action, _ in events] == [
            ("subscriptions-changed", "inserted"),
            ("rooms-changed", "inserted"),
        ]
        assert events[0][2]["rid"] == events[1][2]["_id"] == room
        await rest.post("chat.postMessage", {"roomId": room, "text": "hi @ada"})
        events = [
            (frame["fields"]["eventName"].partition("/")[2], frame["fields"]["args"]) for frame in await ddp.quiet()
        ]
        assert [name for name, _ in events] == ["rooms-changed", "subscriptions-changed", "notification"]
        assert (events[1][1][0], events[1][1][1]["unread"]) == ("updated", 1)
        (notification,) = events[2][1]
        assert (notification["title"], notification["text"]) == ("town", "hi @ada")
        assert (notification["payload"]["rid"], notification["payload"]["sender"]["username"]) == (room, "admin")


async def test_a_kick_ends_the_stream_without_a_word(rest: Rest, ada: Who) -> None:
    room = (await rest.post("groups.create", {"name": "town", "members": ["ada"]})).body["group"]["_id"]
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, room, "s")
        await ddp.sub(NOTIFY_USER, f"{ada.id}/subscriptions-changed")
        await rest.post("groups.kick", {"roomId": room, "userId": ada.id})
        await rest.post("chat.postMessage", {"roomId": room, "text": "about ada"})
        (frame,) = await ddp.quiet()
        action, gone = frame["fields"]["args"]
        assert (action, set(gone), gone["rid"]) == ("removed", {"_id", "u", "rid", "t"}, room)
        await rest.post("groups.invite", {"roomId": room, "userId": ada.id})
        await ddp.quiet()
        await rest.post("chat.postMessage", {"roomId": room, "text": "welcome back"})
        assert all(frame["collection"] != MESSAGES for frame in await ddp.quiet())
        await ddp.sub(MESSAGES, room, "fresh")
        await rest.post("chat.postMessage", {"roomId": room, "text": "again"})
        (seen,) = await ddp.event(room)
        assert seen["msg"] == "again"


async def test_typing_reaches_the_others_and_not_its_writer(rest: Rest, ada: Who) -> None:
    bob = await rest.make_member("bob")
    event = "GENERAL/user-activity"
    async with await Ddp.connect(rest, ada) as one, await Ddp.connect(rest, bob) as other:
        for ddp in (one, other):
            await ddp.sub(NOTIFY_ROOM, event)
        reply = await one.call(NOTIFY_ROOM, event, "ada", ["user-typing"], {})
        assert reply.keys() == {"msg", "id"}
        assert await other.event(event) == ["ada", ["user-typing"], {}]
        await one.call(NOTIFY_ROOM, event, "bob", ["user-typing"], {})
        await one.call(NOTIFY_ROOM, "GENERAL/deleteMessage", "ada", {})
        assert [frame for frame in await other.quiet() if frame["msg"] == "changed"] == []
        assert [frame for frame in one.seen if frame.get("msg") == "changed"] == []


async def test_deletions_and_readings_are_told_to_the_room(rest: Rest, ada: Who) -> None:
    message = (await rest.post("chat.postMessage", {"channel": "#general", "text": "x"})).body["message"]
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(NOTIFY_ROOM, "GENERAL/deleteMessage")
        await ddp.sub(NOTIFY_ROOM, "GENERAL/messagesRead")
        await rest.post("chat.delete", {"roomId": "GENERAL", "msgId": message["_id"]})
        assert await ddp.event("GENERAL/deleteMessage") == [{"_id": message["_id"]}]
        assert "result" not in await ddp.call("readMessages", "GENERAL")
        assert any(frame.get("fields", {}).get("eventName") == "GENERAL/messagesRead" for frame in ddp.seen)


async def test_presence_names_and_deletions_are_told_to_everyone(rest: Rest, ada: Who) -> None:
    bob = await rest.make_member("bob")
    async with await Ddp.connect(rest, ada) as ddp:
        for event in ("user-status", "Users:NameChanged", "Users:Deleted"):
            await ddp.sub(LOGGED, event)
        async with await Ddp.connect(rest, bob) as other:
            assert await ddp.event("user-status") == [[bob.id, "bob", 1, "", "Bob", ["user"]]]
            await rest.post("users.setStatus", {"status": "busy", "message": "Lunch"}, who=bob)
            assert (await ddp.event("user-status"))[0][2:4] == [3, "Lunch"]
            await other.call("UserPresence:away")
            assert (await ddp.event("user-status"))[0][2] == 2
        assert (await ddp.event("user-status"))[0][2] == 0
        assert (await rest.post("users.setStatus", {"status": "bored"}, who=bob)).status == 400
        await rest.post("users.update", {"userId": bob.id, "data": {"name": "Robert"}})
        assert (await ddp.event("Users:NameChanged"))[0]["name"] == "Robert"
        await rest.post("users.delete", {"userId": bob.id})
        assert await ddp.event("Users:Deleted") == [{"userId": bob.id}]


async def test_a_changed_setting_reaches_strangers(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        await ddp.sub(ALL, "public-settings-changed")
        await rest.post("settings/Accounts_LoginExpiration", {"value": 30})
        about = {"_id": "Accounts_LoginExpiration", "value": 30}
        assert await ddp.event("public-settings-changed") == ["updated", about]


async def test_a_method_is_limited_by_connection(rest: Rest, ada: Who, clock: Clock) -> None:
    rest.sandbox.realtime._limits.enabled = True
    async with await Ddp.connect(rest, ada) as ddp:
        replies = [await ddp.call("rooms/get") for _ in range(11)]
        assert all("result" in reply for reply in replies[:10])
        error = replies[10]["error"]
        assert (error["error"], error["details"]) == ("too-many-requests", {"timeToReset": 10_000})
        assert "result" in await ddp.call("subscriptions/get")
        for number in range(30):  # streams count for the connection as a whole only
            assert (await ddp.sub(MESSAGES, "GENERAL", f"x{number}"))["msg"] == "ready"
        clock.now += 10
        assert "result" in await ddp.call("rooms/get")


async def test_a_connection_makes_six_hundred_calls_a_minute(rest: Rest, ada: Who) -> None:
    rest.sandbox.realtime._limits.enabled = True
    async with await Ddp.connect(rest, ada) as ddp:
        replies = [await ddp.sub(MESSAGES, "GENERAL", f"x{number}") for number in range(600)]
        assert [reply["msg"] for reply in replies] == ["ready"] * 599 + ["nosub"]
        assert replies[-1]["error"]["error"] == "too-many-requests"


async def test_nothing_is_left_of_a_connection_that_ended(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL")
    hub = rest.sandbox._platform.hub
    await eventually(lambda: not hub.listeners)
    assert not hub._subs
    assert not rest.sandbox.realtime.connections
