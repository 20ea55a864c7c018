"""Contents of a room: files, mentions, discussions; and cleaning it (docs/platforms/rocketchat.md#room-contents)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import room_changes
from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import read_iso
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, not_allowed, room_not_found
from ethora_async.sandbox.rocketchat.families import family_room, room_by_id
from ethora_async.sandbox.rocketchat.integrations import RIGHTS, shape
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routes_integrations import listed_in
from ethora_async.sandbox.rocketchat.routes_room_settings import CLEANED
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, NUMBER, TEXT, TEXTS, by_room, closed, maybe
from ethora_async.sandbox.rocketchat.shapes import file_shape, message_shape, room_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "room-contents"
PAGED = {"offset": maybe(NUMBER), "count": maybe(NUMBER), "sort": maybe(TEXT)}


@ROUTES.add("GET", "channels.files", "groups.files", "im.files", "dm.files", section=SECTION)
def files(call: Call) -> Reply:
    """List the files of a room, the newest first."""
    room = family_room(call, call.query)
    if call.user.id not in room.members and room.type != "c":
        raise room_not_found()
    found = [file for file in room.files.values() if file.confirmed]
    return call.listing("files", found[::-1], lambda file: file_shape(file, room))


@ROUTES.add("GET", "channels.getIntegrations", section=SECTION, any_of=RIGHTS)
@ROUTES.add(
    "GET",
    "groups.getIntegrations",
    section=SECTION,
    any_of=RIGHTS,
    query=by_room(None, {"includeAllPrivateGroups": maybe(TEXT), **PAGED}),
)
def integrations(call: Call) -> Reply:
    """List the integrations of a room, with those of all rooms of its kind unless the call says otherwise."""
    room = family_room(call, call.query)
    flag, kind = (
        ("includeAllPublicChannels", "all_public_channels")
        if room.type == "c"
        else ("includeAllPrivateGroups", "all_private_groups")
    )
    found = listed_in(call, room.name or "", kind if call.query.get(flag, "true") == "true" else None)
    return call.listing("integrations", found, shape)


@ROUTES.add(
    "GET",
    "channels.getAllUserMentionsByChannel",
    section=SECTION,
    query=closed({"roomId": TEXT}, {**PAGED, "query": maybe(TEXT)}),
)
def mentions(call: Call) -> Reply:
    """List the messages of a channel that mention the caller."""
    room = call.room_of(call.query, "c")
    found = [
        message
        for message in room.messages.values()
        if any(mention["_id"] == call.user.id for mention in message.mentions)
    ]
    return call.listing("mentions", found[::-1], message_shape)


@ROUTES.add("POST", "rooms.cleanHistory", section=SECTION, body=CLEANED)
def clean_history(call: Call) -> Reply:
    """Delete the messages between two times."""
    body = call.body
    room = room_by_id(call, body["roomId"])
    oldest, latest = read_iso(body["oldest"]), read_iso(body["latest"])
    if oldest is None or latest is None:
        raise failure('Body params "latest" and "oldest" must be valid dates.')
    if not may(call.user, "clean-channel-history", room):
        raise not_allowed()
    count = room_changes.clean(
        call.platform,
        room,
        oldest,
        latest,
        call.now,
        inclusive=bool(body.get("inclusive")),
        keep_pinned=bool(body.get("excludePinned")),
        keep_threads=bool(body.get("ignoreThreads")),
        keep_discussions=bool(body.get("ignoreDiscussion")),
        files_only=bool(body.get("filesOnly")),
        users=body.get("users"),
        limit=int(body.get("limit") or 0),
    )
    return success(_id=room.id, count=count)


@ROUTES.add(
    "POST",
    "rooms.createDiscussion",
    section=SECTION,
    any_of=("start-discussion",),
    body=closed(
        {"prid": TEXT, "t_name": TEXT},
        {
            **dict.fromkeys(("pmid", "topic", "reply"), maybe(TEXT)),
            "users": maybe(TEXTS),
            "encrypted": maybe(FLAG),
        },
    ),
)
def discuss(call: Call) -> Reply:
    """Create a discussion of a room, or of one of its messages."""
    parent = room_by_id(call, call.body["prid"])
    if parent.parent_id is not None:
        raise MeteorError("error-nested-discussion", "Cannot create nested discussions")
    if not call.body["t_name"].strip():
        raise failure('Body parameter "t_name" is required.')
    if parent.archived:
        raise MeteorError("error-room-archived", f"The channel, {parent.name}, is archived")
    if call.body.get("pmid") and call.body["pmid"] not in parent.messages:
        raise MeteorError("error-invalid-message", "Invalid message", {"method": "DiscussionCreation"})
    room = room_changes.discuss(call.platform, parent, call.body, call.user, call.now)
    return success(discussion={**room_shape(room), "rid": room.id})


@ROUTES.add("GET", "rooms.getDiscussions", section=SECTION)
def discussions(call: Call) -> Reply:
    """List the discussions of a room."""
    parent = call.room_of(call.query)
    if not may_read(call.user, parent) and not may(call.user, "view-room-administration"):
        raise not_allowed("Not Allowed")
    found = [room for room in call.platform.store.rooms if room.parent_id == parent.id]
    return call.listing("discussions", found, room_shape)


@ROUTES.add("GET", "im.messages.others", "dm.messages.others", section=SECTION, any_of=("view-room-administration",))
def messages_of_others(call: Call) -> Reply:
    """List the messages of a direct room that the caller is not in, if the setting allows it."""
    if not call.platform.settings["API_Enable_Direct_Message_History_EndPoint"]:
        raise MeteorError(
            "error-endpoint-disabled", "This endpoint is disabled", {"route": "/api/v1/im.messages.others"}
        )
    if not call.query.get("roomId"):
        raise MeteorError("error-roomid-param-not-provided", 'The parameter "roomId" is required')
    room = call.platform.store.rooms.with_id(str(call.query["roomId"]))
    if room is None or room.type != "d":
        raise MeteorError("error-room-not-found", f"No direct message room found by the id of: {call.query['roomId']}")
    return call.listing("messages", list(room.messages.values())[::-1], message_shape)


@ROUTES.add(
    "GET",
    "rooms.adminRooms",
    section=SECTION,
    any_of=("view-room-administration",),
    query=closed({}, {"filter": maybe(TEXT), "types": maybe(TEXTS), **PAGED, "query": maybe(TEXT)}),
)
def admin_rooms(call: Call) -> Reply:
    """List all rooms of the server, filtered by name and kind."""
    wanted = (call.query.get("filter") or "").lower()
    kinds = set(call.query.get("types") or [])
    found = [
        room
        for room in call.platform.store.rooms
        if (not kinds or room.type in kinds or ("discussions" in kinds and room.parent_id is not None))
        and wanted in (room.fname or room.name or " ".join(room.usernames)).lower()
    ]
    return call.listing("rooms", sorted(found, key=lambda room: room.fname or room.name or ""), room_shape)


@ROUTES.add(
    "GET",
    "rooms.adminRooms.getRoom",
    section=SECTION,
    any_of=("view-room-administration",),
    query=closed({}, {"rid": maybe(TEXT)}),
)
def admin_room(call: Call) -> Reply:
    """Return any room to an administrator."""
    room = call.platform.store.rooms.with_id(call.query.get("rid") or "")
    if room is None:
        raise MeteorError("error-not-allowed", "Not allowed")
    return success(**room_shape(room))


@ROUTES.add("GET", "rooms.nameExists", section=SECTION, query=closed({"roomName": FILLED}))
def name_exists(call: Call) -> Reply:
    """Return whether a name is taken."""
    return success(exists=call.platform.store.rooms.with_name(call.query["roomName"]) is not None)
