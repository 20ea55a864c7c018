"""Users as an app's managers see them (docs/platforms/ethora.md#users)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from sandbox_helpers import APP, Api, row

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

CREATE_MANY = f"/v1/users/create-many-with-app-id/{APP}"


@pytest.fixture
async def admin(api: Api, sandbox: EthoraSandbox) -> str:
    login = {"email": sandbox.admin_email, "password": sandbox.admin_password, "appId": APP}
    return (await api("POST", "/v2/users/login-with-email", login, token=None)).body["token"]


@pytest.fixture
async def ids(api: Api, sandbox: EthoraSandbox) -> list[str]:
    await api.make_users("u1", "u2")
    return [user.id for user in sandbox.store.app(APP).users if not user.platform_owned]


def person(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.com", "firstName": name.title(), "lastName": "Byron"}


async def test_the_import_of_the_older_guide_creates_and_mails_passwords(
    admin: str, api: Api, sandbox: EthoraSandbox
) -> None:
    made = (await api("POST", CREATE_MANY, {"usersList": [person("ada"), person("bob")]}, token=admin)).body["results"]
    assert [user["email"] for user in made] == ["ada@example.com", "bob@example.com"]
    assert made[0]["xmppUsername"] == f"{APP}_{made[0]['_id']}"
    login = {"email": "ada@example.com", "password": sandbox.outbox[0].value, "appId": APP}
    assert (await api("POST", "/v2/users/login-with-email", login, token=None)).status == 200
    again = await api("POST", CREATE_MANY, {"usersList": [person("eve"), person("ada")]}, token=admin)
    assert (again.status, again.body["code"], again.body["details"]) == (
        422,
        "USER_ALREADY_EXISTS",
        {"path": "usersList[1]"},
    )
    assert sandbox.store.app(APP).users.with_email("eve@example.com") is None
    one = await api("POST", f"/v1/users/create-with-app-id/{APP}", person("eve"), token=admin)
    assert one.body["user"]["firstName"] == "Eve"


async def test_these_routes_are_for_user_sessions_that_manage_the_app(ids: list[str], api: Api) -> None:
    body = {"usersList": [person("ada")]}
    assert (await api("POST", CREATE_MANY, body)).body["code"] == "INVALID_TOKEN_TYPE"
    assert (await api("POST", CREATE_MANY, body, token=(await api.log_in("u1"))["token"])).status == 403


async def test_deletion_goes_by_record_id_and_is_all_or_nothing(
    admin: str, ids: list[str], api: Api, sandbox: EthoraSandbox
) -> None:
    path = f"/v1/users/delete-many-with-app-id/{APP}"
    for wrong in ("u1", "nothing", "f" * 24):
        reply = await api("POST", path, {"usersIdList": [ids[0], wrong]}, token=admin)
        assert (reply.status, reply.body["code"]) == (404, "USER_NOT_FOUND")
    owner = sandbox.store.app(APP).owner
    assert owner is not None
    assert (await api("POST", path, {"usersIdList": [ids[0], owner.id]}, token=admin)).status == 403
    assert len(sandbox.store.app(APP).users) == 3
    assert (await api("POST", path, {"usersIdList": ids}, token=admin)).status == 200
    assert len(sandbox.store.app(APP).users) == 1


async def test_tags_are_set_added_and_deleted(admin: str, ids: list[str], api: Api) -> None:
    async def tag(how: str, *tags: str) -> list[str]:
        body = {"usersIdList": ids, "tagsList": list(tags)}
        assert (await api("POST", f"/v1/users/tags-{how}/{APP}", body, token=admin)).status == 200
        return (await api("GET", "/v2/chats/users?userId=u2")).body["result"]["tags"]

    assert await tag("set", "b", "a", "b") == ["b", "a"]
    assert await tag("add", "c", "a") == ["b", "a", "c"]
    assert await tag("delete", "b", "never") == ["a", "c"]
    assert await tag("set") == []


async def test_reset_passwords_are_mailed_and_end_sessions(
    admin: str, ids: list[str], api: Api, sandbox: EthoraSandbox
) -> None:
    session = (await api.log_in("u1"))["token"]
    path = f"/v1/users/reset-passwords-with-app-id/{APP}"
    assert (await api("POST", path, {"usersIdList": ids[:1]}, token=admin)).status == 200
    (mail,) = sandbox.outbox
    assert mail.to == "u1@example.com"
    assert (await api("GET", "/v1/users/my", token=session)).status == 401


async def test_users_are_listed_in_order(admin: str, api: Api, clock: Clock) -> None:
    people = [row("u1", firstName="Zoe"), row("u2", firstName="Amy", email="z@example.com"), row("u3", firstName="Kim")]
    for entry in people:
        clock.now += 1
        await api("POST", "/v1/users/batch", {"usersList": [entry]})

    async def order(query: str) -> list[str]:
        body = (await api("GET", f"/v1/users/{APP}?{query}", token=admin)).body
        assert body["total"] == 4
        return [user["uuid"] for user in body["items"] if not user["uuid"].startswith("owner-")]

    assert await order("") == ["u1", "u2", "u3"]
    assert await order("orderBy=firstName") == ["u2", "u3", "u1"]
    assert await order("orderBy=email&order=desc") == ["u2", "u3", "u1"]
    assert await order("orderBy=email&offset=1&limit=2") == ["u1", "u3"]
    body = (await api("GET", f"/v1/users/{APP}?orderBy=lastName&order=desc", token=admin)).body
    assert (body["orderBy"], body["order"], body["limit"], body["offset"]) == ("lastName", "desc", 100, 0)


async def test_a_profile_is_changed_by_a_manager(admin: str, ids: list[str], api: Api) -> None:
    changes = {"firstName": "New", "description": "About her."}
    changed = (await api("PUT", f"/v1/users/{APP}/u1", changes, token=admin)).body["user"]
    assert {key: changed[key] for key in changes} == changes
    assert (await api("PUT", f"/v1/users/{APP}/nobody", changes, token=admin)).status == 404


async def test_access_rules_are_kept_and_shown(admin: str, ids: list[str], api: Api) -> None:
    rules: dict[str, Any] = {"application": {"appUsers": {"create": True}}}
    path = f"/v1/users/acl/{APP}/u1"
    assert (await api("PUT", path, rules, token=admin)).body["result"] == {"userId": ids[0], **rules}
    assert (await api("GET", path, token=admin)).body["result"]["application"] == rules["application"]
    own = await api("GET", "/v1/users/acl", token=(await api.log_in("u1"))["token"])
    assert own.body["result"]["application"] == rules["application"]


async def test_an_export_is_csv_that_reads_back(admin: str, api: Api, sandbox: EthoraSandbox) -> None:
    nasty = 'O"Brien, "the\nthird"'
    await api("POST", "/v1/users/batch", {"usersList": [row("u1", firstName=nasty)]})
    user = sandbox.store.app(APP).users.find("u1")
    assert user is not None
    body = {"usersIdList": [user.id], "tagsList": ["a", "b"]}
    await api("POST", f"/v1/users/tags-set/{APP}", body, token=admin)
    reply = await api("GET", f"/v1/users/export/{APP}", token=admin)
    assert reply.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.body, newline="")))
    assert (rows[1]["firstName"], rows[1]["tags"], rows[1]["xmppUsername"]) == (nasty, "a;b", "app123_u1")
