"""Rocket.Chat's realtime protocol, DDP, as a state machine without I/O (docs/platforms/rocketchat.md#realtime).

Frames come in, events and frames to send come out. Subscriptions are kept over any number of connections: after every
log-in each is sent exactly once, and never before (docs/platforms/rocketchat.md#reconnecting).
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Literal

from ethora_async import codec
from ethora_async.platforms.rocketchat.realtime.ddp_events import (
    NOTIFY_USER,
    TOO_MANY,
    Broken,
    DdpEvent,
    Happened,
    Left,
    LoggedIn,
    Ready,
    Refused,
    Revoked,
    Topic,
    as_rest,
    date,
    error_code,
    is_definite,
    refusal,
    reset_after,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ethora_async.redaction import Secret

HANDSHAKE = 20.0
"""Maximum seconds from the opened socket to the answered log-in."""
QUIET = 17.5
"""Seconds of silence after which the client sends a ping."""
PATIENCE = 15.0
"""Maximum seconds until the answer to a ping."""

_NEVER = float("inf")
_A_WHILE = 10.0
"""Seconds until subscriptions are retried that were too many at once, or that failed in the server."""
_LONGEST_WHILE = 300.0
"""Seconds between attempts at a subscription that fails repeatedly."""
_LOGIN_TOKENS = "services.resume.loginTokens"
_CHANGED = "subscriptions-changed"
_OWN_EVENTS = ("userData", "force_logout", _CHANGED)
"""Streams that are always subscribed to: they report that the token was revoked, and that the user has left a room."""


class DdpMachine:
    """One user's connection, and its successors.

    Call `opened` with every new socket, `received` with each of its frames, `on_time` at `deadline`; send the frames of
    `to_send` after each of them. All times are seconds of one monotonic clock. No input raises.

    Args:
        user_id: the record id of the user.
    """

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._token_digest = ""
        self._state: Literal["closed", "connecting", "logging in", "live"] = "closed"
        self._token: Secret | None = None
        self._out: list[str] = []
        self._wanted: dict[Topic, None] = {}
        self._lost: dict[Topic, None] = {}
        self._topics: dict[str, Topic] = {}
        self._ids: dict[Topic, str] = {}
        self._confirmed: set[Topic] = set()
        self._failures: dict[Topic, int] = {}
        self._own = frozenset(Topic(NOTIFY_USER, f"{user_id}/{event}") for event in _OWN_EVENTS)
        self._count = 0
        self._login = ""
        self._heard = 0.0
        self._pinged: float | None = None
        self._now = 0.0
        self._ask_again = _NEVER
        self._read: dict[str, Callable[[dict[str, Any]], list[DdpEvent]]] = {
            "connected": self._on_connected,
            "failed": lambda _: self._broken("the server does not speak DDP version 1"),
            "error": self._on_error,
            "ping": self._on_ping,
            "result": self._on_result,
            "ready": self._on_ready,
            "nosub": self._on_nosub,
            "changed": self._on_changed,
        }

    @property
    def live(self) -> bool:
        """Whether the log-in has succeeded."""
        return self._state == "live"

    @property
    def deadline(self) -> float:
        """When to call `on_time`, unless something is received before."""
        if self._state == "closed":
            return _NEVER
        if self._state != "live":
            return self._heard + HANDSHAKE
        return min(self._ask_again, self._silence_ends)

    @property
    def _silence_ends(self) -> float:
        return self._heard + QUIET if self._pinged is None else self._pinged + PATIENCE

    def wants(self, topic: Topic) -> bool:
        """Return whether this topic is subscribed to after every log-in."""
        return topic in self._wanted

    def holds(self, topic: Topic) -> bool:
        """Return whether the server has confirmed this subscription."""
        return self.live and topic in self._wanted and topic in self._confirmed

    def opened(self, token: Secret, now: float) -> None:
        """Start a new connection on a new socket."""
        self.closed()
        self._state = "connecting"
        self._token = token
        self._token_digest = base64.b64encode(hashlib.sha256(token.reveal().encode()).digest()).decode()
        self._heard = now
        self._pinged = None
        self._send({"msg": "connect", "version": "1", "support": ["1"]})

    def closed(self) -> None:
        """End the connection."""
        self._state = "closed"
        self._token = None
        self._out.clear()
        self._topics.clear()
        self._ids.clear()
        self._confirmed.clear()
        self._ask_again = _NEVER

    def subscribe(self, topic: Topic) -> None:
        """Add this topic: subscribe at once when logged in, else after the log-in."""
        self._lost.pop(topic, None)
        self._wanted[topic] = None
        if self.live:
            self._ask_for(topic)

    def unsubscribe(self, topic: Topic) -> None:
        """Remove this topic."""
        self._wanted.pop(topic, None)
        self._lost.pop(topic, None)
        self._failures.pop(topic, None)
        if topic not in self._own:
            self._drop(topic)

    def call(self, method: str, params: list[Any]) -> None:
        """Call a method whose result does not matter; without a log-in, nothing is called."""
        if self.live:
            self._send({"msg": "method", "method": method, "id": self._next_id("m"), "params": params})

    def to_send(self) -> list[str]:
        """Return the frames to send now, in order, and remove them."""
        frames, self._out = self._out, []
        return frames

    def received(self, frame: str | bytes, now: float) -> list[DdpEvent]:
        """Process one frame. Unknown input is ignored, as the protocol requires."""
        if self._state == "closed":
            return []
        self._now = now
        if self.live:
            self._heard = now
            self._pinged = None
        try:
            data = codec.loads(frame.encode("utf-8", "replace") if isinstance(frame, str) else frame)
        except ValueError:
            return []
        kind = data.get("msg") if isinstance(data, dict) and codec.is_shallow(data) else None
        read = self._read.get(kind) if isinstance(kind, str) else None
        if read is None:
            return []
        was_live = self.live
        events = read(data)
        if self.live and not was_live:
            self._heard = now
        return events

    def on_time(self, now: float) -> list[DdpEvent]:
        """React to silence: send a ping, or end the connection."""
        if now < self.deadline:
            return []
        if not self.live:
            return self._broken("the server did not answer the log-in in time")
        if now >= self._ask_again:
            self._ask_again = _NEVER
            self._ask_for_all()
        if now >= self._silence_ends:
            if self._pinged is not None:
                return self._broken("the server gave no sign of life")
            self._pinged = now
            self._send({"msg": "ping"})
        return []

    def _send(self, frame: dict[str, Any]) -> None:
        self._out.append(codec.dumps(frame).decode())

    def _next_id(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _broken(self, reason: str) -> list[DdpEvent]:
        self.closed()
        return [Broken(reason)]

    def _ask_for(self, topic: Topic) -> None:
        if topic in self._ids:
            return
        id = self._next_id("s")
        self._ids[topic] = id
        self._topics[id] = topic
        self._send(
            {"msg": "sub", "id": id, "name": topic.stream, "params": [topic.name, {"useCollection": False, "args": []}]}
        )

    def _ask_for_all(self) -> None:
        for topic in (*self._own, *self._wanted, *self._lost):
            self._ask_for(topic)

    def _drop(self, topic: Topic) -> None:
        id = self._ids.pop(topic, None)
        self._confirmed.discard(topic)
        if id is not None:
            del self._topics[id]
            self._send({"msg": "unsub", "id": id})

    def _on_connected(self, _: dict[str, Any]) -> list[DdpEvent]:
        if self._state == "connecting" and self._token is not None:
            self._state = "logging in"
            self._login = self._next_id("m")
            params = [{"resume": self._token.reveal()}]
            self._send({"msg": "method", "method": "login", "id": self._login, "params": params})
        return []

    def _on_error(self, _: dict[str, Any]) -> list[DdpEvent]:
        # The reason may quote the rejected frame: the log-in, with its token.
        return self._broken("the server did not understand a frame")

    def _on_ping(self, data: dict[str, Any]) -> list[DdpEvent]:
        self._send({"msg": "pong", "id": data["id"]} if "id" in data else {"msg": "pong"})
        return []

    def _on_result(self, data: dict[str, Any]) -> list[DdpEvent]:
        if self._state != "logging in" or data.get("id") != self._login:
            return []
        if data.get("error") is not None:
            self.closed()
            return [refusal(data["error"])]
        result = data.get("result")
        result = result if isinstance(result, dict) else {}
        self._state = "live"
        self._ask_for_all()
        stated = result.get("id")
        return [LoggedIn(stated if isinstance(stated, str) else self._user_id, date(result.get("tokenExpires")))]

    def _on_ready(self, data: dict[str, Any]) -> list[DdpEvent]:
        ids = data.get("subs")
        topics = [self._topics.get(id) for id in ids if isinstance(id, str)] if isinstance(ids, list) else []
        events: list[DdpEvent] = []
        for topic in topics:
            if topic is not None and topic in self._lost:
                del self._lost[topic]
                self._wanted[topic] = None
            if topic in self._own:
                self._confirmed.add(topic)  # somebody may want it later
            if topic in self._wanted:
                self._failures.pop(topic, None)
                self._confirmed.add(topic)
                events.append(Ready(topic))
        return events

    def _on_nosub(self, data: dict[str, Any]) -> list[DdpEvent]:
        id = data.get("id")
        topic = self._topics.pop(id, None) if isinstance(id, str) else None
        if topic is None:
            return []  # the answer to an `unsub`
        del self._ids[topic]
        self._confirmed.discard(topic)
        error = data.get("error")
        if isinstance(error, dict) and error_code(error) == TOO_MANY:
            # Many subscriptions at once are too many calls; they are retried.
            self._ask_again = min(self._ask_again, self._now + (reset_after(error) or _A_WHILE))
            return []
        if isinstance(error, dict) and topic in self._wanted and not is_definite(error):
            # The server failed: that says nothing about the room.
            failures = self._failures[topic] = self._failures.get(topic, 0) + 1
            pause = min(_A_WHILE * 2.0 ** min(failures - 1, 8), _LONGEST_WHILE)
            self._ask_again = min(self._ask_again, self._now + pause)
            return []
        if topic not in self._wanted:
            return []  # a room that the user left, requested again in vain; or one of our own streams
        del self._wanted[topic]
        return [Refused(topic, error_code(error) if isinstance(error, dict) else "ended")]

    def _on_changed(self, data: dict[str, Any]) -> list[DdpEvent]:
        stream, fields = data.get("collection"), data.get("fields")
        name = fields.get("eventName") if isinstance(fields, dict) else None
        if not isinstance(stream, str) or not isinstance(name, str):
            return []
        topic = Topic(stream, name)
        if topic not in self._ids:
            return []  # unsubscribed in the meantime
        args = fields.get("args") if isinstance(fields, dict) else None
        values = tuple(as_rest(value) for value in args) if isinstance(args, list) else ()
        events: list[DdpEvent] = [Happened(topic, values)] if topic in self._wanted else []
        return events + (self._own_event(topic, values) if topic in self._own else [])

    def _own_event(self, topic: Topic, args: tuple[Any, ...]) -> list[DdpEvent]:
        event = topic.name.removeprefix(f"{self._user_id}/")
        if event == "force_logout" or (event == "userData" and self._lost_token(args)):
            self.closed()
            return [Revoked()]
        if event == _CHANGED and len(args) > 1 and isinstance(args[1], dict):
            room_id = args[1].get("rid")
            if isinstance(room_id, str):
                return self._membership(args[0], room_id)
        return []

    def _lost_token(self, args: Iterable[Any]) -> bool:
        for change in args:
            if not isinstance(change, dict):
                continue
            diff, unset = change.get("diff"), change.get("unset")
            if isinstance(unset, dict) and _LOGIN_TOKENS in unset:
                return True
            tokens = diff.get(_LOGIN_TOKENS) if isinstance(diff, dict) else None
            if isinstance(tokens, list):
                kept = [token.get("hashedToken") for token in tokens if isinstance(token, dict)]
                return self._token_digest not in kept
        return False

    def _membership(self, action: Any, room_id: str) -> list[DdpEvent]:
        if action == "removed":
            left = [topic for topic in self._wanted if topic.about(room_id)]
            for topic in left:
                del self._wanted[topic]
                self._lost[topic] = None
                self._drop(topic)
            return [Left(room_id)] if left else []
        for topic in [topic for topic in self._lost if topic.about(room_id)]:
            self._ask_for(topic)
        return []
