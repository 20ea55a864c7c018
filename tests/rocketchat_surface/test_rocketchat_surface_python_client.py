"""Every public method of `rocketchat-API` from PyPI that touches people, rooms and messages, against the sandbox.

Each call succeeds, or is refused as the community edition refuses it; what it changed, our client reads.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.platforms.rocketchat.names import RecordId

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox

SECTIONS = ("channels", "groups", "dm", "chat", "rooms", "subscriptions", "users", "statistics", "miscellaneous")
PAST, FUTURE = "2000-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"


def public_methods() -> set[str]:
    from rocketchat_API.APISections import base

    found = set()
    for section in SECTIONS:
        module = __import__(f"rocketchat_API.APISections.{section}", fromlist=["x"])
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__:
                found |= {name for name in vars(kind) if not name.startswith("_")}
    return found - {name for name in vars(base.RocketChatBase) if not name.startswith("_")}


class Recorder:
    """The client, with the names of the methods that were called; pages are read to their end."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.called.add(name)
            given = method(*args, **kwargs)
            return list(given) if inspect.isgenerator(given) else given

        return call


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    """The code with which a call is refused."""
    from rocketchat_API.APIExceptions.RocketExceptions import RocketApiException

    with pytest.raises(RocketApiException) as caught:
        call(*args, **kwargs)
    return str(caught.value.response_json.get("errorType"))


