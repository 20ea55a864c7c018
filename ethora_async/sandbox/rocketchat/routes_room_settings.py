"""Names and settings of rooms: one table for channels, groups and direct rooms.

See docs/platforms/rocketchat.md#room-settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import membership, room_changes
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, not_allowed
from ethora_async.sandbox.rocketchat.families import NAMES, family_room, reply, room_by_id
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FLAG, MAP, NUMBER, TEXT, TEXTS, by_room, closed, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import room_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Room
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "room-settings"
TEXT_FIELDS = {"Topic": "topic", "Description": "description", "Announcement": "announcement", "Purpose": "purpose"}
FIELD_OF = {"purpose": "description"}
DIRECT: Schema = closed({"roomId": TEXT})


def _edited(call: Call, permission: str = "edit-room") -> Room:
    room = family_room(call, call.body)
    if room.type != "d" and not may(call.user, permission, room):
        raise not_allowed()
    return room


def _named(*names: str) -> tuple[str, ...]:
    return tuple(f"{family}.{name}" for name in names for family in ("channels", "groups"))


def _same(what: str) -> Exception:
    return failure(f"The channel {what} is the same as what it would be changed to.")


def _text_route(suffix: str, key: str) -> None:
    """Serve the change of one text of a room."""
    families = _named(f"set{suffix}")

    def change(call: Call) -> Reply:
        room = _edited(call)
        room_changes.set_text(call.platform, room, FIELD_OF.get(key, key), call.body[key], call.user, call.now)
        return success(**{key: call.body[key]})

    ROUTES.add("POST", *families, section=SECTION, body=by_room({key: TEXT}))(change)
    if key == "topic":
        form = closed({"roomId": TEXT, "topic": TEXT})
        ROUTES.add("POST", "im.setTopic", "dm.setTopic", section=SECTION, body=form)(change)


for _suffix, _key in TEXT_FIELDS.items():
    _text_route(_suffix, _key)


@ROUTES.add("POST", *_named("rename"), section=SECTION, body=by_room({"name": TEXT}))
def rename(call: Call) -> Reply:
    """Rename a room."""
    room = _edited(call)
    if not call.body["name"].strip():
        raise failure('The bodyParam "name" is required')
    if call.body["name"] == room.name:
        raise failure("The channel name is the same as what it would be renamed to.")
    room_changes.rename(call.platform, room, call.body["name"], call.user, call.now)
    return reply(room)


@ROUTES.add("POST", *_named("setReadOnly"), section=SECTION, body=by_room({"readOnly": FLAG}))
def set_read_only(call: Call) -> Reply:
    """Allow only owners and moderators to write, or everybody."""
    room = _edited(call, "set-readonly")
    if room.read_only is call.body["readOnly"]:
        raise _same("read only setting")
    room_changes.set_read_only(call.platform, room, call.body["readOnly"], call.user, call.now)
    return reply(room)


@ROUTES.add("POST", *_named("setType"), section=SECTION, body=by_room({"type": TEXT}))
def set_type(call: Call) -> Reply:
    """Turn a group into a channel, or a channel into a group."""
    room = _edited(call)
    kind = call.body["type"]
    if kind == room.type:
        raise _same("type")
    check_type(call, kind)
    room_changes.set_type(call.platform, room, kind, call.user, call.now)
    return success(**{NAMES[call.family()]: room_shape(room)})


def check_type(call: Call, kind: str) -> None:
    """Refuse a type that is none, and one of which the caller may create no room."""
    if kind not in ("c", "p"):
        raise MeteorError("error-invalid-room-type", f"{kind} is not a valid room type", {"type": kind})
    if not may(call.user, f"create-{kind}"):
        raise MeteorError(
            "error-action-not-allowed", "Changing the room type is not allowed", {"action": "Change_Room"}
        )


@ROUTES.add("POST", "groups.setEncrypted", section=SECTION, body=by_room({"encrypted": FLAG}))
def set_encrypted(call: Call) -> Reply:
    """Switch end-to-end encryption on or off."""
    room = _edited(call, "toggle-room-e2e-encryption")
    room_changes.set_plain(call.platform, room, "encrypted", call.body["encrypted"], call.now)
    return reply(room)


@ROUTES.add("POST", *_named("setCustomFields"), section=SECTION, body=by_room({"customFields": MAP}))
def set_custom_fields(call: Call) -> Reply:
    """Replace a room's custom fields."""
    room = _edited(call)
    room_changes.set_plain(call.platform, room, "custom_fields", dict(call.body["customFields"]), call.now)
    return reply(room)


