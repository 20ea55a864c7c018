"""Our requests against the Node SDK's: the same, but for the differences that are listed with their reasons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from node_sdk import APP, CHILD, DIFFERENCES, EVERY_REQUEST, METHODS, Case, Sent

from ethora_async import ChatToken, EthoraClient, InvalidInputError
from ethora_async.request import Response
from ethora_async.tokens.hs256 import read_unverified
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.request import Request
    from ethora_async.testing.users import FakeClock

SECRET = "a-secret-that-is-long-enough-for-anyone"
CASES = [(method, case) for method, row in METHODS.items() for case in row.cases]

# In the order of docs/reference/ethora-api.md: 36 public methods.
PUBLIC = (
    "createChatName",
    "createChatUserJwtToken",
    "createUser",
    "createChatRoom",
    "updateChatRoom",
    "deleteChatRoom",
    "grantUserAccessToChatRoom",
    "removeUserAccessFromChatRoom",
    "deleteUsers",
    "updateUsers",
    "getUsers",
    "getUserChats",
    "getUserChatsInApp",
    "listApps",
    "getApp",
    "createApp",
    "deleteApp",
    "listAppTokens",
    "createAppToken",
    "rotateAppToken",
    "revokeAppToken",
    "provisionApp",
    "getAppBot",
    "updateAppBot",
    "broadcastToAppChats",
    "getAppBroadcastJob",
    "getAppUserByXmppUsername",
    "createUsersInApp",
    "getUsersBatchJob",
    "deleteUsersInApp",
    "createChatRoomInApp",
    "listChatsInApp",
    "updateChatRoomInApp",
    "deleteChatRoomInApp",
    "grantUserAccessToChatRoomInApp",
    "removeUserAccessFromChatRoomInApp",
)

# What stands on every request of the Node SDK (docs/platforms/ethora.md#what-the-node-sdk-sends).
NODE_HEADERS = {
    "authorization": "Bearer <token>",
    "x-custom-token": "<token>",
    "content-type": "application/json",
    "accept": "application/json, text/plain, */*",
    "user-agent": "axios/1.21.1",
}
NODE_CLAIMS = {"data": {"appId": APP, "type": "server"}, "iat": 1_700_000_000}


def answer(request: Request) -> Response:
    """Return the platform's answer, as far as our client reads it."""
    path = urlsplit(request.url).path
    last = path.rpartition("/")[2]
    app = CHILD if f"/{CHILD}" in path else APP
    word = "updated" if request.method == "PATCH" else "created"
    rows = [{"xmppUsername": f"{app}_u{number}", "status": word} for number in range(101)]
    data: Any = {"ok": True}
    if request.method == "GET" and (last == "tokens" or "limit=" in request.url):
        data = {"results": [], "total": 0}
    elif request.method == "GET" and "users" in (last, path.split("/")[-2]):
        data = {"result": {"xmppUsername": f"{app}_u1"}}
    elif request.method == "POST" and last in ("batch", "broadcast"):
        data = {"jobId": "j1"}
    elif last == "j1":
        data = {"state": "completed", "result": {"results": rows}}
    elif last in ("tokens", "rotate"):
        data = {"tokenId": "t2", "token": "opaque-app-token"}
    elif last in ("apps", CHILD):
        data = {"app": {"_id": CHILD, "displayName": "Shop"}}
    elif last == "bot":
        data = {"status": "on"}
    elif request.method == "PATCH":
        data = {"results": rows}
    elif last == "chats":
        data = {"result": {"name": f"{app}_c1"}}
    return Response(200, CIMultiDictProxy(CIMultiDict()), json.dumps(data).encode())


class Recorder:
    """Our client, and its requests."""

    def __init__(self, clock: FakeClock) -> None:
        self.transport = MemoryTransport(answer)
        self.client = EthoraClient(
            app_id=APP, secret=SECRET, api_url="https://api.chat.ethora.com", transport=self.transport, clock=clock
        )

    @property
    def sent(self) -> list[Sent]:
        return [_sent(request) for request in self.transport.requests]


@pytest.fixture
async def ours(clock: FakeClock) -> AsyncIterator[Recorder]:
    recorder = Recorder(clock)
    async with recorder.client:
        yield recorder


def _sent(request: Request) -> Sent:
    parts = urlsplit(request.url)
    body = json.loads(request.body) if isinstance(request.body, bytes) else None
    return Sent(request.method, parts.path, dict(parse_qsl(parts.query)), body)


