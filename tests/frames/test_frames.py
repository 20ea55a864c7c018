"""No password, secret or token appears in clear in the frames of an error that a client raises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from frame_walk import leaks
from multidict import CIMultiDict

from ethora_async import (
    AvayaClient,
    ChatError,
    EthoraClient,
    ImbaChatClient,
    NewUser,
    RetryPolicy,
    RocketChatClient,
    Session,
    User,
)
from ethora_async.errors import NotSentError, ReplyLostError
from ethora_async.redaction import Secret
from ethora_async.request import Response
from ethora_async.testing.implementers import BadServer, CannedReply, Fault
from ethora_async.testing.users import FakeClock
from ethora_async.transport import AiohttpTransport, HttpxTransport, MemoryTransport
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async.request import Request

SECRET = "frame-canary-app-secret-0123456789"
PASSWORD = "frame-canary-user-pass-02"
ADMIN = "frame-canary-admin-pass-03"
MINT = "frame-canary-create-tokens-04"
GIVEN = "frame-canary-platform-token-05"
TOTP = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
AVAYA: dict[str, Any] = {
    "account_id": "ABCDEF",
    "app_key": "app-key-0001",
    "client_id": "client",
    "secret": SECRET,
    "integration_id": "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3",
    "host": "eu.api.avayacloud.com",
}
APP = "6540f2a1b3c4d5e6f7a8b9c0"
EVERY = (SECRET, PASSWORD, ADMIN, MINT, GIVEN, TOTP)


def reply(status: int, data: Any = None) -> Response:
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    return Response(status, CIMultiDict({"Content-Type": "application/json"}), body)


def echo(request: Request) -> str:
    """Return everything that a request sends."""
    return f"{dict(request.headers)} {(request.body or b'').decode()}"


ENDS: dict[str, Any] = {
    "401": lambda sent: reply(401, {"error": echo(sent), "status": "error", "message": "no"}),
    "403": lambda sent: reply(403, {"success": False, "error": echo(sent)}),
    "422": lambda sent: reply(422, {"error": echo(sent), "success": False, "code": echo(sent)}),
    "500": lambda sent: reply(500, f"<html>it broke: {echo(sent)}</html>".encode()),
    "429": lambda _: reply(429, {"error": "slow down"}),
    "not JSON": lambda sent: reply(200, b"{" + echo(sent).encode()),
    "another shape": lambda _: reply(200, {"success": True, "data": 5, "user": 5}),
    "a list": lambda _: reply(200, [5]),
    "lost": lambda _: ReplyLostError("the connection broke"),
    "not sent": lambda _: NotSentError("no route"),
}


def transport(end: str, *, first: Callable[[Request], Response | None] = lambda _: None) -> MemoryTransport:
    """Answers by `first`, and ends every other request in the given way."""

    def answer(request: Request) -> Response:
        sent.append(request)
        if (good := first(request)) is not None:
            return good
        made = ENDS[end](request)
        if isinstance(made, Exception):
            raise made
        return made

    sent: list[Request] = []
    return MemoryTransport(answer)


async def raised(call: Callable[[], Awaitable[Any]]) -> BaseException | None:
    """Return the error of a call, or that of a run's first failure."""
    try:
        result = await call()
    except ChatError as error:
        return error
    failures = getattr(result, "failures", ())
    return failures[0].error if failures else None


async def check(calls: dict[str, Callable[[], Awaitable[Any]]], *, known: tuple[str, ...] = EVERY) -> int:
    """Check that no failing call shows a secret; return the number of failures."""
    failed = 0
    for name, call in calls.items():
        error = await raised(call)
        if error is not None:
            failed += 1
            assert not (found := leaks(error, known)), f"{name} ({type(error).__name__}): {found}"
    return failed


def person(**changes: Any) -> NewUser:
    fields = {"id": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "password": PASSWORD}
    return NewUser(**{**fields, **changes})


def ethora(through: Any, **options: Any) -> EthoraClient:
    return EthoraClient(**{
        "app_id": APP, "secret": MemoryProvider({"ETHORA_CHAT_APP_SECRET": SECRET}), "api_url": "https://api.example.com",
        "transport": through, "clock": FakeClock(), "retry": RetryPolicy(attempts=2), "timeout": 5, **options,
    })  # fmt: skip


def token_of(client: EthoraClient) -> tuple[str, ...]:
    """The server token at hand, without its first part, which every token shares."""
    app = client._context.app
    credential = None if app is None else app.credentials.peek()
    return () if credential is None else (credential.headers["x-custom-token"].partition(".")[2],)


