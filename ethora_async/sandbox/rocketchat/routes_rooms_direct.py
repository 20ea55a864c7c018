"""Direct rooms, as `im.*` and as `dm.*` (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import membership
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import invalid_user, not_allowed, room_not_found
from ethora_async.sandbox.rocketchat.families import direct_room
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FLAG, NUMBER, TEXT, TEXTS, closed, one_of
from ethora_async.sandbox.rocketchat.shapes import direct_member_shape, room_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Membership
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
PAGED = {"count": NUMBER, "offset": NUMBER, "sort": TEXT, "query": TEXT, "fields": TEXT}
MORE = {"status": TEXTS, "filter": TEXT, "query": TEXT, "sort": TEXT, "count": NUMBER, "offset": NUMBER}


@ROUTES.add(
    "POST",
    "im.create",
    "dm.create",
    section="rooms",
    any_of=("create-d",),
    body=one_of(closed({"usernames": TEXT}, {"excludeSelf": FLAG}), closed({"username": TEXT}, {"excludeSelf": FLAG})),
)
def create(call: Call) -> Reply:
    """Return or create the direct room of the caller and others; `inserted` is true for a new one."""
    text: str = call.body.get("username") or call.body.get("usernames") or ""
    names = [name.strip() for name in text.split(",") if name.strip()] if "usernames" in call.body else [text]
    found = [call.platform.store.users.with_username(name) for name in names]
    users = [user for user in found if user is not None]
    if not users or len(users) < len(found):
        raise invalid_user()
    if not call.body.get("excludeSelf"):
        users = [call.user, *users]
    room, inserted = membership.direct(call.platform, users, call.now)
    more = {"inserted": True} if inserted else {}
    return success(room={**room_shape(room), "rid": room.id, **more})


@ROUTES.add("GET", "im.list", "dm.list", section="rooms", query=closed({}, PAGED))
def list_own(call: Call) -> Reply:
    """List the caller's direct rooms."""
    rooms = [member.room for member in call.user.rooms.values() if member.room.type == "d"]
    return call.listing("ims", rooms, room_shape)


@ROUTES.add(
    "GET",
    "im.list.everyone",
    "dm.list.everyone",
    section="rooms",
    any_of=("view-room-administration",),
    query=closed({}, PAGED),
)
def list_everyone(call: Call) -> Reply:
    """List all direct rooms, for administrators."""
    rooms = [room for room in call.platform.store.rooms if room.type == "d"]
    return call.listing("ims", rooms, room_shape)


@ROUTES.add(
    "GET",
    "im.members",
    "dm.members",
    section="rooms",
    query=one_of(closed({"roomId": TEXT}, MORE), closed({"username": TEXT}, MORE)),
)
def members(call: Call) -> Reply:
    """List the members of a direct room."""
    room = direct_room(call, call.query)
    if call.user.id not in room.members:
        raise room_not_found()
    return call.listing("members", list(room.members.values()), _member)


def _member(member: Membership) -> dict[str, Any]:
    standing = {"_id": member.id, "ts": moment(member.since), "open": member.open}
    return {**direct_member_shape(member), "subscription": standing}


@ROUTES.add(
    "POST", "im.delete", "dm.delete", section="rooms", body=one_of(closed({"roomId": TEXT}), closed({"username": TEXT}))
)
def delete(call: Call) -> Reply:
    """Delete a direct room."""
    room = direct_room(call, call.body)
    if not may(call.user, "delete-d"):
        raise not_allowed()
    membership.delete(call.platform, room, call.now)
    return success()
