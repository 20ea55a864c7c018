"""Log-in, the second factor, sign-up, and refusals."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, RECORD, ok, reply
from session_parts import ME, Platform

from ethora_async import (
    ConflictError,
    InvalidInputError,
    MfaRequiredError,
    NotFoundError,
    RateLimitedError,
    ReplyLostError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.config import RetryPolicy
from ethora_async.redaction import MASK, Secret

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

LOGIN = "POST /v2/users/login-with-email"
MFA = "POST /v2/users/login/mfa"
SIGN_UP = "POST /v2/users/sign-up-with-email"
ENTERED = {"success": True, "token": "JWT t", "refreshToken": "JWT r", "wsToken": "w", "user": ME, "more": 1}


async def test_a_log_in_names_the_app_and_needs_no_token(clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: ok(ENTERED)})
    session = await platform.client.sessions.login(" Ann@Example.com ", "pass word")
    assert platform.only.body == {"email": "ann@example.com", "password": "pass word", "appId": APP}
    assert not {"authorization", "x-custom-token"} & {name.lower() for name in platform.only.headers}
    assert (session.user.id, session.token.reveal(), session.app_id) == ("u1", "JWT t", APP)
    assert session.refresh_token == Secret("JWT r")
    assert session.xmpp_password == Secret("pw-of-u1")
    assert session.extra["more"] == 1
    assert str(session.extra["wsToken"]) == MASK


async def test_a_log_in_with_an_apps_token_carries_it_as_it_stands(clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: ok({**ENTERED, "user": {**ME, "appId": "a" * 24}})})
    session = await platform.client.sessions.login("a@b.c", Secret("pw"), app_token="JWT app-token")
    assert (platform.only.token, platform.only.body) == ("JWT app-token", {"email": "a@b.c", "password": "pw"})
    assert session.app_id == "a" * 24
    await platform.client.sessions.login("a@b.c", "pw", app_token="JWT app-token", app_id="f" * 24)
    assert platform.sent[1].body["appId"] == "f" * 24


async def test_a_user_of_another_app_keeps_their_own_names(clock: FakeClock) -> None:
    base = "b" * 24
    user = {"_id": RECORD, "xmppUsername": f"{base}_{base}_owner", "appId": base}
    platform = Platform(clock, {LOGIN: ok({"token": "t", "user": user})})
    session = await platform.client.sessions.login("a@b.c", "pw", app_id=base)
    assert (session.user.id, session.user.xmpp_username, session.app_id) == ("owner", f"{base}_owner", base)


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [("nobody", "pw", "email"), ("", "pw", "email"), ("a@b.c", "", "password"), ("a@b.c", 5, "password")],
)
async def test_what_cannot_be_right_is_refused_before_sending(
    email: str, password: Any, field: str, clock: FakeClock
) -> None:
    platform = Platform(clock, {})
    with pytest.raises(InvalidInputError) as caught:
        await platform.client.sessions.login(email, password)
    assert caught.value.field == field
    assert not platform.sent


@pytest.mark.parametrize(
    ("status", "data", "kind", "code"),
    [
        (401, {"error": "Wrong email or password", "code": "AUTH_FAILED"}, UnauthorizedError, "AUTH_FAILED"),
        (400, {"error": "Wrong email or password", "code": "AUTH_FAILED"}, UnauthorizedError, "AUTH_FAILED"),
        (401, {"error": "no"}, UnauthorizedError, None),
        (400, {"error": "Invalid token type", "code": "INVALID_TOKEN_TYPE"}, UnauthorizedError, "INVALID_TOKEN_TYPE"),
        (400, {"error": "appId is required"}, ValidationFailedError, None),
        (400, {"error": "no app", "code": "APP_NOT_FOUND"}, NotFoundError, "APP_NOT_FOUND"),
        (422, "user not found", NotFoundError, None),
    ],
)
async def test_a_refused_log_in_says_why(
    status: int, data: Any, kind: type[Exception], code: str | None, clock: FakeClock
) -> None:
    platform = Platform(clock, {LOGIN: reply(status, data, **{"x-request-id": "r-1"})})
    with pytest.raises(kind) as caught:
        await platform.client.sessions.login("a@b.c", "password-1")
    error: Any = caught.value
    assert (type(error), error.code, error.status, error.request_id) == (kind, code, status, "r-1")
    assert (error.operation, error.effect, error.attempts) == ("sessions.login", "none", 1)
    assert len(platform.sent) == 1


async def test_a_log_in_waits_as_long_as_it_is_told(clock: FakeClock) -> None:
    limited = reply(429, {"error": "slow down"}, **{"Retry-After": "7"})
    platform = Platform(clock, {LOGIN: [limited, limited, ok(ENTERED)]})
    assert (await platform.client.sessions.login("a@b.c", "pw")).user.id == "u1"
    assert clock.slept == [7, 7]


async def test_a_wait_beyond_the_deadline_is_told_at_once(clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: reply(429, None, **{"Retry-After": "31"})}, timeout=30)
    with pytest.raises(RateLimitedError) as caught:
        await platform.client.sessions.login("a@b.c", "pw")
    assert (caught.value.retry_after, clock.slept) == (31, [])


@pytest.mark.parametrize("data", [None, [], {}, {"token": ""}, {"token": "t"}, {"token": "a\nb", "user": ME}])
async def test_a_reply_without_a_session_is_a_lost_one(data: Any, clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: ok(data)})
    with pytest.raises(ReplyLostError, match="unexpected shape"):
        await platform.client.sessions.login("a@b.c", "pw")


async def test_a_second_factor_is_asked_for_and_completes_the_log_in(clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: ok({"mfaRequired": True, "mfaToken": "mfa-1"}), MFA: ok(ENTERED)})
    with pytest.raises(MfaRequiredError) as caught:
        await platform.client.sessions.login("a@b.c", "pw", app_id="f" * 24, app_token="JWT app")
    step = caught.value
    assert step.mfa_token == Secret("mfa-1")
    session = await step.complete(" 123456 ")
    assert session.user.id == "u1"
    assert platform.sent[1].body == {"mfaToken": "mfa-1", "code": "123456", "appId": "f" * 24}
    assert platform.sent[1].token == "JWT app"
    with pytest.raises(InvalidInputError, match="code is empty"):
        await step.complete(" ")


async def test_the_code_may_come_with_another_request(clock: FakeClock) -> None:
    platform = Platform(clock, {MFA: ok(ENTERED)})
    assert (await platform.client.sessions.complete_mfa(Secret("mfa-1"), "123456")).user.id == "u1"
    assert platform.only.body == {"mfaToken": "mfa-1", "code": "123456", "appId": APP}


async def test_a_copy_of_the_step_holds_no_token(clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: ok({"mfaRequired": True, "mfaToken": "mfa-canary-token"})})
    with pytest.raises(MfaRequiredError) as caught:
        await platform.client.sessions.login("a@b.c", "pw")
    assert b"mfa-canary-token" not in pickle.dumps(caught.value)
    for twin in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert (type(twin), str(twin), twin.mfa_token) == (MfaRequiredError, str(caught.value), None)
        with pytest.raises(InvalidInputError, match="complete_mfa"):
            await twin.complete("123456")


async def test_a_code_is_sent_once(clock: FakeClock) -> None:
    platform = Platform(clock, {MFA: ReplyLostError("gone")})
    with pytest.raises(ReplyLostError) as caught:
        await platform.client.sessions.complete_mfa("mfa-1", "123456")
    assert (caught.value.effect, len(platform.sent)) == ("unknown", 1)


async def test_a_step_without_its_token_is_a_lost_reply(clock: FakeClock) -> None:
    platform = Platform(clock, {LOGIN: ok({"mfaRequired": True})})
    with pytest.raises(ReplyLostError, match="mfaToken"):
        await platform.client.sessions.login("a@b.c", "pw")


async def test_a_sign_up_sends_what_was_given_and_nothing_else(clock: FakeClock) -> None:
    platform = Platform(clock, {SIGN_UP: ok({"ok": True})})
    outcome = await platform.client.sessions.sign_up(" New@Example.com", " Ann ", password="pw-1", last_name="")
    assert (outcome.status, outcome.key) == ("created", "new@example.com")
    body = {"email": "new@example.com", "firstName": "Ann", "lastName": "", "password": "pw-1", "appId": APP}
    assert platform.only.body == body
    assert platform.only.token is None
    await platform.client.sessions.sign_up("a@b.c", "A", password="p", captcha_token="c", utm="u", app_token="JWT a")
    assert platform.sent[1].token == "JWT a"
    assert platform.sent[1].body == {"email": "a@b.c", "firstName": "A", "password": "p", "cfToken": "c", "utm": "u"}


async def test_without_a_password_the_platform_mails_one(clock: FakeClock) -> None:
    platform = Platform(clock, {"POST /v1/users/sign-up-with-email": ok({"ok": True})})
    await platform.client.sessions.sign_up("a@b.c", "Ann", last_name="Lee")
    assert platform.only.body == {"email": "a@b.c", "firstName": "Ann", "lastName": "Lee", "appId": APP}


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (422, {"error": "User already exists", "code": "USER_ALREADY_EXISTS"}, ConflictError),
        (409, {"error": "exists"}, ConflictError),
        (422, {"error": "captcha failed", "code": "VALIDATION_ERROR"}, ValidationFailedError),
    ],
)
async def test_a_refused_sign_up_says_why(status: int, data: Any, kind: type[Exception], clock: FakeClock) -> None:
    platform = Platform(clock, {SIGN_UP: reply(status, data)})
    with pytest.raises(kind):
        await platform.client.sessions.sign_up("a@b.c", "Ann", password="pw-1")


async def test_a_sign_up_whose_reply_is_lost_is_not_sent_again(clock: FakeClock) -> None:
    platform = Platform(clock, {SIGN_UP: reply(503)}, retry=RetryPolicy(attempts=3))
    with pytest.raises(Exception, match="503") as caught:
        await platform.client.sessions.sign_up("a@b.c", "Ann", password="pw-1")
    assert (getattr(caught.value, "effect", None), len(platform.sent)) == ("unknown", 1)


@pytest.mark.parametrize("token", ["", " ", "Bearer ", "a\nb", 5])
async def test_a_token_that_cannot_be_one_is_refused_before_sending(token: Any, clock: FakeClock) -> None:
    platform = Platform(clock, {})
    for call in (
        lambda: platform.client.sessions.login("a@b.c", "pw", app_token=token),
        lambda: platform.client.sessions.exchange(token),
    ):
        with pytest.raises(InvalidInputError, match="token"):
            await call()
    assert not platform.sent
