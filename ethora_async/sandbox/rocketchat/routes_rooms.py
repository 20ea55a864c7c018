"""Rooms and memberships of any kind (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import membership, posting
from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import read_iso
from ethora_async.sandbox.rocketchat.errors import MeteorError, RestError, failure, not_allowed
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, TEXT, by_room, closed, loose, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import departure_shape, room_shape, subscription_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.rocketchat.versions import Version
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SINCE = closed({}, {"updatedSince": maybe(TEXT)})


def joined_rooms(user: User, since: float | None) -> dict[str, Any]:
    """Return a user's rooms, or their changes since a time; `remove` holds deleted rooms only."""
    rooms = [member.room for member in user.rooms.values()]
    return {
        "update": [room_shape(room) for room in rooms if since is None or room.updated_at > since],
        "remove": [
            departure_shape(gone, room=True)
            for gone in user.left
            if since is not None and gone.room_deleted and gone.at > since
        ],
    }


def subscriptions(user: User, since: float | None) -> dict[str, Any]:
    """Return a user's memberships, or their changes since a time."""
    members = user.rooms.values()
    return {
        "update": [subscription_shape(member) for member in members if since is None or member.updated_at > since],
        "remove": [departure_shape(gone, room=False) for gone in user.left if since is not None and gone.at > since],
    }


def _since(call: Call) -> float | None:
    text = call.query.get("updatedSince")
    if not text:
        return None
    since = read_iso(text)
    if since is None:
        raise MeteorError(
            "error-updatedSince-param-invalid", 'The "updatedSince" query parameter must be a valid date.'
        )
    return since


@ROUTES.add("GET", "rooms.get", section="rooms", query=SINCE)
def get_rooms(call: Call) -> Reply:
    """List the caller's rooms, all at once."""
    return success(**joined_rooms(call.user, _since(call)))


@ROUTES.add("GET", "subscriptions.get", section="rooms", query=SINCE)
def get_subscriptions(call: Call) -> Reply:
    """List the caller's memberships, all at once."""
    return success(**subscriptions(call.user, _since(call)))


@ROUTES.add("GET", "subscriptions.getOne", section="rooms", query=closed({"roomId": TEXT}))
def get_subscription(call: Call) -> Reply:
    """Return the caller's membership in a room, or null."""
    member = call.user.rooms.get(call.query["roomId"])
    return success(subscription=None if member is None else subscription_shape(member))


@ROUTES.add(
    "POST",
    "subscriptions.read",
    section="rooms",
    body=one_of(
        closed({"rid": TEXT}, {"readThreads": maybe(FLAG)}), closed({"roomId": TEXT}, {"readThreads": maybe(FLAG)})
    ),
)
def read(call: Call) -> Reply:
    """Mark a room as read."""
    room = call.platform.store.rooms.with_id(call.body.get("rid") or call.body["roomId"])
    if room is None:
        raise MeteorError("error-invalid-subscription", "Invalid subscription")
    posting.mark_read(call.platform, room, call.user, call.now)
    return success()


def _info_query(version: Version) -> Schema:
    return by_room() if version.typed else loose({"roomId": TEXT, "roomName": TEXT})


@ROUTES.add("GET", "rooms.info", section="rooms", query=_info_query)
def info(call: Call) -> Reply:
    """Return a room that the caller may read."""
    room = call.room_of(call.query)
    if not may_read(call.user, room):
        raise RestError(400, {"success": False, "error": "not-allowed", "errorType": "Not Allowed"})
    return success(room=room_shape(room))


@ROUTES.add("POST", "rooms.delete", section="rooms", body=loose({"roomId": maybe(TEXT)}))
def delete(call: Call) -> Reply:
    """Delete a room."""
    room_id = call.body.get("roomId")
    if not room_id:
        raise failure("The 'roomId' param is required")
    room = call.platform.store.rooms.with_id(room_id)
    if room is None:
        raise MeteorError("error-invalid-room", "Invalid room", {"method": "eraseRoom"})
    if not may(call.user, f"delete-{room.type}", room):
        raise not_allowed()
    membership.delete(call.platform, room, call.now)
    return success()


@ROUTES.add(
    "POST",
    "rooms.invite",
    section="rooms",
    body=closed({"roomId": FILLED, "action": {"type": "string", "enum": ["accept", "reject"]}}),
)
def answer_invitation(call: Call) -> Reply:
    """Answer an invitation from another server; the sandbox has none, so nothing changes."""
    raise MeteorError("error-invalid-room", f"There is no pending invitation to {call.body['roomId']}")
