"""A user and a room: open, favourite, leave, count (docs/platforms/rocketchat.md#standing-in-a-room)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import announce, membership
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, missing_permission, room_not_found
from ethora_async.sandbox.rocketchat.families import family_room, reply, room_by_id, standing
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, TEXT, by_room, closed, loose, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import brief, room_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Membership, Room
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "standing-in-a-room"
DIRECT = closed({"roomId": TEXT})


@ROUTES.add("POST", "channels.open", "groups.open", section=SECTION, body=by_room())
@ROUTES.add("POST", "im.open", "dm.open", section=SECTION, body=DIRECT)
def open_room(call: Call) -> Reply:
    """Show a room in the caller's list."""
    room = family_room(call, call.body)
    member = room.members.get(call.user.id)
    if member is None:
        raise failure(f'The user/callee is not in the channel "{room.name or room.id}".')
    if member.open and room.type != "d":
        raise failure(f"The {_title(room)} is already open to the sender")
    _show(call, member, shown=True)
    return success()


@ROUTES.add("POST", "channels.close", "groups.close", section=SECTION, body=by_room())
@ROUTES.add("POST", "im.close", "dm.close", section=SECTION, body=DIRECT)
def close_room(call: Call) -> Reply:
    """Hide a room from the caller's list until the next message."""
    room = family_room(call, call.body)
    member = room.members.get(call.user.id)
    if member is None:
        raise failure(f'The user/callee is not in the channel "{room.name or room.id}".')
    if not member.open:
        raise failure(f"The {_title(room)} is already closed to the sender")
    _show(call, member, shown=False)
    return success()


@ROUTES.add("POST", "rooms.open", section=SECTION, body=closed({"roomId": FILLED}))
def open_any(call: Call) -> Reply:
    """Show a room of any kind."""
    _show(call, standing(call, room_by_id(call, call.body["roomId"])), shown=True)
    return success()


@ROUTES.add("POST", "rooms.hide", section=SECTION, body=closed({"roomId": FILLED}))
def hide_any(call: Call) -> Reply:
    """Hide a room of any kind."""
    _show(call, standing(call, room_by_id(call, call.body["roomId"])), shown=False)
    return success()


def _title(room: Room) -> str:
    return f'direct message room, "{room.id}",' if room.type == "d" else f'channel, "{room.name}",'


def _show(call: Call, member: Membership, *, shown: bool) -> None:
    member.open, member.updated_at = shown, call.now
    if not shown:
        member.alert, member.unread = False, 0
    announce.subscription(call.platform, "updated", member)


@ROUTES.add("POST", "rooms.favorite", section=SECTION)
def favorite(call: Call) -> Reply:
    """Add a room to the caller's favourites, or remove it."""
    if not isinstance(call.body.get("favorite"), bool):
        raise failure("The 'favorite' param is required")
    member = standing(call, call.room_of(call.body))
    member.favorite, member.updated_at = call.body["favorite"], call.now
    announce.subscription(call.platform, "updated", member)
    return success()


@ROUTES.add("POST", "rooms.leave", section=SECTION, body=loose({"roomId": TEXT, "roomName": TEXT}))
def leave(call: Call) -> Reply:
    """Leave a room of any kind except a direct one."""
    room = call.room_of(call.body)
    if room.type == "d":
        raise MeteorError("error-not-allowed", "Not allowed", {"method": "leaveRoom"})
    membership.leave(call.platform, room, call.user, call.now)
    return success()


@ROUTES.add(
    "POST",
    "rooms.join",
    section=SECTION,
    body=one_of(
        closed({"roomId": FILLED}, {"joinCode": maybe(TEXT)}), closed({"roomName": FILLED}, {"joinCode": maybe(TEXT)})
    ),
)
def join(call: Call) -> Reply:
    """Join a channel."""
    room = call.room_of(call.body)
    if room.type != "c" and call.user.id not in room.members:
        raise room_not_found()
    membership.enter(call.platform, room, call.user, call.now, code=call.body.get("joinCode"))
    return success(room=room_shape(room))


