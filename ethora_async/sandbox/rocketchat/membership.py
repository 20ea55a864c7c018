"""Rooms and their members (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import announce, webhook_events
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.records import DeletedMessage, Departure, Membership, Message, Room
from ethora_async.sandbox.rocketchat.shapes import brief
from ethora_async.sandbox.rocketchat.webhook_calls import Event

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import User


def create_named(platform: Platform, kind: str, data: dict[str, Any], founder: User, now: float) -> Room:
    """Create a channel (`c`) or a group (`p`); unknown member names are ignored."""
    name: str = data["name"]
    if not name:
        raise MeteorError("error-invalid-name", "Invalid name")
    if not platform.settings.fits("UTF8_Channel_Names_Validation", name):
        raise MeteorError("error-invalid-room-name", f"{name} is not a valid room name", {"channel_name": name})
    if platform.store.rooms.with_name(name) is not None:
        details = {"function": "RocketChat.createRoom", "channel_name": name}
        raise MeteorError("error-duplicate-channel-name", f"A channel with name '{name}' exists", details)
    extra = data.get("extraData") or {}
    room = Room(
        type=kind,
        name=name,
        creator={"_id": founder.id, "username": founder.username},
        created_at=now,
        updated_at=now,
        topic=extra.get("topic"),
        read_only=bool(data.get("readOnly")),
        broadcast=bool(extra.get("broadcast")),
        encrypted=bool(extra.get("encrypted")),
        custom_fields=dict(data.get("customFields") or {}),
    )
    platform.store.rooms.add(room)
    users = [platform.store.users.with_username(username) for username in data.get("members") or ()]
    found = [user for user in users if user is not None]
    if not data.get("excludeSelf"):
        found.insert(0, founder)
    for user in found:
        join(platform, room, user, now, owner=user is founder)
    webhook_events.run(platform, Event(name="roomCreated", at=now, room=room, user=founder))
    return room


def direct(platform: Platform, users: list[User], now: float) -> tuple[Room, bool]:
    """Return the direct room of these users, and whether it is new."""
    ids = sorted({user.id for user in users})
    room_id = "".join(ids if len(ids) > 1 else ids * 2)
    room = platform.store.rooms.with_id(room_id)
    if room is not None:
        return room, False
    ordered = list({user.id: user for user in users}.values())
    room = Room(
        id=room_id,
        type="d",
        name=None,
        creator={"_id": users[0].id, "username": users[0].username},
        created_at=now,
        updated_at=now,
        usernames=[user.username for user in ordered],
    )
    platform.store.rooms.add(room)
    for user in ordered:
        join(platform, room, user, now)
    return room, True


def enter(platform: Platform, room: Room, user: User, now: float, *, code: str | None = None) -> None:
    """Join a channel as the user, who must know its join code."""
    if user.id in room.members:
        return
    if room.archived:
        raise archived(room)
    if room.join_code and not may(user, "join-without-join-code") and code != room.join_code:
        raise MeteorError("error-code-invalid", "Invalid Room Password")
    join(platform, room, user, now)
    system_message(platform, room, user, "uj", user.username, now)
    webhook_events.run(platform, Event(name="roomJoined", at=now, room=room, user=user))


def archived(room: Room) -> MeteorError:
    """Return the refusal of an action in an archived room."""
    what = "private group" if room.type == "p" else "channel"
    return MeteorError("error-room-archived", f"The {what}, {room.fname or room.name}, is archived")


def join(platform: Platform, room: Room, user: User, now: float, *, owner: bool = False) -> bool:
    """Add a user to a room; return False if they are already a member."""
    if user.id in room.members:
        return False
    member = Membership(user=user, room=room, since=now, updated_at=now, roles=["owner"] if owner else [])
    room.members[user.id] = member
    user.rooms[room.id] = member
    announce.subscription(platform, "inserted", member)
    announce.room(platform, "inserted", room, user)
    return True


def remove(platform: Platform, member: Membership, now: float, *, room_deleted: bool = False) -> None:
    """Remove a user from a room. Their stream of its messages ends silently.

    See docs/platforms/rocketchat.md#reconnecting.
    """
    room, user = member.room, member.user
    del room.members[user.id]
    del user.rooms[room.id]
    user.left.append(Departure(member.id, room.id, now, room_deleted))
    platform.hub.drop(user, (announce.MESSAGES, room.id))
    announce.subscription(platform, "removed", member)
    announce.room(platform, "removed", room, user)


def delete(platform: Platform, room: Room, now: float) -> None:
    """Delete a room with its messages and its discussions."""
    for discussion_id in room.discussions:
        if (discussion := platform.store.rooms.with_id(discussion_id)) is not None:
            delete(platform, discussion, now)
    for member in list(room.members.values()):
        remove(platform, member, now, room_deleted=True)
    platform.store.rooms.remove(room)
    if (shown := _in_parent(platform, room)) is not None:
        for name in ("drid", "dcount", "dlm"):
            shown.extra.pop(name, None)


def add(platform: Platform, room: Room, users: list[User], actor: User, now: float) -> None:
    """Invite users; members are ignored silently."""
    if room.archived:
        raise archived(room)
    for user in users:
        if join(platform, room, user, now):
            system_message(platform, room, actor, "au", user.username, now)
            webhook_events.run(platform, Event(name="roomJoined", at=now, room=room, user=user))


def kick(platform: Platform, room: Room, user: User, actor: User, now: float) -> None:
    """Remove a user from a room on behalf of another."""
    member = _leaving(room, user)
    remove(platform, member, now)
    system_message(platform, room, actor, "ru", user.username, now)


def leave(platform: Platform, room: Room, user: User, now: float) -> None:
    """Remove a user who leaves."""
    member = _leaving(room, user)
    remove(platform, member, now)
    system_message(platform, room, user, "ul", user.username, now)
    webhook_events.run(platform, Event(name="roomLeft", at=now, room=room, user=user))


def _leaving(room: Room, user: User) -> Membership:
    member = room.members.get(user.id)
    if member is None:
        raise MeteorError("error-user-not-in-room", "User is not in this room")
    if room.owners() == [member] and len(room.members) > 1:
        raise MeteorError("error-you-are-last-owner", "You are the last owner. Please set new owner before leaving.")
    return member


def system_message(platform: Platform, room: Room, actor: User, kind: str, text: str, now: float, **more: Any) -> None:
    """Post a system message into the room."""
    about = brief(actor)
    message = Message(
        room_id=room.id,
        user_id=about["_id"],
        username=about["username"],
        user_name=about["name"],
        text=text,
        at=now,
        updated_at=now,
        kind=kind,
        extra=more,
    )
    store_message(platform, room, message)


def store_message(platform: Platform, room: Room, message: Message) -> None:
    """Store a message in its room, and send it to the subscribers."""
    room.messages[message.id] = message
    room.last_message = message
    room.updated_at = message.at
    announce.message(platform, room, message)
    announce.room_to_members(platform, room)
    _count_discussion(platform, room, message.at)


def _count_discussion(platform: Platform, room: Room, now: float) -> None:
    """Write the number of a discussion's messages into the message that represents it."""
    parent, shown = platform.store.rooms.with_id(room.parent_id or ""), _in_parent(platform, room)
    if parent is not None and shown is not None:
        shown.extra |= {"dcount": len(room.messages), "dlm": moment(now)}
        shown.updated_at = now
        announce.message(platform, parent, shown)


