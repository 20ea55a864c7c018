"""A user's own account: second factor, sign-up, password, profile, API keys (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sandbox_helpers import APP, Api, row

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import User

LOGIN = "/v2/users/login-with-email"
CODE = "/v2/users/login/mfa"
KEYS = "/v2/users/me/api-keys"
ADA = {"email": "u1@example.com", "password": "s3cret-words", "appId": APP}


@pytest.fixture
async def user(api: Api, sandbox: EthoraSandbox) -> User:
    await api("POST", "/v1/users/batch", {"usersList": [row("u1", password=ADA["password"])]})
    found = sandbox.store.app(APP).users.find("u1")
    assert found is not None
    return found


async def test_a_second_factor_is_asked_for_once_it_is_switched_on(user: User, api: Api) -> None:
    user.require_code("123456")
    asked = (await api("POST", LOGIN, ADA, token=None)).body
    assert (asked["mfaRequired"], "token" in asked) == (True, False)
    answer = {"mfaToken": asked["mfaToken"], "code": "123456", "appId": APP}
    wrong = await api("POST", CODE, {**answer, "code": "654321"}, token=None)
    assert (wrong.status, wrong.body["code"]) == (401, "AUTH_FAILED")
    opened = await api("POST", CODE, answer, token=None)
    assert opened.body["user"]["uuid"] == "u1"
    assert (await api("GET", "/v1/users/my", token=opened.body["token"])).status == 200
    assert (await api("POST", CODE, answer, token=None)).status == 401  # used up
    user.require_code(None)
    assert "token" in (await api("POST", LOGIN, ADA, token=None)).body


async def test_a_challenge_ends_and_belongs_to_its_app(
    user: User, api: Api, clock: Clock, sandbox: EthoraSandbox
) -> None:
    sandbox.add_app("child", app_id="child1", parent=APP)
    user.require_code("123456")
    token = (await api("POST", LOGIN, ADA, token=None)).body["mfaToken"]
    answer = {"mfaToken": token, "code": "123456"}
    assert (await api("POST", CODE, {**answer, "appId": "child1"}, token=None)).status == 401
    assert (await api("POST", CODE, {**answer, "mfaToken": "x", "appId": APP}, token=None)).status == 401
    session = (await api.log_in("u1"))["token"]
    assert (await api("POST", CODE, {**answer, "mfaToken": session, "appId": APP}, token=None)).status == 401
    clock.now += 301
    assert (await api("POST", CODE, {**answer, "appId": APP}, token=None)).status == 401


SIGN_UP = {"email": "New@Example.com", "firstName": "Li", "appId": APP}


async def test_a_sign_up_with_a_password_can_log_in_at_once(api: Api) -> None:
    body = {**SIGN_UP, "password": "my-words", "cfToken": "", "utm": ""}
    reply = await api("POST", "/v2/users/sign-up-with-email/", body, token=None)
    assert (reply.status, reply.body) == (200, {"ok": True, "success": True})
    login = {"email": "new@example.com", "password": "my-words", "appId": APP}
    assert (await api("POST", LOGIN, login, token=None)).body["user"]["email"] == "new@example.com"
    again = await api("POST", "/v2/users/sign-up-with-email", body, token=None)
    assert (again.status, again.body["code"]) == (422, "USER_ALREADY_EXISTS")


async def test_the_older_sign_up_mails_the_password(api: Api, sandbox: EthoraSandbox) -> None:
    token = (await api("GET", "/v1/apps/get-config?domainName=app", token=None)).body["result"]["appToken"]
    body = {key: value for key, value in SIGN_UP.items() if key != "appId"}
    assert (await api("POST", "/v1/users/sign-up-with-email", body, token=token)).status == 200
    (mail,) = sandbox.outbox
    assert (mail.to, mail.kind) == ("new@example.com", "password")
    assert mail.value not in repr(mail)
    login = {"email": mail.to, "password": mail.value}
    assert (await api("POST", LOGIN, login, token=token)).status == 200
    check = "/v1/users/checkEmail/"
    assert (await api("GET", check + "new@example.com", token=token)).body["exists"] is True
    assert (await api("GET", check + "free@example.com", token=token)).body["exists"] is False


@pytest.mark.parametrize("body", [{"firstName": "Li"}, {**SIGN_UP, "password": "abc"}, {**SIGN_UP, "role": "admin"}])
async def test_a_sign_up_is_validated(body: dict[str, Any], api: Api) -> None:
    reply = await api("POST", "/v2/users/sign-up-with-email", {"appId": APP, **body}, token=None)
    assert (reply.status, reply.body["code"]) == (422, "VALIDATION_ERROR")


async def test_a_forgotten_password_is_reset_by_mail_and_ends_all_sessions(
    user: User, api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    session = (await api.log_in("u1"))["token"]
    for email in (user.email, "nobody@example.com"):
        assert (await api("POST", "/v1/users/forgot", {"email": email, "appId": APP}, token=None)).status == 200
    (mail,) = sandbox.outbox
    change = {"token": mail.value, "password": "other-words"}
    assert (await api("POST", "/v1/users/reset", {**change, "token": "nonsense"}, token=None)).status == 401
    stolen = session.removeprefix("JWT ")
    assert (await api("POST", "/v1/users/reset", {**change, "token": stolen}, token=None)).status == 401
    assert (await api("POST", "/v1/users/reset", change, token=None)).status == 200
    assert (await api("GET", "/v1/users/my", token=session)).status == 401
    assert (await api("POST", LOGIN, {**ADA, "password": "other-words"}, token=None)).status == 200
    clock.now += 3601
    assert (await api("POST", "/v1/users/reset", change, token=None)).status == 401


async def test_an_api_key_opens_what_its_user_opens_until_it_is_revoked(user: User, api: Api) -> None:
    session = (await api.log_in("u1"))["token"]
    made = (await api("POST", KEYS, {"name": "ci"}, token=session)).body
    bearer = {"Authorization": f"Bearer {made['apiKey']}"}
    assert (await api("GET", "/v1/users/my", token=None, headers=bearer)).body["user"]["uuid"] == "u1"
    (listed,) = (await api("GET", KEYS, token=made["apiKey"])).body["items"]
    assert (listed["_id"], listed["name"], "apiKey" in listed, "token" in listed) == (made["_id"], "ci", False, False)
    fresh = (await api("GET", "/v2/users/me", token=made["apiKey"])).body["token"]
    assert (await api("GET", "/v1/users/my", token=fresh)).status == 200
    await api("POST", "/v1/users/logout?type=all", token=session)
    assert (await api("GET", "/v1/users/my", token=made["apiKey"])).status == 200
    assert (await api("DELETE", f"{KEYS}/{made['_id']}", token=made["apiKey"])).status == 200
    for token in (made["apiKey"], fresh):
        assert (await api("GET", "/v1/users/my", token=token)).status == 401
    refused = await api("GET", "/v1/users/my", token=made["apiKey"])
    assert refused.body["code"] == "REFRESH_RECORD_NOT_FOUND"


async def test_an_api_key_ends_with_its_days_or_its_user(user: User, api: Api, clock: Clock) -> None:
    session = (await api.log_in("u1"))["token"]
    short, long = [(await api("POST", KEYS, {"ttlDays": days}, token=session)).body["apiKey"] for days in (1, 365)]
    clock.now += 24 * 3600
    assert (await api("GET", "/v1/users/my", token=short)).body["code"] == "REFRESH_RECORD_NOT_FOUND"
    assert (await api("GET", "/v1/users/my", token=long)).status == 200
    await api("DELETE", "/v1/users/batch", {"usersIdList": ["u1"]})
    assert (await api("GET", "/v1/users/my", token=long)).status == 401


@pytest.mark.parametrize("days", [0, 366, -1, 1.5])
async def test_an_api_key_lives_1_to_365_days(days: float, user: User, api: Api) -> None:
    session = (await api.log_in("u1"))["token"]
    assert (await api("POST", KEYS, {"ttlDays": days}, token=session)).status == 422


async def test_nobody_revokes_the_keys_of_others(user: User, api: Api) -> None:
    await api.make_users("u2")
    one, two = [(await api.log_in(name))["token"] for name in ("u1", "u2")]
    key = (await api("POST", KEYS, {}, token=one)).body["_id"]
    reply = await api("DELETE", f"{KEYS}/{key}", token=two)
    assert (reply.status, reply.body["code"]) == (404, "API_KEY_NOT_FOUND")


async def test_a_profile_is_changed_by_json(user: User, api: Api) -> None:
    token = (await api.log_in("u1"))["token"]
    changes = {"firstName": "Augusta", "description": "Counts.", "phone": "+44 1815", "isProfileOpen": False}
    changed = (await api("PUT", "/v1/users", changes, token=token)).body["user"]
    assert {key: changed[key] for key in changes} == changes
    cleared = (await api("PUT", "/v1/users", {"description": ""}, token=token)).body["user"]
    assert (cleared["description"], cleared["phone"]) == ("", "+44 1815")


@pytest.mark.parametrize(
    "change",
    [{"description": "abc"}, {"phone": "12"}, {"address": "x" * 31}, {"firstName": ""}, {"email": "a@b.co"}],
)
async def test_a_profile_has_limits(change: dict[str, Any], user: User, api: Api) -> None:
    token = (await api.log_in("u1"))["token"]
    assert (await api("PUT", "/v1/users", change, token=token)).status == 422


async def test_a_picture_comes_in_a_multipart_body(user: User, api: Api, sandbox: EthoraSandbox) -> None:
    token = (await api.log_in("u1"))["token"]
    form = aiohttp.FormData()
    form.add_field("firstName", "Augusta")
    form.add_field("isAssetsOpen", "false")
    form.add_field("file", b"\x89PNG", filename="me.png", content_type="image/png")
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": token}
        async with session.put(f"{sandbox.url}/v1/users", data=form, headers=headers) as reply:
            changed = (await reply.json())["user"]
        assert (changed["firstName"], changed["isAssetsOpen"]) == ("Augusta", False)
        async with session.get(changed["profileImage"]) as picture:
            assert (await picture.read(), picture.content_type) == (b"\x89PNG", "image/png")
