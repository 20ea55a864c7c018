"""`client.request` and `client.pages`: every client sends requests to routes that it has no method for."""

from __future__ import annotations

import json
from functools import reduce
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from multidict import CIMultiDict

from ethora_async import AvayaClient, EthoraClient, RocketChatClient
from ethora_async.config import RetryPolicy
from ethora_async.engine.events import AttemptFinished, RequestFinished, RequestStarted, RetryScheduled
from ethora_async.errors import (
    ApiError,
    InvalidInputError,
    NotFoundError,
    ReplyLostError,
    ServerFaultError,
)
from ethora_async.request import Response
from ethora_async.testing.implementers import Canary
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.request import Request
    from ethora_async.testing.users import FakeClock

SECRET = "canary-open-secret-0123456789"
ADA = {"_id": "ada-record-id-0001", "username": "ada", "roles": ["user"], "type": "user"}
AVAYA = {
    "account_id": "ABCDEF",
    "app_key": "app-key",
    "client_id": "client",
    "secret": SECRET,
    "integration_id": "0cb4e7a4-6a25-4a5c-9d0d-5d1d5f7f9a01",
    "host": "https://avaya.example.com",
}
Make = "Callable[[MemoryTransport, FakeClock, list[object]], Any]"


def ethora(transport: MemoryTransport, clock: FakeClock, events: list[object]) -> EthoraClient:
    return EthoraClient(
        app_id="app",
        secret=SECRET,
        api_url="https://ethora.example.com",
        transport=transport,
        clock=clock,
        retry=RetryPolicy(attempts=3),
        on_event=events.append,
    )


def rocketchat(transport: MemoryTransport, clock: FakeClock, events: list[object]) -> RocketChatClient:
    return RocketChatClient(
        url="https://rocket.example.com/sub",
        user_id="adminadminadmin17",
        token=SECRET,
        transport=transport,
        clock=clock,
        retry=RetryPolicy(attempts=3),
        on_event=events.append,
    )


def avaya(transport: MemoryTransport, clock: FakeClock, events: list[object]) -> AvayaClient:
    return AvayaClient(**AVAYA, transport=transport, clock=clock, retry=RetryPolicy(attempts=3), on_event=events.append)


SIGNED: dict[Any, str] = {ethora: "x-custom-token", rocketchat: "x-auth-token", avaya: "authorization"}
clients = pytest.mark.parametrize("make", list(SIGNED))


def response(status: int, data: Any = None, **headers: str) -> Response:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, named, b"" if data is None else json.dumps(data).encode())


class Server:
    """Answers requests in order and repeats the last answer; Avaya's access token is answered separately."""

    def __init__(self, *answers: Response | Callable[[Request], Response]) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []
        self.transport = MemoryTransport(self.answer)

    def answer(self, request: Request) -> Response:
        if request.url.endswith("openid-connect/token"):
            return response(200, {"access_token": "avaya-access-token", "expires_in": 900})
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request) if callable(answer) else answer


@clients
async def test_an_unknown_route_is_called_signed_and_told(make: Any, clock: FakeClock) -> None:
    server, events = Server(response(200, {"success": True, "x": 1}, x_request_id="req-77")), list[object]()
    async with make(server.transport, clock, events) as client:
        reply = await client.request("post", "/api/v9/new-things", query={"a": [1, 2], "b": True}, json={"n": 1})
    (sent,) = server.sent
    assert (sent.method, urlsplit(sent.url).path.removeprefix("/sub")) == ("POST", "/api/v9/new-things")
    assert parse_qsl(urlsplit(sent.url).query) == [("a", "1"), ("a", "2"), ("b", "true")]
    assert json.loads(sent.body or b"") == {"n": 1}
    assert {name.lower() for name in sent.headers} >= {SIGNED[make]}
    assert (reply.status, reply.data["x"], reply.attempts, reply.request_id) == (200, 1, 1, "req-77")
    assert reply.headers["X-Request-Id"] == "req-77"
    named = {type(event) for event in events if getattr(event, "operation", "") == "request.post"}
    assert named == {RequestStarted, AttemptFinished, RequestFinished}


@clients
@pytest.mark.parametrize(
    ("method", "repeatable", "attempts"),
    [
        ("GET", None, 3),
        ("HEAD", None, 3),
        ("PUT", None, 3),
        ("DELETE", None, 3),
        ("POST", None, 1),
        ("PATCH", None, 1),
        ("POST", True, 3),
        ("PATCH", True, 3),
        ("GET", False, 1),
        ("DELETE", False, 1),
    ],
)
async def test_only_what_is_repeatable_is_sent_again(
    make: Any, method: str, repeatable: bool | None, attempts: int, clock: FakeClock
) -> None:
    server, events = Server(response(503)), list[object]()
    async with make(server.transport, clock, events) as client:
        with pytest.raises(ServerFaultError) as failed:
            await client.request(method, "/api/v9/x", repeatable=repeatable)
    assert (len(server.sent), failed.value.attempts) == (attempts, attempts)
    assert (failed.value.operation, failed.value.effect) == (f"request.{method.lower()}", "unknown")
    assert sum(isinstance(event, RetryScheduled) for event in events) == attempts - 1


