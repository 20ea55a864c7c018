"""Broadcasts, and the messages they leave (docs/platforms/ethora.md#chats)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_helpers import APP, Api

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

PATH = f"/v2/apps/{APP}/chats/broadcast"


@pytest.fixture(autouse=True)
async def _chats(api: Api) -> None:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u1")
    await api.make_chat("c2")
    await api("POST", f"/v2/apps/{APP}/chats/private", {"users": ["u1", "u2"]})


async def send(api: Api, path: str = PATH, **body: Any) -> dict[str, Any]:
    reply = await api("POST", path, {"text": "hello", **body})
    assert reply.status == 202, reply
    assert (await api("GET", reply.body["statusUrl"])).body["state"] == "pending"
    return (await api("GET", reply.body["statusUrl"])).body


@pytest.mark.parametrize("path", [PATH, "/v2/chats/broadcast"])
async def test_all_rooms_are_the_public_and_the_group_chats(path: str, api: Api, sandbox: EthoraSandbox) -> None:
    job = await send(api, path, allRooms=True, metadata={"kind": "news"})
    result = job["result"]
    assert (job["state"], result["total"], result["sent"], result["failed"]) == ("completed", 2, 2, 0)
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    (message,) = chat.messages
    assert (message.body, message.sender, message.metadata) == ("hello", None, {"kind": "news"})
    assert result["results"][0] == {
        "status": "sent",
        "chatName": "app123_c1",
        "chatId": chat.id,
        "messageId": message.id,
    }


async def test_chats_are_named_by_any_id_and_reached_once(api: Api, sandbox: EthoraSandbox) -> None:
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    by_id = (await send(api, chatIds=[chat.id, "c1", "nowhere"]))["result"]
    assert [(row["status"], row["chatName"]) for row in by_id["results"]] == [
        ("sent", "app123_c1"),
        ("failed", "nowhere"),
    ]
    assert by_id["results"][1]["code"] == "CHAT_NOT_FOUND"
    by_name = (await send(api, chatNames=["app123_c2@conference.xmpp.localhost"]))["result"]
    assert by_name["sent"] == 1


async def test_a_dry_run_tells_what_it_would_do_and_does_nothing(api: Api, sandbox: EthoraSandbox) -> None:
    result = (await send(api, allRooms=True, dryRun=True))["result"]
    assert ([row["status"] for row in result["results"]], result["sent"]) == (["dry-run", "dry-run"], 0)
    assert not any(chat.messages for chat in sandbox.store.app(APP).chats)


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"allRooms": False},
        {"chatIds": []},
        {"allRooms": True, "chatIds": ["c1"]},
        {"chatIds": ["c1"], "chatNames": ["c2"]},
    ],
)
async def test_it_wants_exactly_one_kind_of_target(target: dict[str, Any], api: Api) -> None:
    reply = await api("POST", PATH, {"text": "hello", **target})
    assert (reply.status, reply.body["code"]) == (400, "BROADCAST_TARGET_INVALID")


async def test_it_wants_a_text(api: Api) -> None:
    assert (await api("POST", PATH, {"allRooms": True})).status == 422
    assert (await api("POST", PATH, {"text": "", "allRooms": True})).status == 422


async def test_metadata_is_an_object(api: Api) -> None:
    reply = await api("POST", PATH, {"text": "hello", "allRooms": True, "metadata": ["a"]})
    assert (reply.status, reply.body["error"]) == (422, '"metadata" must be of type object')


async def test_a_plain_user_may_not(api: Api) -> None:
    token = (await api.log_in("u1"))["token"]
    assert (await api("POST", PATH, {"text": "hello", "allRooms": True}, token=token)).status == 403


async def test_a_job_that_fails_sends_nothing(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail_jobs(error="queue is down")
    job = await send(api, allRooms=True)
    assert (job["state"], job["error"], "result" in job) == ("failed", "queue is down", False)
    assert not any(chat.messages for chat in sandbox.store.app(APP).chats)


async def test_a_job_is_known_to_its_own_route_and_app_alone(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.add_app("child", app_id="child1", parent=APP)
    job = (await api("POST", PATH, {"text": "hello", "allRooms": True})).body["jobId"]
    for path in (f"/v2/users/batch/{job}", f"/v2/apps/child1/chats/broadcast/{job}", f"/v2/apps/purge-jobs/{job}"):
        assert (await api("GET", path)).body["code"] == "JOB_NOT_FOUND"


def archive(api: Api, chat: str, query: str = "") -> Any:
    return api("GET", f"/v2/apps/{APP}/chats/{chat}/messages{query}")


@pytest.fixture
async def talk(api: Api, sandbox: EthoraSandbox, clock: Clock) -> list[str]:
    """Ten messages in c1, a second apart; every second one by u1."""
    app = sandbox.store.app(APP)
    chat, author = app.chats.find("c1"), app.users.find("u1")
    assert chat is not None
    ids = []
    for index in range(10):
        clock.now += 1
        message = sandbox.store.post(chat, f"Word {index} ends", clock.now, sender=author if index % 2 else None)
        ids.append(str(message.stanza))
    return ids


async def test_the_archive_is_read_backwards_page_by_page(talk: list[str], api: Api) -> None:
    pages, query = [], "?limit=4"
    while True:
        body = (await archive(api, "c1", query)).body
        assert body["total"] == 10
        pages.append([message["id"] for message in body["results"]])
        if body["nextBefore"] is None:
            break
        query = f"?limit=4&before={body['nextBefore']}"
    assert pages == [talk[6:], talk[2:6], talk[:2]]


async def test_a_message_says_who_when_and_what(talk: list[str], api: Api, clock: Clock) -> None:
    by_app, by_user = (await archive(api, "c1", "?limit=2")).body["results"]
    assert (by_app["from"], by_app["nick"]) == (APP, "App")
    assert (by_user["from"], by_user["nick"], by_user["body"]) == ("app123_u1", "Ada Byron", "Word 9 ends")
    assert by_user["ts"] == clock.now * 1000


async def test_messages_of_the_same_moment_keep_their_order(api: Api, sandbox: EthoraSandbox, clock: Clock) -> None:
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    for index in range(3):
        sandbox.store.post(chat, str(index), clock.now)
    results = (await archive(api, "c1")).body["results"]
    assert [message["body"] for message in results] == ["0", "1", "2"]
    assert len({message["id"] for message in results}) == 3


async def test_context_is_what_stands_around_a_message(talk: list[str], api: Api) -> None:
    for key, value in (("aroundStanzaId", talk[5]), ("aroundMessageId", None)):
        value = value or (await archive(api, "c1")).body["results"][5]["originId"]
        body = (await archive(api, "c1", f"/context?{key}={value}&radius=1")).body
        assert [message["id"] for message in body["results"]] == talk[4:7]
        assert body["message"]["id"] == talk[5]
    assert (await archive(api, "c1", "/context?aroundStanzaId=1")).body["code"] == "MESSAGE_NOT_FOUND"
    assert (await archive(api, "c1", "/context")).status == 422


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=word", 10),
        ("q=ends word", 0),
        ("q=ends word&mode=fulltext", 10),
        ("q=word 3", 1),
        ("q=word&fromUserId=u1", 5),
        ("q=word&fromUserId=nobody", 0),
        ("q=word&since=2023-11-14T22:13:26Z", 5),
        ("q=word&until=2023-11-14T22:13:26", 6),
        ("q=word&chatId=c2", 0),
    ],
)
async def test_a_search_finds(query: str, found: int, talk: list[str], api: Api) -> None:
    body = (await api("GET", f"/v2/apps/{APP}/messages/search?{query}")).body
    assert (body["total"], len(body["items"])) == (found, found)


@pytest.mark.parametrize("query", ["", "q=", "q=a&since=yesterday", "q=a&until=2023-13-45", "q=a&mode=regex"])
async def test_a_search_that_makes_no_sense_is_refused(query: str, api: Api) -> None:
    assert (await api("GET", f"/v2/apps/{APP}/messages/search?{query}")).status == 422


async def test_a_search_by_date_starts_with_the_latest(talk: list[str], api: Api) -> None:
    body = (await api("GET", f"/v2/apps/{APP}/messages/search?q=word&sort=date&limit=2&offset=1")).body
    assert [item["stanzaId"] for item in body["items"]] == [talk[8], talk[7]]


async def test_a_user_sees_only_what_was_said_in_their_own_chats(talk: list[str], api: Api) -> None:
    inside, outside = [(await api.log_in(name))["token"] for name in ("u1", "u2")]
    search = f"/v2/apps/{APP}/messages/search?q=word"
    assert (await api("GET", search, token=inside)).body["total"] == 10
    assert (await api("GET", search, token=outside)).body["total"] == 0
    path = f"/v2/apps/{APP}/chats/c1/messages"
    assert (await api("GET", path, token=inside)).status == 200
    assert (await api("GET", path, token=outside)).status == 403
    assert (await api("DELETE", path, token=inside)).status == 403


async def test_history_is_cleared(talk: list[str], api: Api) -> None:
    assert (await api("DELETE", f"/v2/apps/{APP}/chats/c1/messages")).status == 200
    body = (await archive(api, "c1")).body
    assert (body["results"], body["total"], body["nextBefore"]) == ([], 0, None)


@pytest.mark.parametrize("before", ["x", "-1", "1" * 30, "²"])
async def test_a_cursor_that_is_none_is_refused(before: str, api: Api) -> None:
    assert (await archive(api, "c1", f"?before={before}")).status == 422


async def test_unread_counts_grow_with_messages_of_others_since_joining(
    talk: list[str], api: Api, sandbox: EthoraSandbox
) -> None:
    await api("POST", "/v2/chats/users-access", {"chatName": "c1", "members": ["u2"]})
    path = f"/v2/apps/{APP}/users/unread-counts"

    async def counts(**more: Any) -> list[Any]:
        rows = (await api("POST", path, {"userIds": ["u1", "u2", "nobody"], **more})).body["results"]
        return [row.get("count", row.get("hasUnread", row["status"])) for row in rows]

    assert await counts() == [5, 0, "not-found"]
    await send(api, chatIds=["c1"])
    assert await counts() == [6, 1, "not-found"]
    assert await counts(cap=3) == [3, 1, "not-found"]
    app = sandbox.store.app(APP)
    chat, user = app.chats.find("c1"), app.users.find("u2")
    assert chat is not None
    assert user is not None
    chat.conversation.mark_read(user)
    assert await counts(mode="flag") == [True, False, "not-found"]
    mine = (await api("GET", "/v1/chats/my", token=(await api.log_in("u1"))["token"])).body["items"]
    assert [chat["unreadCount"] for chat in mine] == [6, 0]
