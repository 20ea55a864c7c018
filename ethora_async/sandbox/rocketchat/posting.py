"""Send, change, delete and read messages (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import announce, membership, webhook_events
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, not_allowed
from ethora_async.sandbox.rocketchat.ids import new_id
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.records import Message
from ethora_async.sandbox.rocketchat.webhook_calls import Event

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Room, User

MENTION = re.compile(r"@([0-9a-zA-Z._-]*[0-9a-zA-Z_-])")
EMOJI = re.compile(r":[a-zA-Z0-9_+-]+:")
EVERYBODY = frozenset({"all", "here"})
EXTRAS = ("tmid", "tshow", "alias", "emoji", "avatar", "attachments", "blocks", "customFields")


def send(platform: Platform, room: Room, author: User, data: dict[str, Any], now: float, **more: Any) -> Message:
    """Post a message; refuse one whose `_id` already exists. `more` are fields that only the server sets."""
    if author.id not in room.members:
        raise not_allowed()
    if room.archived:
        raise membership.archived(room)
    _check_voice(room, author)
    if (data.get("alias") or data.get("avatar")) and not may(author, "message-impersonate"):
        raise MeteorError("error-not-allowed", "Not enough permission")
    _check_size(platform, data.get("msg") or "")
    message_id = data.get("_id") or new_id()
    if message_id in room.messages:
        raise failure("The message was stored before: its _id is taken.")
    if data.get("tmid") and data["tmid"] not in room.messages:
        raise MeteorError("error-invalid-message", "Invalid thread message")
    text = data.get("msg") or ""
    message = Message(
        id=message_id,
        room_id=room.id,
        user_id=author.id,
        username=author.username,
        user_name=author.name,
        text=text,
        at=now,
        updated_at=now,
        mentions=_mentions(platform, text),
        extra={key: data[key] for key in EXTRAS if data.get(key) is not None} | more,
    )
    _count_unread(room, message, now)
    _answer_thread(platform, room, message, now)
    membership.store_message(platform, room, message)
    _tell(platform, room, message)
    webhook_events.run(platform, Event(name="sendMessage", at=now, room=room, message=message))
    return message


def edit(platform: Platform, room: Room, message: Message, actor: User, text: str, now: float) -> None:
    """Change the text of a message."""
    _may_touch(room, message, actor, "edit-message")
    if room.archived:
        raise membership.archived(room)
    _check_voice(room, actor)
    _check_size(platform, text)
    message.text = text
    message.mentions = _mentions(platform, text)
    message.edited_at = message.updated_at = now
    message.edited_by = {"_id": actor.id, "username": actor.username}
    announce.message(platform, room, message)
    webhook_events.run(platform, Event(name="sendMessage", at=now, room=room, message=message))


def delete(platform: Platform, room: Room, message: Message, actor: User, now: float) -> None:
    """Delete a message."""
    _may_touch(room, message, actor, "delete-message")
    membership.drop_message(platform, room, message, now)


def react(
    platform: Platform,
    room: Room,
    message: Message,
    actor: User,
    emoji: str,
    now: float,
    *,
    wanted: bool | None = None,
) -> None:
    """Add or remove a reaction; toggle it by default."""
    if actor.id not in room.members:
        raise not_allowed()
    if room.archived:
        raise membership.archived(room)
    if room.read_only and not room.react_when_read_only and not may(actor, "post-readonly", room):
        raise failure("You can't send messages because the room is readonly.")
    if actor.username in room.muted:
        raise not_allowed("You have been muted and cannot speak in this room")
    name = f":{emoji.strip(':')}:"
    if not EMOJI.fullmatch(name):
        raise MeteorError("error-not-allowed", "Invalid emoji provided.", {"method": "setReaction"})
    names = message.reactions.get(name, [])
    there = actor.username in names
    if wanted is there:
        return
    left = [one for one in names if one != actor.username] if there else [*names, actor.username]
    if left:
        message.reactions[name] = left
    else:
        del message.reactions[name]
    message.updated_at = now
    announce.message(platform, room, message)


def quote(message: Message) -> dict[str, Any]:
    """Return the attachment that quotes a message."""
    return {"text": message.text, "author_name": message.username, "message_link": f"?msg={message.id}"}


def mark_read(platform: Platform, room: Room, reader: User, now: float) -> None:
    """Mark everything in a room as read by a member."""
    member = room.members.get(reader.id)
    if member is None:
        raise MeteorError("error-invalid-subscription", "Invalid subscription")
    member.unread = member.mentions = member.group_mentions = 0
    member.unread_threads.clear()
    member.alert = False
    member.seen_at = member.updated_at = now
    announce.subscription(platform, "updated", member)
    platform.hub.emit(announce.NOTIFY_ROOM, f"{room.id}/messagesRead", [{"rid": room.id, "until": None}])


def find(platform: Platform, message_id: str) -> tuple[Room, Message] | None:
    """Look a message up in all rooms."""
    for room in platform.store.rooms:
        message = room.messages.get(message_id)
        if message is not None:
            return room, message
    return None


def _check_voice(room: Room, author: User) -> None:
    """Refuse a member who was muted, and one of a read-only room who was not unmuted."""
    if room.read_only and author.username not in room.unmuted and not may(author, "post-readonly", room):
        raise MeteorError("error-not-allowed", "You can't send messages because the room is readonly.")
    if author.username in room.muted:
        raise failure("You_have_been_muted")


def _check_size(platform: Platform, text: str) -> None:
    if len(text) > platform.settings["Message_MaxAllowedSize"]:
        raise MeteorError("error-message-size-exceeded", "Message size exceeds Message_MaxAllowedSize")


def _may_touch(room: Room, message: Message, actor: User, permission: str) -> None:
    own = message.user_id == actor.id and actor.id in room.members
    if not own and not may(actor, permission, room):
        raise MeteorError("error-action-not-allowed", "Not allowed", {"action": permission})


def _answer_thread(platform: Platform, room: Room, message: Message, now: float) -> None:
    """Add an answer to the counts of its thread; its sender becomes a follower."""
    parent = room.messages.get(message.extra.get("tmid", ""))
    if parent is None:
        return
    parent.thread_count += 1
    parent.thread_last = parent.updated_at = now
    parent.followers = list(dict.fromkeys([*parent.followers, parent.user_id, message.user_id]))
    for user_id in parent.followers:
        member = room.members.get(user_id)
        if member is not None and user_id != message.user_id and parent.id not in member.unread_threads:
            member.unread_threads.append(parent.id)
    announce.message(platform, room, parent)


def _mentions(platform: Platform, text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for name in dict.fromkeys(MENTION.findall(text)):
        user = platform.store.users.with_username(name)
        if name in EVERYBODY:
            found.append({"_id": name, "username": name, "type": "user"})
        elif user is not None:
            found.append({"_id": user.id, "username": user.username, "name": user.name, "type": "user"})
    return found


def _count_unread(room: Room, message: Message, now: float) -> None:
    mentioned = {mention["_id"] for mention in message.mentions}
    for member in room.members.values():
        member.updated_at = now
        member.open = True
        if member.user.id == message.user_id:
            member.seen_at = now
            continue
        member.alert = True
        everybody = not mentioned.isdisjoint(EVERYBODY)
        if room.type == "d" or everybody or member.user.id in mentioned:
            member.unread += 1
            member.mentions += member.user.id in mentioned
            member.group_mentions += everybody


def _tell(platform: Platform, room: Room, message: Message) -> None:
    mentioned = {mention["_id"] for mention in message.mentions}
    for member in room.members.values():
        announce.subscription(platform, "updated", member)
        called = {member.user.id, "all", *(["here"] if member.user.status == "online" else [])}
        if member.user.id != message.user_id and (room.type == "d" or not mentioned.isdisjoint(called)):
            announce.notification(platform, member, message)
