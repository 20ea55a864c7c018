"""Roles in a room: owners, moderators, leaders (docs/platforms/rocketchat.md#room-roles)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import room_changes
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, not_allowed
from ethora_async.sandbox.rocketchat.families import family_room
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routes_rooms_named import PEOPLE
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, TEXT, by_room, closed, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import brief

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "room-roles"
ROLES = ("owner", "moderator", "leader")
FAMILIES = ("channels", "groups")


def _role_route(verb: str, role: str) -> None:
    def change(call: Call) -> Reply:
        room = family_room(call, call.body)
        user = call.user_of(call.body)
        if not may(call.user, f"set-{role}", room):
            raise not_allowed()
        member = room.members.get(user.id)
        if member is None:
            raise MeteorError("error-user-not-in-room", "User is not in this room")
        act = room_changes.set_role if verb == "add" else room_changes.take_role
        act(call.platform, room, member, role, call.user, call.now)
        return success()

    names = [f"{family}.{verb}{role.title()}" for family in FAMILIES]
    ROUTES.add("POST", *names, section=SECTION, body=by_room(None, PEOPLE))(change)


for _verb in ("add", "remove"):
    for _role in ROLES:
        _role_route(_verb, _role)


@ROUTES.add(
    "GET",
    "channels.moderators",
    section=SECTION,
    query=by_room(None, dict.fromkeys(("userId", "username", "user"), maybe(TEXT))),
)
@ROUTES.add("GET", "groups.moderators", section=SECTION, query=by_room())
def moderators(call: Call) -> Reply:
    """List the moderators of a room."""
    room = family_room(call, call.query)
    return success(moderators=[brief(member.user) for member in room.members.values() if "moderator" in member.roles])


MUTED = one_of(closed({"userId": FILLED, "roomId": FILLED}), closed({"username": FILLED, "roomId": FILLED}))


def _mute_route(name: str, *, muted: bool) -> None:
    def change(call: Call) -> Reply:
        user = call.user_of(call.body)
        room = call.platform.store.rooms.with_id(call.body["roomId"])
        if not may(call.user, "mute-user", room):
            raise not_allowed()
        if room is None:
            raise MeteorError("error-invalid-room", "Invalid room")
        if room.type not in ("c", "p"):
            raise MeteorError("error-invalid-room-type", f"{room.type} is not a valid room type")
        if user.id not in room.members:
            raise MeteorError("error-user-not-in-room", "User is not in this room")
        room_changes.mute(call.platform, room, user, call.user, call.now, muted=muted)
        return success()

    ROUTES.add("POST", name, section=SECTION, body=MUTED)(change)


_mute_route("rooms.muteUser", muted=True)
_mute_route("rooms.unmuteUser", muted=False)


@ROUTES.add("GET", "channels.roles", "groups.roles", section=SECTION, query=by_room())
def roles(call: Call) -> Reply:
    """List the members of a room who have a role in it."""
    room = family_room(call, call.query)
    listed = [
        {"_id": member.id, "rid": room.id, "u": brief(member.user), "roles": list(member.roles)}
        for member in room.members.values()
        if member.roles
    ]
    return success(roles=listed)