def _flat(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, dict) and value:
        parts = [_flat(inner, f"{name}.{key}" if name else key) for key, inner in value.items()]
    elif isinstance(value, list) and value:
        parts = [_flat(inner, f"{name}[{place}]") for place, inner in enumerate(value)]
    else:
        return {name: value}
    return {key: inner for part in parts for key, inner in part.items()}


def _unlike(node: dict[str, Any], own: dict[str, Any]) -> set[str]:
    return {name for name in node.keys() | own.keys() if name not in node or name not in own or node[name] != own[name]}


def _fields(sent: Sent) -> dict[str, Any]:
    return {
        "method": sent.method,
        "path": sent.path,
        **(_flat(sent.query, "query") if sent.query else {}),
        **_flat(sent.body, "body"),
    }


def _standing_differences(request: Request) -> set[str]:
    """Compare the headers and the claims, which are the same on every request of the Node SDK."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    token = headers["x-custom-token"]
    masked = {name: value.replace(token, "<token>") for name, value in headers.items()}
    found = _unlike(_flat(NODE_HEADERS, "headers"), _flat(masked, "headers"))
    return found | _unlike(_flat(NODE_CLAIMS, "claims"), _flat(read_unverified(token), "claims"))


async def _differences(case: Case, ours: Recorder) -> set[str]:
    try:
        result = await case.ours(ours.client)
    except (TypeError, InvalidInputError):
        assert ours.sent == []
        return {"refused"}
    if isinstance(case.node, str):
        assert ours.sent == []
        return set() if result == case.node else {"result"}
    if isinstance(case.node, dict):
        assert isinstance(result, ChatToken)
        assert ours.sent == []
        return _unlike(_flat(case.node, ""), _flat(read_unverified(result.value), ""))
    if case.node is None:
        return {"split"} if len(ours.sent) > 1 else {"sent"}
    if not ours.sent:
        return {"nothing sent"}
    found = _unlike(_fields(case.node), _fields(ours.sent[case.request]))
    return found | ({"then"} if len(ours.sent) > case.request + 1 else set())


def test_the_table_has_every_public_method() -> None:
    assert len(PUBLIC) == 36
    assert set(METHODS) == set(PUBLIC)


@pytest.mark.parametrize(("method", "case"), CASES)
async def test_a_request_is_the_node_sdks_but_for_what_is_listed(method: str, case: str, ours: Recorder) -> None:
    listed = {what for named, which, what in DIFFERENCES if (named, which) == (method, case)}
    assert await _differences(METHODS[method].cases[case], ours) == listed
    for request in ours.transport.requests:
        assert _standing_differences(request) == set(EVERY_REQUEST)


def test_every_listed_difference_is_about_a_case_and_has_a_reason() -> None:
    assert {(method, case) for method, case, _ in DIFFERENCES} <= set(CASES)
    assert all(len(reason) > 15 for reason in (*DIFFERENCES.values(), *EVERY_REQUEST.values()))


@pytest.mark.parametrize(
    "unlike",
    [Sent("GET", "/v2/apps/other"), Sent("POST", "/v2/apps/child7"), Sent("GET", "/v2/apps/child7", {"q": "1"})],
)
async def test_a_difference_that_nobody_listed_is_noticed(unlike: Sent, ours: Recorder) -> None:
    (case,) = METHODS["getApp"].cases.values()
    assert await _differences(Case(unlike, case.ours), ours)


@pytest.mark.parametrize(
    ("name", "value"),
    [("Authorization", "Basic x"), ("Content-Type", "text/plain"), ("X-Tenant", "t1")],
)
async def test_a_header_that_nobody_listed_is_noticed(name: str, value: str, ours: Recorder) -> None:
    await ours.client.users.list()
    (request,) = ours.transport.requests
    headers = CIMultiDict(request.headers)
    headers[name] = value
    unlike = attrs.evolve(request, headers=headers)
    assert _standing_differences(unlike) == {*EVERY_REQUEST, f"headers.{name.lower()}"}


async def test_a_claim_that_nobody_listed_is_noticed(clock: FakeClock, ours: Recorder) -> None:
    clock.advance(1)
    await ours.client.users.list()
    (request,) = ours.transport.requests
    assert _standing_differences(request) == {*EVERY_REQUEST, "claims.iat"}
