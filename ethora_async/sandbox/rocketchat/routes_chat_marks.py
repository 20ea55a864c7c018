"""Marks on messages: react, pin, star, follow, report (docs/platforms/rocketchat.md#message-marks)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import announce, membership, posting
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, not_allowed
from ethora_async.sandbox.rocketchat.families import message_of, room_by_id, standing
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.records import Report
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, TEXT, closed, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import message_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Message, Room
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "message-marks"
BY_MESSAGE = closed({"messageId": FILLED})
LICENCE = "This is an enterprise feature"


def _found(call: Call) -> tuple[Room, Message]:
    return message_of(call, call.body.get("messageId") or call.body.get("mid") or "")


def _changed(call: Call, room: Room, message: Message) -> None:
    message.updated_at = call.now
    announce.message(call.platform, room, message)


@ROUTES.add(
    "POST",
    "chat.react",
    section=SECTION,
    body=one_of(
        closed({"emoji": TEXT, "messageId": FILLED}, {"shouldReact": maybe(FLAG)}),
        closed({"reaction": TEXT, "messageId": FILLED}, {"shouldReact": maybe(FLAG)}),
    ),
)
def react(call: Call) -> Reply:
    """Add or remove a reaction to a message."""
    room, message = _found(call)
    emoji = call.body.get("emoji") or call.body.get("reaction")
    if not emoji:
        raise MeteorError("error-emoji-param-not-provided", 'The required "emoji" param is missing.')
    wanted = call.body.get("shouldReact")
    posting.react(call.platform, room, message, call.user, emoji, call.now, wanted=wanted)
    return success()


@ROUTES.add("POST", "chat.pinMessage", section=SECTION, body=BY_MESSAGE)
def pin(call: Call) -> Reply:
    """Pin a message in its room; the reply is the system message about it."""
    room, message = _found(call)
    _may_pin(call, room)
    if message.pinned_at is None:
        message.pinned_at = call.now
        message.pinned_by = {"_id": call.user.id, "username": call.user.username}
        _changed(call, room, message)
        membership.system_message(
            call.platform, room, call.user, "message_pinned", "", call.now, attachments=[posting.quote(message)]
        )
    return success(message=message_shape(next(reversed(room.messages.values()))))


@ROUTES.add("POST", "chat.unPinMessage", section=SECTION, body=BY_MESSAGE)
def unpin(call: Call) -> Reply:
    """Unpin a message."""
    room, message = _found(call)
    _may_pin(call, room)
    message.pinned_at = message.pinned_by = None
    _changed(call, room, message)
    return success()


def _may_pin(call: Call, room: Room) -> None:
    if room.archived:
        raise membership.archived(room)
    allowed = call.user.id in room.members and (room.type == "d" or may(call.user, "pin-message", room))
    if not allowed:
        raise MeteorError("not-authorized", "Not Authorized", {"method": "pinMessage"})


@ROUTES.add("POST", "chat.starMessage", section=SECTION, body=BY_MESSAGE)
def star(call: Call) -> Reply:
    """Star a message for the caller."""
    _star(call, wanted=True)
    return success()


@ROUTES.add("POST", "chat.unStarMessage", section=SECTION, body=BY_MESSAGE)
def unstar(call: Call) -> Reply:
    """Remove the caller's star."""
    _star(call, wanted=False)
    return success()


def _star(call: Call, *, wanted: bool) -> None:
    room, message = _found(call)
    standing(call, room)
    others = [user_id for user_id in message.starred if user_id != call.user.id]
    message.starred = [*others, call.user.id] if wanted else others
    _changed(call, room, message)


@ROUTES.add("POST", "chat.followMessage", section=SECTION, body=closed({"mid": FILLED}))
def follow(call: Call) -> Reply:
    """Follow a thread."""
    _follow(call, wanted=True)
    return success()


@ROUTES.add("POST", "chat.unfollowMessage", section=SECTION, body=closed({"mid": FILLED}))
def unfollow(call: Call) -> Reply:
    """Unfollow a thread."""
    _follow(call, wanted=False)
    return success()


def _follow(call: Call, *, wanted: bool) -> None:
    room, message = _found(call)
    member = standing(call, room)
    others = [user_id for user_id in message.followers if user_id != call.user.id]
    message.followers = [*others, call.user.id] if wanted else others
    if not wanted and message.id in member.unread_threads:
        member.unread_threads.remove(message.id)
    _changed(call, room, message)


@ROUTES.add("POST", "chat.reportMessage", section=SECTION, body=closed({"messageId": TEXT, "description": TEXT}))
def report(call: Call) -> Reply:
    """Report a message to the moderators."""
    if not call.body["description"].strip():
        raise failure('The required "description" param is missing.')
    _, message = _found(call)
    message.reports.append(Report(call.user.id, call.body["description"], call.now))
    return success()


@ROUTES.add(
    "GET", "chat.ignoreUser", section=SECTION, query=closed({"rid": FILLED, "userId": FILLED, "ignore": FILLED})
)
def ignore_user(call: Call) -> Reply:
    """Hide a member's messages from the caller, or show them again."""
    room = room_by_id(call, call.query["rid"])
    member = standing(call, room)
    other = call.query["userId"]
    if other not in room.members:
        raise MeteorError("error-invalid-subscription", "Invalid subscription", {"method": "ignoreUser"})
    left = [user_id for user_id in member.ignored if user_id != other]
    member.ignored = [*left, other] if call.query["ignore"].lower() in ("true", "1") else left
    member.updated_at = call.now
    announce.subscription(call.platform, "updated", member)
    return success()


@ROUTES.add("GET", "chat.getMessageReadReceipts", section=SECTION, query=closed({"messageId": TEXT}))
def receipts(_: Call) -> Reply:
    """Refuse, as the community edition does: read receipts need a licence."""
    raise MeteorError("error-action-not-allowed", LICENCE)


@ROUTES.add("GET", "chat.getURLPreview", section=SECTION, query=closed({"roomId": TEXT, "url": TEXT}))
def preview(call: Call) -> Reply:
    """Return the preview of a URL: the URL only, as for one that the server cannot reach.

    The sandbox never fetches a URL that a caller names.
    """
    room = call.platform.store.rooms.with_id(call.query["roomId"])
    if room is None or not announce.may_read(call.user, room):
        raise not_allowed()
    return success(urlPreview={"url": call.query["url"], "meta": {}, "ignoreParse": True})
