"""A session renews itself: once for all concurrent calls, safely under cancellation, and not endlessly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, RECORD, ok, reply
from session_parts import ME, Platform, Rotating, jwt, session, until

from ethora_async import ChatError, InvalidInputError, NotSentError, ReplyLostError, Session, UnauthorizedError, User
from ethora_async.config import RetryPolicy
from ethora_async.engine.events import TokenRefreshed
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

MY_CHATS = "GET /v1/chats/my"
REFRESH = "POST /v2/users/login/refresh"
LOGOUT = "POST /v1/users/logout"
GET_ME = "GET /v2/users/me"
CHATS = {"items": [{"_id": RECORD, "name": f"{APP}_c1", "title": "One"}]}


def rotating(clock: FakeClock, **options: Any) -> tuple[Platform, Rotating]:
    logins = Rotating()
    return Platform(clock, {MY_CHATS: logins.guarded(CHATS), REFRESH: logins.refresh}, **options), logins


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("JWT eyJ.a.b", "JWT eyJ.a.b"),
        ("eyJ.a.b", "Bearer eyJ.a.b"),
        ("Bearer eyJ.a.b", "Bearer eyJ.a.b"),
        ("Bearer JWT eyJ.a.b", "JWT eyJ.a.b"),
    ],
)
async def test_a_token_is_sent_as_the_platform_wrote_it(token: str, header: str, clock: FakeClock) -> None:
    platform = Platform(clock, {MY_CHATS: ok(CHATS)})
    page = await platform.client.as_user(session(token)).chats.list()
    assert [chat.id for chat in page.items] == ["c1"]
    assert platform.only.token == header
    assert "x-custom-token" not in platform.only.headers


async def test_a_rejected_token_is_renewed_and_the_call_goes_on(clock: FakeClock) -> None:
    events: list[object] = []
    platform, logins = rotating(clock, on_event=events.append)
    logins.number = 1
    user = platform.client.as_user(session("JWT old"))
    assert len((await user.chats.list()).items) == 1
    assert [sent.token for sent in platform.sent] == ["JWT old", "JWT refresh-1", "JWT access-2"]
    assert platform.sent[1].body is None
    assert user.session is not None
    assert (user.session.token, user.session.refresh_token) == (Secret("JWT access-2"), Secret("JWT refresh-2"))
    assert user.session.user.id == "u1"
    assert user.session.extra["wsToken"] == Secret("ws")
    assert [event.purpose for event in events if isinstance(event, TokenRefreshed)] == ["session"]


async def test_fifty_calls_that_were_rejected_late_share_one_renewal(clock: FakeClock) -> None:
    logins = Rotating()
    gates = [asyncio.Event() for _ in range(50)]
    waiting = iter(gates)

    async def late(sent: Any) -> Any:
        if sent.token == "JWT access-1":
            await next(waiting).wait()
            return reply(401, {"error": "jwt expired"})
        return logins.guarded(CHATS)(sent)

    platform = Platform(clock, {MY_CHATS: late, REFRESH: logins.refresh})
    user = platform.client.as_user(session())
    calls = [asyncio.ensure_future(user.chats.list()._page(0)) for _ in gates]
    await until(lambda: len(platform.sent) == 50)
    for gate, call in zip(gates, calls, strict=True):
        gate.set()
        await call
    assert logins.refreshes == 1


async def test_concurrent_rejections_share_one_renewal_and_cancelled_waiters_harm_nobody(clock: FakeClock) -> None:
    platform, logins = rotating(clock)
    gate = asyncio.Event()

    async def slow(sent: Any) -> Any:
        await gate.wait()
        return logins.refresh(sent)

    platform._answers[REFRESH] = slow
    logins.number = 1
    user = platform.client.as_user(session("JWT old"))
    calls = [asyncio.ensure_future(user.chats.list()._page(0)) for _ in range(10)]
    await until(lambda: REFRESH in platform.lines)
    for call in calls[:5]:
        call.cancel()
    await asyncio.wait(calls[:5])
    gate.set()
    pages = await asyncio.gather(*calls[5:])
    assert all(call.cancelled() for call in calls[:5])
    assert [len(page.items) for page in pages] == [1] * 5
    assert logins.refreshes == 1


async def test_a_route_that_rejects_every_token_costs_one_renewal_a_call(clock: FakeClock) -> None:
    logins = Rotating()
    platform = Platform(clock, {MY_CHATS: reply(401, {"error": "no"}), REFRESH: logins.refresh})
    user = platform.client.as_user(session())
    with pytest.raises(UnauthorizedError) as caught:
        await user.chats.list()
    assert (caught.value.operation, caught.value.message) == ("me.chats.list", "no")
    assert platform.lines == [MY_CHATS, REFRESH, MY_CHATS]


@pytest.mark.parametrize("code", ["INVALID_TOKEN_TYPE", "AUTH_FAILED", "USER_NOT_FOUND"])
async def test_refusals_that_are_not_about_the_token_renew_nothing(code: str, clock: FakeClock) -> None:
    platform = Platform(clock, {MY_CHATS: reply(401, {"error": "no", "code": code})})
    with pytest.raises(ChatError) as caught:
        await platform.client.as_user(session()).chats.list()
    assert (caught.value.code, platform.lines) == (code, [MY_CHATS])


async def test_a_refused_renewal_ends_the_session_and_is_not_asked_for_again(clock: FakeClock) -> None:
    platform, logins = rotating(clock)
    user = platform.client.as_user(session("JWT old", "JWT refresh-0"))
    for _ in range(3):
        with pytest.raises(UnauthorizedError, match="could not be renewed: !refreshRecord") as caught:
            await user.chats.list()
        error = caught.value
        assert (error.code, error.request_id, error.effect) == ("REFRESH_RECORD_NOT_FOUND", "r-9", "none")
        assert error.operation == "me.chats.list"
    assert logins.refreshes == 1


async def test_a_session_without_a_refresh_token_just_ends(clock: FakeClock) -> None:
    platform, logins = rotating(clock)
    with pytest.raises(UnauthorizedError, match="jwt expired"):
        await platform.client.as_user(session("JWT old", None)).chats.list()
    assert logins.refreshes == 0
    with pytest.raises(InvalidInputError, match="no refresh token"):
        await platform.client.sessions.refresh(session(refresh=None))


async def test_a_renewal_that_failed_for_a_passing_reason_is_tried_at_the_next_call(clock: FakeClock) -> None:
    platform, logins = rotating(clock, retry=RetryPolicy(attempts=1))
    logins.refused = reply(503, {"error": "down"})
    user = platform.client.as_user(session("JWT old"))
    with pytest.raises(ChatError, match="could not be renewed: down") as caught:
        await user.chats.list()
    assert (caught.value.status, caught.value.effect) == (503, "none")
    logins.refused = None
    assert len((await user.chats.list()).items) == 1


async def test_a_token_near_its_end_is_renewed_behind_the_calls_back(clock: FakeClock) -> None:
    now = clock.now()
    old, new = jwt("a", issued=now - 870, ends=now + 30.5), jwt("b", issued=now, ends=now + 900)
    platform = Platform(clock, {MY_CHATS: ok(CHATS), REFRESH: ok({"token": new, "refreshToken": "r2"})})
    user = platform.client.as_user(session(old))
    await user.chats.list()
    assert platform.lines == [MY_CHATS]
    clock.advance(1)
    await user.chats.list()
    await until(lambda: user.session is not None and user.session.token == Secret(new))
    assert sorted(platform.lines) == [MY_CHATS, MY_CHATS, REFRESH]
    clock.advance(869)
    await user.chats.list()
    assert platform.sent[-1].token == new
    assert platform.lines.count(REFRESH) == 1


async def test_a_token_past_its_end_is_renewed_first(clock: FakeClock) -> None:
    now = clock.now()
    new = jwt("b", issued=now, ends=now + 900)
    platform = Platform(clock, {MY_CHATS: ok(CHATS), REFRESH: ok({"token": new})})
    user = platform.client.as_user(session(jwt("a", ends=now - 1)))
    await asyncio.gather(*(user.chats.list()._page(0) for _ in range(10)))
    assert platform.lines == [REFRESH, *[MY_CHATS] * 10]
    assert platform.sent[-1].token == new
    assert user.session is not None
    assert user.session.refresh_token == Secret("JWT refresh-1")  # a reply without another one leaves it


async def test_an_early_renewal_that_fails_does_not_touch_the_calls(clock: FakeClock) -> None:
    now = clock.now()
    platform = Platform(clock, {MY_CHATS: ok(CHATS), REFRESH: reply(500)}, retry=RetryPolicy(attempts=1))
    user = platform.client.as_user(session(jwt("a", issued=now - 880, ends=now + 20)))
    for _ in range(5):
        assert len((await user.chats.list()).items) == 1
        await asyncio.sleep(0)
    assert platform.lines.count(REFRESH) == 1
    clock.advance(6)
    await user.chats.list()
    for _ in range(10):
        await asyncio.sleep(0)
    assert platform.lines.count(REFRESH) == 2


@pytest.mark.parametrize("issued", [True, False])
async def test_a_clock_that_runs_ahead_does_not_renew_at_every_call(issued: bool, clock: FakeClock) -> None:
    then = clock.now() - 3600
    tokens = [jwt(str(n), issued=then if issued else None, ends=then + 900) for n in range(3)]
    platform = Platform(clock, {MY_CHATS: ok(CHATS), REFRESH: [ok({"token": token}) for token in tokens[1:]]})
    user = platform.client.as_user(session(tokens[0]))
    for _ in range(10):
        await user.chats.list()
    assert platform.lines.count(REFRESH) == 1


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "JWT a.b",
        "a.b.c",
        "JWT a.e30.c",
        "JWT a.W10.c",
        jwt("x", ends=-5),
        "JWT a.eyJleHAiOiAiNSJ9.c",
        "é.é.é",
    ],
)
async def test_tokens_that_do_not_tell_their_end_are_used_until_rejected(token: str, clock: FakeClock) -> None:
    platform = Platform(clock, {MY_CHATS: ok(CHATS)})
    assert len((await platform.client.as_user(session(token)).chats.list()).items) == 1
    assert platform.lines == [MY_CHATS]


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_whoever_keeps_sessions_is_told_of_the_new_one_before_it_is_used(
    asynchronous: bool, clock: FakeClock
) -> None:
    kept: list[tuple[Session, int]] = []
    platform, _ = rotating(clock)

    async def keep_soon(new: Session) -> None:
        await asyncio.sleep(0)
        kept.append((new, len(platform.sent)))

    def keep(new: Session) -> None:
        kept.append((new, len(platform.sent)))

    user = platform.client.as_user(session("JWT old"), on_renewed=keep_soon if asynchronous else keep)
    await user.chats.list()
    assert kept == [(user.session, 2)]


async def test_a_keeper_that_fails_is_logged_without_the_session(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    platform, _ = rotating(clock)

    def keep(new: Session) -> None:
        raise RuntimeError(new.token.reveal())

    assert len((await platform.client.as_user(session("JWT old"), on_renewed=keep).chats.list()).items) == 1
    assert "on_renewed failed with RuntimeError" in caplog.text
    assert "access-2" not in caplog.text


async def test_one_session_refreshed_by_many_at_once_is_one_request(clock: FakeClock) -> None:
    platform, logins = rotating(clock)
    old = session()
    new = await asyncio.gather(*(platform.client.sessions.refresh(old) for _ in range(10)))
    assert logins.refreshes == 1
    assert all(one is new[0] for one in new)
    # A request that was on its way with the old one, in another part of the process.
    assert await platform.client.sessions.refresh(old) is new[0]
    assert len((await platform.client.as_user(session("JWT old")).chats.list()).items) == 1
    assert logins.refreshes == 1
    clock.advance(61)
    with pytest.raises(UnauthorizedError) as caught:
        await platform.client.sessions.refresh(old)
    assert (caught.value.code, caught.value.operation) == ("REFRESH_RECORD_NOT_FOUND", "sessions.refresh")
    assert (await platform.client.sessions.refresh(new[0])).token == Secret("JWT access-3")


async def test_a_refresh_that_fails_is_not_remembered(clock: FakeClock) -> None:
    platform, logins = rotating(clock, retry=RetryPolicy(attempts=1))
    logins.refused = reply(500)
    with pytest.raises(ChatError):
        await platform.client.sessions.refresh(session())
    logins.refused = ok({"refreshToken": "r"})
    with pytest.raises(ReplyLostError, match=r"reply\.token"):
        await platform.client.sessions.refresh(session())
    logins.refused = None
    assert (await platform.client.sessions.refresh(session())).token == Secret("JWT access-2")


async def test_closing_the_client_ends_renewals_under_way(clock: FakeClock) -> None:
    platform, _ = rotating(clock)
    never = asyncio.Event()

    async def silent(_: Any) -> Any:
        await never.wait()

    platform._answers[REFRESH] = silent
    call = asyncio.ensure_future(platform.client.as_user(session("JWT old")).chats.list()._page(0))
    direct = asyncio.ensure_future(platform.client.sessions.refresh(session(refresh="JWT other")))
    await until(lambda: platform.lines.count(REFRESH) == 2)
    await platform.client.aclose()
    for waiting in (call, direct):
        with pytest.raises(NotSentError):
            await waiting


async def test_me_answers_the_user_and_keeps_the_newest_tokens(clock: FakeClock) -> None:
    fresh = {"token": "JWT access-2", "refreshToken": "JWT refresh-2", "user": {**ME, "firstName": "Bea"}, "app": {}}
    platform = Platform(clock, {GET_ME: ok(fresh), MY_CHATS: ok(CHATS)})
    user = platform.client.as_user(session())
    assert (await user.me()).first_name == "Bea"
    assert user.session is not None
    assert (user.session.token, user.session.user.first_name) == (Secret("JWT access-2"), "Bea")
    await user.chats.list()
    assert platform.sent[-1].token == "JWT access-2"


async def test_the_tokens_of_a_late_me_do_not_undo_a_renewal(clock: FakeClock) -> None:
    platform, _ = rotating(clock)
    gate = asyncio.Event()

    async def late(_: Any) -> Any:
        await gate.wait()
        return ok({"token": "JWT stale", "refreshToken": "JWT used-up", "user": ME})

    platform._answers[GET_ME] = late
    user = platform.client.as_user(session("JWT old"))
    me = asyncio.ensure_future(user.me())
    await user.chats.list()
    gate.set()
    assert (await me).id == "u1"
    assert user.session is not None
    assert user.session.token == Secret("JWT access-2")


async def test_sessions_me_answers_the_whole_session_renewed_when_it_had_run_out(clock: FakeClock) -> None:
    logins = Rotating()
    answers = {GET_ME: logins.guarded({"success": True, "user": ME, "isAllowedNewAppCreate": True})}
    platform = Platform(clock, {**answers, REFRESH: logins.refresh})
    new = await platform.client.sessions.me(session("JWT old"))
    assert (new.token, new.refresh_token) == (Secret("JWT access-2"), Secret("JWT refresh-2"))
    assert (new.user.id, new.extra["isAllowedNewAppCreate"]) == ("u1", True)
    assert new.app_id == APP


@pytest.mark.parametrize(("scope", "word"), [("current", "current"), ("all", "all"), ("others", "except-current")])
async def test_a_log_out_says_which_sessions_end(scope: Any, word: str, clock: FakeClock) -> None:
    platform = Platform(clock, {LOGOUT: ok({"ok": True})})
    outcome = await platform.client.sessions.logout(session(), scope)
    assert (outcome.status, outcome.key) == ("deleted", "u1")
    assert (platform.only.query, platform.only.token) == ({"type": word}, "JWT access-1")


async def test_a_log_out_with_a_token_that_ran_out_renews_it_first(clock: FakeClock) -> None:
    logins = Rotating()
    platform = Platform(clock, {LOGOUT: logins.guarded({"ok": True}), REFRESH: logins.refresh})
    assert (await platform.client.sessions.logout(session("JWT old"))).status == "deleted"
    assert platform.lines == [LOGOUT, REFRESH, LOGOUT]


async def test_a_session_that_had_ended_is_absent_and_cannot_end_others(clock: FakeClock) -> None:
    logins = Rotating()
    platform = Platform(clock, {LOGOUT: logins.guarded({}), REFRESH: logins.refresh})
    gone = session("JWT old", "JWT refresh-0")
    assert (await platform.client.sessions.logout(gone)).status == "absent"
    with pytest.raises(UnauthorizedError):
        await platform.client.sessions.logout(gone, "others")
    with pytest.raises(InvalidInputError, match="scope"):
        await platform.client.sessions.logout(gone, "mine")  # type: ignore[arg-type]


async def test_after_its_log_out_a_client_renews_no_more(clock: FakeClock) -> None:
    platform, logins = rotating(clock)
    platform._answers[LOGOUT] = ok()
    user = platform.client.as_user(session())
    assert (await user.logout("others")).status == "deleted"
    await user.chats.list()
    assert (await user.logout()).status == "deleted"
    logins.number = 5
    with pytest.raises(UnauthorizedError, match="logged out"):
        await user.chats.list()
    assert logins.refreshes == 0


async def test_a_kept_session_is_made_again_from_its_parts(clock: FakeClock) -> None:
    platform, _ = rotating(clock)
    kept = Session(user=User(id="u1"), token="JWT old", refresh_token="JWT refresh-1")
    user = platform.client.as_user(kept)
    assert len((await user.chats.list()).items) == 1
    assert repr(user) == "UserClient('u1')"
    with pytest.raises(InvalidInputError, match="token is empty"):
        Session(user=User(id="u1"), token="")
    with pytest.raises(InvalidInputError, match="refresh_token"):
        Session(user=User(id="u1"), token="t", refresh_token="a\nb")


async def test_an_api_key_is_a_bearer_token_that_nobody_renews(clock: FakeClock) -> None:
    refused = reply(401, {"error": "!refreshRecord", "code": "REFRESH_RECORD_NOT_FOUND"})
    platform = Platform(clock, {MY_CHATS: [ok(CHATS), refused]})
    user = platform.client.as_user(api_key="key-1")
    assert len((await user.chats.list()).items) == 1
    assert (platform.only.token, user.session, repr(user)) == ("Bearer key-1", None, "UserClient(API key)")
    with pytest.raises(UnauthorizedError) as caught:
        await user.chats.list()
    assert caught.value.code == "REFRESH_RECORD_NOT_FOUND"
    assert len(platform.sent) == 2
    with pytest.raises(InvalidInputError, match=r"api_keys\.delete"):
        await user.logout()


async def test_a_user_client_takes_a_session_or_a_key(clock: FakeClock) -> None:
    client = Platform(clock, {}).client
    for arguments in ({}, {"session": session(), "api_key": "key-1"}):
        with pytest.raises(InvalidInputError, match="not both"):
            client.as_user(**arguments)
    with pytest.raises(InvalidInputError, match="api_key"):
        client.as_user(api_key=" ")
