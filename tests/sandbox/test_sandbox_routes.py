"""Finding a route for a call. Which routes there are is compared with the platform notes in `tests/docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ethora_async.sandbox.ethora.gateway import TABLE
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.routing import RouteTable

if TYPE_CHECKING:
    from sandbox_helpers import Api


def test_every_route_says_what_it_does() -> None:
    assert [route.operation for route in TABLE.routes if not route.summary.endswith(".")] == []


@pytest.mark.parametrize("route", TABLE.routes, ids=lambda route: route.operation)
async def test_a_call_without_a_token_is_refused_as_the_auth_class_says(route, api: Api) -> None:
    path = route.path.replace("{appId}", "app123").replace("{", "").replace("}", "")
    reply = await api(route.method, path, {}, token=None)
    if route.auth is Auth.NONE:
        assert reply.status in (200, 404, 422)
    elif "checkEmail" in path:
        assert (reply.status, reply.body["exists"]) == (200, False)
    elif route.auth is Auth.APP_OR_ID:
        assert reply.status == 422
    else:
        assert (reply.status, reply.body["error"]) == (401, "Missing token")
        assert reply.body.get("authFlow") == ("b2b" if route.auth.b2b else None)


async def test_an_unknown_route_is_express_page(api: Api) -> None:
    reply = await api("GET", "/v2/nothing/<here>?token=x")
    assert reply.status == 404
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "Cannot GET /v2/nothing/&lt;here&gt;" in reply.body.replace("%3C", "&lt;").replace("%3E", "&gt;")


async def test_a_known_path_with_another_method_is_no_route(api: Api) -> None:
    reply = await api("PUT", "/v2/users/batch", {})
    assert (reply.status, "Cannot PUT /v2/users/batch" in reply.body) == (404, True)


@pytest.mark.parametrize("path", ["/ping/", "/v1/apps/users/", "/v2/chats/users/"])
async def test_a_trailing_slash_is_optional(path: str, api: Api) -> None:
    assert (await api("GET", path)).status == 200


async def test_doubled_slashes_are_no_route(api: Api, sandbox) -> None:
    assert (await api("GET", sandbox.url + "//v2/chats/users")).status == 404


async def test_head_is_served_by_get_without_a_body(api: Api) -> None:
    reply = await api("HEAD", "/ping")
    assert (reply.status, reply.body) == (200, "")


async def test_a_path_that_is_not_utf8_is_a_bad_request(api: Api, sandbox) -> None:
    from yarl import URL

    reply = await api("GET", URL(sandbox.url + "/v1/apps/users/%ff%fe", encoded=True))
    assert reply.status == 400


def test_fixed_words_win_over_placeholders() -> None:
    routes = Routes()

    @routes.add("GET", "/v1/{appId}/end", "/v1/users/{id}", "/v1/users/me", auth=Auth.NONE, section="-")
    def handler(call):
        return call

    table = RouteTable(routes)
    found = {path: table.find("GET", path) for path in ("/v1/users/me", "/v1/users/end", "/v1/x%2Fy/end", "/v1/x")}
    assert found["/v1/users/me"].route.path == "/v1/users/me"
    assert found["/v1/users/end"].params == {"id": "end"}
    assert found["/v1/x%2Fy/end"].params == {"appId": "x/y"}
    assert found["/v1/x"] is None


def test_the_same_call_cannot_be_registered_twice() -> None:
    routes = Routes()
    routes.add("GET", "/a/{x}", "/a/{y}", auth=Auth.NONE, section="-")(lambda call: call)
    with pytest.raises(ValueError, match="twice"):
        RouteTable(routes)
