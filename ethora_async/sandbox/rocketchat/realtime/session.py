"""One DDP conversation without I/O: frames in, frames out (docs/platforms/rocketchat.md#realtime)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import orjson

from ethora_async.sandbox.rocketchat import announce
from ethora_async.sandbox.rocketchat.encoding import ejson, moment, read_ejson
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.ids import new_id
from ethora_async.sandbox.rocketchat.logins import Client, log_in
from ethora_async.sandbox.rocketchat.realtime.methods import Invocation, invoke
from ethora_async.sandbox.rocketchat.realtime.quirks import NEVER
from ethora_async.sandbox.rocketchat.realtime.streams import admit
from ethora_async.sandbox.rocketchat.shapes import emails
from ethora_async.sandbox.rocketchat.tokens import drop, expires_at, sweep

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.realtime.limits import CallLimits
    from ethora_async.sandbox.rocketchat.realtime.quirks import Quirks
    from ethora_async.sandbox.rocketchat.records import LoginToken, User

SPOKEN = ("1", "pre2", "pre1")
NORMAL, PROTOCOL_ERROR, UNDECODABLE = 1000, 1002, 1007
Frame = dict[str, Any]


class Outlet(Protocol):
    """The output of a session."""

    def push(self, text: str) -> None:
        """Queue a frame."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Close after the queued frames."""
        ...


