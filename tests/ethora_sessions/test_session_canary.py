"""No password, code, token or key appears in logs, reprs, errors or tracebacks, even if the platform echoes it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import ok, reply
from session_parts import ME, Platform, Rotating, session

from ethora_async import ChatError, MfaRequiredError, ReplyLostError
from ethora_async.config import RetryPolicy
from ethora_async.redaction import Secret
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

PASSWORD = "canary-Pa55-w0rd é"
CODE = "canary-code-4711"
MFA_TOKEN = "canary-mfa-token-1"
APP_TOKEN = "JWT canary.app.token-1"
ACCESS = "JWT canary.access.token-1"
REFRESH = "JWT canary.refresh.token-1"
KEY = "canary-api-key-1"
CAPTCHA = "canary-captcha-1"
NEW_ACCESS, NEW_REFRESH, XMPP = "canary-new-access", "canary-new-refresh", "canary-xmpp-1"
ALL = (PASSWORD, CODE, MFA_TOKEN, "canary.app.token-1", "canary.access.token-1", "canary.refresh.token-1", KEY, CAPTCHA)
MADE = (NEW_ACCESS, NEW_REFRESH, XMPP)

CALLS: dict[str, Any] = {
    "login": lambda client: client.sessions.login("a@b.c", PASSWORD, app_token=APP_TOKEN),
    "mfa": lambda client: client.sessions.complete_mfa(MFA_TOKEN, CODE, app_token=APP_TOKEN),
    "sign_up": lambda client: client.sessions.sign_up("a@b.c", "Ann", password=PASSWORD, captcha_token=CAPTCHA),
    "exchange": lambda client: client.sessions.exchange("canary.access.token-1"),
    "refresh": lambda client: client.sessions.refresh(session(ACCESS, REFRESH)),
    "me": lambda client: client.as_user(session(ACCESS, REFRESH)).me(),
    "sessions_me": lambda client: client.sessions.me(session(ACCESS, REFRESH)),
    "logout": lambda client: client.sessions.logout(session(ACCESS, REFRESH), "all"),
    "xmpp": lambda client: client.as_user(session(ACCESS, REFRESH)).xmpp_credentials(),
    "key": lambda client: client.as_user(api_key=KEY).api_keys.create("ci"),
    "profile": lambda client: client.as_user(api_key=KEY).update_profile(first_name="Ann"),
    "chats": lambda client: client.as_user(session(ACCESS, REFRESH)).chats.get("c1"),
}
ECHO = " ".join(ALL)
ANSWERS: dict[str, Any] = {
    "401": reply(401, {"error": f"bad {ECHO}", "code": CODE, "requestId": CODE}),
    "422 with every secret": reply(422, {"error": ECHO, "message": ECHO, "code": KEY}),
    "400 as text": reply(400, f"<pre>{ECHO}</pre>".encode()),
    "500": reply(500, {"error": ECHO}),
    "not JSON": reply(200, ECHO.encode()),
    "another shape": ok({"token": 5, "user": ECHO, "password": ECHO}),
    "lost": ReplyLostError("the connection broke"),
}


class Anything(dict[str, Any]):
    """Answers every request alike."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def __missing__(self, line: str) -> Any:
        return self.answer


def platform_that_answers(clock: FakeClock, answer: Any, events: list[object]) -> Platform:
    platform = Platform(clock, {}, on_event=events.append, retry=RetryPolicy(attempts=2))
    platform._answers = Anything(answer)
    return platform


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", CALLS)
async def test_no_failure_tells_a_secret(call: str, answer: str, clock: FakeClock) -> None:
    events: list[object] = []
    platform = platform_that_answers(clock, ANSWERS[answer], events)
    error: BaseException | None = None
    with Canary(*sent_by(call)) as canary:
        try:
            await CALLS[call](platform.client)
        except ChatError as caught:
            error = caught
    assert platform.sent
    # Signing up takes any 2xx for a yes.
    assert error is not None or (answer, call) in {("another shape", "sign_up"), ("another shape", "logout")}
    canary.check(error, platform.client, platform.client.sessions, *events)


def sent_by(call: str) -> tuple[str, ...]:
    """Return the secrets that a call sends: the client can recognise only those in a reply."""
    return {
        "login": (PASSWORD, "canary.app.token-1"),
        "mfa": (MFA_TOKEN, CODE, "canary.app.token-1"),
        "sign_up": (PASSWORD, CAPTCHA),
        "refresh": ("canary.refresh.token-1",),
        "key": (KEY,),
        "profile": (KEY,),
    }.get(call, ("canary.access.token-1",))


async def test_what_succeeds_shows_nothing_either(clock: FakeClock) -> None:
    entered = {
        "token": NEW_ACCESS,
        "refreshToken": NEW_REFRESH,
        "wsToken": "canary-ws-token",
        "fileToken": "canary-file-token",
        "user": {**ME, "xmppPassword": XMPP},
    }
    events: list[object] = []
    platform = platform_that_answers(clock, ok(entered), events)
    with Canary(*ALL, *MADE, "canary-ws-token", "canary-file-token") as canary:
        opened = await platform.client.sessions.login("a@b.c", PASSWORD)
        user = platform.client.as_user(opened)
        await user.me()
        platform._answers = Anything(ok({"id": "k1", "token": KEY, "apiKey": KEY}))
        key = await user.api_keys.create()
        platform._answers = Anything(ok({"xmppPassword": XMPP}))
        xmpp = await user.xmpp_credentials()
        by_key = platform.client.as_user(api_key=KEY)
    assert user.session is not None
    canary.check(opened, user, user.session, user.session.extra, key, xmpp)
    canary.check(by_key, user._signer, user.chats, user.api_keys, user.files, *events)
    assert (key.value, opened.token) == (Secret(KEY), Secret(NEW_ACCESS))


async def test_the_second_step_holds_its_token_and_shows_it_to_nobody(clock: FakeClock) -> None:
    platform = platform_that_answers(clock, ok({"mfaRequired": True, "mfaToken": MFA_TOKEN}), [])
    with Canary(MFA_TOKEN, PASSWORD) as canary:
        with pytest.raises(MfaRequiredError) as caught:
            await platform.client.sessions.login("a@b.c", PASSWORD)
        step = caught.value
    canary.check(step, copy.copy(step))
    assert step.mfa_token == Secret(MFA_TOKEN)


async def test_a_refused_renewal_tells_neither_token(clock: FakeClock) -> None:
    logins = Rotating()
    logins.refused = reply(401, {"error": f"unknown {REFRESH} of {ACCESS}", "code": "REFRESH_RECORD_NOT_FOUND"})
    answers = {"GET /v2/users/me": logins.guarded({}), "POST /v2/users/login/refresh": logins.refresh}
    events: list[object] = []
    platform = Platform(clock, answers, on_event=events.append)
    user = platform.client.as_user(session(ACCESS, REFRESH))
    with Canary("canary.refresh.token-1") as canary, pytest.raises(ChatError) as caught:
        await user.me()
    canary.check(caught.value, user, user.session, user._signer, *events)