def ethora_calls(client: EthoraClient) -> dict[str, Callable[[], Awaitable[Any]]]:
    login = {"email": "a@b.c", "password": PASSWORD}
    sessions, as_key = client.sessions, client.as_user(api_key=GIVEN)
    return {
        "get": lambda: client.users.get("ann"),
        "create": lambda: client.users.create(
            "ann", email="a@b.c", first_name="Ann", last_name="Lee", password=PASSWORD
        ),
        "create badly": lambda: client.users.create(
            "ann", email="nonsense", first_name="Ann", last_name="Lee", password=PASSWORD
        ),
        "create many": lambda: client.users.create_many([person()]),
        "create now": lambda: client.users.create_many([person()], synchronous=True),
        "chat": lambda: client.chats.create("room", title="Room"),
        "list": lambda: anext(aiter(client.users.list())),
        "grant": lambda: client.chats.grant("room", "ann"),
        "child": lambda: client.in_app("6540f2a1b3c4d5e6f7a8b9c1").users.get("ann"),
        "login": lambda: sessions.login(**login),
        "login with an app token": lambda: sessions.login(**login, app_token=GIVEN),
        "login badly": lambda: sessions.login("nonsense", PASSWORD),
        "sign up": lambda: sessions.sign_up("a@b.c", "Ann", last_name="Lee", password=PASSWORD),
        "second factor": lambda: sessions.complete_mfa(GIVEN, "123456"),
        "exchange": lambda: sessions.exchange(GIVEN),
        "exchange badly": lambda: sessions.exchange(f"{GIVEN}\x00"),
        "api key": as_key.me,
        "broadcast": lambda: client.broadcasts.send("text", chats=["room"]),
        "app token": lambda: client.apps.tokens(APP).create(),
    }


@pytest.mark.parametrize("end", ENDS)
async def test_ethora(end: str) -> None:
    client = ethora(transport(end))
    await raised(lambda: client.users.get("ann"))
    assert await check(ethora_calls(client), known=(*EVERY, *token_of(client))) >= 15
    assert token_of(client)
    await client.aclose()


@pytest.mark.parametrize("job", [{"state": "failed", "error": f"no {PASSWORD}"}, {"state": "queued"}, {"x": PASSWORD}])
async def test_ethora_job(job: Any) -> None:
    def jobs(request: Request) -> Response | None:
        if request.method == "GET":
            return reply(200, job)
        return reply(202, {"jobId": "j1"})

    client = ethora(transport("500", first=jobs))
    calls = {
        "one": lambda: client.users.create(
            "ann", email="a@b.c", first_name="A", last_name="B", password=PASSWORD, timeout=1
        ),
        "many": lambda: client.users.create_many([person()], timeout=1),
    }
    assert await check(calls, known=(*EVERY, *token_of(client))) == 2
    await client.aclose()


def rocketchat(through: Any, **options: Any) -> RocketChatClient:
    return RocketChatClient(**{
        "url": "https://chat.example.com", "user": "admin", "password": ADMIN, "create_tokens_secret": MINT,
        "totp_secret": TOTP, "transport": through, "clock": FakeClock(), "retry": RetryPolicy(attempts=2), "timeout": 5,
        **options,
    })  # fmt: skip


def rocketchat_calls(client: RocketChatClient) -> dict[str, Callable[[], Awaitable[Any]]]:
    return {
        "get": lambda: client.users.get("ann"),
        "create": lambda: client.users.create("ann", email="a@b.c", first_name="A", last_name="B", password=PASSWORD),
        "create many": lambda: client.users.create_many([person()]),
        "update": lambda: client.users.update("ann", password=PASSWORD),
        "update badly": lambda: client.users.update("ann", email="nonsense", password=PASSWORD),
        "token": lambda: client.tokens.for_user("ann"),
        "as user": lambda: client.as_user("ann").me(),
        "send": lambda: client.messages.send("room", "text"),
        "room": lambda: client.chats.create("room", title="Room"),
    }


@pytest.mark.parametrize("end", ENDS)
async def test_rocketchat_whose_log_in_fails(end: str) -> None:
    client = rocketchat(transport(end))
    assert await check(rocketchat_calls(client)) >= 8
    await client.aclose()


def admitted(request: Request) -> Response | None:
    """Answer a successful log-in and the requests before a token is minted."""
    if request.url.endswith("/login"):
        return reply(200, {"status": "success", "data": {"userId": "adminadminadmin17", "authToken": GIVEN}})
    if "/info" in request.url and "users.info" not in request.url:
        return reply(200, {"success": True, "version": "8.6"})
    if "settings.public" in request.url:
        return reply(200, {"success": True, "settings": [{"_id": "Accounts_LoginExpiration", "value": 90}]})
    if "users.info" in request.url:
        return reply(200, {"success": True, "user": {"_id": "id-of-ann-0000001", "username": "ann"}})
    return None


@pytest.mark.parametrize("end", ENDS)
async def test_rocketchat_that_refuses_what_comes_after_the_log_in(end: str) -> None:
    client = rocketchat(transport(end, first=admitted))
    assert await check(rocketchat_calls(client)) >= 5
    await client.aclose()


@pytest.mark.parametrize("method", ["totp", "email", "password"])
async def test_rocketchat_that_asks_for_a_second_factor_and_refuses_it(method: str) -> None:
    asked = {"success": False, "error": "[totp-required]", "errorType": "totp-required", "details": {"method": method}}

    def asking(request: Request) -> Response | None:
        return admitted(request) or reply(400, asked)

    client = rocketchat(transport("500", first=asking))
    assert await check(rocketchat_calls(client)) >= 5
    await client.aclose()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("token_works", [False, True])
