"""Sessions of users, and what is open to everybody (docs/platforms/ethora.md#sessions, #apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_helpers import APP, Api, client_token, row

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

LOGIN = "/v2/users/login-with-email"


async def app_token(api: Api) -> str:
    return (await api("GET", "/v1/apps/get-config?domainName=app", token=None)).body["result"]["appToken"]


async def test_a_client_token_is_exchanged_for_a_session(api: Api) -> None:
    await api.make_users("u1")
    body = await api.log_in("u1")
    assert body["success"] is True
    assert body["user"]["xmppUsername"] == "app123_u1"
    assert body["user"]["xmppPassword"]
    assert body["token"].startswith("JWT ")
    assert body["refreshToken"].startswith("JWT ")
    me = await api("GET", "/v1/users/me", token=body["token"])
    assert me.body["user"]["xmppUsername"] == "app123_u1"


@pytest.mark.parametrize("user", ["nobody", "app123_u1", "U1"])
async def test_only_the_uuid_of_a_user_who_exists_is_exchanged(user: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    reply = await api("POST", "/v1/users/client", token=client_token(user))
    assert (reply.status, reply.body["code"]) == (401, "USER_NOT_FOUND")
    assert len(sandbox.store.app(APP).users) == 2


@pytest.mark.parametrize("user", [7, None, ["u1"]])
async def test_a_user_id_that_is_no_string_is_nobody(user, api: Api) -> None:
    await api.make_users("u1")
    assert (await api("POST", "/v1/users/client", token=client_token(user))).status == 401


@pytest.mark.parametrize("header", [{"Authorization": "Bearer {}"}, {"Authorization": "{}"}, {"x-custom-token": "{}"}])
async def test_a_user_token_is_taken_verbatim_and_behind_bearer(header: dict, api: Api) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    headers = {name: value.format(token) for name, value in header.items()}
    assert (await api("GET", "/v1/users/my", token=None, headers=headers)).status == 200


@pytest.mark.parametrize("path", [LOGIN, "/v1/users/login-with-email"])
@pytest.mark.parametrize("way", ["token", "body", "header"])
async def test_the_admin_logs_in_and_administrates(path: str, way: str, api: Api, sandbox: EthoraSandbox) -> None:
    body = {"email": sandbox.admin_email.upper(), "password": sandbox.admin_password}
    if way == "token":
        reply = await api("POST", path, body, token=await app_token(api))
    elif way == "body":
        reply = await api("POST", path, {**body, "appId": APP}, token=None)
    else:
        reply = await api("POST", path, body, token=None, headers={"x-app-id": APP})
    assert (reply.status, reply.body["isAllowedNewAppCreate"]) == (200, True)
    token = reply.body["token"]
    assert (await api("POST", "/v2/users/batch", {"usersList": [row("u1")]}, token=token)).status == 202
    sandbox.add_app("shop", app_id="child1", parent=APP)
    assert (await api("GET", "/v2/apps/child1/chats", token=token)).status == 200


async def test_a_user_with_a_password_logs_in(api: Api) -> None:
    await api("POST", "/v1/users/batch", {"usersList": [row("u1", password="s3cret-words"), row("u2")]})
    good = {"email": "u1@example.com", "password": "s3cret-words", "appId": APP}
    assert (await api("POST", LOGIN, good, token=None)).body["user"]["uuid"] == "u1"
    for change in ({"password": "wrong"}, {"email": "u2@example.com"}, {"email": "nobody@example.com"}):
        reply = await api("POST", LOGIN, {**good, **change}, token=None)
        assert (reply.status, reply.body["code"]) == (401, "AUTH_FAILED")


async def test_a_login_says_which_app(api: Api, sandbox: EthoraSandbox) -> None:
    body = {"email": sandbox.admin_email, "password": sandbox.admin_password}
    assert (await api("POST", LOGIN, body, token=None)).status == 401
    unknown = await api("POST", LOGIN, {**body, "appId": "nowhere"}, token=None)
    assert (unknown.status, unknown.body["code"]) == (400, "APP_NOT_FOUND")
    assert (await api("POST", LOGIN, body)).body["code"] == "INVALID_TOKEN_TYPE"


async def test_the_app_token_needs_its_signature_and_no_prefix_is_lost(api: Api, sandbox: EthoraSandbox) -> None:
    token = await app_token(api)
    assert token.startswith("JWT ")
    body = {"email": sandbox.admin_email, "password": sandbox.admin_password}
    assert (await api("POST", LOGIN, body, token=token[:-3] + "abc")).status == 401


async def test_an_app_token_of_an_app_that_is_gone_is_refused(api: Api, sandbox: EthoraSandbox) -> None:
    token = sandbox._platform.signer.sign({"type": "app", "appId": "gone"}, now=0.0)
    assert (await api("POST", LOGIN, {}, token=token)).body["code"] == "APP_NOT_FOUND"


@pytest.mark.parametrize("options", [{"refresh_reuse": "reject"}])
async def test_access_tokens_end_and_a_refresh_renews_them(api: Api, clock: Clock) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    clock.now += 16 * 60
    assert (await api("GET", "/v1/users/my", token=session["token"])).status == 401
    fresh = (await api("POST", "/v1/users/login/refresh", token=session["refreshToken"])).body
    assert (await api("GET", "/v1/users/my", token=fresh["token"])).status == 200
    clock.now += 30
    again = await api("POST", "/v2/users/login/refresh", token=session["refreshToken"])
    assert (again.status, again.body["code"], again.body["error"]) == (
        401,
        "REFRESH_RECORD_NOT_FOUND",
        "!refreshRecord",
    )
    assert (await api("POST", "/v2/users/login/refresh", token=fresh["refreshToken"])).status == 200


REFRESH = "/v1/users/login/refresh"


@pytest.mark.parametrize(
    "options", [{"refresh_reuse": policy} for policy in ("log_only", "reject", "revoke_family")], ids=str
)
async def test_a_refresh_token_works_again_within_the_grace_period(api: Api, clock: Clock) -> None:
    await api.make_users("u1")
    old = (await api.log_in("u1"))["refreshToken"]
    fresh = (await api("POST", REFRESH, token=old)).body["refreshToken"]
    clock.now += 29.9
    again = await api("POST", REFRESH, token=old)
    assert again.status == 200
    # What the second use brought is the session's current token, not one more rotation.
    for token in (fresh, again.body["refreshToken"]):
        assert (await api("POST", REFRESH, token=token)).status == 200


@pytest.mark.parametrize(
    ("options", "again", "current"),
    [
        ({}, 200, 200),
        ({"refresh_reuse": "log_only"}, 200, 200),
        ({"refresh_reuse": "reject"}, 401, 200),
        ({"refresh_reuse": "revoke_family"}, 401, 401),
    ],
)
@pytest.mark.parametrize("rotations", [1, 3])
async def test_the_reuse_policy_decides_about_older_refresh_tokens(
    rotations: int, again: int, current: int, api: Api, clock: Clock
) -> None:
    await api.make_users("u1")
    old = fresh = (await api.log_in("u1"))["refreshToken"]
    for _ in range(rotations):
        fresh = (await api("POST", REFRESH, token=fresh)).body["refreshToken"]
    clock.now += 30
    reply = await api("POST", REFRESH, token=old)
    assert (reply.status, reply.body.get("code")) == (again, None if again == 200 else "REFRESH_RECORD_NOT_FOUND")
    assert (await api("POST", REFRESH, token=fresh)).status == current


@pytest.mark.parametrize("options", [{"refresh_reuse": "log_only"}])
async def test_a_logout_ends_replaced_refresh_tokens_too(api: Api) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    await api("POST", REFRESH, token=session["refreshToken"])
    assert (await api("POST", "/v1/users/logout", token=session["token"])).status == 200
    assert (await api("POST", REFRESH, token=session["refreshToken"])).status == 401


async def test_a_refresh_token_may_come_in_the_body_beside_an_app_token(api: Api) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    path, token = "/v2/users/login/refresh", await app_token(api)
    assert (await api("POST", path, {"refreshToken": session["refreshToken"]}, token=token)).status == 200
    assert (await api("POST", path, {}, token=token)).status == 401
    assert (await api("POST", path, {"refreshToken": session["token"]}, token=token)).body["code"] == (
        "INVALID_TOKEN_TYPE"
    )


async def test_an_old_refresh_token_has_no_record(api: Api, clock: Clock) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    clock.now += 8 * 24 * 3600
    reply = await api("POST", "/v2/users/login/refresh", token=session["refreshToken"])
    assert reply.body["code"] == "REFRESH_RECORD_NOT_FOUND"


async def test_tokens_open_their_own_kind_of_route_only(api: Api) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    xmpp = (await api("POST", "/v1/users/xmpp-token", {}, token=session["token"])).body["xmppPassword"]
    for token in (session["refreshToken"], session["wsToken"], xmpp, await app_token(api)):
        reply = await api("GET", "/v1/users/my", token=token)
        assert (reply.status, reply.body["code"]) == (400, "INVALID_TOKEN_TYPE")
    reply = await api("POST", "/v2/users/login/refresh", token=session["token"])
    assert (reply.status, reply.body["code"]) == (400, "INVALID_TOKEN_TYPE")


@pytest.mark.parametrize(
    ("query", "alive"),
    [
        ("", [False, True]),
        ("?type=current", [False, True]),
        ("?type=except-current", [True, False]),
        ("?type=all", [False, False]),
    ],
)
async def test_a_logout_ends_the_sessions_it_names(query: str, alive: list[bool], api: Api) -> None:
    await api.make_users("u1", "u2")
    sessions = [await api.log_in("u1"), await api.log_in("u1")]
    stranger = await api.log_in("u2")
    assert (await api("POST", f"/v1/users/logout{query}", token=sessions[0]["token"])).status == 200
    for session, lives in zip(sessions, alive, strict=True):
        assert (await api("GET", "/v1/users/my", token=session["token"])).status == (200 if lives else 401)
        refresh = await api("POST", "/v1/users/login/refresh", token=session["refreshToken"])
        assert refresh.status == (200 if lives else 401)
    assert (await api("GET", "/v1/users/my", token=stranger["token"])).status == 200


async def test_a_logout_of_another_kind_is_refused(api: Api) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    assert (await api("POST", "/v1/users/logout?type=some", token=token)).status == 422


async def test_a_deleted_users_session_is_over(api: Api) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    await api("DELETE", "/v1/users/batch", {"usersIdList": ["u1"]})
    await api.make_users("u1")
    assert (await api("GET", "/v1/users/my", token=session["token"])).status == 401
    assert (await api("POST", "/v1/users/login/refresh", token=session["refreshToken"])).status == 401


async def test_me_answers_with_fresh_tokens_of_the_same_session(api: Api) -> None:
    await api.make_users("u1")
    session = await api.log_in("u1")
    me = (await api("GET", "/v2/users/me", token=session["token"])).body
    assert me["app"] == {"isUserDataEncrypted": False}
    assert me["isAllowedNewAppCreate"] is True  # every account of the base app may
    assert (await api("POST", "/v1/users/login/refresh", token=session["refreshToken"])).status == 200


async def test_an_xmpp_password_is_fresh_and_short_lived(api: Api, clock: Clock) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    first = (await api("POST", "/v1/users/xmpp-token", {}, token=token)).body
    clock.now += 1
    second = (await api("POST", "/v1/users/xmpp-token", {}, token=token)).body
    assert first["success"] is True
    assert first["xmppPassword"] != second["xmppPassword"]


async def test_the_configuration_names_the_app(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.add_app("shop", app_id="child1", parent=APP)
    base = (await api("GET", "/v1/apps/get-config?domainName=app", token=None)).body["result"]
    assert (base["_id"], base["isBaseApp"], base["parentAppId"], base["xmppHost"]) == (
        APP,
        True,
        None,
        "xmpp.localhost",
    )
    child = (await api("GET", "/v1/apps/get-config?domainName=shop", token=None)).body["result"]
    assert (child["_id"], child["isBaseApp"], child["parentAppId"]) == ("child1", False, APP)
    assert (await api("GET", "/v1/apps/get-config?domainName=no", token=None)).status == 404
    assert (await api("GET", "/v1/apps/get-config", token=None)).status == 422
