"""Logging in and out, in the words of every generation (docs/platforms/rocketchat.md#error-replies, #log-in)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from rocket_helpers import ADMIN_PASSWORD, Rest, Who

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import RocketChatSandbox

LOGGED_OUT = "You must be logged in to do this."


def generation(version: str) -> Any:
    return pytest.mark.parametrize("options", [{"version": version}], ids=[version])


@pytest.mark.parametrize("key", ["user", "username", "email"])
async def test_a_login_takes_a_name_or_an_address(rest: Rest, key: str) -> None:
    await rest.make_user("ada")
    name = "ada@example.com" if key == "email" else "ada"
    reply = await rest.post("login", {key: name, "password": "pw"}, who=None)
    assert reply.status == 200
    assert (reply.body["status"], reply.body["success"]) == ("success", True)
    data = reply.body["data"]
    assert (data["userId"], data["me"]["_id"], data["me"]["username"]) == (data["me"]["_id"], data["userId"], "ada")
    assert data["me"]["avatarUrl"].endswith("/avatar/ada")
    assert (await rest.get("me", who=Who(data["userId"], data["authToken"]))).body["username"] == "ada"


async def test_a_user_with_an_at_sign_is_an_address(rest: Rest) -> None:
    await rest.make_user("ada")
    assert (await rest.post("login", {"user": "ADA@example.com", "password": "pw"}, who=None)).status == 200
    assert (await rest.post("login", {"user": "ada@nowhere", "password": "pw"}, who=None)).status == 401


async def test_a_hashed_password_is_taken_in_the_native_form(rest: Rest) -> None:
    digest = hashlib.sha256(ADMIN_PASSWORD.encode()).hexdigest()
    hashed = {"digest": digest, "algorithm": "sha-256"}
    for user in ({"username": "admin"}, {"email": "admin@sandbox.localhost"}, "admin"):
        assert (await rest.post("login", {"user": user, "password": hashed}, who=None)).status == 200
    wrong = {"digest": digest.upper(), "algorithm": "sha-256"}
    assert (await rest.post("login", {"user": {"username": "admin"}, "password": wrong}, who=None)).status == 401


async def test_a_form_encoded_login_works_too(rest: Rest) -> None:
    body = f"user=admin&password={ADMIN_PASSWORD}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await rest("POST", "login", data=body, who=None, headers=headers)).status == 200


async def test_a_resume_returns_the_same_token_and_prolongs_nothing(rest: Rest, clock: Clock) -> None:
    ada = await rest.make_member("ada")
    clock.now += 1000
    before = [token.when for token in rest.sandbox.store.users.with_id(ada.id).tokens]  # type: ignore[union-attr]
    reply = await rest.post("login", {"resume": ada.token}, who=None)
    assert reply.body["data"]["authToken"] == ada.token
    assert [token.when for token in rest.sandbox.store.users.with_id(ada.id).tokens] == before  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"version": "6.5.0"}, {"status": "error", "error": 403, "message": "Unauthorized"}),
        ({"version": "7.0"}, {"status": "error", "success": False, "error": "Unauthorized", "message": "Unauthorized"}),
        ({"version": "8.0"}, {"status": "error", "success": False, "error": "Unauthorized", "message": "Unauthorized"}),
        ({"version": "9.0"}, {"success": False, "error": "unauthorized"}),
    ],
    ids=lambda value: value.get("version"),
)
@pytest.mark.parametrize("name", ["admin", "nobody"])
async def test_a_wrong_login_reads_as_its_generation_words_it(rest: Rest, body: Any, name: str) -> None:
    reply = await rest.post("login", {"user": name, "password": "wrong"}, who=None)
    assert (reply.status, reply.body) == (401, body)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"version": "6.5.0"}, {"status": "error", "message": LOGGED_OUT}),
        ({"version": "7.0"}, {"status": "error", "message": LOGGED_OUT, "success": False, "error": LOGGED_OUT}),
        ({"version": "9.0"}, {"success": False, "error": LOGGED_OUT}),
    ],
    ids=lambda value: value.get("version"),
)
async def test_a_dead_token_reads_as_its_generation_words_it(rest: Rest, body: Any) -> None:
    for who in (None, Who(rest.admin.id, "made-up"), Who("somebody-else", rest.admin.token)):
        reply = await rest.get("me", who=who)
        assert (reply.status, reply.body) == (401, body)


async def test_the_login_of_a_dead_token_says_so(rest: Rest) -> None:
    reply = await rest.post("login", {"resume": "made-up"}, who=None)
    assert (reply.status, reply.body["error"]) == (401, 403)
    assert reply.body["message"] == "You've been logged out by the server. Please log in again."


async def test_ten_failures_block_a_user_for_five_minutes(rest: Rest, clock: Clock) -> None:
    await rest.make_user("ada")
    wrong = {"user": "ada", "password": "wrong"}
    for _ in range(10):
        assert (await rest.post("login", wrong, who=None)).body["message"] == "Unauthorized"
    reply = await rest.post("login", {"user": "ada", "password": "pw"}, who=None)
    assert (reply.status, reply.body["error"]) == (401, "error-login-blocked-for-user")
    await rest.log_in("admin", ADMIN_PASSWORD)
    clock.now += 300
    await rest.log_in("ada")


async def test_fifty_failures_block_an_address(rest: Rest) -> None:
    for number in range(50):
        await rest.post("login", {"user": f"guess-{number}", "password": "x"}, who=None)
    reply = await rest.post("login", {"user": "admin", "password": ADMIN_PASSWORD}, who=None)
    assert reply.body["error"] == "error-login-blocked-for-ip"


async def test_a_deactivated_user_cannot_log_in(rest: Rest) -> None:
    user = await rest.make_user("ada", active=False)
    assert user["active"] is False
    reply = await rest.post("login", {"user": "ada", "password": "pw"}, who=None)
    assert reply.body["error"] == "error-user-is-not-activated"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_logout_ends_one_session_only(rest: Rest, method: str) -> None:
    await rest.make_user("ada")
    one, other = await rest.log_in("ada"), await rest.log_in("ada")
    reply = await rest(method, "logout", who=one)
    assert reply.body == {"status": "success", "data": {"message": "You've been logged out!"}}
    assert (await rest.get("me", who=one)).status == 401
    assert (await rest.get("me", who=other)).status == 200


async def test_a_malformed_body_counts_as_empty(rest: Rest) -> None:
    reply = await rest("POST", "users.create", data=b'{"name": ', headers={"Content-Type": "application/json"})
    assert (reply.status, reply.body["errorType"]) == (400, "invalid-params")
    assert "must have required property 'email'" in reply.body["error"]
    reply = await rest("POST", "users.create", data=b"[1]", headers={"Content-Type": "application/json"})
    assert reply.body["errorType"] == "invalid-params"


async def test_replies_are_not_to_be_stored(rest: Rest) -> None:
    for reply in (await rest.get("me"), await rest.get("me", who=None)):
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Content-Type"] == "application/json"


async def test_secrets_stay_out_of_logs_and_reprs(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "ethora_async.sandbox")
    ada = await rest.make_member("ada")
    await rest.log_in("ada")
    await rest("GET", "me", who=None, resumeToken=ada.token)
    shown = caplog.text + repr(rest.sandbox) + repr(list(rest.sandbox.store.users))
    for secret in (ada.token, rest.admin.token, ADMIN_PASSWORD, rest.sandbox.secret):
        assert secret not in shown


@generation("7.0")
async def test_a_sandbox_tells_a_client_where_it_is(sandbox: RocketChatSandbox) -> None:
    assert sandbox.environment == {
        "ROCKETCHAT_URL": sandbox.url,
        "ROCKETCHAT_USER": "admin",
        "ROCKETCHAT_PASSWORD": ADMIN_PASSWORD,
    }