@clients
async def test_a_head_request_has_headers_and_no_data(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, None, x_total="7"))
    async with make(server.transport, clock, []) as client:
        reply = await client.request("HEAD", "/api/v9/x")
    assert (reply.data, reply.headers["x-total"]) == (None, "7")


@clients
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("TRACE", "/x"), "method"),
        (("", "/x"), "method"),
        ((None, "/x"), "method"),
        (("GET", "//evil.example/x"), "path"),
        (("GET", "https://evil.example/x"), "path"),
        (("GET", "/api/%2e%2e/x"), "path"),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    make: Any, arguments: tuple[Any, Any], field: str, clock: FakeClock
) -> None:
    server = Server(response(200, {}))
    async with make(server.transport, clock, []) as client:
        with pytest.raises(InvalidInputError) as refused:
            await client.request(*arguments)
    assert (refused.value.field, server.sent) == (field, [])


@clients
@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"query": {"a": object()}}, "query"),
        ({"query": {"a": {"b": 1}}}, "query"),
        ({"query": {"": 1}}, "query"),
        ({"query": [("a", 1)]}, "query"),
        ({"json": {"a": object()}}, "json"),
        ({"json": {1j: 2}}, "json"),
        ({"json": reduce(lambda inner, _: [inner], range(150), 0)}, "json"),  # type: ignore[return-value]
    ],
)
async def test_a_query_or_body_that_cannot_be_sent_is_refused(
    make: Any, named: dict[str, Any], field: str, clock: FakeClock
) -> None:
    server = Server(response(200, {}))
    async with make(server.transport, clock, []) as client:
        with pytest.raises(InvalidInputError) as refused:
            await client.request("POST", "/api/v9/x", **named)
    assert (refused.value.field, server.sent) == (field, [])


@clients
async def test_none_in_a_query_is_left_out_and_names_are_encoded(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, {}))
    async with make(server.transport, clock, []) as client:
        await client.request("GET", "/api/v9/x", query={"a": None, "b[]": ["x&y=z", 1.5], "c": [], "d": ""})
    assert server.sent[0].url.partition("?")[2] == "b%5B%5D=x%26y%3Dz&b%5B%5D=1.5&d="


@clients
async def test_a_body_that_is_no_json_is_a_lost_reply(make: Any, clock: FakeClock) -> None:
    server = Server(Response(200, CIMultiDict(), b"<html>"))
    async with make(server.transport, clock, []) as client:
        with pytest.raises(ReplyLostError):
            await client.request("POST", "/api/v9/x")


def listing(items: list[Any], *, numbered: bool = False, cap: int = 3) -> Callable[[Request], Response]:
    """A platform that gives at most `cap` items, in its own paging."""

    def answer(request: Request) -> Response:
        query = dict(parse_qsl(urlsplit(request.url).query))
        limit = min(cap, int(query.get("limit") or query.get("count") or query["pageSize"]))
        offset = (int(query["pageNumber"]) - 1) * int(query["pageSize"]) if numbered else int(query["offset"])
        return response(200, {"inner": {"rows": items[offset : offset + limit]}, "pagination": {"total": len(items)}})

    return answer


@clients
async def test_pages_read_a_whole_listing(make: Any, clock: FakeClock) -> None:
    items = [{"id": str(index)} for index in range(8)]
    server = Server(listing(items, numbered=make is avaya))
    async with make(server.transport, clock, []) as client:
        pages = client.pages("/api/v9/rows", key="inner.rows", query={"kind": "x"}, limit=3)
        assert [row async for row in pages] == items
        first = await pages
    assert (first.items, first.total, first.next_offset) == (tuple(items[:3]), 8, 3)
    assert len(server.sent) == 4
    assert all("kind=x" in request.url for request in server.sent)


@clients
@pytest.mark.parametrize("told", [True, False])
async def test_a_platform_that_caps_its_pages_loses_no_items(make: Any, told: bool, clock: FakeClock) -> None:
    items = [{"id": str(index)} for index in range(23)]

    def answer(request: Request) -> Response:
        query = dict(parse_qsl(urlsplit(request.url).query))
        offset = (int(query["pageNumber"]) - 1) * 4 if make is avaya else int(query["offset"])
        return response(200, {"rows": items[offset : offset + 4], **({"total": 23} if told else {})})

    async with make(Server(answer).transport, clock, []) as client:
        assert [row async for row in client.pages("/api/v9/rows", key="rows", limit=10)] == items
        numbers: Any = ["1", True, 1.0, None]
        for number in numbers:
            with pytest.raises(InvalidInputError, match="offset must be a whole number"):
                client.pages("/x", key="rows", offset=number)


