"""The parts of an app: tokens, rooms, bot and bundles (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sandbox_helpers import APP, Api, row, server_token

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox

TOKENS = f"/v2/apps/{APP}/tokens"
BOT = f"/v2/apps/{APP}/bot"


async def admin(api: Api) -> str:
    return (await api("POST", f"/v2/apps/{APP}/owner-session")).body["token"]


async def test_an_app_token_opens_what_the_app_token_opens(api: Api, sandbox: EthoraSandbox) -> None:
    made = (await api("POST", TOKENS, {"label": "ci"})).body
    body = {"email": sandbox.admin_email, "password": sandbox.admin_password}
    for header in ("Bearer {}", "{}", "JWT {}"):
        headers = {"Authorization": header.format(made["token"])}
        assert (await api("POST", "/v2/users/login-with-email", body, token=None, headers=headers)).status == 200
    assert (await api("GET", BOT, token=made["token"])).body["code"] == "INVALID_TOKEN_TYPE"


async def test_a_token_is_shown_once_and_listed_without_its_value(api: Api) -> None:
    made = (await api("POST", TOKENS, {})).body
    (listed,) = (await api("GET", TOKENS)).body["tokens"]
    assert (listed["tokenId"], listed["status"], "token" in listed) == (made["tokenId"], "active", False)
    assert made["token"] not in json.dumps(listed)


async def test_rotation_revokes_the_old_token_and_keeps_its_label(api: Api) -> None:
    old = (await api("POST", TOKENS, {"label": "ci"})).body
    new = (await api("POST", f"{TOKENS}/{old['tokenId']}/rotate", {})).body
    assert (new["label"], new["tokenId"] != old["tokenId"]) == ("ci", True)
    assert (await api("GET", "/v2/bot", token=old["token"])).status == 401
    assert (await api("GET", "/v2/bot", token=new["token"])).status == 200
    assert (await api("POST", f"{TOKENS}/{old['tokenId']}/rotate", {})).body["code"] == "TOKEN_NOT_FOUND"


async def test_revoking_twice_is_once(api: Api) -> None:
    made = (await api("POST", TOKENS, {})).body
    path = f"{TOKENS}/{made['tokenId']}"
    first, second = [(await api("DELETE", path)).body for _ in range(2)]
    assert (first["status"], first["revokedAt"]) == ("revoked", second["revokedAt"])
    assert (await api("GET", "/v2/bot", token=made["token"])).status == 401
    assert (await api("DELETE", f"{TOKENS}/nothing")).status == 404


async def test_a_token_of_a_purged_app_is_refused(api: Api) -> None:
    app = (await api("POST", "/v2/apps", {"displayName": "Shop"})).body["app"]["_id"]
    token = (await api("POST", f"/v2/apps/{app}/tokens", {})).body["token"]
    await api("DELETE", f"/v2/apps/{app}?mode=hard")
    assert (await api("GET", "/v2/bot", token=token)).body["code"] == "APP_NOT_FOUND"


async def test_provisioning_makes_default_rooms(api: Api, sandbox: EthoraSandbox) -> None:
    rooms = [{"title": "Lobby", "pinned": True}, {"title": "Help"}]
    made = (await api("POST", f"/v2/apps/{APP}/provision", {"rooms": rooms})).body["rooms"]
    assert [(room["title"], room["pinned"]) for room in made] == [("Lobby", True), ("Help", False)]
    app = sandbox.store.app(APP)
    assert [chat.name for chat in app.chats if chat.is_app_chat] == [room["jid"] for room in made]
    config = (await api("GET", "/v1/apps/get-config?domainName=app", token=None)).body["result"]
    assert config["defaultRooms"] == made


@pytest.mark.parametrize(("rooms", "status"), [(0, 200), (20, 200), (21, 422)])
async def test_provisioning_takes_at_most_20_rooms(rooms: int, status: int, api: Api) -> None:
    body = {"rooms": [{"title": f"Room {index}"} for index in range(rooms)]}
    assert (await api("POST", f"/v2/apps/{APP}/provision", body)).status == status


async def test_a_default_room_is_made_listed_and_deleted(api: Api, sandbox: EthoraSandbox) -> None:
    token = await admin(api)
    made = (await api("POST", f"/v1/apps/create-app-chat/{APP}", {"title": "Lobby"}, token=token)).body["result"]
    for path in ("/v1/apps/get-default-rooms", f"/v1/apps/get-default-rooms/app-id/{APP}"):
        assert (await api("GET", path, token=token)).body["result"] == [made]
    path = f"/v1/apps/delete-app-chat/{APP}"
    assert (await api("DELETE", path, {"chatJid": made["jid"]}, token=token)).body["result"] == made
    assert (len(sandbox.store.app(APP).chats), sandbox.store.app(APP).rooms) == (0, [])
    await api.make_chat("plain")
    assert (await api("DELETE", path, {"chatJid": "plain"}, token=token)).body["code"] == "CHAT_NOT_FOUND"


async def test_a_new_bot_is_off_and_can_be_switched_on(api: Api) -> None:
    assert (await api("GET", BOT)).body["result"]["status"] == "off"
    changed = (await api("PUT", BOT, {"status": "on", "prompt": "Be kind.", "trigger": "any_message"})).body["bot"]
    assert (changed["status"], changed["prompt"]) == ("on", "Be kind.")
    token = (await api("POST", TOKENS, {})).body["token"]
    assert (await api("GET", "/v2/bot", token=token)).body["bot"] == changed
    assert (await api("PUT", "/v2/bot", {"status": "off"}, token=token)).body["bot"]["status"] == "off"
    refused = await api("PUT", BOT, {"knowledgeScope": "all"})
    assert (refused.status, refused.body["error"]) == (422, '"knowledgeScope" is not allowed')


async def test_an_app_without_a_bot_says_so(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.store.app(APP).bot = None
    for method in ("GET", "PUT"):
        reply = await api(method, BOT, {"status": "on"} if method == "PUT" else None)
        assert (reply.status, reply.body["code"]) == (422, "BOT_NOT_INITIALIZED")
    config = (await api("GET", "/v1/apps/get-config?domainName=app", token=None)).body["result"]
    assert config["aiBot"] is None


async def exported(api: Api) -> dict[str, Any]:
    return (await api("GET", f"/v2/apps/{APP}/export?include=users,chats")).body


async def test_an_export_can_be_imported_as_another_app(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u2")
    await api("PUT", BOT, {"prompt": "Be kind."})
    bundle = await exported(api)
    reply = await api("POST", "/v2/apps/import?domainNameOverride=copy", bundle)
    assert reply.status == 201
    summary = reply.body["summary"]
    assert (summary["users"], summary["chats"], summary["domainName"]) == (2, 1, "copy")
    app = sandbox.store.app(summary["newAppId"])
    assert [user.uuid for user in app.users if not user.platform_owned] == ["u1", "u2"]
    (chat,) = app.chats
    assert (chat.uuid, [user.uuid for user in chat.members]) == ("c1", ["u2"])
    assert app.bot is not None
    assert app.bot["prompt"] == "Be kind."


async def test_a_bundle_has_only_what_was_asked_for_and_no_secret(api: Api, sandbox: EthoraSandbox) -> None:
    await api("POST", "/v1/users/batch", {"usersList": [row("u1", password="pass-words")]})
    assert set((await api("GET", f"/v2/apps/{APP}/export")).body) == {"schemaVersion", "app", "bot"}
    text = json.dumps(await exported(api))
    assert not any(word in text for word in ("pass-words", sandbox.secret, "owner-", "JWT "))
    assert (await api("GET", f"/v2/apps/{APP}/export?include=passwords")).status == 422


async def test_a_zip_holds_the_same_bundle(api: Api, sandbox: EthoraSandbox) -> None:
    url = f"{sandbox.url}/v2/apps/{APP}/export?format=zip&include=users,chats"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"x-custom-token": server_token()}) as reply,
    ):
        archive = zipfile.ZipFile(io.BytesIO(await reply.read()))
        assert reply.content_type == "application/zip"
    assert json.loads(archive.read("bundle.json")) == await exported(api)


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": "v2"},
        {"users": [{"uuid": "a", "firstName": "A"}, {"uuid": "a", "firstName": "B"}]},
        {"users": [{"uuid": id, "firstName": "A", "email": email} for id, email in (("a", "x@y.z"), ("b", "X@y.z"))]},
        {"chats": [{"uuid": "c", "title": "C", "type": "group", "members": ["nobody"]}]},
        {"bot": {"status": "maybe"}},
    ],
)  # fmt: skip
async def test_a_broken_bundle_makes_nothing(change: dict[str, Any], api: Api, sandbox: EthoraSandbox) -> None:
    bundle = {**await exported(api), **change}
    reply = await api("POST", "/v2/apps/import?domainNameOverride=copy", bundle)
    assert (reply.status, reply.body["code"]) == (422, "VALIDATION_ERROR")
    assert len(sandbox.store.apps) == 1


async def test_an_import_needs_a_domain_name_that_is_free(api: Api) -> None:
    reply = await api("POST", "/v2/apps/import", await exported(api))
    assert (reply.status, reply.body["code"]) == (422, "DOMAIN_NAME_EXISTS")
