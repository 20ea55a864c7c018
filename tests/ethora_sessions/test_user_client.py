"""The requests of a user client, and how it reads every form of reply."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, RECORD, SECRET, URL, ok, reply
from session_parts import ME, Platform, session

from ethora_async import (
    ChatError,
    EthoraClient,
    ForbiddenError,
    InvalidInputError,
    MongoId,
    NotFoundError,
    ReplyLostError,
    User,
)
from ethora_async.redaction import MASK, Secret
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.sessions.user_client import UserClient
    from ethora_async.testing.users import FakeClock

OTHER = "f" * 24
CHAT = {"_id": RECORD, "name": f"{APP}_{APP}_c1", "title": "One", "type": "group", "usersCnt": 31, "muted": True}
PRIVATE = {"_id": RECORD, "name": f"{APP}_u1-{APP}_u2", "type": "private", "members": [ME]}
KEYS = "/v2/users/me/api-keys"


def user_of(platform: Platform) -> UserClient:
    return platform.client.as_user(session())


async def test_my_chats_come_whole_in_one_request(clock: FakeClock) -> None:
    platform = Platform(clock, {"GET /v1/chats/my": ok({"items": [{**CHAT, "members": [ME]}]})})
    chats = [chat async for chat in user_of(platform).chats.list()]
    assert [(chat.id, chat.name, chat.member_count) for chat in chats] == [("c1", f"{APP}_c1", 31)]
    assert chats[0].members is not None
    assert [member.id for member in chats[0].members] == ["u1"]
    assert chats[0].extra["muted"] is True
    assert platform.only.query == {}


async def test_my_chats_are_asked_for_on_when_the_platform_says_there_are_more(clock: FakeClock) -> None:
    second = {**CHAT, "name": f"{APP}_c2"}
    pages = [ok({"items": [CHAT], "total": 2}), ok({"items": [second], "total": 2})]
    platform = Platform(clock, {"GET /v1/chats/my": pages})
    assert [chat.id async for chat in user_of(platform).chats.list()] == ["c1", "c2"]
    assert [sent.query for sent in platform.sent] == [{}, {"limit": "500", "offset": "1"}]


async def test_chats_that_i_made_and_public_ones_are_lists_too(clock: FakeClock) -> None:
    public = ok({"items": [CHAT], "total": 1, "limit": 2, "offset": 4})
    platform = Platform(clock, {"GET /v1/chats": ok({"results": [CHAT]}), "GET /v1/chats/public": public})
    user = user_of(platform)
    assert [chat.id async for chat in user.chats.created()] == ["c1"]
    assert (await user.chats.public(limit=2, offset=4)).total == 1
    assert platform.sent[1].query == {"limit": "2", "offset": "4"}


@pytest.mark.parametrize("id", ["c1", f"{APP}_c1", f"{APP}_{APP}_c1@conference.xmpp.example.com"])
async def test_one_of_my_chats_is_read_by_any_form_of_its_id(id: str, clock: FakeClock) -> None:
    platform = Platform(clock, {f"GET /v1/chats/my/{APP}_c1": ok({"result": CHAT})})
    assert (await user_of(platform).chats.get(id)).id == "c1"


async def test_ids_in_paths_are_encoded(clock: FakeClock) -> None:
    line = f"PUT /v1/chats/my/{APP}_a%2Fb%20%C3%A9/mute"
    platform = Platform(clock, {line: ok({"ok": True, "result": {"chatName": "x", "muted": True}})})
    assert (await user_of(platform).chats.mute("a/b é")).status == "updated"


async def test_a_private_chat_names_the_other_user_as_the_platform_does(clock: FakeClock) -> None:
    platform = Platform(clock, {"POST /v1/chats/private": ok({"result": PRIVATE})})
    user = user_of(platform)
    chat = await user.chats.private("u2")
    assert (chat.name, chat.type) == (f"{APP}_u1-{APP}_u2", "private")
    for id in (f"{APP}_u2", f"{APP}_u2@xmpp.example.com", " u2"):
        with pytest.raises(InvalidInputError):
            await user.chats.private(id)
    assert [sent.body for sent in platform.sent] == [{"username": f"{APP}_u2"}]
    assert chat.name in user.chats.private_names("u2")


async def test_the_name_of_a_pair_is_known_in_both_orders(clock: FakeClock) -> None:
    user = user_of(Platform(clock, {}))
    assert user.chats.private_names(2) == (f"{APP}_u1-{APP}_2", f"{APP}_2-{APP}_u1")
    with pytest.raises(InvalidInputError, match="MongoId"):
        user.chats.private_names(MongoId(RECORD))


async def test_a_chat_is_muted_and_unmuted_by_name(clock: FakeClock) -> None:
    line = f"/v1/chats/my/{APP}_c1/mute"
    gone = reply(404, {"error": "no", "code": "CHAT_MEMBERSHIP_NOT_FOUND"})
    platform = Platform(clock, {f"PUT {line}": ok({"ok": True}), f"DELETE {line}": [ok(), gone]})
    user = user_of(platform)
    assert (await user.chats.mute("c1")).key == "c1"
    assert (await user.chats.unmute(f"{APP}_c1")).key == "c1"
    assert [sent.body for sent in platform.sent] == [{}, {}]
    with pytest.raises(NotFoundError) as caught:
        await user.chats.unmute("c1")
    assert caught.value.code == "CHAT_MEMBERSHIP_NOT_FOUND"


async def test_a_report_says_what_and_why_and_is_made_once(clock: FakeClock) -> None:
    line = f"POST /v1/chats/reports/{APP}_c1"
    platform = Platform(clock, {line: [ok(), reply(500)]})
    user = user_of(platform)
    assert (await user.chats.report("c1", "spam", "sells things")).status == "created"
    assert platform.only.body == {"category": "spam", "text": "sells things"}
    with pytest.raises(ChatError) as caught:
        await user.chats.report("c1", "spam", "again")
    assert (caught.value.effect, len(platform.sent)) == ("unknown", 2)
    with pytest.raises(InvalidInputError, match="category"):
        await user.chats.report("c1", " ", "text")


@pytest.mark.parametrize("data", [{"user": ME}, {"success": True, "user": ME}, {"result": ME}, ME])
async def test_a_profile_is_changed_field_by_field(data: Any, clock: FakeClock) -> None:
    platform = Platform(clock, {"PUT /v1/users": ok(data)})
    user = user_of(platform)
    changed = await user.update_profile(first_name=" Bea ", description="", phone="", is_profile_open=False)
    assert platform.only.body == {"firstName": "Bea", "description": "", "phone": "", "isProfileOpen": False}
    assert changed.first_name == "Ann"
    assert user.session is not None
    assert user.session.user.first_name == "Ann"
    assert user.session.token == Secret("JWT access-1")


async def test_a_profile_with_a_picture_goes_out_as_a_form(clock: FakeClock, tmp_path: Any) -> None:
    (tmp_path / "me.png").write_bytes(b"\x89PNG")
    platform = Platform(clock, {"PUT /v1/users": ok({"user": ME})})
    await user_of(platform).update_profile(last_name="", is_assets_open=True, picture=tmp_path / "me.png")
    sent = platform.only
    assert sent.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="lastName"\r\n\r\n\r\n' in sent.body
    assert b'name="isAssetsOpen"\r\n\r\ntrue\r\n' in sent.body
    assert b'name="file"; filename="me.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n' in sent.body


async def test_a_change_of_nothing_is_refused_before_sending(clock: FakeClock) -> None:
    platform = Platform(clock, {})
    with pytest.raises(InvalidInputError, match="nothing to change"):
        await user_of(platform).update_profile()


async def test_xmpp_credentials_are_fresh_and_masked(clock: FakeClock) -> None:
    platform = Platform(clock, {"POST /v1/users/xmpp-token": ok({"success": True, "xmppPassword": "pw-7"})})
    client = EthoraClient(
        app_id=APP, secret=SECRET, api_url=URL, transport=platform.transport, clock=clock, xmpp_host="xmpp.example.com"
    )
    got = await client.as_user(session(user=User(id="u1"))).xmpp_credentials()
    assert (got.username, got.password, got.host) == (f"{APP}_u1", Secret("pw-7"), "xmpp.example.com")
    assert MASK in repr(got)
    assert platform.only.body == {}
    platform._answers["POST /v1/users/xmpp-token"] = ok({"success": True})
    with pytest.raises(ReplyLostError, match="xmppPassword"):
        await user_of(platform).xmpp_credentials()


async def test_an_api_key_learns_whose_it_is_by_asking(clock: FakeClock) -> None:
    answers = {"GET /v2/users/me": ok({"user": ME}), "POST /v1/users/xmpp-token": ok({"xmppPassword": "p"})}
    platform = Platform(clock, answers)
    user = platform.client.as_user(api_key=Secret("key-1"))
    with pytest.raises(InvalidInputError, match="await me"):
        user.chats.private_names("u2")
    assert (await user.xmpp_credentials()).username == f"{APP}_u1"
    assert (await user.xmpp_credentials()).username == f"{APP}_u1"
    assert platform.lines.count("GET /v2/users/me") == 1
    assert user.chats.private_names("u2")[0] == f"{APP}_u1-{APP}_u2"


@pytest.mark.parametrize(
    "data",
    [
        {"id": "k1", "name": "ci", "token": "value-1", "createdAt": "2026-01-02T03:04:05Z"},
        {"keyId": "k1", "name": "ci", "key": "value-1"},
        {"_id": "k1", "name": "ci", "apiKey": "value-1", "success": True},
        {"success": True, "result": {"_id": "k1", "name": "ci", "value": "value-1"}},
        {"apiKey": {"id": "k1", "name": "ci", "secret": "value-1"}},
        {"key": {"id": "k1", "name": "ci"}, "token": "value-1"},
        {"tokenId": "k1", "name": "ci", "token": "value-1", "more": 1},
        {"id": "k1", "name": "ci", "token": "value-1", "apiKey": "value-1", "key": "value-1", "value": "value-1"},
    ],
)
async def test_an_api_key_is_read_in_every_form_and_masked(data: Any, clock: FakeClock) -> None:
    platform = Platform(clock, {f"POST {KEYS}": reply(201, data)})
    key = await user_of(platform).api_keys.create("ci", ttl=timedelta(days=30))
    assert (key.id, key.name, key.value) == ("k1", "ci", Secret("value-1"))
    assert "value-1" not in f"{key!r} {key.extra}"
    assert platform.only.body == {"name": "ci", "ttlDays": 30}


@pytest.mark.parametrize("ttl", [3600, timedelta(days=1, seconds=1), timedelta(days=366), 0, -86400])
async def test_lives_that_no_key_can_have_are_refused(ttl: Any, clock: FakeClock) -> None:
    platform = Platform(clock, {})
    with pytest.raises(ChatError, match="ttl"):
        await user_of(platform).api_keys.create(ttl=ttl)
    assert not platform.sent


async def test_a_key_that_the_reply_does_not_show_is_a_lost_reply_and_not_made_twice(clock: FakeClock) -> None:
    platform = Platform(clock, {f"POST {KEYS}": [ok({"id": "k1"}), reply(503)]})
    user = user_of(platform)
    with pytest.raises(ReplyLostError, match="'k1'"):
        await user.api_keys.create()
    with pytest.raises(ChatError) as caught:
        await user.api_keys.create()
    assert (caught.value.effect, len(platform.sent)) == ("unknown", 2)
    assert platform.sent[0].body == {}


@pytest.mark.parametrize("name", ["items", "results", "apiKeys", "keys", "tokens", None])
async def test_keys_are_listed_under_any_name_and_deleted_by_id(name: str | None, clock: FakeClock) -> None:
    rows = [{"id": "k1", "name": "ci"}, {"_id": "k2", "expiresAt": "2026-01-02T03:04:05Z"}]
    answers = {f"GET {KEYS}": ok({name: rows} if name else rows), f"DELETE {KEYS}/k1": [ok(), reply(404, "not found")]}
    platform = Platform(clock, answers)
    keys = user_of(platform).api_keys
    assert [(key.id, key.value) async for key in keys.list()] == [("k1", None), ("k2", None)]
    assert [(await keys.delete("k1")).status for _ in range(2)] == ["deleted", "absent"]


async def test_files_are_listed_and_deleted(clock: FakeClock) -> None:
    file = {"_id": RECORD, "originalname": "a.png", "location": "https://x/a", "size": 5, "duration": 1.5}
    answers = {
        "GET /v2/files": ok({"items": [file], "total": 1, "limit": 500, "offset": 0}),
        f"DELETE /v2/files/{RECORD}": [ok({"success": True}), reply(404, {"error": "File not found"})],
    }
    platform = Platform(clock, answers)
    files = user_of(platform).files
    (record,) = [record async for record in files.list()]
    assert (record.id, record.name, record.size, record.extra["duration"]) == (RECORD, "a.png", 5, 1.5)
    assert [(await files.delete(record.id)).status for _ in range(2)] == ["deleted", "absent"]


async def test_another_app_is_asked_in_the_users_name(clock: FakeClock) -> None:
    platform = Platform(clock, {f"GET /v1/users/{OTHER}": ok({"items": [], "total": 0})})
    user = user_of(platform)
    assert [one async for one in user.in_app(OTHER).users.list()] == []
    assert platform.only.token == "JWT access-1"
    assert user.in_app().app_id == APP
    with pytest.raises(InvalidInputError, match="app_id"):
        user.in_app(" ")


async def test_what_the_user_may_not_do_is_forbidden_and_renews_nothing(clock: FakeClock) -> None:
    answers = {f"GET /v1/users/{OTHER}": reply(403, {"error": "Forbidden", "requestId": "r-3"})}
    platform = Platform(clock, answers)
    with pytest.raises(ForbiddenError) as caught:
        await user_of(platform).in_app(OTHER).users.list()
    assert (caught.value.request_id, len(platform.sent)) == ("r-3", 1)


async def test_a_session_of_another_app_acts_in_that_app(clock: FakeClock) -> None:
    platform = Platform(clock, {f"PUT /v1/chats/my/{OTHER}_c1/mute": ok()})
    user = platform.client.as_user(session(app_id=OTHER))
    assert (await user.chats.mute("c1")).status == "updated"
    assert user.in_app().app_id == OTHER


async def test_a_user_client_of_a_client_that_knows_its_app_only_from_the_store(clock: FakeClock) -> None:
    from ethora_async_secrets import StaticProvider

    settings = {"ETHORA_CHAT_APP_SECRET": SECRET, "ETHORA_CHAT_APP_ID": APP, "ETHORA_CHAT_API_URL": URL}
    transport = MemoryTransport(lambda _: ok({"items": []}))
    client = EthoraClient.from_secrets(StaticProvider(settings), transport=transport, clock=clock)
    user = client.as_user(api_key="key-1")
    with pytest.raises(ChatError, match="secret store"):
        user.in_app()
    assert [chat async for chat in user.chats.list()] == []
    assert user.in_app().app_id == APP
    assert transport.requests[0].url == f"{URL}/v1/chats/my"
