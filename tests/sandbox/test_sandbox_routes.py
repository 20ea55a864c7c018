"""The routes, held against what contract §1.1 to §1.7 and §5 say. The table is written by hand from the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ethora_async.sandbox.ethora.gateway import TABLE
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.routing import RouteTable

if TYPE_CHECKING:
    from sandbox_helpers import Api

# §1.3 says of /v1/chats and /v1/users/batch: "accept both", a server token and a user token. What a user token may do
# beyond that is a matter of the access rules (403). `/files/…` is where this server's file records point at.
CONTRACT = """
GET    /ping                                          none               1.1
GET    /v1/ping                                       none               1.1
POST   /v1/users/batch                                tenantActor        1.4
POST   /v1/users                                      server             1.4
POST   /v2/users/batch                                tenantActor        1.4
POST   /v2/apps/{appId}/users/batch                   tenantActor        1.4
GET    /v2/users/batch/{jobId}                        tenantActor        1.4
GET    /v2/apps/{appId}/users/batch/{jobId}           tenantActor        1.4
DELETE /v1/users/batch                                tenantActor        1.4
DELETE /v2/apps/{appId}/users/batch                   tenantActor        1.4
GET    /v2/chats/users                                tenantActor        1.4
PATCH  /v2/chats/users                                tenantActor        1.4
PATCH  /v2/apps/{appId}/chats/users                   tenantActor        1.4
PATCH  /v1/chats/users                                tenantActor        1.4
GET    /v2/apps/{appId}/users/{userId}/chats          tenantActor        1.4
GET    /v1/apps/users/{xmppUsername}                  server             1.4
GET    /v1/apps/users                                 server             1.4
POST   /v1/users/client                               client             1.5
POST   /v1/users/login-with-email                     app token or appId 1.5
POST   /v2/users/login-with-email                     app token or appId 1.5
POST   /v1/users/login/refresh                        refresh            1.5
POST   /v2/users/login/refresh                        refresh            1.5
POST   /v1/users/xmpp-token                           user               1.5
GET    /v1/users/me                                   user               1.5
GET    /v2/users/me                                   user               1.5
GET    /v1/users/my                                   user               1.5
POST   /v1/users/logout                               user               1.5
POST   /v1/chats                                      tenantActor        1.6
POST   /v2/chats                                      tenantActor        1.6
POST   /v2/apps/{appId}/chats                         tenantActor        1.6
GET    /v1/chats/my                                   user               1.6
GET    /v2/apps/{appId}/chats                         tenantActor        1.6
PATCH  /v2/apps/{appId}/chats/{chat}                  tenantActor        1.6
PATCH  /v1/chats/meta                                 tenantActor        1.6
DELETE /v1/chats                                      tenantActor        1.6
DELETE /v2/apps/{appId}/chats                         tenantActor        1.6
POST   /v1/chats/users-access                         tenantActor        1.6
POST   /v2/chats/users-access                         tenantActor        1.6
POST   /v2/apps/{appId}/chats/users-access            tenantActor        1.6
DELETE /v1/chats/users-access                         tenantActor        1.6
DELETE /v2/chats/users-access                         tenantActor        1.6
DELETE /v2/apps/{appId}/chats/users-access            tenantActor        1.6
GET    /v1/apps/get-config                            none               1.7
GET    /v1/apps                                       user               1.7
POST   /v1/apps                                       user               1.7
GET    /v2/apps                                       tenantActor        1.7
POST   /v2/apps                                       tenantActor        1.7
GET    /v1/apps/{appId}                               user               1.7
PUT    /v1/apps/{appId}                               user               1.7
DELETE /v1/apps/{appId}                               tenantActor        1.7
GET    /v2/apps/{appId}                               tenantActor        1.7
PATCH  /v2/apps/{appId}                               tenantActor        1.7
DELETE /v2/apps/{appId}                               tenantActor        1.7
GET    /v2/apps/purge-jobs/{jobId}                    tenantActor        1.7
POST   /v1/apps/{appId}/restore                       tenantActor        1.7
GET    /v2/apps/{appId}/export                        tenantActor        1.7
POST   /v2/apps/import                                tenantActor        1.7
GET    /v2/apps/{appId}/tokens                        tenantActor        1.7
POST   /v2/apps/{appId}/tokens                        tenantActor        1.7
POST   /v2/apps/{appId}/tokens/{tokenId}/rotate       tenantActor        1.7
DELETE /v2/apps/{appId}/tokens/{tokenId}              tenantActor        1.7
POST   /v2/apps/{appId}/provision                     tenantActor        1.7
GET    /v2/apps/{appId}/bot                           tenantActor        1.7
PUT    /v2/apps/{appId}/bot                           tenantActor        1.7
GET    /v2/bot                                        app                1.7
PUT    /v2/bot                                        app                1.7
POST   /v2/apps/{appId}/owner-session                 tenantActor        1.7
POST   /v1/apps/create-app-chat/{appId}               user               1.7
DELETE /v1/apps/delete-app-chat/{appId}               user               1.7
GET    /v1/apps/get-default-rooms                     app or user        1.7
GET    /v1/apps/get-default-rooms/app-id/{appId}      user               1.7
POST   /v1/apps/check-domain-name                     app or user        1.7
DELETE /v1/apps/rotate-jwt/{appId}                    user               1.7
PUT    /v1/apps/user-defaults/{appId}                 user               1.7
POST   /v1/files                                      user               1.7
POST   /v2/files                                      user               1.7
POST   /v2/files/secure                               user               1.7
GET    /v1/files                                      user               1.7
GET    /v2/files                                      user               1.7
DELETE /v1/files/{fileId}                             user               1.7
DELETE /v2/files/{fileId}                             user               1.7
POST   /v2/apps/{appId}/users/unread-counts           tenantActor        1.4
POST   /v1/users/create-with-app-id/{appId}           user               1.4
POST   /v1/users/create-many-with-app-id/{appId}      user               1.4
POST   /v1/users/delete-many-with-app-id/{appId}      user               1.4
POST   /v1/users/reset-passwords-with-app-id/{appId}  user               1.4
POST   /v1/users/tags-set/{appId}                     user               1.4
POST   /v1/users/tags-add/{appId}                     user               1.4
POST   /v1/users/tags-delete/{appId}                  user               1.4
GET    /v1/users/{appId}                              user               1.4
PUT    /v1/users/{appId}/{userId}                     user               1.4
GET    /v1/users/acl                                  user               1.4
GET    /v1/users/acl/{appId}/{userId}                 user               1.4
PUT    /v1/users/acl/{appId}/{userId}                 user               1.4
GET    /v1/users/export/{appId}                       user               1.4
POST   /v2/users/login/mfa                            app token or appId 1.5
POST   /v1/users/sign-up-with-email                   app token or appId 1.5
POST   /v2/users/sign-up-with-email                   app token or appId 1.5
POST   /v1/users/forgot                               app token or appId 1.5
POST   /v1/users/reset                                none               1.5
PUT    /v1/users                                      user               1.5
GET    /v1/users/checkEmail/{email}                   app                1.5
GET    /v2/users/me/api-keys                          user               1.5
POST   /v2/users/me/api-keys                          user               1.5
DELETE /v2/users/me/api-keys/{keyId}                  user               1.5
GET    /v1/chats                                      user               1.6
GET    /v1/chats/my/{chatName}                        user               1.6
PUT    /v1/chats/my/{chatName}/mute                   user               1.6
DELETE /v1/chats/my/{chatName}/mute                   user               1.6
GET    /v1/chats/public                               user               1.6
POST   /v1/chats/private                              user               1.6
POST   /v2/apps/{appId}/chats/private                 tenantActor        1.6
POST   /v1/chats/reports/{chatName}                   user               1.6
POST   /v1/chats/media/{chatName}                     user               1.6
POST   /v2/chats/broadcast                            tenantActor        1.6
POST   /v2/apps/{appId}/chats/broadcast               tenantActor        1.6
GET    /v2/chats/broadcast/{jobId}                    tenantActor        1.6
GET    /v2/apps/{appId}/chats/broadcast/{jobId}       tenantActor        1.6
GET    /v2/apps/{appId}/chats/{chatId}/messages       tenantActor        1.6
DELETE /v2/apps/{appId}/chats/{chatId}/messages       tenantActor        1.6
GET    /v2/apps/{appId}/chats/{chatId}/messages/context tenantActor      1.6
GET    /v2/apps/{appId}/messages/search               tenantActor        1.6
POST   /chats                                         tenantActor        5
DELETE /chats                                         tenantActor        5
POST   /chat-access                                   tenantActor        5
GET    /api-docs                                      none               1.1
GET    /api-docs/swagger.json                         none               1.1
GET    /files/{filename}                              none               -
"""


def _listed() -> set[tuple[str, str, str, str]]:
    rows = [line.split() for line in CONTRACT.strip().splitlines()]
    return {(words[0], words[1], " ".join(words[2:-1]), words[-1]) for words in rows}


def test_the_sandbox_serves_exactly_the_contracts_routes_with_their_auth_classes() -> None:
    served = {(route.method, route.path, route.auth.value, route.section) for route in TABLE.routes}
    assert served == _listed()


def test_every_route_says_what_it_does() -> None:
    assert [route.operation for route in TABLE.routes if not route.summary.endswith(".")] == []


@pytest.mark.parametrize("route", TABLE.routes, ids=lambda route: route.operation)
async def test_a_call_without_a_token_is_refused_as_the_auth_class_says(route, api: Api) -> None:
    path = route.path.replace("{appId}", "app123").replace("{", "").replace("}", "")
    reply = await api(route.method, path, {}, token=None)
    if route.auth is Auth.NONE:
        assert reply.status in (200, 404, 422)
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
