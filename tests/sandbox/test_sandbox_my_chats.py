"""Chats as their members see them (docs/platforms/ethora.md#chats)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_helpers import APP, Api, row

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox

PRIVATE = "/v1/chats/private"


@pytest.fixture
async def tokens(api: Api) -> dict[str, str]:
    await api.make_users("u1", "u2", "u3")
    return {name: (await api.log_in(name))["token"] for name in ("u1", "u2", "u3")}


async def test_a_1_1_chat_is_named_after_both_and_is_the_same_from_either_side(
    tokens: dict[str, str], api: Api, sandbox: EthoraSandbox
) -> None:
    first = (await api("POST", PRIVATE, {"username": "app123_u2"}, token=tokens["u1"])).body["result"]
    assert (first["name"], first["type"]) == ("app123_u1-app123_u2", "private")
    assert [member["xmppUsername"] for member in first["members"]] == ["app123_u1", "app123_u2"]
    assert "createdBy" not in first
    second = (await api("POST", PRIVATE, {"username": "u1"}, token=tokens["u2"])).body["result"]
    assert second["_id"] == first["_id"]
    path = f"/v2/apps/{APP}/chats/private"
    for body in ({"users": ["u2", "u1"]}, {"members": ["u1", "app123_u2"]}):
        assert (await api("POST", path, body)).body["result"]["_id"] == first["_id"]
    assert len(sandbox.store.app(APP).chats) == 1


async def test_a_1_1_chat_found_by_its_name(tokens: dict[str, str], api: Api) -> None:
    made = (await api("POST", PRIVATE, {"username": "u2"}, token=tokens["u1"])).body["result"]
    read = await api("GET", f"/v1/chats/my/{made['name']}", token=tokens["u2"])
    assert read.body["result"]["_id"] == made["_id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "u1"}, 422),
        ({"members": ["u1"]}, 422),
        ({"members": ["u1", "u1"]}, 422),
        ({"members": ["u1", "u2", "u3"]}, 422),
        ({"members": ["u2", "u3"]}, 403),
        ({"username": "u2", "members": ["u2"]}, 422),
        ({}, 422),
        ({"username": "nobody"}, 404),
        ({"title": "x", "members": ["u2"], "uuid": "y"}, 200),
    ],
)
async def test_a_1_1_chat_is_between_two_of_whom_one_asks(
    body: dict[str, Any], status: int, tokens: dict[str, str], api: Api
) -> None:
    assert (await api("POST", PRIVATE, body, token=tokens["u1"])).status == status


async def test_a_server_names_both(tokens: dict[str, str], api: Api) -> None:
    assert (await api("POST", f"/v2/apps/{APP}/chats/private", {"username": "u1"})).status == 422


async def test_the_chats_i_made_are_not_all_i_am_in(tokens: dict[str, str], api: Api) -> None:
    await api("POST", "/v1/chats", {"title": "Mine", "uuid": "mine", "members": ["u2"]}, token=tokens["u1"])
    await api.make_chat("given", "u1")
    made = (await api("GET", "/v1/chats", token=tokens["u1"])).body["results"]
    assert [(chat["name"], len(chat["members"])) for chat in made] == [("app123_mine", 2)]
    assert (await api("GET", "/v1/chats/my", token=tokens["u1"])).body["total"] == 2
    assert (await api("GET", "/v1/chats", token=tokens["u2"])).body["results"] == []


async def test_my_chats_show_at_most_30_members_and_count_them_all(tokens: dict[str, str], api: Api) -> None:
    names = [f"m{index}" for index in range(40)]
    await api("POST", "/v1/users/batch", {"usersList": [row(name) for name in names]})
    await api.make_chat("big", "u1", *names)
    for path, pick in (
        ("/v1/chats/my", lambda body: body["items"][0]),
        ("/v1/chats/my/big", lambda body: body["result"]),
    ):
        chat = pick((await api("GET", path, token=tokens["u1"])).body)
        assert (len(chat["members"]), chat["usersCnt"]) == (30, 41)


async def test_one_of_my_chats_is_mine_alone(tokens: dict[str, str], api: Api) -> None:
    await api.make_chat("c1", "u1")
    assert (await api("GET", "/v1/chats/my/app123_c1", token=tokens["u1"])).body["result"]["title"] == "c1"
    for name in ("app123_c1", "nowhere"):
        assert (await api("GET", f"/v1/chats/my/{name}", token=tokens["u2"])).body["code"] == "CHAT_NOT_FOUND"


async def test_a_chat_is_muted_for_one_member(tokens: dict[str, str], api: Api) -> None:
    await api.make_chat("c1", "u1", "u2")
    path = "/v1/chats/my/app123_c1/mute"
    muted = (await api("PUT", path, {}, token=tokens["u1"])).body["result"]
    assert muted == {"chatName": "app123_c1", "muted": True}

    async def seen() -> list[bool]:
        return [
            (await api("GET", "/v1/chats/my/c1", token=tokens[name])).body["result"]["muted"] for name in ("u1", "u2")
        ]

    assert await seen() == [True, False]
    assert (await api("DELETE", path, {}, token=tokens["u1"])).body["result"]["muted"] is False
    assert await seen() == [False, False]
    refused = await api("PUT", path, {}, token=tokens["u3"])
    assert (refused.status, refused.body["code"]) == (404, "CHAT_MEMBERSHIP_NOT_FOUND")


async def test_a_mute_does_not_outlive_the_membership(tokens: dict[str, str], api: Api) -> None:
    await api.make_chat("c1", "u1")
    await api("PUT", "/v1/chats/my/c1/mute", {}, token=tokens["u1"])
    body = {"chatName": "app123_c1", "members": ["u1"]}
    await api("DELETE", "/v2/chats/users-access", body)
    await api("POST", "/v2/chats/users-access", body)
    assert (await api("GET", "/v1/chats/my/c1", token=tokens["u1"])).body["result"]["muted"] is False


async def test_public_chats_are_listed_for_everybody(tokens: dict[str, str], api: Api) -> None:
    for index in range(3):
        await api("POST", "/v2/chats", {"title": f"P{index}", "uuid": f"p{index}", "type": "public"})
    await api.make_chat("group", "u1")
    body = (await api("GET", "/v1/chats/public?limit=2&offset=1", token=tokens["u1"])).body
    assert ([chat["title"] for chat in body["items"]], body["total"]) == (["P1", "P2"], 3)


@pytest.mark.parametrize("body", [{"category": "spam", "text": "really"}, {"reason": "spam"}])
async def test_a_member_reports_a_chat(
    body: dict[str, str], tokens: dict[str, str], api: Api, sandbox: EthoraSandbox
) -> None:
    await api.make_chat("c1", "u1")
    assert (await api("POST", "/v1/chats/reports/app123_c1", body, token=tokens["u1"])).status == 200
    chat = sandbox.store.app(APP).chats.find("c1")
    assert chat is not None
    (report,) = chat.conversation.reports
    assert (report.user.uuid, report.category) == ("u1", "spam")
    assert (await api("GET", "/v1/chats/my/c1", token=tokens["u1"])).body["result"]["reported"] is True
    assert (await api("POST", "/v1/chats/reports/app123_c1", body, token=tokens["u2"])).status == 404
    assert (await api("POST", "/v1/chats/reports/app123_c1", {}, token=tokens["u1"])).status == 422