def _in_parent(platform: Platform, room: Room) -> Message | None:
    """Return the message that represents a discussion in its parent."""
    parent = platform.store.rooms.with_id(room.parent_id or "")
    messages = () if parent is None else parent.messages.values()
    return next((one for one in messages if one.extra.get("drid") == room.id), None)


def _end_thread(room: Room, first: Message, now: float) -> None:
    first.thread_count, first.thread_last, first.updated_at = 0, None, now
    first.followers.clear()
    for member in room.members.values():
        if first.id in member.unread_threads:
            member.unread_threads.remove(first.id)


def _take_answer_back(platform: Platform, room: Room, answer: Message, now: float) -> None:
    """Take a deleted answer from the counts of its thread, which ends with its last answer."""
    first = room.messages.get(answer.extra.get("tmid", ""))
    if first is None:
        return
    left = [one.at for one in room.messages.values() if one.extra.get("tmid") == first.id]
    if left:
        first.thread_count, first.thread_last, first.updated_at = len(left), left[-1], now
    else:
        _end_thread(room, first, now)
    announce.message(platform, room, first)


def drop_message(platform: Platform, room: Room, message: Message, now: float) -> None:
    """Delete a message with its file and its discussion. A thread without its first message is none."""
    del room.messages[message.id]
    room.deleted.append(DeletedMessage(message.id, now))
    room.files.pop(message.extra.get("file", {}).get("_id"), None)
    discussion = platform.store.rooms.with_id(message.extra.get("drid", ""))
    if discussion is not None:
        delete(platform, discussion, now)
    if message.thread_last is not None:
        _end_thread(room, message, now)
        for answer in room.messages.values():
            if answer.extra.get("tmid") == message.id:
                del answer.extra["tmid"]
                answer.updated_at = now
    _take_answer_back(platform, room, message, now)
    if room.last_message is message:
        room.last_message = next(reversed(room.messages.values()), None)
    room.updated_at = now
    announce.deleted_message(platform, room, message.id)
    _count_discussion(platform, room, now)
