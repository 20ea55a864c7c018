"""Files sent into rooms, in one step and in two (docs/platforms/rocketchat.md#media)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import membership, posting, webhook_events
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, not_allowed
from ethora_async.sandbox.rocketchat.families import room_by_id
from ethora_async.sandbox.rocketchat.records import File
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.shapes import message_shape
from ethora_async.sandbox.rocketchat.webhook_calls import Event
from ethora_async.sandbox.wire import Reply

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Message, Room

ROUTES: Routes[Call] = Routes()
SECTION = "media"


def _room(call: Call) -> Room:
    room = room_by_id(call, call.params["rid"])
    if call.user.id not in room.members:
        raise not_allowed()
    if room.archived:
        raise membership.archived(room)
    return room


def _stored(call: Call, room: Room) -> File:
    upload = next((one for one in call.files if one.field == "file"), None)
    if upload is None:
        raise failure("No file uploaded [error-field-required]" if call.files else "File required")
    if len(upload.content) > call.platform.settings["FileUpload_MaxFileSize"]:
        raise MeteorError("error-file-too-large", "File exceeds allowed size", {"method": "uploadsStart"})
    file = File(
        name=upload.name,
        content_type=upload.content_type,
        content=upload.content,
        user=call.user,
        at=call.now,
    )
    room.files[file.id] = file
    return file


def _sent(call: Call, room: Room, file: File) -> Message:
    address = f"/file-upload/{file.id}/{file.name}"
    kind = file.content_type.partition("/")[0]
    shown = {"image": "image_url", "audio": "audio_url", "video": "video_url"}
    description = str(call.body.get("description") or "")
    attachment: dict[str, Any] = {
        "title": file.name,
        "title_link": address,
        "title_link_download": True,
        "type": "file",
        "description": description,
        **({shown[kind]: address, f"{kind}_type": file.content_type} if kind in shown else {}),
    }
    data = {key: call.body[key] for key in ("msg", "tmid") if call.body.get(key)}
    held = {
        "_id": file.id,
        "name": file.name,
        "type": file.content_type,
        "size": len(file.content),
        "format": file.name.rpartition(".")[2],
    }
    sent = {**data, "attachments": [attachment]}
    message = posting.send(call.platform, room, call.user, sent, call.now, file=held, files=[held])
    file.confirmed, file.description = True, description
    webhook_events.run(
        call.platform, Event(name="fileUploaded", at=call.now, room=room, message=message, user=call.user)
    )
    return message


@ROUTES.add("POST", "rooms.upload/{rid}", section=SECTION)
def upload(call: Call) -> Reply:
    """Send a file as a message, in one step."""
    room = _room(call)
    return success(message=message_shape(_sent(call, room, _stored(call, room))))


@ROUTES.add("POST", "rooms.media/{rid}", section=SECTION)
def media(call: Call) -> Reply:
    """Store a file, which is invisible until it is confirmed."""
    file = _stored(call, _room(call))
    return success(file={"_id": file.id, "url": f"/file-upload/{file.id}/{file.name}"})


@ROUTES.add("POST", "rooms.mediaConfirm/{rid}/{fileId}", section=SECTION)
def confirm(call: Call) -> Reply:
    """Send a stored file as a message."""
    room = _room(call)
    file = room.files.get(call.params["fileId"])
    if file is None or file.user is not call.user:
        raise MeteorError("invalid-file", "Invalid file")
    if file.confirmed:
        raise MeteorError("invalid-file", "The file was confirmed before")
    if call.body.get("fileName"):
        file.name = str(call.body["fileName"])
    return success(message=message_shape(_sent(call, room, file)))


@ROUTES.add("GET", "/file-upload/{fileId}/{name}", section=SECTION)
def download(call: Call) -> Reply:
    """Return the bytes of a file to the members of its room."""
    for room in call.platform.store.rooms:
        file = room.files.get(call.params["fileId"])
        if file is not None and call.user.id in room.members:
            return Reply(200, file.content, file.content_type, {"Content-Disposition": "attachment"})
    raise failure("Not found", 404)
