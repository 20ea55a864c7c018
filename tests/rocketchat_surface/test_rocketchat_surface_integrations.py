"""Webhooks: what the sandbox keeps of them is what the client lists, room by room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.errors import ChatError, ForbiddenError, ValidationFailedError
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox

every_version = pytest.mark.parametrize("version", ["6.0", "7.5", "8.0", "8.8.1", "9.0"], indirect=True)
COMMON = {"name": "A hook", "username": "bob", "enabled": True, "scriptEnabled": False}
INCOMING = {"type": "webhook-incoming", "channel": "#town", **COMMON}
OUTGOING = {
    "type": "webhook-outgoing",
    "channel": "#town",
    "event": "sendMessage",
    "urls": ["https://example.com/hook"],
    **COMMON,
}


async def post(client: RocketChatClient, name: str, json: dict[str, Any], method: str = "POST", **more: Any) -> Any:
    reply = await client.request(method, f"/api/v1/integrations.{name}", json=json, **more)
    return reply.data["integration"]


async def listed(client: RocketChatClient, room: str) -> list[str]:
    return [str(row["_id"]) async for row in client.chats.integrations(room)]


@pytest.fixture(autouse=True)
async def rooms(rocketchat: RocketChatClient) -> None:
    await rocketchat.chats.create("town", title="Town", access="public", members=["ada", "bob"])
    await rocketchat.chats.create("club", title="Club", access="private", members=["ada"])


@every_version
async def test_a_webhook_lives_in_the_rooms_that_it_names(rocketchat: RocketChatClient) -> None:
    one = await post(rocketchat, "create", {**INCOMING, "channel": "#town, #club,@ada"})
    two = await post(rocketchat, "create", OUTGOING)
    all_of_them = await post(rocketchat, "create", {**OUTGOING, "channel": "all_public_channels"})
    groups = await post(rocketchat, "create", {**OUTGOING, "channel": "all_private_groups"})
    assert one["channel"] == ["#town", "#club", "@ada"]
    assert await listed(rocketchat, "town") == [one["_id"], two["_id"], all_of_them["_id"]]
    assert await listed(rocketchat, "club") == [one["_id"], groups["_id"]]
    assert await listed(rocketchat, "general") == [all_of_them["_id"]]
    town = (await rocketchat.chats.get("town")).record_id
    query = {"roomId": town, "includeAllPublicChannels": "false"}
    reply = await rocketchat.request("GET", "/api/v1/channels.getIntegrations", query=query)
    assert [row["_id"] for row in reply.data["integrations"]] == [one["_id"], two["_id"]]
    assert reply.data["total"] == 2


@every_version
async def test_a_webhook_is_read_changed_and_removed(rocketchat: RocketChatClient) -> None:
    made = await post(rocketchat, "create", INCOMING)
    query = {"integrationId": made["_id"]}
    assert (await rocketchat.request("GET", "/api/v1/integrations.get", query=query)).data["integration"] == made
    change = {**INCOMING, "integrationId": made["_id"], "channel": "#club", "name": "Renamed", "username": "ada"}
    changed = await post(rocketchat, "update", change, "PUT")
    assert (changed["channel"], changed["name"]) == (["#club"], "Renamed")
    assert (changed["token"], changed["username"]) == (made["token"], "bob")  # who it posts as stays
    assert (await listed(rocketchat, "town"), await listed(rocketchat, "club")) == ([], [made["_id"]])
    outgoing = await post(rocketchat, "create", OUTGOING)
    rows = (await rocketchat.request("GET", "/api/v1/integrations.list")).data
    assert [row["_id"] for row in rows["integrations"]] == [outgoing["_id"], made["_id"]]
    rows = (await rocketchat.request("GET", "/api/v1/integrations.list", query={"type": "webhook-incoming"})).data
    assert ([row["name"] for row in rows["integrations"]], rows["total"], rows["items"]) == (["Renamed"], 1, 1)
    gone = await post(rocketchat, "remove", {"type": "webhook-outgoing", "target_url": "https://example.com/hook"})
    assert gone["_id"] == outgoing["_id"]
    await post(rocketchat, "remove", {"type": "webhook-incoming", "integrationId": made["_id"]})
    assert await listed(rocketchat, "club") == []
    for name, method in (("remove", "POST"), ("update", "PUT")):
        with pytest.raises(ChatError, match="No integration found"):
            await post(rocketchat, name, change, method)
    with pytest.raises(ChatError, match="does not exist"):
        await rocketchat.request("GET", "/api/v1/integrations.get", query=query)


async def test_a_webhook_follows_its_room_and_stops_with_its_user(rocketchat: RocketChatClient) -> None:
    made = await post(rocketchat, "create", INCOMING)
    assert (await rocketchat.users.get("bob")).extra["roles"] == ["user", "bot"]
    await rocketchat.chats.rename("town", "city")
    assert await listed(rocketchat, "city") == [made["_id"]]
    await rocketchat.users.delete("bob")
    rows = [row async for row in rocketchat.chats.integrations("city")]
    assert [(row["channel"], row["enabled"]) for row in rows] == [(["#city"], False)]


@every_version
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({**INCOMING, "channel": "town"}, "error-invalid-channel-start-with-chars"),
        ({**INCOMING, "channel": "all_public_channels"}, "error-invalid-channel-start-with-chars"),
        ({**INCOMING, "channel": " , "}, "error-invalid-channel"),
        ({**INCOMING, "channel": "#nowhere"}, "error-invalid-room"),
        ({**INCOMING, "channel": "@nobody"}, "error-invalid-room"),
        ({**INCOMING, "username": "nobody"}, "error-invalid-user"),
        ({**INCOMING, "username": " "}, "error-invalid-username"),
        ({**OUTGOING, "event": "rained"}, "error-invalid-event-type"),
        ({**OUTGOING, "event": "userCreated"}, "error-invalid-targetRoom"),
        ({**OUTGOING, "urls": [" "]}, "error-invalid-urls"),
        ({**OUTGOING, "type": "webhook"}, "invalid-params"),
        ({**INCOMING, "enabled": "yes"}, "invalid-params"),
        ({**INCOMING, "more": 1}, "invalid-params"),
    ],
)
async def test_a_wrong_webhook_is_refused_with_its_code(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, wrong: dict[str, Any], code: str
) -> None:
    with pytest.raises(ChatError) as refused:
        await post(rocketchat, "create", wrong)
    assert refused.value.code == code
    assert not sandbox.store.integrations
    bob = sandbox.store.users.with_username("bob")
    assert bob is not None
    assert bob.roles == ["user"]


async def test_a_kind_that_the_check_lets_through_is_refused(rocketchat: RocketChatClient) -> None:
    with pytest.raises(ChatError, match="Invalid integration type"):
        await post(rocketchat, "create", {**INCOMING, "type": "my-webhook-incoming"})


@every_version
async def test_webhooks_take_rights(rocketchat: RocketChatClient) -> None:
    made = await post(rocketchat, "create", INCOMING)
    with pytest.raises(ForbiddenError):
        await listed(rocketchat.as_user("ada"), "town")  # type: ignore[arg-type]
    with pytest.raises(ForbiddenError):
        await rocketchat.request("GET", "/api/v1/integrations.list", as_user="ada")
    for name, method in (("create", "POST"), ("update", "PUT"), ("remove", "POST")):
        with pytest.raises((ForbiddenError, ValidationFailedError)):
            await post(rocketchat, name, {**INCOMING, "integrationId": made["_id"]}, method, as_user="ada")
    assert await listed(rocketchat, "town") == [made["_id"]]


async def test_the_token_of_a_webhook_is_a_secret(rocketchat: RocketChatClient) -> None:
    made = await post(rocketchat, "create", INCOMING)
    (row,) = [row async for row in rocketchat.chats.integrations("town")]
    assert isinstance(row["token"], Secret)
    assert row["token"].reveal() == made["token"]
    assert made["token"] not in repr(row)
