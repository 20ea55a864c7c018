"""The room that a call of any family names: `channels.*`, `groups.*`, `im.*` and `dm.*`, or `rooms.*` by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import routes_rooms_direct, routes_rooms_named
from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, not_allowed, room_not_found
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.shapes import room_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Membership, Message, Room
    from ethora_async.sandbox.wire import Reply

NAMES = {"channels": "channel", "groups": "group", "im": "room", "dm": "room"}


def family_room(call: Call, fields: dict[str, Any]) -> Room:
    """Find the room of a call by its family; a room that the caller may not see counts as unknown."""
    direct = call.family() in ("im", "dm")
    find = routes_rooms_direct.room_of if direct else routes_rooms_named.room_of
    room = find(call, fields)
    if not may_read(call.user, room) and not may(call.user, "view-room-administration"):
        raise room_not_found()
    return room


def room_named(call: Call, room_id: str) -> Room:
    """Find a room by its id; refuse one that the caller may not see."""
    room = call.platform.store.rooms.with_id(room_id)
    if room is None:
        raise MeteorError("error-invalid-room", "Invalid room")
    if not may_read(call.user, room) and not may(call.user, "view-room-administration"):
        raise not_allowed("Not Allowed")
    return room


def standing(call: Call, room: Room) -> Membership:
    """Return the caller's membership in a room."""
    member = room.members.get(call.user.id)
    if member is None:
        raise MeteorError("error-invalid-subscription", "Invalid subscription")
    return member


def message_of(call: Call, message_id: str) -> tuple[Room, Message]:
    """Find a message that the caller may see."""
    for room in call.platform.store.rooms:
        message = room.messages.get(message_id)
        if message is not None and may_read(call.user, room):
            return room, message
    raise MeteorError("error-message-not-found", 'The provided "messageId" does not match any existing message.')


def reply(room: Room) -> Reply:
    """Reply with the room, under the key of its kind."""
    return success(**{{"c": "channel", "p": "group"}.get(room.type, "room"): room_shape(room)})
