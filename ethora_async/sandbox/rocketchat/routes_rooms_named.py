"""Channels (public) and groups (private): the same calls under two names (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import membership
from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import (
    MeteorError,
    failure,
    missing_permission,
    not_allowed,
    room_not_found,
)
from ethora_async.sandbox.rocketchat.families import KINDS, named_room, reply
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FLAG, MAP, NUMBER, TEXT, TEXTS, by_room, closed, maybe
from ethora_async.sandbox.rocketchat.shapes import member_shape, room_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Room, User
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.rocketchat.versions import Version
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
FLAGS = {"broadcast": FLAG, "encrypted": FLAG}
NEW_CHANNEL = closed(
    {"name": TEXT},
    {
        **dict.fromkeys(("members", "teams"), TEXTS),
        **dict.fromkeys(("readOnly", "excludeSelf"), FLAG),
        "customFields": MAP,
        "extraData": closed({}, {**FLAGS, "teamId": TEXT, "topic": TEXT, "federated": FLAG}),
    },
)
NEW_GROUP = closed(
    {"name": TEXT},
    {
        "members": maybe(TEXTS),
        **dict.fromkeys(("readOnly", "excludeSelf"), maybe(FLAG)),
        "customFields": maybe(MAP),
        "extraData": maybe(
            closed({}, {**FLAGS, "teamId": maybe(TEXT), "topic": maybe(TEXT), "federated": maybe(FLAG)})
        ),
    },
)
PEOPLE = {
    **dict.fromkeys(("userId", "username", "user"), maybe(TEXT)),
    **dict.fromkeys(("userIds", "usernames"), maybe(TEXTS)),
}
PAGED = {"count": NUMBER, "offset": NUMBER, "sort": TEXT, "query": TEXT, "fields": TEXT}
MEMBERS = by_room(
    None, {"offset": maybe(NUMBER), "count": maybe(NUMBER), "filter": maybe(TEXT), "status": maybe(TEXTS)}
)


def _create(call: Call) -> Reply:
    kind = KINDS[call.family()]
    if not may(call.user, f"create-{kind}"):
        raise missing_permission()
    return reply(membership.create_named(call.platform, kind, call.body, call.user, call.now))


@ROUTES.add("POST", "channels.create", section="rooms", body=NEW_CHANNEL)
def create_channel(call: Call) -> Reply:
    """Create a channel."""
    return _create(call)


@ROUTES.add("POST", "groups.create", section="rooms", body=NEW_GROUP)
def create_group(call: Call) -> Reply:
    """Create a group."""
    return _create(call)


def _listed(call: Call, key: str, rooms: Iterable[Room]) -> Reply:
    return call.listing(key, sorted(rooms, key=lambda room: room.name or ""), room_shape)


def _own(user: User, kind: str) -> list[Room]:
    return [member.room for member in user.rooms.values() if member.room.type == kind]


@ROUTES.add("GET", "channels.list", section="rooms", any_of=("view-c-room",), query=closed({}, {**PAGED, "_id": TEXT}))
def list_channels(call: Call) -> Reply:
    """List all channels by name."""
    return _listed(call, "channels", (room for room in call.platform.store.rooms if room.type == "c"))


@ROUTES.add("GET", "channels.list.joined", section="rooms", query=closed({}, PAGED))
def list_joined(call: Call) -> Reply:
    """List the channels that the caller is in."""
    return _listed(call, "channels", _own(call.user, "c"))


@ROUTES.add("GET", "groups.list", section="rooms", query=closed({}, PAGED))
def list_groups(call: Call) -> Reply:
    """List the groups that the caller is in."""
    return _listed(call, "groups", _own(call.user, "p"))


@ROUTES.add("GET", "groups.listAll", section="rooms", any_of=("view-room-administration",), query=closed({}, PAGED))
def list_all_groups(call: Call) -> Reply:
    """List all groups, for administrators."""
    return _listed(call, "groups", (room for room in call.platform.store.rooms if room.type == "p"))


@ROUTES.add("GET", "channels.info", "groups.info", section="rooms", query=by_room())
def info(call: Call) -> Reply:
    """Return a room."""
    room = named_room(call, call.query)
    if not may_read(call.user, room):
        raise room_not_found()
    return reply(room)


@ROUTES.add("GET", "channels.members", "groups.members", section="rooms", query=MEMBERS)
def members(call: Call) -> Reply:
    """List the members of a room, by user name."""
    room = named_room(call, call.query)
    if not may_read(call.user, room):
        raise room_not_found()
    wanted = (call.query.get("filter") or "").lower()
    found = [member for member in room.members.values() if wanted in member.user.username.lower()]
    return call.listing("members", sorted(found, key=lambda member: member.user.username.lower()), member_shape)


@ROUTES.add("POST", "channels.invite", "groups.invite", section="rooms", body=by_room(None, PEOPLE))
def invite(call: Call) -> Reply:
    """Add users to a room; members are ignored."""
    room = named_room(call, call.body)
    users = _people(call)
    if not may(call.user, f"add-user-to-any-{room.type}-room") and not _keeps(call, room, "add-user-to-joined-room"):
        raise not_allowed()
    membership.add(call.platform, room, users, call.user, call.now)
    return reply(room)


def _kick_body(version: Version) -> Schema:
    """Return the form of `channels.kick`: from 8.8 on it names the user by id only."""
    return by_room({"userId": TEXT}) if version.since(8, 8) else by_room(None, PEOPLE)


@ROUTES.add("POST", "channels.kick", section="rooms", body=_kick_body)
@ROUTES.add("POST", "groups.kick", section="rooms", body=by_room(None, PEOPLE))
def kick(call: Call) -> Reply:
    """Remove a user from a room."""
    room = call.room_of(call.body, KINDS[call.family()])
    user = call.user_of(call.body)
    if not may(call.user, "remove-user", room):
        raise not_allowed()
    membership.kick(call.platform, room, user, call.user, call.now)
    return reply(room)


@ROUTES.add("POST", "channels.join", section="rooms", body=by_room(None, {"joinCode": maybe(TEXT)}))
def join(call: Call) -> Reply:
    """Join a channel."""
    room = named_room(call, call.body)
    membership.enter(call.platform, room, call.user, call.now, code=call.body.get("joinCode"))
    return reply(room)


@ROUTES.add("POST", "channels.leave", "groups.leave", section="rooms", body=by_room())
def leave(call: Call) -> Reply:
    """Leave a room."""
    room = named_room(call, call.body)
    membership.leave(call.platform, room, call.user, call.now)
    return reply(room)


@ROUTES.add("POST", "channels.delete", "groups.delete", section="rooms", body=by_room())
def delete(call: Call) -> Reply:
    """Delete a room with its messages."""
    room = call.room_of(call.body, KINDS[call.family()])
    if not may(call.user, f"delete-{room.type}", room):
        raise not_allowed()
    membership.delete(call.platform, room, call.now)
    return success()


def _keeps(call: Call, room: Room, permission: str) -> bool:
    return call.user.id in room.members and may(call.user, permission, room)


def _people(call: Call) -> list[User]:
    """Return the users that a body names; unknown ones are ignored if at least one is known."""
    body, users = call.body, call.platform.store.users
    ids = [*(body.get("userIds") or ()), *([body["userId"]] if body.get("userId") else ())]
    names = [*(body.get("usernames") or ()), *(body[key] for key in ("username", "user") if body.get(key))]
    if not ids and not names:
        text = 'Please provide "userId" or "username" or "userIds" or "usernames" as param'
        raise MeteorError("error-users-params-not-provided", text)
    found = [users.with_id(user_id) for user_id in ids] + [users.with_username(name) for name in names]
    present = [user for user in found if user is not None]
    if not present:
        raise failure("invalid-user-invite-list")
    return present
