"""The methods that clients call over DDP, and over REST by `method.call` (docs/platforms/rocketchat.md#methods)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import attrs

from ethora_async.sandbox.rocketchat import announce, posting, routes_rooms
from ethora_async.sandbox.rocketchat.errors import MeteorError, RestError
from ethora_async.sandbox.rocketchat.hub import EventListener
from ethora_async.sandbox.rocketchat.platform import Platform
from ethora_async.sandbox.rocketchat.records import User
from ethora_async.sandbox.rocketchat.shapes import message_shape

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Invocation:
    """A method that is being called; `source` is the connection, None over REST."""

    platform: Platform
    caller: User | None
    now: float
    source: EventListener | None = None

    @property
    def user(self) -> User:
        """The caller; raises `error-invalid-user` before log-in."""
        if self.caller is None:
            raise MeteorError("error-invalid-user", "Invalid user")
        return self.caller


def invoke(invocation: Invocation, name: str, params: list[Any]) -> Any:
    """Call a method; raises MeteorError, 404 for unknown ones."""
    method = METHODS.get(name)
    if method is None:
        raise MeteorError(404, f"Method '{name}' not found")
    try:
        return method(invocation, params)
    except RestError as refusal:
        raise MeteorError(500, str(refusal.body["error"])) from None


def _since(params: list[Any]) -> float | None:
    if not params or not isinstance(params[0], datetime):
        return None
    return params[0].timestamp()


def _rooms(invocation: Invocation, params: list[Any]) -> Any:
    """List rooms, or with a date the changes since then."""
    since = _since(params)
    found = routes_rooms.joined_rooms(invocation.user, since)
    return found["update"] if since is None else found


def _subscriptions(invocation: Invocation, params: list[Any]) -> Any:
    since = _since(params)
    found = routes_rooms.subscriptions(invocation.user, since)
    return found["update"] if since is None else found


def _send_message(invocation: Invocation, params: list[Any]) -> Any:
    data = _fields(params)
    room = invocation.platform.store.rooms.with_id(str(data.get("rid")))
    if room is None:
        raise MeteorError("error-invalid-room", "Invalid room")
    return message_shape(posting.send(invocation.platform, room, invocation.user, data, invocation.now))


def _react(invocation: Invocation, params: list[Any]) -> Any:
    emoji, message_id = ([*map(str, params), "", ""])[:2]
    found = posting.find(invocation.platform, message_id)
    if found is None or not emoji:
        raise MeteorError("error-not-allowed", "Not allowed")
    posting.react(invocation.platform, *found, invocation.user, emoji, invocation.now)


def _read(invocation: Invocation, params: list[Any]) -> Any:
    room = invocation.platform.store.rooms.with_id(str(params[0]) if params else "")
    if room is None:
        raise MeteorError("error-invalid-room", "Invalid room")
    posting.mark_read(invocation.platform, room, invocation.user, invocation.now)


def _presence(status: str) -> Callable[[Invocation, list[Any]], Any]:
    def method(invocation: Invocation, _: list[Any]) -> Any:
        invocation.user.status = status
        announce.status(invocation.platform, invocation.user)

    return method


def _notify_room(invocation: Invocation, params: list[Any]) -> Any:
    """Forward a member's typing to the other connections; ignore what is not allowed."""
    if len(params) < 2 or not isinstance(params[0], str):
        return
    event, user = params[0], invocation.user
    room_id, _, kind = event.partition("/")
    name = user.name if invocation.platform.settings["UI_Use_Real_Name"] else user.username
    if kind not in ("user-activity", "typing") or room_id not in user.rooms or params[1] != name:
        return
    invocation.platform.hub.emit(announce.NOTIFY_ROOM, event, params[1:], but=invocation.source)


def _fields(params: list[Any]) -> dict[str, Any]:
    if not params or not isinstance(params[0], dict):
        raise MeteorError(400, "Match failed")
    return cast("dict[str, Any]", params[0])


METHODS: dict[str, Callable[[Invocation, list[Any]], Any]] = {
    "UserPresence:away": _presence("away"),
    "UserPresence:online": _presence("online"),
    "readMessages": _read,
    "rooms/get": _rooms,
    "sendMessage": _send_message,
    "setReaction": _react,
    "stream-notify-room": _notify_room,
    "subscriptions/get": _subscriptions,
}