async def test_avaya(end: str, token_works: bool) -> None:
    def oauth(request: Request) -> Response | None:
        good = token_works and "openid-connect" in request.url
        return reply(200, {"access_token": GIVEN, "token_type": "Bearer", "expires_in": 900}) if good else None

    client = AvayaClient(
        **AVAYA,
        transport=transport(end, first=oauth), clock=FakeClock(), retry=RetryPolicy(attempts=2), timeout=5,
    )  # fmt: skip
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "token": lambda: client.tokens.for_user("c1"),
        "verified": lambda: client.tokens.for_user("c1", verified=True, identifiers={"emailAddresses": "a@b.c"}),
    }
    assert await check(calls) == 2
    await client.aclose()


async def test_imbachat() -> None:
    client = ImbaChatClient(widget_id=1, api_login="site", api_password=ADMIN, secret=SECRET)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "token": lambda: client.tokens.for_user(""),
        "text": lambda: client.tokens.for_user("no number"),
    }
    assert await check(calls) == 2


@pytest.mark.parametrize("kind", [AiohttpTransport, HttpxTransport])
@pytest.mark.parametrize(
    "answer", [CannedReply(401), CannedReply(500), CannedReply(200, b"{"), Fault.RESET_AFTER_BODY, Fault.GARBAGE]
)
async def test_over_real_sockets(kind: Any, answer: Any) -> None:
    async with BadServer() as server:
        server.play(*[answer] * 40)
        client = ethora(kind(), api_url=server.url, retry=RetryPolicy(attempts=1))
        await raised(lambda: client.users.get("ann"))
        known = (*EVERY, *token_of(client))
        wanted = {name: call for name, call in ethora_calls(client).items() if name in ("get", "create", "login")}
        assert await check(wanted, known=known) == 3
        await client.aclose()


@pytest.mark.parametrize(
    "body",
    [
        {"token": GIVEN, "refreshToken": GIVEN, "user": 5},
        {"token": [GIVEN], "user": {"xmppPassword": GIVEN}},
        {"token": f"{GIVEN}\x00", "mfaRequired": True, "mfaToken": [GIVEN]},
        {"status": "success", "data": {"authToken": GIVEN}},
        {"success": True, "data": {"authToken": [GIVEN], "userId": "x"}, "access_token": GIVEN, "token_type": "mac"},
        {"success": True, "access_token": [GIVEN], "jwtToken": [GIVEN], "jwt": GIVEN},
    ],
)
async def test_a_token_in_a_reply_of_another_shape(body: Any) -> None:
    """Only routes that return tokens: the client does not know of secrets in other replies."""

    def answer(request: Request) -> Response | None:
        return reply(200, body)

    client, rocket = ethora(transport("500", first=answer)), rocketchat(transport("500", first=answer))
    session = Session(user=User(id="u1"), token=SECRET, refresh_token=SECRET)
    avaya = AvayaClient(**AVAYA, transport=transport("500", first=answer), clock=FakeClock(), timeout=5)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "login": lambda: client.sessions.login("a@b.c", PASSWORD),
        "second factor": lambda: client.sessions.complete_mfa(GIVEN, "123456"),
        "exchange": lambda: client.sessions.exchange(GIVEN),
        "refresh": lambda: client.sessions.refresh(session),
        "me": lambda: client.sessions.me(session),
        "rocket": lambda: rocket.users.get("ann"),
        "avaya": lambda: avaya.tokens.for_user("c1"),
    }
    assert await check(calls) >= 4

    def mints(request: Request) -> Response | None:
        return admitted(request) or reply(200, {"success": True, **body})

    minting = rocketchat(transport("500", first=mints))
    assert await check({"mint": lambda: minting.tokens.for_user("ann")}) <= 1
    for one in (client, rocket, avaya, minting):
        await one.aclose()


async def test_a_server_that_cannot_be_reached() -> None:
    for kind in (AiohttpTransport, HttpxTransport):
        client = ethora(kind(), api_url="http://127.0.0.1:9", retry=RetryPolicy(attempts=1))
        assert await check({"create": ethora_calls(client)["create"]}, known=(*EVERY, *token_of(client))) == 1
        await client.aclose()


def test_the_walk_finds_what_stands_in_a_frame() -> None:
    import types

    source = "def fail(held):\n    raise ValueError\n"
    module = types.ModuleType("ethora_async_of_the_test")
    exec(compile(source, "/elsewhere.py", "exec"), module.__dict__)
    nested: Any = {"a": [(SECRET.encode(),)]}
    for held, shown in ((SECRET, True), (nested, True), (Secret(SECRET), False), ([Secret(SECRET)], False)):
        with pytest.raises(ValueError) as caught:
            module.fail(held)
        assert bool(leaks(caught.value, (SECRET,))) is shown
