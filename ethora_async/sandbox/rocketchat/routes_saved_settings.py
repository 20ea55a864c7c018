"""Change several settings of a room at once (docs/platforms/rocketchat.md#room-settings)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import announce, room_changes
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.families import room_by_id
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.records import Avatar
from ethora_async.sandbox.rocketchat.routes_room_settings import check_type
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FLAG, MAP, NUMBER, TEXT, TEXTS, closed, maybe

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Room
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "room-settings"
TEXTS_OF = {"roomTopic": "topic", "roomAnnouncement": "announcement", "roomDescription": "description"}
PLAIN = {
    "roomCustomFields": "custom_fields",
    "default": "default",
    "featured": "featured",
    "joinCode": "join_code",
    "encrypted": "encrypted",
    "reactWhenReadOnly": "react_when_read_only",
    "systemMessages": "hidden_system_messages",
}
RETENTION = {
    "retentionEnabled": "enabled",
    "retentionMaxAge": "maxAge",
    "retentionExcludePinned": "excludePinned",
    "retentionFilesOnly": "filesOnly",
    "retentionIgnoreThreads": "ignoreThreads",
    "retentionOverrideGlobal": "overrideGlobal",
}
OVERRIDE = "retentionOverrideGlobal"
FAVORITE: Schema = closed({"defaultValue": FLAG, "favorite": FLAG})
FORM: Schema = closed(
    {"rid": TEXT},
    {
        **dict.fromkeys((*TEXTS_OF, "roomAvatar", "roomName", "roomType", "joinCode"), maybe(TEXT)),
        **dict.fromkeys(("default", "encrypted", "featured", "readOnly", "reactWhenReadOnly"), maybe(FLAG)),
        **dict.fromkeys(RETENTION, maybe(FLAG)),
        "retentionMaxAge": maybe(NUMBER),
        "roomCustomFields": maybe(MAP),
        "systemMessages": maybe(TEXTS),
        "favorite": maybe(FAVORITE),
    },
)
IMAGE = "data:image/"


@ROUTES.add("POST", "rooms.saveRoomSettings", section=SECTION, body=FORM)
def save(call: Call) -> Reply:
    """Change settings of a room: all, or none if one of them is refused."""
    room = room_by_id(call, call.body["rid"])
    given = {name: value for name, value in call.body.items() if name != "rid" and value is not None}
    if not may(call.user, "edit-room", room):
        if "encrypted" not in given or room.type != "d":
            raise _refused("Editing room is not allowed", "Editing_room")
        given = {"encrypted": given["encrypted"]}
    _check(call, room, given)
    _apply(call, room, given)
    return success(rid=room.id)


def _refused(reason: str, action: str) -> MeteorError:
    return MeteorError("error-action-not-allowed", reason, {"method": "saveRoomSettings", "action": action})


def _check(call: Call, room: Room, given: dict[str, Any]) -> None:
    if room.broadcast and (given.get("readOnly") or given.get("reactWhenReadOnly")):
        reason = "Editing readOnly/reactWhenReadOnly are not allowed for broadcast rooms"
        raise _refused(reason, "Editing_room")
    if given.keys() & {"default", "featured"} and not may(call.user, "view-room-administration"):
        raise _refused("Viewing room administration is not allowed", "Viewing_room_administration")
    if given.get("roomType", room.type) != room.type:
        check_type(call, given["roomType"])
    if given.get("roomName", room.name) != room.name:
        room_changes.check_name(call.platform, given["roomName"])
    if given.get("encrypted", room.encrypted) is not room.encrypted:
        _check_encryption(call, room)
    if given.keys() & RETENTION.keys() - {OVERRIDE} and room.retention is None and OVERRIDE not in given:
        raise _refused("Room does not have retention policy", "Editing_room")
    if "roomAvatar" in given:
        if not may(call.user, "edit-room-avatar", room):
            raise _refused("Editing a room avatar is not allowed", "Editing_room")
        _picture(given["roomAvatar"])


def _check_encryption(call: Call, room: Room) -> None:
    if room.type == "c":
        raise _refused("Only groups or direct channels can enable encryption", "Change_Room_Encrypted")
    if room.type != "d" and not may(call.user, "toggle-room-e2e-encryption", room):
        raise _refused("You do not have permission to toggle E2E encryption", "Change_Room_Encrypted")


def _apply(call: Call, room: Room, given: dict[str, Any]) -> None:
    _apply_plain(call, room, given)
    platform, user, now = call.platform, call.user, call.now
    for name, field in TEXTS_OF.items():
        if name in given and given[name] != (getattr(room, field) or ""):
            room_changes.set_text(platform, room, field, given[name], user, now)
    if given.get("roomName", room.name) != room.name:
        room_changes.rename(platform, room, given["roomName"], user, now)
    if given.get("roomType", room.type) != room.type:
        room_changes.set_type(platform, room, given["roomType"], user, now)
    if given.get("readOnly", room.read_only) is not room.read_only:
        room_changes.set_read_only(platform, room, given["readOnly"], user, now)
    if "roomAvatar" in given:
        room.avatar = _picture(given["roomAvatar"])
        room_changes.touch(platform, room, now)
        etag = None if room.avatar is None else room.avatar.etag
        platform.hub.emit(announce.NOTIFY_LOGGED, "updateAvatar", [{"rid": room.id, "etag": etag}])


def _apply_plain(call: Call, room: Room, given: dict[str, Any]) -> None:
    """Change the attributes that no message announces."""
    platform, now = call.platform, call.now
    for name, field in PLAIN.items():
        if name in given:
            room_changes.set_plain(platform, room, field, given[name], now)
    if "favorite" in given:
        told = {"value": given["favorite"]["favorite"], "defaultValue": given["favorite"]["defaultValue"]}
        room_changes.set_plain(platform, room, "favorite", told, now)
    retention = {RETENTION[name]: given[name] for name in RETENTION if name in given}
    if retention:
        if OVERRIDE in given:
            retention = {key: retention[key] for key in ("enabled", "overrideGlobal") if key in retention}
        room_changes.set_plain(platform, room, "retention", {**(room.retention or {}), **retention}, now)


def _picture(address: str) -> Avatar | None:
    """Return the picture in a data URL; None for an empty text, which removes it."""
    if not address:
        return None
    head, _, content = address.partition(";base64,")
    if head.startswith(IMAGE):
        try:
            return Avatar(content=base64.b64decode(content, validate=True), content_type=head.removeprefix("data:"))
        except binascii.Error:
            pass
    raise MeteorError("error-invalid-file", "Invalid image", {"method": "setRoomAvatar"})