@ROUTES.add(
    "POST",
    "subscriptions.unread",
    section=SECTION,
    body=one_of(closed({"roomId": TEXT}), closed({"firstUnreadMessage": closed({"_id": TEXT})})),
)
def unread(call: Call) -> Reply:
    """Mark a room as unread from a given message on, or from the last one by another user."""
    first = (call.body.get("firstUnreadMessage") or {}).get("_id")
    if first is not None:
        room = next((one for one in call.platform.store.rooms if first in one.messages), None)
        if room is None or room.messages[first].user_id == call.user.id:
            raise MeteorError("error-action-not-allowed", "Not allowed", {"method": "unreadMessages"})
    else:
        room = room_by_id(call, call.body["roomId"])
    others = [message for message in room.messages.values() if message.user_id != call.user.id]
    if not others:
        raise MeteorError("error-no-message-for-unread", "There are no messages to mark unread")
    member = standing(call, room)
    start = room.messages[first] if first is not None else others[-1]
    member.alert, member.open, member.updated_at, member.seen_at = True, True, call.now, start.at - 0.001
    member.unread = sum(1 for message in others if message.at >= start.at)
    announce.subscription(call.platform, "updated", member)
    return success()


@ROUTES.add("GET", "channels.counters", section=SECTION)
@ROUTES.add("GET", "groups.counters", section=SECTION, query=by_room(None, {"userId": maybe(TEXT)}))
@ROUTES.add("GET", "im.counters", "dm.counters", section=SECTION)
def counters(call: Call) -> Reply:
    """Return the counters of a room, and of the unread messages of one member."""
    room = family_room(call, call.query)
    user = call.user
    if call.query.get("userId"):
        if not may(user, "view-room-administration"):
            raise missing_permission()
        user = call.find_user(str(call.query["userId"]))
    member = room.members.get(user.id)
    last = room.last_message
    counted = {
        "joined": member is not None,
        "members": len(room.members),
        "msgs": len(room.messages),
        "unreads": member.unread if member is not None else None,
        "unreadsFrom": moment(member.seen_at or member.since) if member is not None else None,
        "latest": None if last is None else moment(last.at),
        "userMentions": member.mentions if member is not None else 0,
    }
    return success(**counted)


@ROUTES.add("GET", "rooms.isMember", section=SECTION)
def is_member(call: Call) -> Reply:
    """Return whether a user is in a room."""
    room = call.room_of(call.query)
    user = call.user_of(call.query)
    return success(isMember=user.id in room.members)


@ROUTES.add(
    "GET",
    "channels.online",
    "groups.online",
    section=SECTION,
    query=closed({}, {"_id": maybe(TEXT), "query": maybe(TEXT)}),
)
def online(call: Call) -> Reply:
    """List the members of a room who are online."""
    if not call.query.get("_id"):
        raise failure("Invalid query")
    room = family_room(call, {"roomId": call.query["_id"]})
    here = [member.user for member in room.members.values() if member.user.status != "offline"]
    return success(online=[{"_id": user.id, "username": user.username} for user in here])


@ROUTES.add("GET", "rooms.membersOrderedByRole", section=SECTION)
def members_by_role(call: Call) -> Reply:
    """List the members of a room, those with roles first."""
    room = call.room_of(call.query)
    if call.user.id not in room.members and room.type != "c":
        raise room_not_found()
    order = ("owner", "moderator", "leader")

    def rank(member: Membership) -> tuple[int, str]:
        ranks = [order.index(role) for role in member.roles if role in order]
        return min(ranks, default=len(order)), member.user.username.lower()

    shaped = sorted(room.members.values(), key=rank)
    return call.listing(
        "members",
        shaped,
        lambda member: {**brief(member.user), "status": member.user.status, "roles": list(member.roles)},
    )


@ROUTES.add(
    "POST", "channels.addAll", "groups.addAll", section=SECTION, body=by_room(None, {"activeUsersOnly": maybe(FLAG)})
)
def add_all(call: Call) -> Reply:
    """Add all users to a room."""
    room = family_room(call, call.body)
    if not may(call.user, "add-user-to-any-c-room"):
        raise MeteorError("error-not-allowed", "Not allowed")
    users = [
        user
        for user in call.platform.store.users
        if user.active and (not call.body.get("activeUsersOnly") or user.last_login is not None)
    ]
    membership.add(call.platform, room, users, call.user, call.now)
    return reply(room)
