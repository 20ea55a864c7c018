"""Looking a user up by name, in the token's own app and in its children."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_helpers import APP, Api, Reply, row, server_token

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox

CHILD, FOREIGN, FOREIGN_SECRET = "child7", "foreign9", "another-secret"


@pytest.fixture(autouse=True)
async def _world(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.add_app("child", app_id=CHILD, parent=APP)
    sandbox.add_app("foreign", app_id=FOREIGN, secret=FOREIGN_SECRET, parent=None)
    await api.make_users("u1")
    for path, token in (
        (f"/v2/apps/{CHILD}/users/batch", "server"),
        ("/v1/users/batch", server_token(FOREIGN, FOREIGN_SECRET)),
    ):
        assert (await api("POST", path, {"usersList": [row("u2")]}, token=token)).status in (200, 202)


async def look_up(api: Api, name: str) -> Reply:
    return await api("GET", f"/v1/apps/users/{name}")


@pytest.mark.parametrize("name", [f"{APP}_u1", f"{CHILD}_u2"])
async def test_users_of_the_own_app_and_of_a_child_are_found(name: str, api: Api) -> None:
    reply = await look_up(api, name)
    assert (reply.status, reply.body["result"]["xmppUsername"]) == (200, name)


@pytest.mark.parametrize("name", [f"{FOREIGN}_u2", f"{CHILD}_u1", f"{APP}_u2"])
async def test_users_of_a_foreign_app_and_under_a_wrong_prefix_are_not(name: str, api: Api) -> None:
    reply = await look_up(api, name)
    assert (reply.status, reply.body["code"]) == (404, "USER_NOT_FOUND")


async def test_a_child_does_not_look_up_its_parents_users(api: Api, sandbox: EthoraSandbox) -> None:
    token = server_token(CHILD, sandbox.store.app(CHILD).secret)
    reply = await api("GET", f"/v1/apps/users/{APP}_u1", token=token)
    assert (reply.status, reply.body["code"]) == (404, "USER_NOT_FOUND")


@pytest.mark.parametrize("name", ["u2", "nobody"])
async def test_an_archived_child_is_refused_whoever_is_asked_for(name: str, api: Api) -> None:
    assert (await api("DELETE", f"/v2/apps/{CHILD}")).status == 200
    reply = await look_up(api, f"{CHILD}_{name}")
    assert (reply.status, reply.body["code"]) == (403, "APP_ARCHIVED")
    assert (await look_up(api, f"{APP}_u1")).status == 200
    assert (await api("POST", f"/v1/apps/{CHILD}/restore", {})).status == 200
    assert (await look_up(api, f"{CHILD}_u2")).status == 200
