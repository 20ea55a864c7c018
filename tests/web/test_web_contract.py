"""One table of requests, the same answers from every framework, on real servers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import attrs
import pytest
from web_parts import JSON, NOW, Native, basic, made
from web_sites import SITES, USER_HEADER, Reply, ask

from ethora_async.web import Request

ANN = (USER_HEADER, "ann")
ORIGIN = ("Origin", "https://www.example.com")


@attrs.frozen
class Case:
    status: int
    method: str = "POST"
    target: str = "/chat/token"
    headers: tuple[tuple[str, str], ...] = (JSON, ANN)
    body: bytes = b""


CASES: dict[str, Case] = {
    "no body": Case(200),
    "an empty object": Case(200, body=b"{}"),
    "with a charset": Case(200, headers=(("Content-Type", "Application/JSON; charset=utf-8"), ANN)),
    "a room": Case(200, body=b'{"room":"of-ann"}'),
    "no room": Case(200, body=b'{"room":null}'),
    "a room of somebody else's": Case(403, body=b'{"room":"of-bea"}'),
    "a room that breaks lines": Case(403, body=b'{"room":"x\\r\\nSet-Cookie: a=b"}'),
    "a room that no JID can hold": Case(403, body=b'{"room":"of-ann@evil"}'),
    "a user id": Case(400, body=b'{"user_id":"bea"}'),
    "a user id and a room": Case(400, body=b'{"room":"of-ann","user":"bea"}'),
    "a number for a room": Case(400, body=b'{"room":7}'),
    "an empty room": Case(400, body=b'{"room":"  "}'),
    "a room too long": Case(400, body=b'{"room":"' + b"x" * 513 + b'"}'),
    "a list": Case(400, body=b"[]"),
    "null": Case(400, body=b"null"),
    "no JSON": Case(400, body=b"room=of-ann"),
    "bad UTF-8": Case(400, body=b'{"room":"\xff"}'),
    "half a pair": Case(400, body=b'{"room":"\\ud800"}'),
    "deep": Case(400, body=b"[" * 4000),
    "large": Case(413, body=b'{"room":"' + b"x" * 4096 + b'"}'),
    "nobody": Case(401, headers=(JSON,)),
    "nobody with a body": Case(401, headers=(JSON,), body=b'{"room":"of-ann"}'),
    "too often": Case(429, headers=(JSON, (USER_HEADER, "eager"))),
    "no type": Case(415, headers=(ANN,)),
    "a form": Case(415, headers=(("Content-Type", "application/x-www-form-urlencoded"), ANN), body=b"room=x"),
    "plain text": Case(415, headers=(("Content-Type", "text/plain"), ANN), body=b"{}"),
    "JSON of another kind": Case(415, headers=(("Content-Type", "application/json-patch+json"), ANN)),
    "own origin": Case(200, headers=(JSON, ANN, ORIGIN)),
    "own origin in capitals": Case(200, headers=(JSON, ANN, ("Origin", "https://WWW.example.com:443"))),
    "listed origin": Case(200, headers=(JSON, ANN, ("Origin", "https://shop.example.com"))),
    "another origin": Case(403, headers=(JSON, ANN, ("Origin", "https://evil.example"))),
    "another port": Case(403, headers=(JSON, ANN, ("Origin", "https://www.example.com:8443"))),
    "null origin": Case(403, headers=(JSON, ANN, ("Origin", "null"))),
    "a name that begins alike": Case(403, headers=(JSON, ANN, ("Origin", "https://www.example.com.evil.example"))),
    "same-origin": Case(200, headers=(JSON, ANN, ORIGIN, ("Sec-Fetch-Site", "same-origin"))),
    "same-site": Case(403, headers=(JSON, ANN, ORIGIN, ("Sec-Fetch-Site", "same-site"))),
    "cross-site": Case(403, headers=(JSON, ANN, ("Sec-Fetch-Site", "cross-site"))),
    "listed and cross-site": Case(
        200, headers=(JSON, ANN, ("Origin", "https://shop.example.com"), ("Sec-Fetch-Site", "cross-site"))
    ),
    "GET": Case(405, "GET"),
    "HEAD": Case(405, "HEAD"),
    "PUT": Case(405, "PUT", body=b"{}"),
    "DELETE": Case(405, "DELETE"),
    "OPTIONS": Case(204, "OPTIONS"),
    "a preflight": Case(
        204,
        "OPTIONS",
        headers=(("Origin", "https://shop.example.com"), ("Access-Control-Request-Method", "POST")),
    ),
    "a preflight of others": Case(
        204, "OPTIONS", headers=(("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST"))
    ),
    "alive": Case(200, "GET", "/chat/healthz", ()),
    "alive, HEAD": Case(200, "HEAD", "/chat/healthz", ()),
    "ready": Case(200, "GET", "/chat/readyz", ()),
    "ready, POST": Case(405, "POST", "/chat/readyz", ()),
    "user info": Case(200, "GET", "/chat/users-info?user_ids=7,99,1", (basic(),)),
    "user info by path": Case(200, "GET", "/chat/users-info/users/7%2C1", (basic(),)),
    "user info of nobody": Case(401, "GET", "/chat/users-info/users/7", ()),
    "user info's version": Case(200, "GET", "/chat/users-info", ()),
    "nothing": Case(404, "GET", "/chat/nothing", ()),
    "almost": Case(404, "POST", "/chat/tokens"),
    "almost user info": Case(404, "GET", "/chat/users-information", (basic(),)),
    "a slash behind": Case(200, "POST", "/chat/token/"),
}


async def core(case: Case) -> Reply:
    """Return the framework-free part's answer, as a server would send it."""
    path, _, query = case.target.removeprefix("/chat").partition("?")
    headers = [("Host", "www.example.com"), *case.headers]
    answer = await made().routes.handle(
        Request.of(case.method, path, headers=headers, query=query, body=case.body, native=Native(headers))
    )
    sent = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status != 204:
        sent["content-length"] = str(len(answer.body))
    return Reply(answer.status, sent, b"" if case.method == "HEAD" else answer.body)


