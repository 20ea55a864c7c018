"""The routes served are those of the contract, and nothing that is sent to them brings the server down."""

from __future__ import annotations

import asyncio
import json
import re
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

# Contract §1.3 to §1.12, by hand: section, then the calls it names.
CONTRACT = {
    "1.3": "POST login",
    "1.4": """POST users.2fa.disableEmail, POST users.resetTOTP, POST settings/{_id}, POST users.2fa.sendEmailCode,
        POST users.regeneratePersonalAccessToken, POST users.removePersonalAccessToken""",
    "1.5": """POST users.create, GET users.info, GET users.list, POST users.update, POST users.delete,
        POST users.setActiveStatus, POST users.logout, POST users.logoutOtherClients, POST users.removeOtherTokens,
        POST logout, GET logout, GET me, POST users.generatePersonalAccessToken""",
    "1.6": "POST users.createToken",
    "1.7": "GET settings.public",
    "1.8": """POST channels.create, POST groups.create, POST im.create, POST dm.create, GET rooms.get,
        GET subscriptions.get, GET subscriptions.getOne, POST subscriptions.read, GET channels.list,
        GET channels.list.joined, GET groups.list, GET groups.listAll, GET im.list, GET dm.list,
        GET im.list.everyone, GET dm.list.everyone, GET rooms.info, POST channels.invite, POST groups.invite,
        POST channels.kick, POST groups.kick, POST channels.delete, POST groups.delete, POST rooms.delete,
        POST im.delete, POST dm.delete, POST rooms.invite""",
    "1.9": """POST chat.postMessage, POST chat.sendMessage, POST chat.update, POST chat.delete, GET chat.getMessage,
        GET chat.syncMessages, GET channels.history, GET groups.history, GET im.history, GET dm.history,
        GET channels.messages, GET groups.messages, GET im.messages, GET dm.messages""",
    "1.11": "POST users.setStatus",
    "1.12": "GET /api/info, POST method.call/{method}",
}
# Calls of the real server that the contract does not spell out, and clients need beside the others.
BESIDES = """GET channels.info, GET groups.info, GET channels.members, GET groups.members, GET im.members,
    GET dm.members, POST channels.setTopic, POST groups.setTopic, POST channels.setDescription,
    POST groups.setDescription, POST channels.join, POST channels.leave, POST groups.leave, GET settings/{_id},
    POST users.2fa.enableEmail, GET users.getPersonalAccessTokens"""
# Premium, or for rooms of other kinds, or of no use to a client: named by the contract, not served.
LEFT_OUT = ["sessions/logout", "sessions/logout.me", "users.resetE2EKey", "users.register", "loginCode.redeem"]


def calls(text: str) -> set[str]:
    found = set()
    for entry in re.split(r",\s*", text.strip()):
        method, path = entry.split()
        found.add(f"{method} {path if path.startswith('/') else f'/api/v1/{path}'}")
    return found


def test_the_routes_are_those_of_the_contract() -> None:
    wanted = set().union(*(calls(text) for text in CONTRACT.values()), calls(BESIDES))
    assert {route.operation for route in TABLE.routes} == wanted
    assert len(TABLE.routes) == len(wanted)
    assert not any(TABLE.serves(f"/api/v1/{name}") for name in LEFT_OUT)


def test_every_route_names_its_section() -> None:
    for section, text in CONTRACT.items():
        named = {route.operation for route in TABLE.routes if route.section == section}
        assert calls(text) <= named, section


def test_the_streams_are_those_of_the_contract() -> None:
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


@settings(max_examples=150)
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


@settings(max_examples=100)
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
    """An outlet that keeps what it is given."""

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


@settings(max_examples=300)
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