@ROUTES.add("POST", "channels.setDefault", section=SECTION, any_of=("view-room-administration",))
def set_default(call: Call) -> Reply:
    """Make a channel a default one or not; the flag may be a string."""
    room = _edited(call)
    wanted = call.body.get("default")
    if wanted is None:
        raise MeteorError("error-channels-setdefault-missing-default-param", 'The bodyParam "default" is required')
    value = wanted is True or (isinstance(wanted, str) and wanted.lower() in ("true", "1"))
    if room.default is value:
        raise MeteorError(
            "error-channels-setdefault-same", "The channel default setting is the same as what it would be changed to."
        )
    room_changes.set_plain(call.platform, room, "default", value, call.now)
    return reply(room)


@ROUTES.add("POST", "channels.setJoinCode", section=SECTION, body=by_room({"joinCode": TEXT}))
def set_join_code(call: Call) -> Reply:
    """Set the join code of a channel."""
    room = _edited(call)
    if not call.body["joinCode"].strip():
        raise failure('The bodyParam "joinCode" is required')
    room_changes.set_plain(call.platform, room, "join_code", call.body["joinCode"], call.now)
    return reply(room)


@ROUTES.add("POST", *_named("archive"), section=SECTION, body=by_room())
def archive(call: Call) -> Reply:
    """Archive a room."""
    room = _edited(call, "archive-room")
    _archive(call, room, archived=True)
    return success()


@ROUTES.add("POST", *_named("unarchive"), section=SECTION, body=by_room())
def unarchive(call: Call) -> Reply:
    """Unarchive a room."""
    room = _edited(call, "unarchive-room")
    _archive(call, room, archived=False)
    return success()


@ROUTES.add(
    "POST", "rooms.changeArchivationState", section=SECTION, body=closed({"rid": TEXT}, {"action": maybe(TEXT)})
)
def change_archivation(call: Call) -> Reply:
    """Archive or unarchive a room, as `action` says."""
    room = room_by_id(call, call.body["rid"])
    archiving = call.body.get("action") != "unarchive"
    if not may(call.user, "archive-room" if archiving else "unarchive-room", room):
        raise not_allowed()
    _archive(call, room, archived=archiving)
    return success(result=True)


def _archive(call: Call, room: Room, *, archived: bool) -> None:
    if room.archived is archived:
        raise membership.archived(room) if archived else failure(f"The channel, {room.name}, is not archived")
    room_changes.archive(call.platform, room, call.user, call.now, archived=archived)


CLEANED = closed(
    {"roomId": TEXT, "latest": TEXT, "oldest": TEXT},
    {
        **dict.fromkeys(("inclusive", "excludePinned", "filesOnly", "ignoreDiscussion", "ignoreThreads"), FLAG),
        "users": TEXTS,
        "limit": NUMBER,
    },
)
TEAM: Schema = by_room()
CHANNEL_TEAM: Schema = one_of(closed({"channelId": TEXT}), closed({"channelName": TEXT}))


@ROUTES.add("POST", "channels.convertToTeam", section=SECTION, any_of=("create-team",), body=CHANNEL_TEAM)
@ROUTES.add("POST", "groups.convertToTeam", section=SECTION, any_of=("create-team",), body=TEAM)
def convert(call: Call) -> Reply:
    """Make a room the main room of a new team."""
    body = call.body
    if call.family() == "channels":
        body = {"roomId": body.get("channelId"), "roomName": body.get("channelName")}
    room = family_room(call, body)
    if not may(call.user, "edit-room", room):
        raise not_allowed()
    return success(team=room_changes.to_team(call.platform, room, call.now))