def named_rooms(rocket: Recorder, family: str, ids: dict[str, str], told: dict[str, Any]) -> None:
    """What channels and groups have in common."""

    def call(name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(rocket, f"{family}_{name}")(*args, **kwargs)

    room = call("create", f"{family}-town", members=["ada"])[family[:-1]]["_id"]
    told[f"{family} id"] = room
    call("invite", room, ids["bob"])
    call("rename", room, f"{family}-city")
    call("set_topic", room, "topic")
    call("set_description", room, "description")
    call("set_announcement", room, "announcement")
    call("set_custom_fields", *((room, {"a": 1}) if family == "channels" else ({"a": 1}, room)))
    call("add_moderator", room, ids["ada"])
    told[f"{family} moderators"] = call("moderators", room)["moderators"]
    call("remove_moderator", room, ids["ada"])
    call("add_owner", room, ids["ada"])
    call("add_leader", room, ids["ada"])
    told[f"{family} roles"] = call("roles", room)["roles"]
    call("remove_leader", room, ids["ada"])
    call("remove_owner", room, ids["ada"])
    rocket.chat_post_message("hello @admin", room_id=room)
    told[f"{family} history"] = [message["msg"] for message in call("history", room)]
    told[f"{family} members"] = [member["username"] for member in call("members", room)]
    if family == "channels":  # the client has no such method for groups
        told["counters"] = call("counters", room)["members"]
    told[f"{family} files"] = call("files", room)
    told[f"{family} integrations"] = call("get_integrations", room)
    told[f"{family} online"] = call("online", room)["online"]
    told[f"{family} info"] = call("info", room)[family[:-1]]
    call("close", room)
    told[f"{family} closed"] = rocket.subscriptions_get_one(room)["subscription"]["open"]
    call("open", room)
    call("archive", room)
    told[f"{family} archived"] = refusal(rocket.chat_post_message, "no", room_id=room)
    call("unarchive", room)
    call("kick", room, ids["bob"])
    call("set_read_only", room, True)
    call("add_owner", room, ids["ada"])
    call("leave", room)


def channels_alone(rocket: Recorder, ids: dict[str, str], told: dict[str, Any]) -> None:
    room = rocket.channels_create("lobby", members=["bob"])["channel"]["_id"]
    rocket.channels_add_all(room)
    rocket.channels_set_default(room, True)
    rocket.channels_set_join_code(room, "sesame")
    told["joined"] = rocket.channels_join(room, "sesame")["channel"]["name"]
    told["lobby"] = [member["username"] for member in rocket.channels_members(room)]
    rocket.chat_post_message("@admin", room_id=room)
    told["mentions"] = [one["msg"] for one in rocket.channels_get_all_user_mentions_by_channel(room)]
    told["channels"] = [one["name"] for one in rocket.channels_list()]
    told["joined channels"] = [one["name"] for one in rocket.channels_list_joined()]
    rocket.channels_set_type(room, "p")
    told["lobby kind"] = rocket.rooms_info(room)["room"]["t"]
    gone = rocket.channels_create("gone")["channel"]["_id"]
    rocket.channels_delete(gone)


def groups_alone(rocket: Recorder, told: dict[str, Any]) -> None:
    room = rocket.groups_create("crew", members=["ada"])["group"]["_id"]
    rocket.groups_set_encrypted(room, True)
    told["encrypted"] = rocket.groups_info(room)["group"]["encrypted"]
    told["groups"] = [one["name"] for one in rocket.groups_list()]
    told["all groups"] = [one["name"] for one in rocket.groups_list_all()]
    told["team"] = rocket.groups_convert_to_team(room)["team"]["name"]
    other = rocket.groups_create("open-crew")["group"]["_id"]
    rocket.groups_set_type(other, "c")
    gone = rocket.groups_create("gone-crew")["group"]["_id"]
    rocket.groups_delete(gone)


def direct_rooms(rocket: Recorder, ids: dict[str, str], told: dict[str, Any]) -> None:
    room = rocket.dm_create("ada")["room"]["_id"]
    several = rocket.dm_create_multiple(["ada", "bob"])["room"]["_id"]
    rocket.chat_post_message("psst", room_id=room)
    rocket.dm_set_topic(room, "us")
    rocket.dm_close(room)
    told["direct closed"] = rocket.subscriptions_get_one(room)["subscription"]["open"]
    rocket.dm_open(room)
    told["directs"] = {one["_id"] for one in rocket.dm_list()} == {room, several}
    told["all directs"] = len(rocket.dm_list_everyone())
    told["direct history"] = [one["msg"] for one in rocket.dm_history(room)]
    told["direct messages"] = [one["msg"] for one in rocket.dm_messages(room)]
    told["direct members"] = {one["username"] for one in rocket.dm_members(room)}
    told["direct counters"] = rocket.dm_counters(room)["msgs"]
    told["direct files"] = rocket.dm_files(room)
    told["others"] = refusal(rocket.dm_messages_others, room)
    rocket.dm_delete(several)
    told["direct id"] = room


def messages(rocket: Recorder, ids: dict[str, str], told: dict[str, Any], picture: Path) -> None:
    room = rocket.channels_create("talk", members=["ada", "bob"])["channel"]["_id"]
    told["talk"] = room
    first = rocket.chat_post_message("hello @admin", room_id=room)["message"]["_id"]
    rocket.chat_send_message({"rid": room, "msg": "an answer", "tmid": first})
    gone = rocket.chat_post_message("gone", room_id=room)["message"]["_id"]
    told["fetched"] = rocket.chat_get_message(first)["message"]["msg"]
    rocket.chat_update(room, first, "hello again @admin")
    rocket.chat_react(first, "tada")
    rocket.chat_pin_message(first)
    told["pinned"] = [one["_id"] for one in rocket.chat_get_pinned_messages(room)] == [first]
    rocket.chat_unpin_message(first)
    rocket.chat_star_message(first)
    told["starred"] = [one["_id"] for one in rocket.chat_get_starred_messages(room)] == [first]
    rocket.chat_unstar_message(first)
    rocket.chat_follow_message(first)
    rocket.chat_unfollow_message(first)
    rocket.chat_report_message(first, "rude")
    rocket.chat_delete(room, gone)
    told["deleted"] = [one["_id"] for one in rocket.chat_get_deleted_messages(room, PAST)] == [gone]
    told["found"] = [one["_id"] for one in rocket.chat_search(room, "again")] == [first]
    told["mentioned"] = [one["_id"] for one in rocket.chat_get_mentioned_messages(room)] == [first]
    told["threads"] = [one["_id"] for one in rocket.chat_get_threads_list(room)] == [first]
    told["thread"] = [one["msg"] for one in rocket.chat_get_thread_messages(first)]
    told["thread list"] = len(rocket.chat_sync_thread_list(room, PAST)["threads"]["update"])
    told["thread messages"] = len(rocket.chat_sync_thread_messages(first, PAST)["messages"]["update"])
    told["synced"] = first in {one["_id"] for one in rocket.chat_sync_messages(room, PAST)["result"]["updated"]}
    told["receipts"] = refusal(rocket.chat_get_message_read_receipts, first)
    told["preview"] = rocket.chat_get_url_preview(room, "https://example.com/")["urlPreview"]["url"]
    rocket.chat_ignore_user(room, ids["bob"])
    told["ignored"] = rocket.subscriptions_get_one(room)["subscription"]["ignored"] == [ids["bob"]]
    told["discussion"] = rocket.rooms_create_discussion(room, "The bridge")["discussion"]["_id"]
    told["discussions"] = [one["msg"] for one in rocket.chat_get_discussions(room)]
    file = rocket.rooms_media(room, str(picture))["file"]["_id"]
    told["media"] = rocket.rooms_media_confirm(room, file)["message"]["file"]["name"]


def rooms_and_people(rocket: Recorder, ids: dict[str, str], told: dict[str, Any], picture: Path) -> None:
    room = told["talk"]
    rocket.rooms_favorite(room, favorite=True)
    told["rooms"] = room in {one["_id"] for one in rocket.rooms_get()["update"]}
    told["admin rooms"] = len(rocket.rooms_admin_rooms()) > 5
    rocket.subscriptions_read(room)
    told["unread"] = refusal(rocket.subscriptions_unread, room)
    told["subscriptions"] = len(rocket.subscriptions_get()["update"]) > 3
    cleaned = rocket.channels_create("cleaned")["channel"]["_id"]
    rocket.chat_post_message("dust", room_id=cleaned)
    told["cleaned"] = rocket.rooms_clean_history(cleaned, FUTURE, PAST)["count"]
    left = rocket.channels_create("left")["channel"]["_id"]
    rocket.rooms_leave(left)
    told["me"] = rocket.me()["username"]
    told["info"] = rocket.users_info(username="ada")["user"]["username"]
    told["users"] = {one["username"] for one in rocket.users_list()}
    told["token"] = rocket.users_create_token(ids["ada"], ids["secret"])["data"]["userId"] == ids["ada"]
    rocket.users_update(ids["ada"], name="Ada Lovelace")
    rocket.users_set_status("busy today", status="busy")
    told["presence"] = rocket.users_get_presence(user_id=ids["admin"])["presence"]
    rocket.users_set_preferences(ids["admin"], {"useEmojis": False})
    told["preferences"] = rocket.users_get_preferences()["preferences"]
    rocket.users_set_avatar(str(picture))
    told["avatar"] = rocket.users_get_avatar(user_id=ids["admin"]) is not None
    rocket.users_reset_avatar(user_id=ids["admin"])
    rocket.users_forgot_password("ada@sandbox.localhost")
    rocket.users_set_active_status(ids["bob"], False)
    extra = rocket.users_create("eve@example.com", "Eve", "pw", "eve")["user"]["_id"]
    rocket.users_delete(extra)
    told["directory"] = [one["name"] for one in rocket.directory({"text": "talk", "type": "channels"})]
    told["spotlight"] = [one["name"] for one in rocket.spotlight("talk")["rooms"]]
    told["statistics"] = rocket.statistics()["totalUsers"]
    told["past statistics"] = len(rocket.statistics_list())


def tour(url: str, password: str, ids: dict[str, str], picture: Path) -> tuple[set[str], dict[str, Any]]:
    from rocketchat_API.rocketchat import RocketChat

    nobody = Recorder(RocketChat(server_url=url))
    told: dict[str, Any] = {
        "registered": nobody.users_register("joe@example.com", "Joe", "pw", "joe")["user"]["username"]
    }
    rocket = Recorder(RocketChat("first", password, server_url=url))
    for family in ("channels", "groups"):
        named_rooms(rocket, family, ids, told)
    channels_alone(rocket, ids, told)
    groups_alone(rocket, told)
    direct_rooms(rocket, ids, told)
    messages(rocket, ids, told, picture)
    rooms_and_people(rocket, ids, told, picture)
    return rocket.called | nobody.called, told


@pytest.fixture
def first_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the server's first user."""
    monkeypatch.setenv("ROCKETCHAT_USER", "first")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client leaves its files open
@pytest.mark.usefixtures("first_user")
async def test_every_method_works_and_our_client_reads_what_it_changed(
    sandbox: RocketChatSandbox, rocketchat: RocketChatClient, tmp_path: Path
) -> None:
    store = sandbox.store.users
    ids = {name: user.id for name in ("ada", "bob") if (user := store.with_username(name)) is not None}
    ids |= {"admin": sandbox.admin.id, "secret": sandbox.secret}
    picture = tmp_path / "map.png"
    picture.write_bytes(b"\x89PNG and so on")
    called, told = await asyncio.to_thread(tour, sandbox.url, sandbox.admin_password, ids, picture)
    assert public_methods() - called == set()
    for family in ("channels", "groups"):
        assert [one["username"] for one in told[f"{family} moderators"]] == ["ada"]
        assert {one["u"]["username"]: one["roles"] for one in told[f"{family} roles"]} == {
            "first": ["owner"],
            "ada": ["owner", "leader"],
        }
        assert "hello @admin" in told[f"{family} history"]
        assert told[f"{family} members"] == ["ada", "bob", "first"]
        assert (told[f"{family} files"], told[f"{family} integrations"], told[f"{family} closed"]) == ([], [], False)
        assert told[f"{family} archived"] == "error-room-archived"
        room = RecordId(told[f"{family} id"])
        chat = await rocketchat.as_user("ada").chats.get(room)
        assert (chat.id, chat.title, chat.description) == (f"{family}-city", "topic", "description")
        assert (chat.extra["announcement"], chat.extra["customFields"]) == ("announcement", {"a": 1})
        assert (chat.extra["ro"], "archived" in chat.extra, chat.member_count) == (True, False, 1)
    assert (told["registered"], told["counters"], told["joined"], told["lobby kind"]) == ("joe", 3, "lobby", "p")
    assert set(told["lobby"]) == {"ada", "bob", "first", "joe"}
    assert "gone" not in told["channels"]
    assert {"lobby", "channels-city"} <= {*told["channels"]}
    assert "channels-city" not in told["joined channels"]
    assert (told["encrypted"], told["team"]) == (True, "crew")
    assert "crew" in told["groups"]
    assert "groups-city" in told["all groups"]
    assert (told["direct closed"], told["directs"], told["all directs"], told["direct files"]) == (False, True, 2, [])
    assert told["direct members"] == {"first", "ada"}
    assert told["direct history"][-1] == told["direct messages"][-1] == "psst"
    assert told["others"] == "error-endpoint-disabled"
    direct = await rocketchat.as_user("ada").chats.get(RecordId(told["direct id"]))
    assert direct.title == "us"
    flags = ("pinned", "starred", "deleted", "found", "threads", "synced", "ignored", "rooms", "admin rooms")
    assert {flag for flag in (*flags, "subscriptions", "token", "avatar") if not told[flag]} == set()
    assert (told["fetched"], told["thread"], told["discussions"]) == ("hello @admin", ["an answer"], ["The bridge"])
    assert (told["thread list"], told["thread messages"], told["media"]) == (1, 1, "map.png")
    assert (told["receipts"], told["preview"]) == ("error-action-not-allowed", "https://example.com/")
    assert told["unread"] == "error-no-message-for-unread"
    talk = RecordId(told["talk"])
    messages_read = {one.text: one for one in await rocketchat.messages.history(talk)}
    first = messages_read["hello again @admin"]
    assert first.extra["reactions"] == {":tada:": {"usernames": ["first"]}}
    assert (first.extra["tcount"], "pinned" in first.extra, "starred" in first.extra) == (1, False, False)
    assert [file.name async for file in rocketchat.chats.files(talk)] == ["map.png"]
    assert [room.record_id for room in await rocketchat.chats.discussions(talk)] == [told["discussion"]]
    standing = await rocketchat.chats.subscription(talk)
    assert standing is not None
    assert standing["f"] is True
    assert (told["me"], told["info"], told["statistics"], told["past statistics"]) == ("first", "ada", 4, 1)
    assert told["users"] == {"ada", "bob", "first", "joe"}
    assert (told["presence"], told["preferences"]) == ("busy", {"useEmojis": False})
    assert (told["directory"], told["spotlight"]) == (["talk"], ["talk"])
    assert told["cleaned"] >= 1
    assert await rocketchat.messages.history("cleaned") == ()
    assert (await rocketchat.users.get("ada")).last_name == "Lovelace"
    assert [user.id async for user in rocketchat.users.find(active=False)] == ["bob"]
    assert (await rocketchat.users.status("first")).text == "busy today"
