"""The token endpoint: the order of its calls, and the data that it never reveals."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_parts import JSON, NOW, Native, ethora, imbachat, made, post
from web_sites import USER_HEADER, identify

from ethora_async import (
    ApiError,
    AvayaClient,
    ChatError,
    ChatToken,
    ConfigError,
    ForbiddenError,
    ImbaChatClient,
    InvalidInputError,
    InvalidTokenError,
    JobTimeoutError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    RocketChatClient,
    ServerFaultError,
    UnauthorizedError,
    WrongLoopError,
)
from ethora_async.redaction import Secret
from ethora_async.sandbox import RocketChatSandbox
from ethora_async.testing.implementers import Canary, cancel_at_every_step
from ethora_async.testing.users import FakeClock
from ethora_async.web import ClientDisconnectError, Request, TokenEndpoint
from ethora_async.web.failures import answer_to
from ethora_async.web.rooms import channel_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Recorder:
    """A client and callbacks that record their calls in order."""

    def __init__(self, *, error: ChatError | None = None) -> None:
        self.asked: list[str] = []
        self.error = error
        self.tokens = self

    async def for_user(self, id: Any, /) -> ChatToken:
        self.asked.append(f"mint {id}")
        if self.error is not None:
            raise self.error
        return ChatToken(
            secret=Secret("a-token-of-tests"), user_id=str(id), expires_at=NOW + 9, refresh_at=NOW + 6, platform="toy"
        )

    async def identify(self, native: Any) -> str | None:
        self.asked.append("identify")
        return await identify(native)

    async def may_enter(self, user: Any, room: str) -> bool:
        self.asked.append(f"may_enter {user} {room}")
        return room == "open"

    async def rate_limit(self, user: Any, native: Any) -> float | None:
        self.asked.append(f"rate_limit {user}")
        return 0.2 if user == "eager" else None

    async def where(self, client: Any, room: str) -> dict[str, str]:
        self.asked.append(f"where {room}")
        return {"jid": f"{room}@example.com"}

    def endpoint(self, **changes: Any) -> TokenEndpoint[Any]:
        options: dict[str, Any] = {
            "may_enter": self.may_enter,
            "rate_limit": self.rate_limit,
            "rooms": self.where,
            "clock": FakeClock(NOW),
            **changes,
        }
        return TokenEndpoint(self, self.identify, **options)


async def ask(
    endpoint: TokenEndpoint[Any],
    *headers: tuple[str, str],
    body: bytes = b"",
    user: str | None = "ann",
    method: str = "POST",
) -> Any:
    given = [("Host", "www.example.com"), *(headers or (JSON,))]
    given += [(USER_HEADER, user)] if user is not None else []
    return await endpoint.handle(Request.of(method, "/token", headers=given, body=body, native=Native(given)))


@pytest.mark.parametrize(
    ("status", "asked", "change"),
    [
        (405, [], {"method": "GET"}),
        (403, [], {"headers": (JSON, ("Origin", "https://evil.example"))}),
        (415, [], {"headers": (("Content-Type", "text/plain"),)}),
        (415, [], {"headers": (JSON, ("Content-Encoding", "gzip"))}),
        (400, [], {"headers": (JSON, JSON)}),
        (401, ["identify"], {"user": None}),
        (429, ["identify", "rate_limit eager"], {"user": "eager"}),
        (413, ["identify", "rate_limit ann"], {"body": b"x" * 5000}),
        (400, ["identify", "rate_limit ann"], {"body": b"{"}),
        (403, ["identify", "rate_limit ann", "may_enter ann shut"], {"body": b'{"room":"shut"}'}),
        (200, ["identify", "rate_limit ann", "mint ann"], {}),
        (
            200,
            ["identify", "rate_limit ann", "may_enter ann open", "mint ann", "where open"],
            {"body": b'{"room":"open"}'},
        ),
    ],
)
async def test_nobody_is_asked_who_need_not_be(status: int, asked: list[str], change: dict[str, Any]) -> None:
    recorder = Recorder()
    headers = change.pop("headers", ())
    assert (await ask(recorder.endpoint(), *headers, **change)).status == status
    assert recorder.asked == asked


@pytest.mark.parametrize(
    "name", ["user_id", "user", "userId", "id", "sub", "customerId", "verified", "ttl", "__proto__"]
)
async def test_the_body_says_nothing_about_who_the_user_is(name: str) -> None:
    recorder = Recorder()
    answer = await ask(recorder.endpoint(), body=json.dumps({name: "bea"}).encode())
    assert answer.status == 400
    assert b"bea" not in answer.body
    assert not any(one.startswith("mint") for one in recorder.asked)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), min_size=1), st.text() | st.none())
def test_the_token_is_never_anybody_elses(extra: dict[str, Any], room: str | None) -> None:
    recorder = Recorder()
    body = json.dumps({**extra, **({} if room is None else {"room": room})}).encode()
    answer = asyncio.run(ask(recorder.endpoint(max_body=100_000), body=body))
    assert answer.status in (200, 400, 403)
    assert {one for one in recorder.asked if one.startswith("mint")} <= {"mint ann"}


@given(st.binary(max_size=200))
def test_no_body_is_too_strange(body: bytes) -> None:
    assert asyncio.run(ask(Recorder().endpoint(), body=body)).status in (200, 400, 403)


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_no_origin_but_the_sites_own_gets_in(origin: str, host: str) -> None:
    recorder = Recorder()
    given = [("Host", host), JSON, ("Origin", origin), (USER_HEADER, "ann")]
    request = Request.of("POST", "/token", headers=given, native=Native(given))
    answer = asyncio.run(recorder.endpoint(allowed_origins=["https://shop.example.com"]).handle(request))
    own = origin.strip().lower() in {f"{scheme}://{host.strip().lower()}" for scheme in ("http", "https")}
    assert answer.status == 403 or own
    assert all("\r" not in value and "\n" not in value for value in answer.headers.values())


async def test_without_permissions_nobody_is_told_of_a_room() -> None:
    recorder = Recorder()
    answer = await ask(recorder.endpoint(may_enter=None), body=b'{"room":"open"}')
    assert answer.status == 403
    assert recorder.asked[-1] == "rate_limit ann"


async def test_a_room_that_cannot_be_and_one_that_is_not_permitted_look_the_same() -> None:
    async def everybody(user: Any, room: str) -> bool:
        return True

    answers = [
        await post(made(may_enter=everybody), body=b'{"room":"x@y"}'),
        await post(made(), body=b'{"room":"of-bea"}'),
        await post(made(may_enter=None), body=b'{"room":"of-ann"}'),
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].status == 403


@pytest.mark.parametrize(("wait", "header"), [(0.2, "1"), (7.2, "8"), (0, "1"), (10**9, "3600")])
async def test_a_limited_user_learns_when_to_come_back(wait: float, header: str) -> None:
    async def limit(user: Any, native: Any) -> float:
        return wait

    answer = await ask(Recorder().endpoint(rate_limit=limit))
    assert (answer.status, answer.headers["Retry-After"]) == (429, header)


LEAK = "what-nobody-may-see-90210"
FAILURES: dict[ChatError, tuple[int, str | None]] = {
    NotSentError(LEAK): (503, "5"),
    ReplyLostError(LEAK): (503, "5"),
    RateLimitedError(LEAK, retry_after=17.3): (503, "18"),
    RateLimitedError(LEAK): (503, "5"),
    RateLimitedError(LEAK, retry_after=10**6): (503, "3600"),
    ConfigError(LEAK): (503, "5"),
    JobTimeoutError(LEAK): (503, "5"),
    ServerFaultError(LEAK, status=500): (502, "5"),
    ServerFaultError(LEAK, status=503, retry_after=30): (502, "30"),
    UnauthorizedError(LEAK, code=LEAK): (502, "5"),
    ForbiddenError(LEAK): (502, "5"),
    NotFoundError(LEAK): (502, "5"),
    ApiError(LEAK, request_id=LEAK): (502, "5"),
    InvalidTokenError(LEAK): (502, "5"),
    InvalidInputError(LEAK, field=LEAK): (500, None),
    WrongLoopError(LEAK): (500, None),
}


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_what_fails_behind_us_is_not_told_in_detail(error: ChatError, caplog: pytest.LogCaptureFixture) -> None:
    status, patience = FAILURES[error]
    with caplog.at_level(logging.WARNING, "ethora_async.web"):
        answer = await ask(Recorder(error=error).endpoint())
    assert (answer.status, answer.headers.get("Retry-After")) == (status, patience)
    assert answer == answer_to(error)
    assert LEAK.encode() not in answer.body
    assert LEAK not in str(answer.headers)
    assert answer.headers["Cache-Control"] == "no-store"
    assert LEAK in caplog.text  # those who run the site can read it


async def test_errors_of_the_sites_own_callbacks_are_its_own() -> None:
    async def broken(*_: Any) -> Any:
        msg = "a bug of the site's"
        raise LookupError(msg)

    endpoint: TokenEndpoint[Any] = TokenEndpoint(ethora(), broken)
    with pytest.raises(LookupError):
        await ask(endpoint)


async def test_a_platform_that_fails_a_callback_is_a_platform_that_fails() -> None:
    async def asks_the_platform(*_: Any) -> bool:
        msg = "nobody is there"
        raise NotSentError(msg)

    assert (await ask(Recorder().endpoint(may_enter=asks_the_platform), body=b'{"room":"x"}')).status == 503


@pytest.mark.parametrize("user", ["", "  ", True, 1.5, b"ann"])
async def test_an_identity_that_is_no_id_is_the_sites_own_mistake(user: Any) -> None:
    async def strange(native: Any) -> Any:
        return user

    recorder = Recorder()
    assert (await ask(TokenEndpoint(recorder, strange))).status == 500
    assert recorder.asked == []


async def test_a_number_for_an_id() -> None:
    async def seven(native: Any) -> int:
        return 7

    answer = await ask(TokenEndpoint(imbachat(), seven, clock=FakeClock(NOW)))
    data = json.loads(answer.body)
    assert (data["platform"], data["user_id"], data["extra"]["widget_id"]) == ("imbachat", "7", 4711)


async def test_tokens_made_otherwise() -> None:
    async def short(client: Any, user: Any) -> ChatToken:
        token: ChatToken = await client.tokens.for_user(user, ttl=timedelta(seconds=30))
        return token

    data = json.loads((await post(made(mint=short))).body)
    assert (data["expires_in"], data["refresh_in"]) == (30, 15)


async def test_a_page_that_asks_when_it_is_told_to_gets_the_next_token() -> None:
    clock = FakeClock(NOW + 0.4)
    client = ImbaChatClient(secret="a-secret-key-of-thirty-two-bytes!", widget_id=4711, clock=clock)

    async def seven(native: Any) -> int:
        return 7

    endpoint = TokenEndpoint(client, seven, clock=clock)
    first = json.loads((await ask(endpoint)).body)
    clock.advance(100.3)
    again = json.loads((await ask(endpoint)).body)
    assert again["token"] == first["token"]
    clock.advance(again["refresh_in"])
    assert json.loads((await ask(endpoint)).body)["token"] != first["token"]


async def test_a_token_whose_end_has_passed_asks_for_nothing_negative() -> None:
    data = json.loads((await ask(Recorder().endpoint(clock=FakeClock(NOW + 100)))).body)
    assert (data["expires_in"], data["refresh_in"]) == (0, 0)


async def test_a_client_that_knows_no_rooms_says_so() -> None:
    recorder = Recorder()
    with pytest.raises(ConfigError, match="rooms="):
        TokenEndpoint(imbachat(), recorder.identify, may_enter=recorder.may_enter)
    TokenEndpoint(imbachat(), recorder.identify, may_enter=recorder.may_enter, rooms=recorder.where)
    TokenEndpoint(imbachat(), recorder.identify)
    answer = await ask(TokenEndpoint(imbachat, recorder.identify, may_enter=recorder.may_enter), user="7")
    assert answer.status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "shop.example.com",
        "https://*.example.com",
        "https://a@b",
        "https://x/",
        "ftp://x",
        "https://x:y",
        "",
    ],
)
def test_what_is_no_origin_cannot_be_listed(origin: str) -> None:
    with pytest.raises(ConfigError, match="not an origin"):
        Recorder().endpoint(allowed_origins=[origin])


@pytest.mark.parametrize("changes", [{"max_body": 0}, {"body_timeout": 0}])
def test_limits_that_let_nothing_through_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Recorder().endpoint(**changes)


async def test_a_listed_origin_may_read_the_answer_and_no_other_may() -> None:
    parts = made()
    listed = await post(parts, ("Origin", "HTTPS://shop.example.com:443"))
    assert listed.status == 200
    assert listed.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert listed.headers["Access-Control-Allow-Credentials"] == "true"
    refused = await post(parts, ("Origin", "https://shop.example.com"), user=None)
    assert refused.status == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    for origin in ("https://www.example.com", "https://evil.example", "https://shop.example.com:444"):
        other = await post(parts, ("Origin", origin))
        assert not [name for name in other.headers if name.startswith("Access-Control")]
        assert other.headers["Vary"] == "Origin"
    plain = await post(made(allowed_origins=()), ("Origin", "https://www.example.com"))
    assert "Vary" not in plain.headers
    assert not [name for name in plain.headers if name.startswith("Access-Control")]


async def test_no_host_is_nobodys_host() -> None:
    given = [JSON, (USER_HEADER, "ann"), ("Origin", "https://www.example.com")]
    request = Request.of("POST", "/token", headers=given, native=Native(given))
    assert (await made().endpoint.handle(request)).status == 403


@pytest.fixture
async def rocketchat(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    async with RocketChatSandbox(clock=clock.now, rate_limit=None) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        async with RocketChatClient.from_env(clock=clock) as client:
            await client.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
            yield sandbox, client


async def test_where_a_room_of_rocketchat_is(rocketchat: Any, clock: FakeClock) -> None:
    sandbox, client = rocketchat
    recorder = Recorder()
    endpoint = TokenEndpoint(client, recorder.identify, may_enter=recorder.may_enter, clock=clock)
    data = json.loads((await ask(endpoint, body=b'{"room":"open"}')).body)
    assert data["platform"] == "rocketchat"
    assert data["extra"]["url"] == sandbox.url
    assert data["room"] == {
        "id": "open",
        "url": f"{sandbox.url}/group/open?layout=embedded",
        "origin": sandbox.url,
    }
    assert data["token"] not in json.dumps(data["room"])
    public = TokenEndpoint(client, recorder.identify, may_enter=recorder.may_enter, rooms=channel_url, clock=clock)
    data = json.loads((await ask(public, body=b'{"room":"open"}')).body)
    assert data["room"]["url"] == f"{sandbox.url}/channel/open?layout=embedded"


async def test_a_platform_that_is_away_and_one_that_fails(rocketchat: Any, clock: FakeClock) -> None:
    sandbox, client = rocketchat
    endpoint = TokenEndpoint(client, identify, clock=clock)
    assert (await ask(endpoint, user="nobody-there")).status == 404
    sandbox.faults.fail("POST /api/v1/users.createToken", status=500, times=50)
    answer = await ask(endpoint)
    assert (answer.status, answer.headers["Retry-After"]) == (502, "5")
    await sandbox.aclose()
    assert (await ask(endpoint)).status == 503


async def test_a_canary_finds_the_token_in_the_body_alone(rocketchat: Any, clock: FakeClock) -> None:
    _, client = rocketchat
    recorder = Recorder()
    with Canary("until-it-is-known") as log:
        endpoint = TokenEndpoint(client, recorder.identify, may_enter=recorder.may_enter, clock=clock)
        answers = [await ask(endpoint, body=body) for body in (b"", b'{"room":"open"}', b'{"room":"shut"}', b"{")]
    token = json.loads(answers[0].body)["token"]
    assert [token.encode() in answer.body for answer in answers] == [True, True, False, False]
    canary = Canary(token)
    canary.check(*log.records, endpoint, repr(vars(endpoint)), *recorder.asked)
    for answer in answers:
        canary.check(repr(answer), str(answer.headers))


async def test_an_answer_that_is_no_json_does_not_show_the_token_to_error_reports() -> None:
    async def strange(client: Any, room: str) -> Any:
        return {"jid": object()}

    recorder = Recorder()
    with pytest.raises(TypeError) as caught:
        await ask(recorder.endpoint(rooms=strange), body=b'{"room":"open"}')
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "shown = " in report
    assert "a-token-of-tests" not in report


async def test_cancelling_leaves_nothing_behind(rocketchat: Any, clock: FakeClock) -> None:
    _, client = rocketchat
    endpoint = TokenEndpoint(client, identify, clock=clock)
    await cancel_at_every_step(lambda: ask(endpoint))
    assert (await ask(endpoint)).status == 200


async def test_a_body_that_ends_early_is_answered_to_nobody() -> None:
    async def chunks() -> Any:
        yield b"{"
        raise ClientDisconnectError

    given = (("content-type", "application/json"), (USER_HEADER, "ann"))
    request = Request(method="POST", path="/token", headers=given, body=chunks, native=Native(given))
    with pytest.raises(ClientDisconnectError):
        await made().endpoint.handle(request)


def test_requests_print_no_credentials() -> None:
    given = [("Cookie", "session=canary-cookie-90210"), ("Authorization", "Bearer canary-bearer-90210")]
    request = Request.of("POST", "/token", headers=given, body=b"canary-body-90210", native=Native(given))
    assert "canary" not in repr(request)


def test_every_client_can_be_mounted() -> None:
    avaya = AvayaClient(
        account_id="ABCDEF",
        app_key="app-key",
        client_id="client",
        secret="secret-of-tests",
        integration_id="3cb72f7c-1e5d-4d1f-8a54-6a0c3d6b0001",
        region="eu",
    )
    for client in (avaya, imbachat(), ethora(), RocketChatClient(url="http://127.0.0.1:9", user="a", password="b")):
        assert TokenEndpoint(client, identify)
