"""The DDP state machine, frame by frame (docs/platforms/rocketchat.md#realtime), without a socket."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from ethora_async.platforms.rocketchat.realtime.ddp import HANDSHAKE, PATIENCE, QUIET, DdpMachine
from ethora_async.platforms.rocketchat.realtime.ddp_events import (
    NOTIFY_ROOM,
    NOTIFY_USER,
    ROOM_MESSAGES,
    Broken,
    Happened,
    Left,
    LoggedIn,
    LoginRefused,
    Ready,
    Refused,
    Revoked,
    Topic,
    as_rest,
)
from ethora_async.redaction import Secret

TOKEN = "a-token-for-realtime"
DIGEST = base64.b64encode(hashlib.sha256(TOKEN.encode()).digest()).decode()
ROOM = Topic(ROOM_MESSAGES, "r1")
OWN = [f"uid/{event}" for event in ("userData", "force_logout", "subscriptions-changed")]


def frames(machine: DdpMachine) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in machine.to_send()]


def tell(machine: DdpMachine, now: float = 0.0, /, **frame: Any) -> list[Any]:
    return machine.received(json.dumps(frame), now)


def live(*topics: Topic, now: float = 0.0) -> tuple[DdpMachine, dict[str, str]]:
    """A machine that is logged in, and the ids of its subscriptions by event name."""
    machine = DdpMachine("uid")
    for topic in topics:
        machine.subscribe(topic)
    return machine, connect(machine, now)


def connect(machine: DdpMachine, now: float = 0.0) -> dict[str, str]:
    machine.opened(Secret(TOKEN), now)
    assert frames(machine) == [{"msg": "connect", "version": "1", "support": ["1"]}]
    assert tell(machine, now, msg="connected", session="s") == []
    (login,) = frames(machine)
    assert login == {"msg": "method", "method": "login", "id": login["id"], "params": [{"resume": TOKEN}]}
    (event,) = tell(machine, now, msg="result", id=login["id"], result={"id": "uid", "token": TOKEN, "type": "resume"})
    assert event == LoggedIn("uid", None)
    return {frame["params"][0]: frame["id"] for frame in frames(machine) if frame["msg"] == "sub"}


def happen(machine: DdpMachine, stream: str, event: str, *args: Any) -> list[Any]:
    fields = {"eventName": event, "args": list(args)}
    return tell(machine, msg="changed", collection=stream, id="id", fields=fields)


def test_nothing_is_subscribed_to_before_the_log_in_is_through() -> None:
    machine = DdpMachine("uid")
    machine.subscribe(ROOM)
    machine.opened(Secret(TOKEN), 0)
    tell(machine, msg="connected", session="s")
    sent = frames(machine)
    assert [frame["msg"] for frame in sent] == ["connect", "method"]
    tell(machine, msg="result", id=sent[1]["id"], result={"id": "uid"})
    subscriptions = frames(machine)
    assert [frame["params"][0] for frame in subscriptions] == [*sorted(OWN, key=[*order(subscriptions)].index), "r1"]
    assert subscriptions[-1] == {
        "msg": "sub",
        "id": subscriptions[-1]["id"],
        "name": "stream-room-messages",
        "params": ["r1", {"useCollection": False, "args": []}],
    }


def order(sent: list[dict[str, Any]]) -> list[str]:
    return [frame["params"][0] for frame in sent]


@pytest.mark.parametrize("preamble", [{"server_id": "0"}, {"msg": "server_id", "server_id": "0"}, {"msg": "newer"}])
def test_frames_without_a_meaning_are_passed_over(preamble: dict[str, str]) -> None:
    machine = DdpMachine("uid")
    machine.opened(Secret(TOKEN), 0)
    machine.to_send()
    assert tell(machine, **preamble) == []
    assert machine.to_send() == []


def test_updated_may_come_before_the_result_and_an_own_document_before_both() -> None:
    machine = DdpMachine("uid")
    machine.opened(Secret(TOKEN), 0)
    tell(machine, msg="connected", session="s")
    login = frames(machine)[1]["id"]
    assert tell(machine, msg="added", collection="users", id="uid", fields={}) == []
    assert tell(machine, msg="updated", methods=[login]) == []
    assert tell(machine, msg="result", id="another", result={}) == []
    assert not machine.live
    assert tell(machine, msg="result", id=login) == [LoggedIn("uid", None)]  # a falsy result is left out
    assert machine.live


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"$date": 1_700_000_000_000}, 1_700_000_000.0),
        (None, None),
        ({"$date": None}, None),
        ({"$date": "x"}, None),
        ({"$date": True}, None),
        ({"$date": 9e99}, None),
        ({"$InfNaN": 0}, None),
        (5, None),
    ],
)
def test_the_end_of_a_token_may_be_stated(stated: Any, expected: float | None) -> None:
    machine = DdpMachine("uid")
    machine.opened(Secret(TOKEN), 0)
    tell(machine, msg="connected", session="s")
    login = frames(machine)[1]["id"]
    assert tell(machine, msg="result", id=login, result={"id": "uid", "tokenExpires": stated}) == [
        LoggedIn("uid", expected)
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            {"error": 403, "reason": "You've been logged out by the server. Please log in again."},
            LoginRefused("revoked", "403"),
        ),
        ({"error": 403, "reason": "Your session has expired. Please log in again."}, LoginRefused("expired", "403")),
        (
            {"error": "too-many-requests", "details": {"timeToReset": 1500}},
            LoginRefused("later", "too-many-requests", 1.5),
        ),
        ({"error": "too-many-requests"}, LoginRefused("later", "too-many-requests")),
        ({"error": "totp-required"}, LoginRefused("refused", "totp-required")),
        ("strange", LoginRefused("refused", "unknown")),
    ],
)
def test_a_refused_log_in_says_what_kind_it_is(error: Any, expected: LoginRefused) -> None:
    machine = DdpMachine("uid")
    machine.opened(Secret(TOKEN), 0)
    tell(machine, msg="connected", session="s")
    login = frames(machine)[1]["id"]
    assert tell(machine, msg="result", id=login, error=error) == [expected]
    assert machine.deadline == float("inf")


@pytest.mark.parametrize(
    "frame",
    [
        {"msg": "failed", "version": "1"},
        {"msg": "error", "reason": "Must connect first", "offendingMessage": {"params": [{"resume": TOKEN}]}},
    ],
)
def test_a_server_that_does_not_understand_is_given_up(frame: dict[str, Any]) -> None:
    machine = DdpMachine("uid")
    machine.opened(Secret(TOKEN), 0)
    (event,) = tell(machine, **frame)
    assert isinstance(event, Broken)
    assert TOKEN not in repr(event)


def test_a_ping_is_answered_with_its_id_or_without() -> None:
    machine, _ = live()
    tell(machine, msg="ping", id="7")
    tell(machine, msg="ping")
    assert frames(machine) == [{"msg": "pong", "id": "7"}, {"msg": "pong"}]


def test_events_are_told_apart_by_stream_and_name() -> None:
    other = Topic(ROOM_MESSAGES, "r2")
    machine, _ = live(ROOM, other)
    assert happen(machine, ROOM_MESSAGES, "r1", {"_id": "a"}) == [Happened(ROOM, ({"_id": "a"},))]
    assert happen(machine, ROOM_MESSAGES, "r2", {"_id": "b"}) == [Happened(other, ({"_id": "b"},))]
    assert happen(machine, ROOM_MESSAGES, "r3", {"_id": "c"}) == []
    assert happen(machine, NOTIFY_ROOM, "r1", {"_id": "d"}) == []


def test_dates_are_shown_as_rest_shows_them() -> None:
    machine, _ = live(ROOM)
    (event,) = happen(machine, ROOM_MESSAGES, "r1", {"ts": {"$date": 1_700_000_000_123}, "in": [{"$date": 0}]})
    assert event.args == ({"ts": "2023-11-14T22:13:20.123Z", "in": ["1970-01-01T00:00:00.000Z"]},)
    assert as_rest({"$date": 9e99}) == 9e99
    assert as_rest({"$date": 1, "more": 2}) == {"$date": 1, "more": 2}


def test_a_confirmed_and_a_refused_subscription() -> None:
    machine, ids = live(ROOM, Topic(ROOM_MESSAGES, "r2"))
    assert tell(machine, msg="ready", subs=[ids["r1"], "unknown"]) == [Ready(ROOM)]
    assert machine.holds(ROOM)
    error = {"error": "not-allowed", "message": "[not-allowed]"}
    assert tell(machine, msg="nosub", id=ids["r2"], error=error) == [Refused(Topic(ROOM_MESSAGES, "r2"), "not-allowed")]
    assert "r2" not in connect(machine)  # and is not asked for again


def test_unsubscribing_is_answered_and_what_was_on_its_way_dropped() -> None:
    machine, ids = live(ROOM)
    machine.unsubscribe(ROOM)
    assert frames(machine) == [{"msg": "unsub", "id": ids["r1"]}]
    assert happen(machine, ROOM_MESSAGES, "r1", {}) == []
    assert tell(machine, msg="nosub", id=ids["r1"]) == []
    assert "r1" not in connect(machine)


def test_every_subscription_is_made_anew_once_after_a_reconnect() -> None:
    machine, before = live(ROOM, Topic(NOTIFY_ROOM, "r1/typing"))
    machine.subscribe(ROOM)
    assert frames(machine) == []
    machine.closed()
    machine.subscribe(Topic(ROOM_MESSAGES, "r9"))
    assert frames(machine) == []
    after = connect(machine)
    assert set(after) == {*before, "r9"}
    assert not set(after.values()) & set(before.values())
    assert not machine.holds(ROOM)


def test_leaving_a_room_ends_its_subscriptions_and_returning_begins_them() -> None:
    typing = Topic(NOTIFY_ROOM, "r1/user-activity")
    machine, _ = live(ROOM, typing, Topic(ROOM_MESSAGES, "r10"))
    removed = happen(machine, NOTIFY_USER, "uid/subscriptions-changed", "removed", {"rid": "r1"})
    assert removed == [Left("r1")]
    assert [frame["msg"] for frame in frames(machine)] == ["unsub", "unsub"]
    assert happen(machine, NOTIFY_USER, "uid/subscriptions-changed", "removed", {"rid": "r1"}) == []
    happen(machine, NOTIFY_USER, "uid/subscriptions-changed", "inserted", {"rid": "r1"})
    again = frames(machine)
    assert {frame["params"][0] for frame in again} == {"r1", "r1/user-activity"}
    assert tell(machine, msg="ready", subs=[again[0]["id"]]) == [Ready(Topic(again[0]["name"], again[0]["params"][0]))]


def test_a_room_that_was_left_is_tried_again_quietly_after_a_reconnect() -> None:
    machine, _ = live(ROOM)
    happen(machine, NOTIFY_USER, "uid/subscriptions-changed", "removed", {"rid": "r1"})
    ids = connect(machine)
    assert tell(machine, msg="nosub", id=ids["r1"], error={"error": "not-allowed"}) == []
    ids = connect(machine)
    assert tell(machine, msg="ready", subs=[ids["r1"]]) == [Ready(ROOM)]


@pytest.mark.parametrize(
    ("event", "args", "revoked"),
    [
        ("force_logout", [], True),
        ("userData", [{"type": "updated", "diff": {"services.resume.loginTokens": []}}], True),
        ("userData", [{"diff": {"services.resume.loginTokens": [{"hashedToken": "other"}]}}], True),
        ("userData", [{"diff": {"services.resume.loginTokens": [{"hashedToken": DIGEST}]}}], False),
        ("userData", [{"unset": {"services.resume.loginTokens": 1}}], True),
        ("userData", [{"diff": {"name": "x"}}], False),
        ("userData", [{"diff": {"services.resume.loginTokens": None}}], False),
        ("userData", [None, 5, {"diff": 7, "unset": []}], False),
    ],
)
def test_the_end_of_the_own_token_is_noticed(event: str, args: list[Any], revoked: bool) -> None:
    machine, _ = live()
    assert happen(machine, NOTIFY_USER, f"uid/{event}", *args) == ([Revoked()] if revoked else [])


def test_silence_is_asked_about_and_then_ends_the_connection() -> None:
    machine, _ = live(now=100)
    machine.to_send()
    assert machine.deadline == 100 + QUIET
    assert machine.on_time(100 + QUIET - 0.1) == []
    assert frames(machine) == []
    assert machine.on_time(100 + QUIET) == []
    assert frames(machine) == [{"msg": "ping"}]
    assert machine.deadline == 100 + QUIET + PATIENCE
    tell(machine, 120, msg="pong")
    assert machine.deadline == 120 + QUIET
    machine.on_time(120 + QUIET)
    (event,) = machine.on_time(120 + QUIET + PATIENCE)
    assert isinstance(event, Broken)


def test_a_log_in_that_takes_too_long_is_given_up_however_much_is_said() -> None:
    machine = DdpMachine("uid")
    machine.opened(Secret(TOKEN), 0)
    for now in range(int(HANDSHAKE)):
        tell(machine, now, msg="ping")
    (event,) = machine.on_time(HANDSHAKE)
    assert isinstance(event, Broken)


NAMES = "msg id subs fields collection eventName args error result rid diff"
VALUES = "connected failed error ping result ready nosub changed m1 s1 s2 s3 s4 r1"


def test_too_many_subscriptions_at_once_are_asked_for_again() -> None:
    machine, ids = live(ROOM, Topic(ROOM_MESSAGES, "r2"), now=50)
    error = {"error": "too-many-requests", "details": {"timeToReset": 3000}}
    assert tell(machine, 51, msg="nosub", id=ids["r1"], error=error) == []
    assert machine.deadline == 54
    assert machine.on_time(53.9) == []
    assert frames(machine) == []
    machine.on_time(54)
    (again,) = frames(machine)
    assert (again["msg"], again["params"][0]) == ("sub", "r1")
    assert tell(machine, 55, msg="ready", subs=[again["id"]]) == [Ready(ROOM)]
    assert machine.deadline == 55 + QUIET


KEYS = st.sampled_from(NAMES.split())
WORDS = st.sampled_from([*VALUES.split(), ROOM_MESSAGES, NOTIFY_USER, *OWN])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
FRAME = JSON.map(json.dumps) | st.text(max_size=20) | st.binary(max_size=20)


@given(st.lists(FRAME, max_size=20), st.booleans())
def test_no_frame_raises_and_everything_sent_is_a_frame(received: list[str | bytes], logged_in: bool) -> None:
    machine, _ = live(ROOM)
    if not logged_in:
        machine.opened(Secret(TOKEN), 0)
    for now, frame in enumerate(received):
        machine.received(frame, float(now))
        for sent in frames(machine):
            assert sent["msg"] in {"connect", "method", "sub", "unsub", "pong", "ping"}
        machine.on_time(float(now))


@pytest.mark.parametrize("depth", [101, 900, 1023, 100_000])
@pytest.mark.parametrize("nest", ["[", '{"a":'])
def test_no_depth_of_nesting_raises(nest: str, depth: int) -> None:
    machine, ids = live(ROOM)
    end = "]" if nest == "[" else "}"
    deep = nest * depth + "1" + end * depth
    for frame in (
        deep,
        f'{{"msg":"changed","collection":"{ROOM_MESSAGES}","fields":{{"eventName":"r1","args":[{deep}]}}}}',
        f'{{"msg":"nosub","id":"{ids["r1"]}","error":{deep}}}',
        f'{{"msg":"result","id":"m1","result":{deep}}}',
    ):
        assert machine.received(frame, 1.0) == []
    assert machine.live


@pytest.mark.parametrize(
    "error", [{"error": 500, "reason": "Internal server error"}, {"message": "?"}, {"error": "500"}]
)
def test_a_server_that_fails_ends_no_room(error: dict[str, Any]) -> None:
    machine, ids = live(ROOM, now=0)
    pauses = []
    now = 0.0
    for _ in range(8):
        assert tell(machine, now, msg="nosub", id=ids["r1"], error=error) == []
        assert machine.wants(ROOM)
        machine._heard, began = 1e9, now
        pauses.append(machine.deadline - began)
        now = machine.deadline
        machine.on_time(now)
        ids = {frame["params"][0]: frame["id"] for frame in frames(machine) if frame["msg"] == "sub"}
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]
    assert tell(machine, now, msg="ready", subs=[ids["r1"]]) == [Ready(ROOM)]
    assert tell(machine, now, msg="nosub", id=ids["r1"], error={"error": 403}) == [Refused(ROOM, "403")]


class Connections(RuleBasedStateMachine):
    """Subscriptions over any order of connections, confirmations, departures and returns."""

    rooms = Bundle("rooms")

    @initialize()
    def begin(self) -> None:
        self.machine = DdpMachine("uid")
        self.wanted: set[str] = set()
        self.left: set[str] = set()
        self.on_server: dict[str, str] = {}
        self.connected = False

    @rule(target=rooms, name=st.sampled_from("abc"))
    def room(self, name: str) -> str:
        return name

    @rule(room=rooms)
    def subscribe(self, room: str) -> None:
        self.machine.subscribe(Topic(ROOM_MESSAGES, room))
        self.wanted.add(room)
        self.left.discard(room)
        self.serve()

    @rule(room=rooms)
    def unsubscribe(self, room: str) -> None:
        self.machine.unsubscribe(Topic(ROOM_MESSAGES, room))
        self.wanted.discard(room)
        self.left.discard(room)
        self.serve()

    @rule()
    def reconnect(self) -> None:
        self.on_server = {}
        self.connected = True
        for name, id in connect(self.machine).items():
            self.accept(id, name)
        self.confirm()

    @rule()
    def disconnect(self) -> None:
        self.machine.closed()
        self.connected = False
        self.on_server = {}

    @rule(room=rooms)
    def leave(self, room: str) -> None:
        if self.connected:
            # The server drops the subscription without a word.
            self.on_server = {id: name for id, name in self.on_server.items() if name != room}
            happen(self.machine, NOTIFY_USER, "uid/subscriptions-changed", "removed", {"rid": room})
            if room in self.wanted:
                self.wanted.discard(room)
                self.left.add(room)
            self.serve()

    @rule(room=rooms)
    def come_back(self, room: str) -> None:
        if self.connected:
            happen(self.machine, NOTIFY_USER, "uid/subscriptions-changed", "inserted", {"rid": room})
            self.serve()

    def serve(self) -> None:
        for frame in frames(self.machine):
            assert self.connected
            if frame["msg"] == "sub":
                self.accept(frame["id"], frame["params"][0])
            elif frame["msg"] == "unsub":
                self.on_server.pop(frame["id"], None)
        self.confirm()

    def accept(self, id: str, name: str) -> None:
        assert name not in self.on_server.values()  # never twice
        assert id not in self.on_server
        self.on_server[id] = name

    def confirm(self) -> None:
        """The server lets everybody in, those who have left too: they are back."""
        tell(self.machine, msg="ready", subs=list(self.on_server))
        for name in list(self.left):
            if name in self.on_server.values():
                self.left.discard(name)
                self.wanted.add(name)

    @invariant()
    def the_server_serves_what_is_wanted(self) -> None:
        if getattr(self, "connected", False):
            served = {name for name in self.on_server.values() if not name.startswith("uid/")}
            assert served == self.wanted


TestConnections = Connections.TestCase
