"""No input to the routes crashes the server. `tests/docs` compares the list of routes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st
from rocket_helpers import Rest

from ethora_async.sandbox import RocketChatSandbox
from ethora_async.sandbox.rocketchat.gateway import TABLE
from ethora_async.sandbox.rocketchat.realtime.limits import CallLimits
from ethora_async.sandbox.rocketchat.realtime.methods import METHODS
from ethora_async.sandbox.rocketchat.realtime.quirks import Quirks
from ethora_async.sandbox.rocketchat.realtime.session import Session
from ethora_async.sandbox.rocketchat.realtime.streams import RULES

# Premium, or for rooms of other kinds, or of no use to a client: not served.
LEFT_OUT = ["sessions/logout", "sessions/logout.me", "users.resetE2EKey", "loginCode.redeem"]


def test_what_no_client_needs_is_not_served() -> None:
    assert not any(TABLE.serves(f"/api/v1/{name}") for name in LEFT_OUT)


def test_the_streams_are_those_of_the_platform_notes() -> None:
    assert set(RULES) == {
        "stream-room-messages",
        "stream-notify-user",
        "stream-notify-room",
        "stream-notify-logged",
        "stream-notify-all",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
known = sorted(
    {
        *(
            "userId",
            "username",
            "user",
            "userIds",
            "usernames",
            "roomId",
            "roomName",
            "rid",
            "msgId",
            "message",
            "text",
        ),
        *("channel", "name", "members", "email", "password", "data", "resume", "totp", "secret", "tokenName", "value"),
        *("lastUpdate", "count", "offset", "sort", "type", "next", "updatedSince", "latest", "_id", "query", "topic"),
    }
)
likely = json_values | st.sampled_from(["GENERAL", "general", "admin", "ada", "@ada", "#general"])
bodies = st.dictionaries(st.sampled_from(known), likely, max_size=4)
ROUTES = st.sampled_from([*TABLE.routes])


@settings(max_examples=50)
@given(data=st.data())
def test_no_request_brings_the_server_down(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(["6.0", "7.0", "8.0", "9.0"]))
    sent = data.draw(st.lists(st.tuples(ROUTES, bodies), min_size=1, max_size=6))

    async def play() -> list[int]:
        async with RocketChatSandbox(version=version, rate_limit=None) as sandbox:
            sandbox.add_user("ada")
            async with aiohttp.ClientSession(sandbox.url) as session:
                rest = Rest(session, sandbox)
                return [await _send(rest, route, body) for route, body in sent]

    assert all(status < 500 for status in asyncio.run(play()))


async def _send(rest: Rest, route: Any, body: Any) -> int:
    path = route.path.replace("{_id}", "Site_Name").replace("{method}", "rooms:get")
    query = {key: json.dumps(value) if not isinstance(value, str) else value for key, value in body.items()}
    sent: dict[str, Any] = {"params": query} if route.method == "GET" else {"json": body}
    async with rest.session.request(route.method, path, headers=rest.admin.headers, **sent) as response:
        return response.status


@settings(max_examples=50)
@given(
    method=st.sampled_from([*METHODS, "login", "logout"]),
    params=st.lists(st.one_of(bodies, likely), max_size=3),
)
def test_no_method_brings_the_server_down_over_rest(method: str, params: Any) -> None:
    message = json.dumps({"msg": "method", "id": "1", "method": method, "params": params})

    async def play() -> Any:
        async with RocketChatSandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
            return await Rest(session, sandbox).post("method.call/x", {"message": message})

    assert asyncio.run(play()).status in (200, 400)


class Tape:
    """An outlet that records its frames."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.code: int | None = None

    def push(self, text: str) -> None:
        self.frames.append(json.loads(text))

    def close(self, code: int, reason: str = "") -> None:
        self.code = code


frames = st.one_of(
    st.text(max_size=20),
    json_values.map(json.dumps),
    st.fixed_dictionaries(
        {"msg": st.sampled_from(["connect", "ping", "pong", "method", "sub", "unsub", "dance"])},
        optional={
            "id": st.sampled_from(["1", "2"]) | json_values,
            "version": st.sampled_from(["1", "2"]),
            "support": st.just(["1"]) | json_values,
            "method": st.sampled_from([*METHODS, "login", "logout"]) | json_values,
            "name": st.sampled_from(list(RULES)) | json_values,
            "params": st.lists(likely | bodies, max_size=3) | json_values,
        },
    ).map(json.dumps),
)


@settings(max_examples=80)
@given(sent=st.lists(frames, max_size=8), logged_in=st.booleans(), microservices=st.booleans())
def test_no_frame_brings_a_conversation_down(sent: list[str], logged_in: bool, microservices: bool) -> None:
    sandbox = RocketChatSandbox()
    token = sandbox.add_personal_token("admin")
    tape = Tape()
    session = Session(sandbox._platform, tape, Quirks.of(microservices=microservices), CallLimits(), "127.0.0.1")
    session.open()
    if logged_in:
        session.receive('{"msg":"connect","version":"1","support":["1"]}')
        session.receive(json.dumps({"msg": "method", "id": "0", "method": "login", "params": [{"resume": token}]}))
    for text in sent:
        session.receive(text)
    calls = [frame for text in sent if isinstance(frame := _decoded(text), dict) and frame.get("msg") == "method"]
    answered = [frame["id"] for frame in tape.frames if frame.get("msg") == "result" and frame["id"] != "0"]
    expected = [frame["id"] for frame in calls if _well_formed(frame)]
    if not logged_in or microservices:
        assert len(answered) <= len(expected)
    else:
        assert answered == expected
    session.end()
    hub = sandbox._platform.hub
    assert not hub.listeners
    assert not hub._subs


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _well_formed(frame: Any) -> bool:
    named = isinstance(frame.get("method"), str) and isinstance(frame.get("id"), str)
    return named and isinstance(frame.get("params", []), list)
