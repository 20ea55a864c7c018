"""The room that a call of any family names: `channels.*`, `groups.*`, `im.*` and `dm.*`, or `rooms.*` by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
KINDS = {"channels": "c", "groups": "p", "im": "d", "dm": "d"}
"""The type of the rooms of a family."""


def named_room(call: Call, fields: dict[str, Any]) -> Room:
    """Find the channel or group of a call; a group that the caller is not in counts as unknown."""
    room = call.room_of(fields, KINDS[call.family()])
    if room.type == "p" and call.user.id not in room.members:
        raise room_not_found()
    return room


def direct_room(call: Call, fields: dict[str, Any]) -> Room:
    """Find the direct room that `roomId` names, or that the caller shares with `username`."""
    if fields.get("roomId"):
        room = call.platform.store.rooms.with_id(fields["roomId"])
    elif fields.get("username"):
        room = _shared(call, fields["username"])
    else:
        raise MeteorError("error-room-param-not-provided", 'Query param "roomId" or "username" is required')
    if room is None or room.type != "d":
        raise room_not_found()
    return room


def _shared(call: Call, username: str) -> Room | None:
    other = call.platform.store.users.with_username(username)
    if other is None:
        return None
    ids = {call.user.id, other.id}
    rooms = (member.room for member in call.user.rooms.values())
    return next((room for room in rooms if room.type == "d" and room.members.keys() == ids), None)


def any_room(call: Call, fields: dict[str, Any]) -> Room:
    """Find the channel, group or direct room of a call by its family."""
    return (direct_room if KINDS[call.family()] == "d" else named_room)(call, fields)


def family_room(call: Call, fields: dict[str, Any]) -> Room:
    """Find the room of a call by its family; a room that the caller may not see counts as unknown."""
    room = any_room(call, fields)
    if not may_read(call.user, room) and not may(call.user, "view-room-administration"):
        raise room_not_found()
    return room


def room_by_id(call: Call, room_id: str) -> Room:
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
