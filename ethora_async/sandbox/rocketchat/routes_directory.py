"""Finding people and rooms, and counting them (docs/platforms/rocketchat.md#directory-and-statistics)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import NUMBER, TEXT, closed, maybe
from ethora_async.sandbox.rocketchat.shapes import brief, room_shape, visible_user

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "directory-and-statistics"
PAGED = {"count": maybe(NUMBER), "offset": maybe(NUMBER), "sort": maybe(TEXT), "query": maybe(TEXT)}


def _wanted(call: Call) -> tuple[str, str]:
    """Return text and type from the query, where they may be JSON under `query`."""
    text, kind = call.query.get("text"), call.query.get("type")
    asked = call.query.get("query")
    if asked and text is None:
        try:
            given = orjson.loads(asked)
        except ValueError:
            # The Python client sends the repr of its mapping.
            given = {}
        text, kind = (given.get("text"), given.get("type")) if isinstance(given, dict) else (None, None)
    return str(text or "").lower(), str(kind or "channels")


@ROUTES.add(
    "GET",
    "directory",
    section=SECTION,
    query=closed({}, {**dict.fromkeys(("text", "type", "workspace"), maybe(TEXT)), **PAGED}),
)
def directory(call: Call) -> Reply:
    """List channels or users by a word of their names."""
    text, kind = _wanted(call)
    if kind == "users":
        users = [user for user in call.platform.store.users if text in f"{user.username} {user.name}".lower()]
        return call.listing("result", sorted(users, key=lambda user: user.username), visible_user)
    rooms = [
        room
        for room in call.platform.store.rooms
        if (room.team_main if kind == "teams" else room.type == "c")
        and may_read(call.user, room)
        and text in f"{room.name} {room.topic or ''}".lower()
    ]
    return call.listing("result", sorted(rooms, key=lambda room: room.name or ""), room_shape)


@ROUTES.add(
    "GET",
    "spotlight",
    section=SECTION,
    query=closed({"query": TEXT}, dict.fromkeys(("usernames", "type", "rid"), maybe(TEXT))),
)
def spotlight(call: Call) -> Reply:
    """Find users and rooms, a few of each; a leading `@` or `#` selects one kind."""
    word = call.query["query"].strip().lower()
    bare = word.lstrip("@#")
    users = [user for user in call.platform.store.users if bare in f"{user.username} {user.name}".lower()]
    rooms = [
        room
        for room in call.platform.store.rooms
        if room.type == "c" and bare in (room.name or "").lower() and may_read(call.user, room)
    ]
    return success(
        users=[] if word.startswith("#") else [{**brief(user), "status": user.status} for user in users[:5]],
        rooms=[]
        if word.startswith("@")
        else [{"_id": room.id, "name": room.name, "t": room.type} for room in rooms[:5]],
    )


def _counted(call: Call) -> dict[str, Any]:
    store = call.platform.store
    rooms, users = list(store.rooms), list(store.users)
    kinds = {kind: [room for room in rooms if room.type == kind] for kind in ("c", "p", "d")}
    return {
        "_id": "sandbox",
        "uniqueId": "sandbox",
        "version": str(call.platform.version),
        "totalUsers": len(users),
        "activeUsers": sum(user.active for user in users),
        "nonActiveUsers": sum(not user.active for user in users),
        "onlineUsers": sum(user.status == "online" for user in users),
        "awayUsers": sum(user.status == "away" for user in users),
        "busyUsers": sum(user.status == "busy" for user in users),
        "offlineUsers": sum(user.status == "offline" for user in users),
        "totalRooms": len(rooms),
        "totalChannels": len(kinds["c"]),
        "totalPrivateGroups": len(kinds["p"]),
        "totalDirect": len(kinds["d"]),
        "totalDiscussions": sum(room.parent_id is not None for room in rooms),
        "totalThreads": sum(message.thread_last is not None for room in rooms for message in room.messages.values()),
        "totalMessages": sum(len(room.messages) for room in rooms),
        "totalChannelMessages": sum(len(room.messages) for room in kinds["c"]),
        "totalPrivateGroupMessages": sum(len(room.messages) for room in kinds["p"]),
        "totalDirectMessages": sum(len(room.messages) for room in kinds["d"]),
        "uploadsTotal": sum(len(room.files) for room in rooms),
        "createdAt": moment(call.now),
        "_updatedAt": moment(call.now),
    }


@ROUTES.add(
    "GET", "statistics", section=SECTION, any_of=("view-statistics",), query=closed({}, {"refresh": maybe(TEXT)})
)
def statistics(call: Call) -> Reply:
    """Return the server's statistics."""
    return success(**_counted(call))


@ROUTES.add(
    "GET",
    "statistics.list",
    section=SECTION,
    any_of=("view-statistics",),
    query=closed({}, {"fields": maybe(TEXT), **PAGED}),
)
def statistics_list(call: Call) -> Reply:
    """List the statistics over time; the sandbox keeps only the latest."""
    return call.listing("statistics", [_counted(call)], dict)


@ROUTES.add("GET", "rooms.autocomplete.channelAndPrivate", section=SECTION)
def autocomplete(call: Call) -> Reply:
    """List the caller's rooms whose names begin with the `name` in the JSON of `selector`."""
    try:
        word = str(orjson.loads(str(call.query.get("selector") or "")).get("name") or "").lower()
    except (ValueError, AttributeError):
        raise MeteorError("error-invalid-params", "selector must be JSON") from None
    rooms = [
        room for room in call.platform.store.rooms if room.type in "cp" and (room.name or "").lower().startswith(word)
    ]
    return success(items=[room_shape(room) for room in rooms if may_read(call.user, room)][:10])
