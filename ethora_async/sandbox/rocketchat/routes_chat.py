"""Send, change, delete and fetch messages (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import membership, posting
from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import milliseconds
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, room_not_found
from ethora_async.sandbox.rocketchat.routing import RateLimit, Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, MAP, MAPS, TEXT, TEXTS, closed, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import message_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Message, Room
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
TARGET: Schema = one_of(TEXT, TEXTS)
LOOKS = {
    **dict.fromkeys(("text", "alias", "emoji", "avatar"), maybe(TEXT)),
    "attachments": maybe(MAPS),
    "customFields": maybe(MAP),
    "parseUrls": FLAG,
}
MESSAGE: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("_id", "tmid", "msg", "alias", "emoji", "avatar"), maybe(TEXT)),
        "rid": TEXT,
        "tshow": maybe(FLAG),
        **dict.fromkeys(("attachments", "blocks"), maybe(MAPS)),
        "customFields": maybe(MAP),
    },
}


@ROUTES.add(
    "POST",
    "chat.postMessage",
    section="messages",
    body=one_of(closed({"roomId": TARGET}, {**LOOKS, "tmid": TEXT}), closed({"channel": TARGET}, LOOKS)),
)
def post(call: Call) -> Reply:
    """Send to rooms by id, or by `#name` or `@user`; the reply describes the last message."""
    body = call.body
    targets = body.get("roomId") or body.get("channel")
    data = {**{key: body.get(key) for key in posting.EXTRAS}, "msg": body.get("text")}
    sent: Message | None = None
    for target in targets if isinstance(targets, list) else [targets]:
        room = _target(call, target or "", by_name="channel" in body)
        sent = posting.send(call.platform, room, call.user, data, call.now)
    if sent is None:
        raise MeteorError("invalid-channel")
    channel = targets[-1] if isinstance(targets, list) else targets
    return success(ts=milliseconds(sent.at), channel=channel, message=message_shape(sent))


def _target(call: Call, target: str, *, by_name: bool) -> Room:
    """Return the target room of a message; create it for `@user`."""
    store = call.platform.store
    if target.startswith("@"):
        other = store.users.with_username(target[1:])
        if other is not None:
            return membership.direct(call.platform, [call.user, other], call.now)[0]
    room = store.rooms.find(target.removeprefix("#")) if by_name else store.rooms.with_id(target)
    if room is None or not may_read(call.user, room):
        raise MeteorError("invalid-channel")
    if room.type == "c":
        membership.enter(call.platform, room, call.user, call.now)
    return room


@ROUTES.add(
    "POST",
    "chat.sendMessage",
    section="messages",
    limit=RateLimit(5, 1000),
    limit_since=(8, 8),
    body=closed({"message": MESSAGE}, {"previewUrls": maybe(TEXTS)}),
)
def send(call: Call) -> Reply:
    """Send a message to a room; its sender may choose the `_id`."""
    message = call.body["message"]
    if not message.get("rid"):
        raise MeteorError("error-invalid-params", "The 'rid' property on the message object is missing.")
    room = call.platform.store.rooms.with_id(message["rid"])
    if room is None:
        raise MeteorError("error-invalid-room", "Invalid room")
    sent = posting.send(call.platform, room, call.user, message, call.now)
    return success(message=message_shape(sent))


@ROUTES.add(
    "POST",
    "chat.update",
    section="messages",
    body=closed(
        {"roomId": TEXT, "msgId": TEXT, "text": TEXT}, {"previewUrls": maybe(TEXTS), "customFields": maybe(MAP)}
    ),
)
def update(call: Call) -> Reply:
    """Change the text of a message."""
    room, message = _in_room(call)
    posting.edit(call.platform, room, message, call.user, call.body["text"], call.now)
    return success(message=message_shape(message))


@ROUTES.add(
    "POST", "chat.delete", section="messages", body=closed({"msgId": TEXT, "roomId": TEXT}, {"asUser": maybe(FLAG)})
)
def delete(call: Call) -> Reply:
    """Delete a message; the reply has the time as a string."""
    room, message = _in_room(call)
    posting.delete(call.platform, room, message, call.user, call.now)
    author = {"_id": message.user_id, "username": message.username, "name": message.user_name}
    gone = {"_id": message.id, "rid": room.id, "u": author}
    return success(_id=message.id, ts=str(milliseconds(call.now)), message=gone)


def _in_room(call: Call) -> tuple[Room, Message]:
    room = call.platform.store.rooms.with_id(call.body["roomId"])
    message = None if room is None else room.messages.get(call.body["msgId"])
    if room is None or message is None:
        raise failure(f'No message found with the id of "{call.body["msgId"]}".')
    return room, message


@ROUTES.add("GET", "chat.getMessage", section="messages", query=closed({"msgId": FILLED}))
def get(call: Call) -> Reply:
    """Return one message of a room that the caller may read."""
    found = posting.find(call.platform, call.query["msgId"])
    if found is None:
        raise failure("Message not found")
    if not may_read(call.user, found[0]):
        raise room_not_found()
    return success(message=message_shape(found[1]))