class Session:
    """A conversation: its login, and its subscriptions by id as (stream, event)."""

    def __init__(self, platform: Platform, outlet: Outlet, quirks: Quirks, limits: CallLimits, address: str) -> None:
        self.id: str = new_id()
        self.connected: bool = False
        self.user: User | None = None
        self.token: LoginToken | None = None
        self.subscriptions: dict[str, tuple[str, str]] = {}
        self._platform = platform
        self._outlet = outlet
        self._quirks = quirks
        self._limits = limits
        self._address = address
        self._handlers = {"ping": self._ping, "method": self._method, "sub": self._sub, "unsub": self._unsub}

    def open(self) -> None:
        """Start, optionally with the frame that old clients read."""
        self._platform.hub.listeners.add(self)
        if self._quirks.server_id:
            named = {"msg": "server_id"} if self._quirks.microservices else {}
            self.send({**named, "server_id": "0"})

    def end(self) -> None:
        """Clean up after the socket has closed."""
        self._platform.hub.listeners.discard(self)
        for sub_id in list(self.subscriptions):
            self._forget(sub_id)
        user, self.user, self.token = self.user, None, None
        self._went_offline(user)

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        self._outlet.push(ejson(frame))

    def push(self, text: str) -> None:
        """Send a frame that is already encoded."""
        self._outlet.push(text)

    def ping(self) -> None:
        """Send a ping."""
        self.send({"msg": "ping"})

    def receive(self, text: str) -> None:
        """Handle one frame."""
        frame = _decode(text)
        if frame is None:
            self._complain("Parse error", UNDECODABLE)
            return
        if not self.connected:
            self._connect(frame)
            return
        kind = str(frame.get("msg"))
        if kind in self._handlers:
            self._handlers[kind](frame)
        elif kind == "connect":
            self._complain("Already connected", PROTOCOL_ERROR, frame)
        elif kind != "pong":
            self._complain("Bad request", PROTOCOL_ERROR, frame)

    def token_died(self, hashed: str) -> None:
        """End the login if its token has ended."""
        if self.token is None or self.token.hashed != hashed:
            return
        if self._quirks.on_revoke == "close":
            self._outlet.close(NORMAL)
            return
        self._leave()

    def _complain(self, reason: str, code: int, frame: Frame | None = None) -> None:
        if self._quirks.microservices:
            self._outlet.close(code)
            return
        more = {} if frame is None else {"offendingMessage": frame}
        self.send({"msg": "error", "reason": reason, **more})

    def _connect(self, frame: Frame) -> None:
        if frame.get("msg") != "connect":
            self._complain("Must connect first", PROTOCOL_ERROR, frame)
            return
        support = frame.get("support")
        if frame.get("version") not in SPOKEN or not isinstance(support, list) or frame["version"] not in support:
            self.send({"msg": "failed", "version": SPOKEN[0]})
            self._outlet.close(NORMAL)
            return
        self.connected = True
        self.send({"msg": "connected", "session": self.id})

    def _ping(self, frame: Frame) -> None:
        self.send({"msg": "pong", **({"id": frame["id"]} if "id" in frame else {})})

    def _method(self, frame: Frame) -> None:
        name, call_id, params = frame.get("method"), frame.get("id"), frame.get("params", [])
        if not isinstance(name, str) or not isinstance(call_id, str) or not isinstance(params, list):
            self._complain("Malformed method invocation", PROTOCOL_ERROR, frame)
            return
        reply: Frame = {"msg": "result", "id": call_id}
        try:
            now = self._settled()
            self._count(name, now)
            result = self._call(name, cast("list[Any]", read_ejson(params)), now)
        except MeteorError as error:
            reply["error"] = error.frame()
        else:
            # A null value is left out.
            reply |= {"result": result} if result else {}
        updated: Frame = {"msg": "updated", "methods": [call_id]}
        for part in (updated, reply) if self._quirks.updated_first else (reply, updated):
            self.send(part)
        if name == "logout" and self._quirks.microservices:
            self._outlet.close(PROTOCOL_ERROR)

    def _call(self, name: str, params: list[Any], now: float) -> Any:
        if name == "login":
            return self._log_in(params, now)
        if name == "logout":
            return self._log_out()
        return invoke(Invocation(self._platform, self.user, now, self), name, params)

    def _log_in(self, params: list[Any], now: float) -> Frame:
        options = cast("dict[str, Any]", params[0]) if params and isinstance(params[0], dict) else {}
        if self._quirks.microservices and "resume" not in options:
            raise MeteorError(403, "Unrecognized options for login request")
        login = log_in(self._platform, options, Client(self._address), now)
        before, self.user, self.token = self.user, login.user, login.token
        if before is not login.user:
            self._went_offline(before)
            self._check_subscriptions()
        login.user.status = "online"
        announce.status(self._platform, login.user)
        fields = {"username": login.user.username, "emails": emails(login.user)}
        self.send({"msg": "added", "collection": "users", "id": login.user.id, "fields": fields})
        expires = expires_at(self._platform, login.token)
        more = NEVER[self._quirks.personal_expiry] if expires is None else {"tokenExpires": moment(expires)}
        return {"id": login.user.id, "token": login.text, **more, "type": login.kind}

    def _log_out(self) -> None:
        user, token = self.user, self.token
        self._leave()
        if user is not None:
            drop(self._platform, user, lambda other: other is token)

    def _leave(self) -> None:
        user, self.user, self.token = self.user, None, None
        self._check_subscriptions()
        self._went_offline(user)
        if user is not None:
            self.send({"msg": "removed", "collection": "users", "id": user.id})

    def _sub(self, frame: Frame) -> None:
        sub_id, stream, params = frame.get("id"), frame.get("name"), frame.get("params", [])
        if not isinstance(sub_id, str) or not isinstance(stream, str) or not isinstance(params, list):
            self._complain("Malformed subscription", PROTOCOL_ERROR, frame)
            return
        if sub_id in self.subscriptions:
            return
        arguments: list[Any] = params
        try:
            self._count(None, self._settled())
            event = admit(self._platform, self.user, stream, arguments[0] if arguments else None)
        except MeteorError as error:
            self.send({"msg": "nosub", "id": sub_id, "error": error.frame()})
            return
        self.subscriptions[sub_id] = (stream, event)
        self._platform.hub.subscribe(self, sub_id, (stream, event))
        if _uses_collection(arguments):
            self.send({"msg": "added", "collection": stream, "id": "id", "fields": {"eventName": event}})
        self.send({"msg": "ready", "subs": [sub_id]})

    def _unsub(self, frame: Frame) -> None:
        sub_id = frame.get("id")
        if isinstance(sub_id, str):
            self._forget(sub_id)
        self.send({"msg": "nosub", "id": sub_id})

    def _forget(self, sub_id: str) -> None:
        key = self.subscriptions.pop(sub_id, None)
        if key is not None:
            self._platform.hub.unsubscribe(self, sub_id, key)

    def _check_subscriptions(self) -> None:
        """End the subscriptions that the current user may not have."""
        for sub_id, (stream, event) in list(self.subscriptions.items()):
            try:
                admit(self._platform, self.user, stream, event)
            except MeteorError as error:
                self._forget(sub_id)
                self.send({"msg": "nosub", "id": sub_id, "error": error.frame()})

    def _count(self, method: str | None, now: float) -> None:
        user_id = None if self.user is None else self.user.id
        self._limits.count(self._address, self.id, user_id, method, now)

    def _settled(self) -> float:
        now = self._platform.now()
        sweep(self._platform, now)
        return now

    def _went_offline(self, user: User | None) -> None:
        if user is not None and all(other.user is not user for other in self._platform.hub.listeners):
            user.status = "offline"
            announce.status(self._platform, user)


def _decode(text: str) -> Frame | None:
    try:
        frame: Any = orjson.loads(text)
    except ValueError:
        return None
    return cast("Frame", frame) if isinstance(frame, dict) else None


def _uses_collection(params: list[Any]) -> bool:
    options: Any = params[1] if len(params) > 1 else None
    if isinstance(options, dict):
        return cast("dict[str, Any]", options).get("useCollection") is True
    return options is True
