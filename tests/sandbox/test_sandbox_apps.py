"""Apps (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_helpers import APP, Api, client_token, row, server_token

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox


async def make_app(api: Api, name: str, **more: Any) -> dict[str, Any]:
    reply = await api("POST", "/v2/apps", {"displayName": name, **more})
    assert reply.status == 201, reply
    return reply.body["app"]


async def admin(api: Api) -> str:
    return (await api("POST", f"/v2/apps/{APP}/owner-session")).body["token"]


async def test_a_new_app_has_an_owner_account_a_bot_that_is_off_and_no_chat(api: Api, sandbox: EthoraSandbox) -> None:
    made = await make_app(api, "Shop", domainName="Shop1", primaryColor="#aabbcc")
    app = sandbox.store.app(made["_id"])
    creator = sandbox.store.app(APP).owner
    assert creator is not None
    assert [user.xmpp_username for user in app.users] == [f"{app.id}_owner-{creator.id}"]
    assert (made["parentAppId"], made["domainName"], made["primaryColor"]) == (APP, "shop1", "#aabbcc")
    assert (made["aiBot"]["status"], made["defaultRooms"], len(app.chats)) == ("off", [], 0)
    assert made["appSecret"] == app.secret
    assert made["appToken"].startswith("JWT ")


async def test_a_main_chat_is_made_on_request(api: Api, sandbox: EthoraSandbox) -> None:
    made = await make_app(api, "Shop", createDefaultChat=True)
    (chat,) = sandbox.store.app(made["_id"]).chats
    assert (chat.title, chat.is_app_chat) == ("Main", True)
    assert made["defaultRooms"][0]["jid"] == chat.name


async def test_without_a_domain_name_one_is_made_of_the_display_name(api: Api) -> None:
    assert (await make_app(api, "My Shop!"))["domainName"] == "myshop"
    again = (await make_app(api, "My Shop!"))["domainName"]
    assert again != "myshop"
    assert again.isalnum()


@pytest.mark.parametrize("domain_name", ["my-shop", "a.b", "", "ü", "a b"])
async def test_a_domain_name_is_letters_and_digits(domain_name: str, api: Api) -> None:
    reply = await api("POST", "/v2/apps", {"displayName": "Shop", "domainName": domain_name})
    assert (reply.status, reply.body["code"]) == (422, "VALIDATION_ERROR")


async def test_a_domain_name_is_unique_on_the_platform(api: Api) -> None:
    first = await make_app(api, "One", domainName="one")
    reply = await api("POST", "/v2/apps", {"displayName": "Two", "domainName": "ONE"})
    assert (reply.status, reply.body["exists"]) == (422, True)
    other = await make_app(api, "Two")
    reply = await api("PATCH", f"/v2/apps/{other['_id']}", {"domainName": "one"})
    assert reply.status == 422
    assert (await api("PATCH", f"/v2/apps/{first['_id']}", {"domainName": "one"})).status == 200
    check = "/v1/apps/check-domain-name"
    token = first["appToken"]
    assert (await api("POST", check, {"domainName": "one"}, token=token)).body["exists"] is True
    assert (await api("POST", check, {"domainName": "free"}, token=token)).body["exists"] is False


async def test_apps_are_listed_in_the_order_asked_for(api: Api, clock: Clock) -> None:
    for name in ("bee", "Ant", "cat"):
        clock.now += 1
        await make_app(api, name)

    async def names(query: str) -> list[str]:
        reply = await api("GET", f"/v2/apps?{query}")
        assert reply.body["total"] == 4
        return [app["displayName"] for app in reply.body["apps"]]

    assert await names("") == ["App", "bee", "Ant", "cat"]
    assert await names("order=desc&limit=2") == ["cat", "Ant"]
    assert await names("orderBy=displayName&offset=1") == ["App", "bee", "cat"]
    assert (await names("orderBy=totalRegistered&order=desc"))[-1] == "cat"
    assert (await api("GET", "/v2/apps?orderBy=colour")).status == 422
    await api.make_users("u1", "u2")
    assert (await names("orderBy=totalRegistered&order=desc"))[0] == "App"


async def test_secrets_are_shown_at_creation_and_to_users_who_manage_the_app(api: Api) -> None:
    app = await make_app(api, "Shop")
    token = await admin(api)
    listed = (await api("GET", "/v1/apps", token=token)).body["apps"]
    assert [entry["appSecret"] for entry in listed if entry["_id"] == app["_id"]] == [app["appSecret"]]
    assert (await api("GET", f"/v1/apps/{app['_id']}", token=token)).body["result"]["appSecret"] == app["appSecret"]
    assert "appSecret" not in (await api("GET", f"/v2/apps/{app['_id']}")).body["result"]
    assert all("appSecret" not in entry for entry in (await api("GET", "/v2/apps")).body["apps"])


async def test_a_child_apps_own_token_works_in_it_and_nowhere_else(api: Api) -> None:
    one, two = await make_app(api, "One"), await make_app(api, "Two")
    token = server_token(one["_id"], one["appSecret"])
    assert (await api("GET", f"/v2/apps/{one['_id']}/chats", token=token)).status == 200
    for foreign in (two["_id"], APP):
        assert (await api("GET", f"/v2/apps/{foreign}/chats", token=token)).status == 403
    assert (await api("GET", "/v2/apps/nowhere", token=token)).body["code"] == "APP_NOT_FOUND"
    listed = (await api("GET", "/v2/apps", token=token)).body["apps"]
    assert [entry["_id"] for entry in listed] == [one["_id"]]


async def test_a_user_of_the_base_app_makes_apps_and_manages_those_alone(api: Api) -> None:
    await api.make_users("u1", "u2")
    token, other = [(await api.log_in(name))["token"] for name in ("u1", "u2")]
    made = (await api("POST", "/v1/apps", {"displayName": "Mine"}, token=token)).body["app"]
    assert [app["_id"] for app in (await api("GET", "/v1/apps", token=token)).body["apps"]] == [made["_id"]]
    path = f"/v2/apps/{made['_id']}"
    assert (await api("PATCH", path, {"appTagline": "hi"}, token=token)).body["result"]["appTagline"] == "hi"
    assert (await api("PATCH", path, {"appTagline": "ha"}, token=other)).status == 403
    assert (await api("PATCH", f"/v2/apps/{APP}", {"appTagline": "ha"}, token=token)).status == 403


async def test_a_user_of_a_child_app_makes_no_apps(api: Api) -> None:
    made = await make_app(api, "Shop")
    server = server_token(made["_id"], made["appSecret"])
    await api("POST", "/v1/users/batch", {"usersList": [row("u1")]}, token=server)
    client = client_token("u1", made["_id"], made["appSecret"])
    user = (await api("POST", "/v1/users/client", token=client)).body["token"]
    assert (await api("POST", "/v1/apps", {"displayName": "X"}, token=user)).status == 403
    assert (await api("POST", "/v2/apps/import", bundle("X"), token=user)).status == 403


def bundle(name: str) -> dict[str, Any]:
    return {"schemaVersion": "ethora.app.bundle.v1", "app": {"displayName": name}}


async def test_an_archived_app_can_be_looked_at_and_restored_but_not_used(api: Api) -> None:
    app = await make_app(api, "Shop", domainName="shop")
    path = f"/v2/apps/{app['_id']}"
    assert (await api("DELETE", path)).body["status"] == "archived"
    assert (await api("DELETE", path)).body["status"] == "archived"
    for method, use in (("GET", "/chats"), ("POST", "/chats"), ("GET", "/tokens"), ("POST", "/owner-session")):
        reply = await api(method, path + use, {"title": "x"} if use == "/chats" else None)
        assert (reply.status, reply.body["code"]) == (403, "APP_ARCHIVED")
    own = server_token(app["_id"], app["appSecret"])
    assert (await api("POST", "/v1/users/batch", {"usersList": [row("u1")]}, token=own)).status == 403
    login = {"email": "a@b.co", "password": "words", "appId": app["_id"]}
    assert (await api("POST", "/v2/users/login-with-email", login, token=None)).body["code"] == "APP_ARCHIVED"
    assert (await api("GET", path)).body["result"]["archivedAt"] is not None
    config = (await api("GET", "/v1/apps/get-config?domainName=shop", token=None)).body["result"]
    assert config["status"] == "archived"
    assert (await api("POST", f"/v1/apps/{app['_id']}/restore", {})).body["status"] == "active"
    assert (await api("GET", path + "/chats")).status == 200


async def test_archived_apps_are_listed_when_asked_for(api: Api) -> None:
    app = await make_app(api, "Shop")
    await api("DELETE", f"/v1/apps/{app['_id']}?reason=done")

    async def listed(query: str) -> list[str]:
        return [entry["displayName"] for entry in (await api("GET", f"/v2/apps{query}")).body["apps"]]

    assert await listed("") == ["App"]
    assert await listed("?includeArchived=true") == ["App", "Shop"]
    assert await listed("?status=archived") == ["Shop"]


async def test_a_purge_is_a_job_and_leaves_nothing(api: Api, sandbox: EthoraSandbox) -> None:
    app = await make_app(api, "Shop", domainName="shop")
    session = (await api("POST", f"/v2/apps/{app['_id']}/owner-session")).body["token"]
    reply = await api("DELETE", f"/v1/apps/{app['_id']}?mode=hard")
    assert reply.status == 202
    assert (await api("GET", reply.body["statusUrl"])).body["state"] == "pending"
    job = (await api("GET", f"/v2/apps/purge-jobs/{reply.body['jobId']}")).body
    assert (job["state"], job["result"]) == ("completed", {"appId": app["_id"]})
    assert sandbox.store.find_app(app["_id"]) is None
    assert (await api("GET", f"/v2/apps/{app['_id']}")).body["code"] == "APP_NOT_FOUND"
    assert (await api("GET", "/v1/users/my", token=session)).body["code"] == "APP_NOT_FOUND"
    await make_app(api, "Again", domainName="shop")
    assert (await api("GET", "/v2/apps/purge-jobs/nothing")).body["code"] == "JOB_NOT_FOUND"


async def test_a_purge_that_fails_leaves_everything(api: Api, sandbox: EthoraSandbox) -> None:
    app = await make_app(api, "Shop")
    sandbox.faults.fail_jobs()
    sandbox.faults.job_polls = 0
    url = (await api("DELETE", f"/v2/apps/{app['_id']}?mode=hard")).body["statusUrl"]
    assert (await api("GET", url)).body["state"] == "failed"
    assert (await api("GET", f"/v2/apps/{app['_id']}")).status == 200


async def test_the_base_app_stays(api: Api) -> None:
    for query in ("", "?mode=hard"):
        assert (await api("DELETE", f"/v2/apps/{APP}{query}")).status == 403


async def test_an_owner_session_is_of_the_callers_own_owner_account(api: Api, sandbox: EthoraSandbox) -> None:
    app = await make_app(api, "Shop")
    path = f"/v2/apps/{app['_id']}/owner-session"
    names = {(await api("POST", path)).body["user"]["xmppUsername"] for _ in range(2)}
    owner = sandbox.store.app(APP).owner
    assert owner is not None
    assert names == {f"{app['_id']}_owner-{owner.id}"}
    session = (await api("POST", path)).body["token"]
    assert (await api("GET", f"/v1/users/{app['_id']}", token=session)).status == 200
    own = await api("POST", path, token=server_token(app["_id"], app["appSecret"]))
    assert own.body["user"]["xmppUsername"] in names


async def test_rotating_the_app_token_ends_the_one_before(api: Api) -> None:
    app = await make_app(api, "Shop")
    old, token = app["appToken"], await admin(api)
    assert (await api("GET", "/v2/bot", token=old)).status == 200
    new = (await api("DELETE", f"/v1/apps/rotate-jwt/{app['_id']}", token=token)).body["result"]["appToken"]
    assert (await api("GET", "/v2/bot", token=old)).status == 401
    assert (await api("GET", "/v2/bot", token=new)).status == 200


async def test_settings_are_changed_and_unknown_ones_are_dropped(api: Api) -> None:
    app = await make_app(api, "Shop")
    token, path = await admin(api), f"/v1/apps/{app['_id']}"
    changed = (await api("PUT", path, {"displayName": "New", "somethingElse": 1}, token=token)).body["result"]
    assert (changed["displayName"], "somethingElse" in changed) == ("New", False)
    defaults = f"/v1/apps/user-defaults/{app['_id']}"
    changed = (await api("PUT", defaults, {"usersCanFree": True}, token=token)).body["result"]
    assert changed["usersCanFree"] is True
    assert (await api("PUT", path, {"primaryColor": "blue"}, token=token)).status == 422
    assert (await api("PUT", path, {}, token=token)).status == 422