@clients
@pytest.mark.parametrize("total", [-1, "2", None, 1.5, True, []])
async def test_a_total_that_is_none_ends_no_listing(make: Any, total: Any, clock: FakeClock) -> None:
    ids: list[Any] = [1, "1", "a", "a b"]

    def answer(request: Request) -> Response:
        query = dict(parse_qsl(urlsplit(request.url).query))
        offset = int(query["pageNumber"]) - 1 if make is avaya else int(query["offset"])
        return response(200, {"rows": [{"id": one} for one in ids[offset : offset + 1]], "total": total})

    async with make(Server(answer).transport, clock, []) as client:
        assert [row["id"] async for row in client.pages("/x", key="rows", limit=1)] == ids


async def test_where_pages_have_numbers_a_list_starts_at_one(clock: FakeClock) -> None:
    server = Server(listing([{"id": str(index)} for index in range(8)], numbered=True))
    async with avaya(server.transport, clock, []) as client:
        with pytest.raises(InvalidInputError, match="multiple of limit"):
            client.pages("/x", key="inner.rows", limit=3, offset=4)
        rows = [row["id"] async for row in client.pages("/x", key="inner.rows", limit=3, offset=3)]
    assert rows == ["3", "4", "5", "6", "7"]


@clients
async def test_repeated_items_are_left_out_and_an_endless_listing_ends(make: Any, clock: FakeClock) -> None:
    server = Server(response(200, {"rows": ["a", {"x": 1}, "a"]}))
    async with make(server.transport, clock, []) as client:
        assert [row async for row in client.pages("/api/v9/rows", key="rows")] == ["a", {"x": 1}]


@clients
@pytest.mark.parametrize(
    "data", [{}, [], {"rows": None}, {"rows": {"a": 1}}, {"inner": {"rows": []}}, None, {"rows": "text"}]
)
async def test_a_reply_without_the_list_is_named(make: Any, data: Any, clock: FakeClock) -> None:
    server = Server(response(200, data))
    async with make(server.transport, clock, []) as client:
        with pytest.raises(ReplyLostError, match="no list under rows"):
            await client.pages("/api/v9/rows", key="rows")


@clients
@pytest.mark.parametrize("named", [{"key": ""}, {"key": "a..b"}, {"key": None}, {"limit": 0}, {"offset": -1}])
async def test_bad_arguments_of_pages_are_refused(make: Any, named: dict[str, Any], clock: FakeClock) -> None:
    async with make(Server(response(200, {})).transport, clock, []) as client:
        with pytest.raises(InvalidInputError):
            client.pages("/api/v9/rows", **{"key": "rows", **named})
        with pytest.raises(InvalidInputError, match="pass limit= and offset="):
            client.pages("/api/v9/rows", key="rows", query={client._paging.offset: 3})


async def test_rocketchat_refusals_are_typed_whatever_the_status(clock: FakeClock) -> None:
    refusal = {"success": False, "error": "Room not found [error-room-not-found]", "errorType": "error-room-not-found"}
    server = Server(response(200, refusal))
    async with rocketchat(server.transport, clock, []) as client:
        with pytest.raises(NotFoundError) as missing:
            await client.request("POST", "/api/v1/rooms.new", json={})
    assert missing.value.code == "error-room-not-found"


async def test_rocketchat_asks_in_a_users_name(clock: FakeClock) -> None:
    def answer(request: Request) -> Response:
        if "users.info" in request.url:
            return response(200, {"user": ADA, "success": True})
        if "createToken" in request.url:
            data = {"userId": "ada-record-id-0001", "authToken": "ada-token"}
            return response(200, {"data": data, "success": True})
        if "settings.public" in request.url:
            return response(200, {"settings": [], "total": 0, "success": True})
        return response(200, {"version": "7.5", "rooms": [{"_id": "r1"}], "total": 1, "success": True})

    server = Server(answer)
    async with rocketchat(server.transport, clock, []) as client:
        await client.request("GET", "/api/v1/x", as_user="ada")
        assert [room async for room in client.pages("/api/v1/y", key="rooms", as_user="ada")] == [{"_id": "r1"}]
        await client.as_user("ada").request("GET", "/api/v1/z")
        token = await client.tokens.for_user("ada")
        await client.request("GET", "/api/v1/w", as_user=token)
    asked = [request for request in server.sent if urlsplit(request.url).path[-2:] in ("/x", "/y", "/z", "/w")]
    assert len(asked) == 4
    assert {request.headers["X-Auth-Token"] for request in asked} == {"ada-token"}


async def test_neither_paths_nor_bodies_nor_secrets_are_repeated(clock: FakeClock) -> None:
    def echo(request: Request) -> Response:
        return response(400, {"success": False, "error": f"bad {dict(request.headers)} and {password}"})

    events = list[object]()
    path, password = "canary-path-" + "66", "canary-password-" + "77"
    with Canary(SECRET, path, password) as canary:
        for make in SIGNED:
            server = Server(echo)
            async with make(server.transport, clock, events) as client:
                with pytest.raises(ApiError) as refused:
                    await client.request("POST", f"/x/{path}", json={"password": password})
                canary.check(refused.value, *events)
            with pytest.raises(InvalidInputError) as wrong:
                await client.request("GET", f"//{path}")
            canary.check(wrong.value)
