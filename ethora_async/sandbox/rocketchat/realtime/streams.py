"""Streams, and the rights to subscribe to them (docs/platforms/rocketchat.md#streams)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat.announce import (
    MESSAGES,
    MY_MESSAGES,
    NOTIFY_ALL,
    NOTIFY_LOGGED,
    NOTIFY_ROOM,
    NOTIFY_USER,
    may_read,
)
from ethora_async.sandbox.rocketchat.errors import MeteorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import User


def _room_messages(platform: Platform, user: User, event: str) -> bool:
    if event == MY_MESSAGES:
        return True
    room = platform.store.rooms.with_id(event)
    return room is not None and may_read(user, room)


def _notify_user(_: Platform, user: User, event: str) -> bool:
    return event.partition("/")[0] == user.id


def _notify_room(platform: Platform, user: User, event: str) -> bool:
    room = platform.store.rooms.with_id(event.partition("/")[0])
    return room is not None and user.id in room.members


def _anyone(_: Platform, __: User, ___: str) -> bool:
    return True


RULES: dict[str, Callable[[Platform, User, str], bool]] = {
    MESSAGES: _room_messages,
    NOTIFY_USER: _notify_user,
    NOTIFY_ROOM: _notify_room,
    NOTIFY_LOGGED: _anyone,
    NOTIFY_ALL: _anyone,
}


def admit(platform: Platform, user: User | None, stream: str, event: object) -> str:
    """Return the event to subscribe to.

    Raises for unknown streams, and `not-allowed` for events that the user may not receive. Without a login only
    `stream-notify-all` is allowed.
    """
    rule = RULES.get(stream)
    if rule is None:
        raise MeteorError(404, f"Subscription '{stream}' not found")
    if not isinstance(event, str) or not event:
        raise MeteorError("invalid-event-name")
    allowed = stream == NOTIFY_ALL if user is None else rule(platform, user, event)
    if not allowed:
        raise MeteorError("not-allowed")
    return event
