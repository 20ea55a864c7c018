"""The older guide's `/chats/` and `/chat-access/` (docs/platforms/ethora.md#older-guide)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_helpers import APP, Api

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import Chat, User

ACCESS = "/chat-access/"


@pytest.fixture(autouse=True)
async def _world(api: Api) -> None:
    await api.make_users("1", "u2")
    assert (await api("POST", "/chats/", {"UUID": 7})).status == 200


async def give(api: Api, code: str, **more: Any) -> dict[str, Any]:
    reply = await api("POST", ACCESS, {"chatUuid": 7, "userUuid": 1, "accessCode": code, **more})
    assert reply.status == 200, reply
    return reply.body


def bits(sandbox: EthoraSandbox) -> int:
    chat, user = known(sandbox)
    return chat.access(user)


def known(sandbox: EthoraSandbox) -> tuple[Chat, User]:
    app = sandbox.store.app(APP)
    chat, user = app.chats.find("7"), app.users.find("1")
    assert chat is not None
    assert user is not None
    return chat, user


@pytest.mark.parametrize(("access", "kind"), [("public", "public"), ("private", "group"), (None, "group")])
async def test_a_chat_is_private_unless_told(access: str | None, kind: str, api: Api, sandbox: EthoraSandbox) -> None:
    reply = await api("POST", "/chats", {"UUID": "order-1", **({"access": access} if access else {})})
    assert reply.body["jid"] == "app123_order-1@conference.xmpp.localhost"
    chat = sandbox.store.app(APP).chats.find(reply.body["jid"])
    assert chat is not None
    assert (chat.type, chat.title) == (kind, "Chat order-1")


async def test_a_uuid_is_taken_once_and_made_up_when_missing(api: Api) -> None:
    again = await api("POST", "/chats/", {"UUID": "7"})
    assert (again.status, again.body["code"]) == (422, "CHAT_ALREADY_EXISTS")
    assert (await api("POST", "/chats/", {"title": "Untied"})).body["name"].startswith("app123_")


@pytest.mark.parametrize("named", [{"UUID": 7}, {"chatUuid": "7"}, {"chatJid": "app123_7@conference.xmpp.localhost"}])
async def test_a_chat_is_deleted_by_any_id(named: dict[str, Any], api: Api, sandbox: EthoraSandbox) -> None:
    assert (await api("DELETE", "/chats/", named)).body["name"] == "app123_7"
    assert len(sandbox.store.app(APP).chats) == 0
    assert (await api("DELETE", "/chats/", named)).body["code"] == "CHAT_NOT_FOUND"


@pytest.mark.parametrize("code", [f"{number:04b}" for number in range(1, 16)])
async def test_any_bit_makes_a_member_and_the_bits_are_kept(code: str, api: Api, sandbox: EthoraSandbox) -> None:
    body = await give(api, code)
    assert body == {
        "ok": True,
        "success": True,
        "chatJid": "app123_7@conference.xmpp.localhost",
        "userJid": "app123_1@xmpp.localhost",
        "accessCode": code,
        "expiresAt": None,
    }
    chat, user = known(sandbox)
    assert user in chat.members
    assert chat.access(user) == int(code, 2)


async def test_no_bit_removes(api: Api, sandbox: EthoraSandbox) -> None:
    await give(api, "0011")
    await give(api, "0000")
    chat, user = known(sandbox)
    assert (user in chat.members, chat.access(user)) == (False, 0)


async def test_a_plain_member_reads_and_writes_and_a_creator_may_everything(api: Api, sandbox: EthoraSandbox) -> None:
    token = (await api.log_in("u2"))["token"]
    await api("POST", "/v1/chats", {"title": "Mine", "uuid": "mine", "members": ["1"]}, token=token)
    app = sandbox.store.app(APP)
    chat = app.chats.find("mine")
    assert chat is not None
    assert [chat.access(user) for user in app.users] == [0, 3, 15]


@pytest.mark.parametrize(("before", "after"), [(None, 0), ("0011", 3), ("0101", 5)])
async def test_a_setting_with_a_time_falls_back_to_what_held_before(
    before: str | None, after: int, api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    if before:
        await give(api, before)
    body = await give(api, "1111", accessTimer=60)
    assert body["expiresAt"] == "2023-11-14T22:14:20.000Z"
    clock.now += 59.9
    assert bits(sandbox) == 15
    clock.now += 0.1
    assert bits(sandbox) == after
    assert (known(sandbox)[1] in known(sandbox)[0].members) is (after != 0)


async def test_a_temporary_ban_ends(api: Api, sandbox: EthoraSandbox, clock: Clock) -> None:
    await give(api, "0011")
    await give(api, "0000", accessTimer=10)
    assert bits(sandbox) == 0
    clock.now += 10
    listed = (await api("GET", "/v2/chats/users?chatName=app123_7")).body
    assert [user["uuid"] for user in listed["items"]] == ["1"]
    assert bits(sandbox) == 3


async def test_times_inside_times_unwind_to_what_still_holds(api: Api, sandbox: EthoraSandbox, clock: Clock) -> None:
    await give(api, "0001")
    await give(api, "0010", accessTimer=100)
    await give(api, "0100", accessTimer=10)
    clock.now += 10
    assert bits(sandbox) == 2
    await give(api, "1000", accessTimer=200)
    clock.now += 100
    assert bits(sandbox) == 8
    clock.now += 100
    assert bits(sandbox) == 1


async def test_a_setting_for_good_or_a_membership_change_ends_the_timer(
    api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    await give(api, "0001", accessTimer=10)
    await give(api, "0111")
    clock.now += 20
    assert bits(sandbox) == 7
    await give(api, "0000", accessTimer=10)
    await api("POST", "/v2/chats/users-access", {"chatName": "app123_7", "members": ["1"]})
    assert bits(sandbox) == 3
    clock.now += 20
    assert bits(sandbox) == 3


@pytest.mark.parametrize("gone", ["user", "chat"])
async def test_an_end_that_comes_after_the_deletion_changes_nothing(
    gone: str, api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    await give(api, "0000", accessTimer=10)
    chat, user = known(sandbox)
    if gone == "user":
        await api("DELETE", "/v1/users/batch", {"usersIdList": ["1"]})
    else:
        await api("DELETE", "/chats/", {"UUID": 7})
    clock.now += 20
    assert (await api("GET", "/v2/chats/users")).status == 200
    assert user not in chat.members


async def test_a_moderator_by_code_may_let_others_in(api: Api) -> None:
    token = (await api.log_in("1"))["token"]
    body = {"chatName": "app123_7", "members": ["u2"]}
    await give(api, "0011")
    assert (await api("POST", "/v2/chats/users-access", body, token=token)).status == 403
    await give(api, "0111")
    assert (await api("POST", "/v2/chats/users-access", body, token=token)).status == 200


@pytest.mark.parametrize(
    "change",
    [
        *({"accessCode": code} for code in ("", "1", "00000", "2000", "0x01", " 0001", "٠٠٠١", 1, None)),
        *({"accessTimer": timer} for timer in (-1, 1.5, "soon", None, 10**10)),
        {"chatJid": "app123_7@conference.xmpp.localhost"},
        {"userJid": "app123_1@xmpp.localhost"},
        {"more": 1},
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    change: dict[str, Any], api: Api, sandbox: EthoraSandbox
) -> None:
    body = {"chatUuid": 7, "userUuid": 1, "accessCode": "0011", **change}
    reply = await api("POST", ACCESS, body)
    assert (reply.status, reply.body["code"]) == (422, "VALIDATION_ERROR")
    assert bits(sandbox) == 0


@pytest.mark.parametrize("missing", ["chatUuid", "userUuid", "accessCode"])
async def test_each_part_is_needed(missing: str, api: Api) -> None:
    body = {"chatUuid": 7, "userUuid": 1, "accessCode": "0011"}
    del body[missing]
    assert (await api("POST", ACCESS, body)).status == 422


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ({"chatUuid": 8, "userUuid": 1}, "CHAT_NOT_FOUND"),
        ({"chatJid": "other_7@conference.xmpp.localhost", "userUuid": 1}, "CHAT_NOT_FOUND"),
        ({"chatUuid": 7, "userUuid": 2}, "USER_NOT_FOUND"),
        ({"chatUuid": 7, "userJid": "other_1@xmpp.localhost"}, "USER_NOT_FOUND"),
    ],
)
async def test_unknown_ones_are_not_found(names: dict[str, Any], code: str, api: Api) -> None:
    reply = await api("POST", ACCESS, {**names, "accessCode": "0001"})
    assert (reply.status, reply.body["code"]) == (404, code)
