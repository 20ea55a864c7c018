"""Chats and who is in them (docs/platforms/ethora.md#chats, #names-and-ids)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_helpers import APP, Api

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

CREATE = ["/v1/chats", "/v2/chats", "/v2/apps/app123/chats"]
ACCESS = ["/v1/chats/users-access", "/v2/chats/users-access", "/v2/apps/app123/chats/users-access"]
LIST = "/v2/apps/app123/chats"
NAMES = ["app123_c1", "c1", "app123_app123_c1", "app123_c1@conference.xmpp.chat.ethora.com"]


def members_of(sandbox: EthoraSandbox, chat: str) -> list[str]:
    return [user.uuid for user in sandbox.store.app(APP).chats.find(chat).members]


async def listed_members(api: Api, chat: str = "c1") -> list[str]:
    return [user["uuid"] for user in (await api("GET", f"/v2/chats/users?chatName={chat}")).body["items"]]


@pytest.mark.parametrize("path", CREATE)
async def test_a_chat_is_created_with_members_and_answered_without(path: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2", "u3")
    record_id = sandbox.store.app(APP).users.find("u3").id
    body = {"title": "Order 1", "uuid": "c1", "type": "public", "members": ["u1", "app123_u2", record_id]}
    reply = await api("POST", path, body)
    assert reply.status in (200, 201)
    result = reply.body["result"]
    assert (result["name"], result["title"], result["type"], result["appId"]) == ("app123_c1", "Order 1", "public", APP)
    assert "members" not in result
    assert "createdBy" not in result
    assert members_of(sandbox, "c1") == ["u1", "u2", "u3"]


async def test_defaults_are_a_group_without_description_named_by_its_record_id(api: Api) -> None:
    result = (await api("POST", "/v2/chats", {"title": "T"})).body["result"]
    assert (result["type"], result["description"], result["name"]) == ("group", "", f"app123_{result['_id']}")


@pytest.mark.parametrize("uuid", ["c1", "app123_c1", "app123_app123_c1"])
async def test_a_chat_uuid_is_never_doubled_and_unique(uuid: str, api: Api) -> None:
    await api.make_chat("c1")
    reply = await api("POST", "/v2/chats", {"title": "T", "uuid": uuid})
    assert (reply.status, reply.body["code"]) == (422, "CHAT_ALREADY_EXISTS")
    assert "already exists" in reply.body["error"]


async def test_an_unknown_member_means_no_chat(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    reply = await api("POST", "/v2/chats", {"title": "T", "uuid": "c1", "members": ["u1", "nobody"]})
    assert (reply.status, reply.body["code"]) == (404, "USER_NOT_FOUND")
    assert sandbox.store.app(APP).chats.find("c1") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": ""}, '"title" is not allowed to be empty'),
        ({"type": "private"}, '"type" must be one of [public, group]'),
        ({"uuid": "a/b"}, '"uuid" fails to match the required pattern'),
        ({"uuid": "app123_"}, '"uuid" is not allowed to be empty'),
        ({"members": "u1"}, '"members" must be an array'),
        ({"members": [1]}, '"members[0]" must be a string'),
        ({"isPublic": True}, '"isPublic" is not allowed'),
    ],
)
async def test_a_new_chat_is_validated(change: dict, message: str, api: Api) -> None:
    reply = await api("POST", "/v2/chats", {"title": "T", **change})
    assert (reply.status, reply.body["error"]) == (422, message)


async def test_the_listing_pages_and_shows_members_on_request(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    for index in range(5):
        await api.make_chat(f"c{index}", "u1")
    body = (await api("GET", f"{LIST}?limit=2&offset=3")).body
    assert [chat.uuid for chat in sandbox.store.app(APP).chats] == [f"c{index}" for index in range(5)]
    assert [chat["name"] for chat in body["results"]] == ["app123_c3", "app123_c4"]
    assert (body["total"], body["limit"], body["offset"]) == (5, 2, 3)
    assert "members" not in body["results"][0]
    assert body["items"] == body["chats"] == body["results"]
    with_members = (await api("GET", f"{LIST}?includeMembers=true")).body["results"]
    assert with_members[0]["members"][0]["xmppUsername"] == "app123_u1"
    assert (await api("GET", f"{LIST}?includeMembers=maybe")).status == 422


@pytest.mark.parametrize("user", ["u1", "app123_u1", "app123_app123_u1"])
async def test_the_chats_of_a_user(user: str, api: Api) -> None:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u2")
    await api.make_chat("c2", "u1", "u2")
    path = f"/v2/apps/app123/users/{user}/chats"
    body = (await api("GET", f"{path}?includeMembers=true&limit=5")).body
    assert ([chat["name"] for chat in body["chats"]], body["total"]) == (["app123_c2"], 1)
    assert [member["xmppUsername"] for member in body["chats"][0]["members"]] == ["app123_u1", "app123_u2"]
    assert "members" not in (await api("GET", path)).body["chats"][0]


@pytest.mark.parametrize("name", [*NAMES, "app123_c1%40conference.xmpp.localhost"])
async def test_a_chat_is_changed_by_name_or_jid(name: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_chat("c1")
    reply = await api("PATCH", f"{LIST}/{name}", {"title": "New"})
    assert (reply.status, reply.body["result"]["title"]) == (200, "New")
    await api("PATCH", f"{LIST}/{name}", {"description": ""})
    assert sandbox.store.app(APP).chats.find("c1").title == "New"


@pytest.mark.parametrize("name", NAMES)
async def test_a_chat_is_changed_the_older_way(name: str, api: Api) -> None:
    await api.make_chat("c1")
    reply = await api("PATCH", "/v1/chats/meta", {"name": name, "data": {"chatJid": name, "title": "New"}})
    assert (reply.status, reply.body["result"]["title"]) == (200, "New")


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": "T", "type": "public"}])
async def test_a_change_of_a_chat_is_validated(body: dict, api: Api) -> None:
    await api.make_chat("c1")
    assert (await api("PATCH", f"{LIST}/c1", body)).status == 422


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["/v1/chats", "/v2/apps/app123/chats"])
async def test_a_chat_is_deleted_with_its_memberships(path: str, name: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    await api.make_chat("c1", "u1")
    reply = await api("DELETE", path, {"name": name})
    assert (reply.status, reply.body["ok"], reply.body["result"]) == (200, True, "app123_c1")
    assert len(sandbox.store.app(APP).users.find("u1").chats) == 0
    assert (await api("GET", LIST)).body["total"] == 0


async def test_a_deletion_needs_a_name(api: Api) -> None:
    reply = await api("DELETE", "/v1/chats", {})
    assert (reply.status, reply.body["error"]) == (422, '"name" is required')
    await api.make_chat("c1")
    assert (await api("DELETE", "/v1/chats", {"chatName": "c1"})).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v1/chats", {"name": "app123_no"}),
        ("DELETE", "/v2/apps/app123/chats", {"name": "app123_no"}),
        ("PATCH", "/v2/apps/app123/chats/app123_no", {"title": "T"}),
        ("PATCH", "/v1/chats/meta", {"name": "app123_no", "data": {"title": "T"}}),
        ("POST", "/v2/chats/users-access", {"chatName": "app123_no", "members": ["u1"]}),
        ("DELETE", "/v1/chats/users-access", {"chatName": "app123_no", "members": ["u1"]}),
    ],
)
async def test_an_unknown_chat_is_404(method: str, path: str, body: dict, api: Api) -> None:
    reply = await api(method, path, body)
    assert (reply.status, reply.body["code"]) == (404, "CHAT_NOT_FOUND")


@pytest.mark.parametrize("options", [{"legacy_errors": True}])
async def test_the_legacy_switch_answers_the_v1_deletion_with_bare_text(api: Api) -> None:
    reply = await api("DELETE", "/v1/chats", {"name": "app123_no"})
    assert (reply.status, reply.body) == (422, "Chat not found")
    assert (await api("DELETE", "/v2/apps/app123/chats", {"name": "no"})).body["code"] == "CHAT_NOT_FOUND"


# Members


@pytest.mark.parametrize("path", ACCESS)
async def test_members_come_and_go_by_any_form_of_id(path: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2", "u3")
    await api.make_chat("c1", "u3")
    record_id = sandbox.store.app(APP).users.find("u2").id
    body = {"chatName": "app123_c1@conference.x", "members": ["app123_app123_u1", record_id, "u3"]}
    added = (await api("POST", path, body)).body
    assert added["ok"] is True
    assert added["summary"] == {"requested": 3, "byStatus": {"added": 2, "already-member": 1}}
    assert added["details"][0] == {"xmppUsername": "app123_u1", "status": "added"}
    assert [member["xmppUsername"] for member in added["results"]] == ["app123_u1", "app123_u2", "app123_u3"]
    assert members_of(sandbox, "c1") == ["u3", "u1", "u2"]
    removed = (await api("DELETE", path, {"chatName": "app123_c1", "members": ["u1", "u3"]})).body
    assert removed["summary"]["byStatus"] == {"removed": 2}
    again = (await api("DELETE", path, {"chatName": "c1", "members": ["u1"]})).body
    assert again["details"] == [{"xmppUsername": "app123_u1", "status": "not-member"}]
    assert await listed_members(api) == ["u2"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_v2_reports_unknown_members_by_row_and_v1_refuses(method: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    await api.make_chat("c1")
    body = {"chatName": "c1", "members": ["u1", "nobody"]}
    older = await api(method, ACCESS[0], body)
    assert (older.status, older.body["code"]) == (404, "USER_NOT_FOUND")
    assert members_of(sandbox, "c1") == []
    reply = await api(method, ACCESS[1], body)
    assert reply.status == 200
    assert reply.body["details"][1] == {"xmppUsername": "nobody", "status": "not-found"}


@pytest.mark.parametrize("body", [{}, {"chatName": "c1"}, {"chatName": "c1", "members": []}, {"members": ["u1"]}])
async def test_access_calls_are_validated(body: dict, api: Api) -> None:
    assert (await api("POST", ACCESS[1], body)).status == 422


# Users' own calls


async def test_a_users_chat_is_its_own(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2")
    mine, other = [(await api.log_in(user))["token"] for user in ("u1", "u2")]
    result = (await api("POST", "/v1/chats", {"title": "Mine", "uuid": "c1"}, token=mine)).body["result"]
    assert result["createdBy"] == sandbox.store.app(APP).users.find("u1").id
    assert members_of(sandbox, "c1") == ["u1"]
    access = {"chatName": "c1", "members": ["u2"]}
    assert (await api("POST", ACCESS[1], access, token=other)).status == 403
    assert (await api("POST", ACCESS[1], access, token=mine)).status == 200
    assert (await api("PATCH", "/v1/chats/meta", {"name": "c1", "data": {"title": "X"}}, token=other)).status == 403
    leaving = await api("DELETE", ACCESS[0], {"chatName": "c1", "members": ["u1"]}, token=mine)
    assert (leaving.status, leaving.body["code"]) == (404, "CHAT_NOT_FOUND")
    assert (await api("DELETE", "/v1/chats", {"name": "c1"}, token=other)).status == 403
    assert (await api("DELETE", "/v1/chats", {"name": "c1"}, token=mine)).status == 200


async def test_a_chat_outlives_the_user_who_made_it_and_stays_deletable(api: Api) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    await api("POST", "/v1/chats", {"title": "Mine", "uuid": "c1"}, token=token)
    await api("DELETE", "/v1/users/batch", {"usersIdList": ["u1"]})
    assert (await api("GET", LIST)).body["total"] == 1
    assert (await api("DELETE", "/v1/chats", {"name": "c1"})).status == 200


async def test_my_chats_show_at_most_thirty_members_each(api: Api) -> None:
    names = [f"u{index}" for index in range(35)]
    await api.make_users(*names)
    await api.make_chat("c1", *names)
    await api.make_chat("c2", "u1")
    body = (await api("GET", "/v1/chats/my", token=(await api.log_in("u0"))["token"])).body
    (chat,) = body["items"]
    assert (len(chat["members"]), chat["usersCnt"], chat["unreadCount"]) == (30, 35, 0)


# Lag


@pytest.mark.parametrize("options", [{"deletion_lag": 10.0}])
async def test_a_deleted_chat_stays_listed_for_a_while_and_is_gone_for_every_call(
    api: Api, clock: Clock, sandbox: EthoraSandbox
) -> None:
    await api.make_users("u1")
    await api.make_chat("c1", "u1")
    await api("DELETE", "/v1/chats", {"name": "c1"})
    mine = "/v2/apps/app123/users/u1/chats"
    assert ((await api("GET", LIST)).body["total"], (await api("GET", mine)).body["total"]) == (1, 1)
    assert (await api("DELETE", "/v1/chats", {"name": "c1"})).status == 404
    assert len(sandbox.store.app(APP).chats) == 0
    clock.now += 10
    assert ((await api("GET", LIST)).body["total"], (await api("GET", mine)).body["total"]) == (0, 0)


@pytest.mark.parametrize("options", [{"deletion_lag": 10.0}])
async def test_a_chat_made_again_during_the_lag_is_listed_once(api: Api, clock: Clock) -> None:
    await api.make_chat("c1")
    await api("DELETE", "/v1/chats", {"name": "c1"})
    await api.make_chat("c1")
    assert (await api("GET", LIST)).body["total"] == 1
    clock.now += 20
    assert (await api("GET", LIST)).body["total"] == 1


@pytest.mark.parametrize("options", [{"deletion_lag": 10.0}])
async def test_a_removed_member_stays_listed_for_a_while(api: Api, clock: Clock, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u1", "u2")
    remove = {"chatName": "c1", "members": ["u1"]}
    await api("DELETE", ACCESS[1], remove)
    assert members_of(sandbox, "c1") == ["u2"]
    assert await listed_members(api) == ["u1", "u2"]
    clock.now += 5
    await api("POST", ACCESS[1], remove)
    clock.now += 4
    await api("DELETE", ACCESS[1], remove)
    clock.now += 2
    assert await listed_members(api) == ["u1", "u2"], "the first removal's time must not end the second's"
    clock.now += 8
    assert await listed_members(api) == ["u2"]
