"""Messages, default rooms and the chat server's own view of a chat: exact requests, every form of reply."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, CHILD, OTHER_RECORD, RECORD, Scripted, SentRequest, ok, reply

from ethora_async import ConfigError, InvalidInputError, MongoId, NotFoundError, ReplyLostError, ServerFaultError
from ethora_async.platforms.ethora.apps.records import DefaultRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async import EthoraClient
    from ethora_async.testing.users import FakeClock

PATH = f"/v2/apps/{APP}/chats/{RECORD}/messages"
LISTED = ok({"results": [{"_id": RECORD, "name": f"{APP}_c1"}], "total": 1})


def page(*ids: str, before: Any = None, **more: Any) -> Any:
    rows = [{"id": id, "body": f"text {id}", "ts": 1_700_000_000_000} for id in ids]
    return ok({"results": rows, "nextBefore": before, "mamUnavailable": False, **more})


async def test_a_page_of_history_is_read(clock: FakeClock) -> None:
    row = {
        "id": "m2",
        "originId": "o2",
        "ts": 1_700_000_000_500,
        "from": f"{APP}_c1@conference.x.y/u1",
        "nick": "Ann",
        "body": "Hello",
        "kind": "text",
    }
    script = Scripted(clock, ok({"results": [row], "total": 40, "nextBefore": 1699, "mamUnavailable": False}))
    history = await script.client.chats.messages(MongoId(RECORD), limit=1, before=1700)
    assert script.only == SentRequest("GET", PATH, {"limit": "1", "before": "1700"})
    assert (history.total, history.next_before, history.unavailable) == (40, "1699", False)
    (message,) = history.items
    assert (message.id, message.origin_id, message.nick, message.body) == ("m2", "o2", "Ann", "Hello")
    assert message.sender == f"{APP}_c1@conference.x.y/u1"
    assert message.sent_at == datetime.fromtimestamp(1_700_000_000.5, UTC)
    assert message.extra == {"kind": "text"}


async def test_all_of_a_history_is_read_and_the_chat_is_looked_up_once(clock: FakeClock) -> None:
    script = Scripted(clock, LISTED, page("m4", "m5", before="4"), page("m2", "m3", "m4", before="2"), page("m1"))
    messages = [message.id async for message in script.client.chats.messages("c1", limit=2)]
    assert messages == ["m4", "m5", "m2", "m3", "m1"]  # the one that was there before is left out
    assert script.sent == [
        SentRequest("GET", f"/v2/apps/{APP}/chats", {"limit": "500", "offset": "0"}),
        SentRequest("GET", PATH, {"limit": "2"}),
        SentRequest("GET", PATH, {"limit": "2", "before": "4"}),
        SentRequest("GET", PATH, {"limit": "2", "before": "2"}),
    ]


@pytest.mark.parametrize(
    "replies",
    [
        [page("m1", before="1"), page(before="0")],
        [page("m1", before="1"), page("m1", before="1")],
        [page("m1", before="")],
        [page("m1", before=None)],
        [page("m1", before=True)],
    ],
)
async def test_a_history_ends(clock: FakeClock, replies: list[Any]) -> None:
    script = Scripted(clock, *replies)
    assert [message.id async for message in script.client.chats.messages(MongoId(RECORD))] == ["m1"]
    assert len(script.sent) == len(replies)


async def test_a_history_that_only_repeats_itself_ends_too(clock: FakeClock) -> None:
    script = Scripted(clock, *[page("m1", before=str(at)) for at in range(90, 50, -1)])
    assert [message.id async for message in script.client.chats.messages(MongoId(RECORD))] == ["m1"]
    assert len(script.sent) == 6


async def test_a_history_is_taken_up_again_where_a_page_ended(clock: FakeClock) -> None:
    script = Scripted(clock, page("m3", before="3"), page("m2"))
    async with aclosing(script.client.chats.messages(MongoId(RECORD)).by_page()) as pages:
        first = await anext(pages)
    again = script.client.chats.messages(MongoId(RECORD), before=first.next_before)
    assert [message.id async for message in again] == ["m2"]


async def test_an_archive_that_does_not_answer_is_not_an_empty_chat(clock: FakeClock) -> None:
    script = Scripted(clock, page(mamUnavailable=True))
    assert (await script.client.chats.messages(MongoId(RECORD))).unavailable
    with pytest.raises(ServerFaultError, match="archive") as caught:
        [message async for message in script.client.chats.messages(MongoId(RECORD))]
    assert caught.value.effect == "none"


@pytest.mark.parametrize("key", ["items", "results", "messages"])
@pytest.mark.parametrize("id_key", ["id", "stanzaId", "_id", "originId"])
async def test_the_context_of_a_message_is_read_in_every_form(clock: FakeClock, key: str, id_key: str) -> None:
    script = Scripted(clock, ok({key: [{id_key: "m1", "body": "a"}]}))
    chats = script.client.in_app(CHILD).chats
    found = await chats.messages_context(MongoId(RECORD), stanza_id="s/1", radius=2)
    assert [message.id for message in found] == ["m1"]
    await chats.messages_context(MongoId(RECORD), message_id="m1")
    path = f"/v2/apps/{CHILD}/chats/{RECORD}/messages/context"
    assert script.sent == [
        SentRequest("GET", path, {"aroundStanzaId": "s/1", "radius": "2"}),
        SentRequest("GET", path, {"aroundMessageId": "m1"}),
    ]


FOUND = {
    "_id": OTHER_RECORD,
    "chatId": RECORD,
    "chatType": "group",
    "room": f"{APP}_c1",
    "from": "jid",
    "fromUserId": "u1",
    "body": "needle",
    "messageId": "m1",
    "stanzaId": "s1",
    "createdAt": "2026-01-02T00:00:00Z",
}


async def test_a_search_asks_for_what_was_given(clock: FakeClock) -> None:
    script = Scripted(clock, LISTED, ok({"items": [FOUND], "total": 1}))
    east = timezone(timedelta(hours=2))
    found = script.client.chats.search(
        " needle ",
        mode="fulltext",
        chat="c1",
        user=f"{APP}_u1",
        since=datetime(2026, 1, 1),  # noqa: DTZ001  naive on purpose
        until=datetime(2026, 1, 3, tzinfo=east),
        sort="date",
        limit=5,
        offset=1,
    )
    (message,) = (await found).items
    await found
    assert [asked.method for asked in script.sent] == ["GET"] * 3  # the chat is looked up once
    assert script.sent[1] == SentRequest(
        "GET",
        f"/v2/apps/{APP}/messages/search",
        {
            "q": "needle",
            "mode": "fulltext",
            "chatId": RECORD,
            "fromUserId": "u1",
            "since": "2026-01-01T00:00:00+00:00",
            "until": "2026-01-03T00:00:00+02:00",
            "sort": "date",
            "limit": "5",
            "offset": "1",
        },
    )
    assert (message.record_id, message.chat_id, message.message_id, message.stanza_id) == (
        OTHER_RECORD,
        RECORD,
        "m1",
        "s1",
    )
    assert (message.created_at, message.deleted_at) == (datetime(2026, 1, 2, tzinfo=UTC), None)


async def test_a_search_without_wishes_leaves_them_to_the_platform(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"items": [FOUND], "total": 1}))
    assert [message.body async for message in script.client.chats.search("needle")] == ["needle"]
    assert script.only.query == {"q": "needle", "limit": "100", "offset": "0"}


async def test_messages_are_cleared(clock: FakeClock) -> None:
    script = Scripted(clock, reply(204))
    outcome = await script.client.chats.clear_messages(MongoId(RECORD))
    assert (outcome.status, outcome.key) == ("deleted", RECORD)
    assert script.only == SentRequest("DELETE", PATH)


async def test_a_chat_that_is_not_listed_or_has_no_record_id_has_no_messages(clock: FakeClock) -> None:
    script = Scripted(clock, LISTED)
    with pytest.raises(NotFoundError, match="c9"):
        await script.client.chats.messages("c9")
    script = Scripted(clock, ok({"results": [{"name": f"{APP}_c1"}], "total": 1}))
    for call in (
        script.client.chats.messages("c1"),
        script.client.chats.clear_messages("c1"),
        script.client.chats.messages_context("c1", message_id="m"),
        script.client.chats.search("x", chat="c1"),
    ):
        with pytest.raises(ReplyLostError, match="no record id"):
            await call  # type: ignore[misc]
    assert {asked.path for asked in script.sent} == {f"/v2/apps/{APP}/chats"}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.chats.messages("c1", limit=0), "limit"),
        (lambda client: client.chats.messages("c1", limit=501), "limit"),
        (lambda client: client.chats.messages("c1", before=""), "before"),
        (lambda client: client.chats.messages("c1", before=True), "before"),
        (lambda client: client.chats.messages(""), "id"),
        (lambda client: client.chats.messages_context("c1"), "stanza_id"),
        (lambda client: client.chats.messages_context("c1", stanza_id="a", message_id="b"), "stanza_id"),
        (lambda client: client.chats.messages_context("c1", stanza_id=" "), "stanza_id"),
        (lambda client: client.chats.messages_context("c1", message_id="a", radius=0), "radius"),
        (lambda client: client.chats.search(""), "text"),
        (lambda client: client.chats.search("x", limit=501), "limit"),
        (lambda client: client.chats.search("x", user=""), "user"),
        (lambda client: client.chats.default_rooms.create(" "), "title"),
        (lambda client: client.chats.default_rooms.delete(""), "id"),
        (lambda client: client.chats.update_meta("c1"), "title"),
        (lambda client: client.chats.update_meta("c1", title=""), "title"),
    ],
)
async def test_arguments_that_cannot_be_are_refused_before_sending(
    clock: FakeClock, call: Callable[[EthoraClient], Awaitable[Any]], field: str
) -> None:
    script = Scripted(clock, ok())
    with pytest.raises(InvalidInputError) as caught:
        await call(script.client)
    assert caught.value.field == field
    assert script.sent == []


ROOM = {"jid": f"{APP}_r1", "title": "Lobby", "pinned": True, "creator": "u1", "chatId": RECORD, "_id": OTHER_RECORD}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: {"rooms": rows},
        lambda rows: {"result": rows, "rooms": rows},
        lambda rows: {"defaultRooms": rows},
        lambda rows: {"result": {"defaultRooms": rows}},
        lambda rows: {"items": rows},
        lambda rows: rows,
    ],
)
async def test_default_rooms_are_listed_in_every_form(clock: FakeClock, wrap: Callable[[Any], Any]) -> None:
    script = Scripted(clock, ok(wrap([ROOM, {"jid": f"{APP}_r2@conference.x.y"}, {"name": f"{APP}_r3"}])))
    rooms = [room async for room in script.client.chats.default_rooms.list()]
    assert script.only == SentRequest("GET", f"/v1/apps/get-default-rooms/app-id/{APP}")
    assert [room.id for room in rooms] == ["r1", "r2", "r3"]
    assert rooms[0] == DefaultRoom(
        id="r1",
        name=f"{APP}_r1",
        title="Lobby",
        pinned=True,
        chat_id=RECORD,
        creator="u1",
        extra={"_id": OTHER_RECORD, "jid": f"{APP}_r1"},
    )


async def test_a_default_room_is_made_once_and_deleted_by_any_form_of_its_id(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"result": ROOM}), ok({"result": ROOM}), reply(404, {"code": "CHAT_NOT_FOUND"}))
    rooms = script.client.chats.default_rooms
    assert (await rooms.create(" Lobby ", pinned=True)).name == f"{APP}_r1"
    assert (await rooms.delete(f"{APP}_r1@conference.x.y")).status == "deleted"
    assert (await rooms.delete("r1")).status == "absent"
    gone = SentRequest("DELETE", f"/v1/apps/delete-app-chat/{APP}", {}, {"chatJid": f"{APP}_r1"})
    assert script.sent == [
        SentRequest("POST", f"/v1/apps/create-app-chat/{APP}", {}, {"title": "Lobby", "pinned": True}),
        gone,
        gone,
    ]
    script = Scripted(clock, reply(503))
    with pytest.raises(ServerFaultError):
        await script.client.chats.default_rooms.create("Lobby")
    assert len(script.sent) == 1


async def test_a_default_room_without_a_name_is_lost(clock: FakeClock) -> None:
    with pytest.raises(ReplyLostError, match="name"):
        await Scripted(clock, ok({"result": {"title": "Lobby"}})).client.chats.default_rooms.create("Lobby")


async def test_the_chat_servers_view_of_a_chat_is_changed_by_jid(clock: FakeClock) -> None:
    script = Scripted(clock, ok(), xmpp_host="xmpp.example.com")
    changed = await script.client.chats.update_meta("c1", title=" New ", description="")
    jid = f"{APP}_c1@conference.xmpp.example.com"
    body = {"name": f"{APP}_c1", "data": {"chatJid": jid, "title": "New", "description": ""}}
    assert script.only == SentRequest("PATCH", "/v1/chats/meta", {}, body)
    assert (changed.status, changed.key) == ("updated", "c1")


async def test_without_an_xmpp_host_that_view_cannot_be_changed(clock: FakeClock) -> None:
    script = Scripted(clock, ok(), api_url="https://chat.example.com")
    with pytest.raises(ConfigError, match="ETHORA_XMPP_HOST"):
        await script.client.chats.update_meta("c1", title="New")
