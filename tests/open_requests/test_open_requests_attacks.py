"""Hostile arguments of `client.request` and `client.pages`, on every platform: refused, and nothing is sent."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from multidict import MultiDict
from test_open_requests import AVAYA, SECRET, Server, avaya, clients, ethora, response, rocketchat
from test_open_requests_paths import ESCAPES

from ethora_async import AvayaClient, RocketChatClient
from ethora_async.errors import ChatError, ConfigError, InvalidInputError
from ethora_async.testing.implementers import Canary, cancel_at_every_step

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

LONE = "\ud800"
MORE_ESCAPES = [
    "/api/%c0%ae%c0%ae/admin",  # an overlong form of ".."
    "/api/%e0%80%ae%e0%80%ae/admin",
    "/api/%c0%afadmin",
    "/api/%ff",
    "/api/%u002e%u002e/admin",
    "/api/%",
    "/api/100%",
    "/api/%2",
    "/api/%zz",
    "/api/\uff0e\uff0e/admin",  # what some servers take for ".."
    "/api/\u2025/admin",
    "/api/%EF%BC%8E%EF%BC%8E/admin",
    "/\uff0fevil.example/x",
    "/api/..\uff0fadmin",
    "/api/a\u00a0b",
    "/api/a\x85b",
    "/api/a%C2%85b",
    "/api/a\u2028b",
    "/api/a\x7fb",
    "/api/a\x00b",
    f"/api/{LONE}",
    "/api/%ed%a0%80",
]


async def refused(client: Any, *arguments: Any, **named: Any) -> ChatError:
    with pytest.raises(ChatError) as error:
        await client.request(*arguments, **named)
    return error.value


@clients
async def test_no_path_leads_elsewhere(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, {"rows": []}))
    async with make(server.transport, clock, []) as client:
        for path in [*ESCAPES, *MORE_ESCAPES]:
            for method in ("GET", "DELETE"):
                error = await refused(client, method, path)
                assert (type(error), getattr(error, "field", None)) == (InvalidInputError, "path"), ascii(path)
                assert "evil" not in str(error)
            with pytest.raises(InvalidInputError):
                client.pages(path, key="rows")
    assert server.sent == []


@clients
@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"query": "a=b"}, "query"),
        ({"query": {"a": LONE}}, "query"),
        ({"query": {LONE: 1}}, "query"),
        ({"query": {"a": ["x", LONE]}}, "query"),
        ({"query": {"a": math.nan}}, "query"),
        ({"query": {"a": -math.inf}}, "query"),
        ({"query": {"a": 10**5000}}, "query"),
        ({"query": {"a": b"x"}}, "query"),
        ({"query": {b"a": "x"}}, "query"),
        ({"json": {"a": LONE}}, "json"),
        ({"json": {"a": [1, {"b": math.nan}]}}, "json"),
        ({"json": math.inf}, "json"),
        ({"json": b"x"}, "json"),
        ({"repeatable": "yes"}, "repeatable"),
        ({"repeatable": []}, "repeatable"),
    ],
)
async def test_what_cannot_be_sent_is_named(make: Any, named: dict[str, Any], field: str, clock: FakeClock) -> None:
    server = Server(response(200, {}))
    async with make(server.transport, clock, []) as client:
        error = await refused(client, "POST", "/x", **named)
        assert (type(error), getattr(error, "field", None)) == (InvalidInputError, field)
    assert server.sent == []


@clients
@pytest.mark.parametrize(
    "method", ["GET\r\nX: 1", "GET /evil HTTP/1.1\r\n\r\nGET", "GET ", "\uff27\uff25\uff34", b"GET"]
)
async def test_a_method_is_one_of_the_known_words(make: Any, method: Any, clock: FakeClock) -> None:
    server = Server(response(200, {}))
    async with make(server.transport, clock, []) as client:
        assert getattr(await refused(client, method, "/x"), "field", None) == "method"
        with pytest.raises(TypeError, match="headers"):  # a header cannot be passed at all
            await client.request("GET", "/x", headers={"X-Evil": "a\r\nb"})
    assert server.sent == []


@clients
async def test_a_query_stays_a_query(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, {}))
    told = {"a\r\nHost: evil": "x\r\nX-Evil: 1", "b#?&=/../": "//evil.example/../?#&=%2e%2e", "c": "\x00\u2028ü"}
    async with make(server.transport, clock, []) as client:
        await client.request("GET", "/api/x", query=told)
    (sent,) = server.sent
    assert sent.url.isascii()
    assert sent.url.isprintable()
    parts = urlsplit(sent.url)
    assert (parts.path.removeprefix("/sub"), parts.fragment) == ("/api/x", "")
    assert dict(parse_qsl(parts.query)) == told


@clients
async def test_a_name_that_is_given_twice_is_sent_twice(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, {"rows": []}))
    given = MultiDict[Any]([("a", "1"), ("b", None), ("a", ["2", "3"]), ("a", 4)])
    async with make(server.transport, clock, []) as client:
        await client.request("GET", "/x", query=given)
        await client.pages("/x", key="rows", query=given)
    for sent in server.sent:
        assert [pair for pair in parse_qsl(urlsplit(sent.url).query) if pair[0] in "ab"] == [
            ("a", value) for value in "1234"
        ]


@clients
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_body_goes_with_any_method(make: Any, method: str, clock: FakeClock) -> None:
    server = Server(response(200, {}))
    async with make(server.transport, clock, []) as client:
        await client.request(method, "/x", json={"a": "\r\n"})
        await client.request(method, "/x")
    assert [(sent.method, sent.body or None) for sent in server.sent] == [(method, b'{"a":"\\r\\n"}'), (method, None)]


@clients
@pytest.mark.parametrize(
    "timeout", [0, -1, -0.0, math.nan, math.inf, 10**400, "1", True, timedelta(0), timedelta(seconds=-1), []]
)
async def test_a_time_limit_is_a_time(make: Any, timeout: Any, clock: FakeClock) -> None:
    server = Server(response(200, {"rows": []}))
    async with make(server.transport, clock, []) as client:
        error = await refused(client, "GET", "/x", timeout=timeout)
        assert isinstance(error, ConfigError)
        assert "timeout must be" in str(error)
        with pytest.raises(ConfigError, match="timeout must be"):
            await client.pages("/x", key="rows", timeout=timeout)
    assert server.sent == []


@clients
async def test_a_call_is_given_up_at_any_step(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, {"rows": [{"id": 1}], "total": 1}))
    async with make(server.transport, clock, []) as client:

        async def call() -> None:
            await client.request("POST", "/x", json={"a": 1})
            assert [row async for row in client.pages("/x", key="rows")] == [{"id": 1}]

        async def check() -> None:
            assert (await client.request("GET", "/x")).status == 200

        assert await cancel_at_every_step(call, check=check) > 0


@pytest.mark.parametrize("broken", ["\r\nX-Evil: 1", "\nx", "\rx", "\x00", "\x7f"])
async def test_no_secret_or_id_adds_a_header(broken: str, clock: FakeClock) -> None:
    server = Server(response(200, {"success": True}))
    options: dict[str, Any] = {"transport": server.transport, "clock": clock}
    url = "https://rocket.example.com"
    canary_token = f"canary-broken-{len(broken)}-token"
    makers: dict[str, Any] = {
        "token": lambda: RocketChatClient(url=url, user_id="adminadminadmin17", token=canary_token + broken, **options),
        "id": lambda: RocketChatClient(url=url, user_id=f"admin{broken}", token=SECRET, **options),
        "key": lambda: AvayaClient(**{**AVAYA, "app_key": canary_token + broken}, **options),
    }
    with Canary(canary_token) as canary:
        for make in makers.values():
            with pytest.raises(ConfigError) as error:
                async with make() as client:
                    await client.request("GET", "/x")
            canary.check(error.value)
    assert server.sent == []


async def test_a_user_is_one_that_the_platform_has(clock: FakeClock) -> None:
    server = Server(response(200, {}))
    for make in (ethora, rocketchat):
        async with make(server.transport, clock, []) as client:
            for user in ("a\r\nb", "", 1.5, object()):
                with pytest.raises(InvalidInputError):
                    await client.request("GET", "/x", as_user=user)  # type: ignore[arg-type]
    async with avaya(server.transport, clock, []) as client:
        with pytest.raises(TypeError, match="as_user"):
            await client.request("GET", "/x", as_user="ann")  # type: ignore[call-arg]
    assert server.sent == []