@pytest.mark.parametrize("name", CASES)
async def test_the_core_answers_with_the_status_that_fits(name: str) -> None:
    assert (await core(CASES[name])).status == CASES[name].status


@pytest.mark.parametrize("site", SITES)
async def test_every_framework_gives_the_answers_of_the_core_byte_for_byte(site: str) -> None:
    parts = made()
    wrong: dict[str, Any] = {}
    async with SITES[site](parts.routes, options=parts.options) as port:
        for name, case in CASES.items():
            got = await ask(port, case.method, case.target, case.headers, case.body)
            expected = await core(case)
            if site == "django" and got.status == 204:
                # One of its middlewares adds this to everything.
                assert got.headers.pop("content-length") == "0"
            if got != expected:
                wrong[name] = (got, expected)
    assert wrong == {}


async def test_what_a_page_gets() -> None:
    reply = await core(CASES["a room"])
    data = json.loads(reply.body)
    token = data.pop("token")
    assert token.count(".") == 2
    assert data == {
        "expires_at": NOW + 3600,
        "refresh_at": NOW + 3540,
        "expires_in": 3600,
        "refresh_in": 3540,
        "platform": "ethora",
        "user_id": "ann",
        "extra": {},
        "room": {"id": "of-ann", "jid": "app_of-ann@conference.xmpp.example.com"},
    }
    assert reply.headers["cache-control"] == "no-store"
    assert token not in str(reply.headers)


TWICE = [
    (JSON, ("Content-Type", "text/plain"), ANN),
    (JSON, ANN, ORIGIN, ("Origin", "https://evil.example")),
    (JSON, ANN, ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")),
]


@pytest.mark.parametrize("site", SITES)
async def test_a_header_that_came_twice_is_refused(site: str) -> None:
    parts = made()
    async with SITES[site](parts.routes, options=parts.options) as port:
        for headers in TWICE:
            reply = await ask(port, headers=headers)
            assert reply.status in (400, 403, 415)
            assert b"token" not in reply.body


@pytest.mark.parametrize("site", SITES)
async def test_a_huge_body_is_cut_off(site: str) -> None:
    parts = made()
    async with SITES[site](parts.routes, options=parts.options) as port:

        async def pour(writer: asyncio.StreamWriter) -> None:
            writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            # Django reads bodies before any view is called. The others answer although there is more to come.
            writer.write(b"0\r\n\r\n" if site == "django" else b"2000\r\n")

        async def nothing(writer: asyncio.StreamWriter) -> None:
            """A body that is shorter than its stated length."""

        reply = await ask(port, headers=(JSON, ANN, ("Transfer-Encoding", "chunked")), chunks=pour)
        assert reply.status == 413
        if site != "django":
            assert (await ask(port, headers=(JSON, ANN, ("Content-Length", "9" * 12)), chunks=nothing)).status == 413
        assert (await ask(port, headers=(JSON, ANN))).status == 200


@pytest.mark.parametrize("site", [site for site in SITES if site != "django"])  # Django reads bodies before any view
async def test_a_slow_body_is_not_waited_for(site: str) -> None:
    parts = made(body_timeout=0.05)
    async with SITES[site](parts.routes, options=parts.options) as port:

        async def dawdle(writer: asyncio.StreamWriter) -> None:
            writer.write(b"{")
            await writer.drain()

        reply = await ask(port, headers=(JSON, ANN, ("Content-Length", "9")), chunks=dawdle)
        assert reply.status == 408
        assert json.loads(reply.body)["error"] == "too_slow"


@pytest.mark.parametrize("site", SITES)
async def test_a_caller_who_hangs_up_leaves_nothing_behind(site: str) -> None:
    entered = asyncio.Event()
    left = asyncio.Event()

    async def slow(user: Any, native: Any) -> float | None:
        if user != "slow":
            return None
        entered.set()
        try:
            await asyncio.sleep(0.2)
        finally:
            left.set()
        return None

    parts = made(rate_limit=slow)
    before = asyncio.all_tasks()
    async with SITES[site](parts.routes, options=parts.options) as port:
        for body in (b"", b"half of it"):
            entered.clear()
            left.clear()
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            length = 0 if not body else 100
            head = f"POST /chat/token HTTP/1.1\r\nHost: www.example.com\r\n{': '.join(JSON)}\r\n{USER_HEADER}: slow\r\n"
            writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + body)
            await writer.drain()
            if not (body and site == "django"):
                await asyncio.wait_for(entered.wait(), 60)
            writer.transport.abort()
            if not (body and site == "django"):
                await asyncio.wait_for(left.wait(), 60)
        assert (await ask(port, headers=(JSON, ANN))).status == 200
    for _ in range(200):
        if asyncio.all_tasks() <= before:
            break
        await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before
