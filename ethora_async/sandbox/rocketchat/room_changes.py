"""Changes of a room, and the notifications of its members (docs/platforms/rocketchat.md#room-settings)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import announce, integrations, membership, posting, webhook_events
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.ids import new_id
from ethora_async.sandbox.rocketchat.records import Room
from ethora_async.sandbox.rocketchat.shapes import brief
from ethora_async.sandbox.rocketchat.webhook_calls import Event

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Membership, Message, User

WRITTEN = {
    "topic": "room_changed_topic",
    "description": "room_changed_description",
    "announcement": "room_changed_announcement",
}
"""The kind of system message by the text of a room that changed."""


def set_text(platform: Platform, room: Room, field: str, text: str, actor: User, now: float) -> None:
    """Change the topic, the description or the announcement."""
    setattr(room, field, text)
    membership.system_message(platform, room, actor, WRITTEN[field], text, now)


def set_plain(platform: Platform, room: Room, field: str, value: Any, now: float) -> None:
    """Change an attribute that no message announces."""
    setattr(room, field, value)
    touch(platform, room, now)


def set_read_only(platform: Platform, room: Room, value: bool, actor: User, now: float) -> None:
    """Allow only owners and moderators to write, or everybody."""
    room.read_only = value
    kind = "room-set-read-only" if value else "room-removed-read-only"
    membership.system_message(platform, room, actor, kind, actor.username, now)


def mute(platform: Platform, room: Room, user: User, actor: User, now: float, *, muted: bool) -> None:
    """Take the right to write from a member, or give it back, in a read-only room too."""
    name = user.username
    room.muted = [one for one in room.muted if one != name]
    room.unmuted = [one for one in room.unmuted if one != name]
    if muted and not room.read_only:
        room.muted.append(name)
    elif not muted and room.read_only:
        room.unmuted.append(name)
    membership.system_message(platform, room, actor, "user-muted" if muted else "user-unmuted", name, now)
    touch(platform, room, now)


def set_type(platform: Platform, room: Room, kind: str, actor: User, now: float) -> None:
    """Turn a group into a channel, or a channel into a group."""
    room.type = kind
    told = "public" if kind == "c" else "private"
    membership.system_message(platform, room, actor, "room_changed_privacy", told, now)
    tell_members(platform, room, now)


def rename(platform: Platform, room: Room, name: str, actor: User, now: float) -> None:
    """Rename a room."""
    check_name(platform, name)
    if room.name is not None:
        integrations.rename_room(platform.store, room.name, name)
    platform.store.rooms.rename(room, name)
    room.fname = name
    membership.system_message(platform, room, actor, "r", name, now)
    tell_members(platform, room, now)


def check_name(platform: Platform, name: str) -> None:
    """Refuse names that break the server's rule or are taken."""
    if not name or not platform.settings.fits("UTF8_Channel_Names_Validation", name):
        raise MeteorError("error-invalid-room-name", f"{name} is not a valid room name", {"channel_name": name})
    taken = platform.store.rooms.with_name(name)
    if taken is None:
        return
    details = {"function": "RocketChat.getValidRoomName", "channel_name": name}
    if taken.archived:
        raise MeteorError("error-archived-duplicate-name", f"There's an archived channel with name {name}", details)
    raise MeteorError("error-duplicate-channel-name", f"A channel with name '{name}' exists", details)


def archive(platform: Platform, room: Room, actor: User, now: float, *, archived: bool) -> None:
    """Archive or unarchive a room."""
    room.archived = archived
    kind = "room-archived" if archived else "room-unarchived"
    membership.system_message(platform, room, actor, kind, actor.username, now)
    for member in room.members.values():
        member.open = not archived
    tell_members(platform, room, now)
    if archived:
        webhook_events.run(platform, Event(name="roomArchived", at=now, room=room, user=actor))


def set_role(platform: Platform, room: Room, member: Membership, role: str, actor: User, now: float) -> None:
    """Give a member a role in the room."""
    if role in member.roles:
        code = f"error-user-already-{role}"
        raise MeteorError(code, f"User is already {'an' if role[0] in 'aeiou' else 'a'} {role}")
    member.roles = [*member.roles, role]
    _tell_role(platform, room, member, role, actor, now, added=True)


def take_role(platform: Platform, room: Room, member: Membership, role: str, actor: User, now: float) -> None:
    """Remove a role in the room from a member; the last owner stays one."""
    if role not in member.roles:
        raise MeteorError(f"error-user-not-{role}", f"User is not {'an' if role[0] in 'aeiou' else 'a'} {role}")
    if role == "owner" and room.owners() == [member]:
        raise MeteorError(
            "error-remove-last-owner", "This is the last owner. Please set a new owner before removing this one."
        )
    member.roles = [one for one in member.roles if one != role]
    _tell_role(platform, room, member, role, actor, now, added=False)


def _tell_role(
    platform: Platform, room: Room, member: Membership, role: str, actor: User, now: float, *, added: bool
) -> None:
    member.updated_at = now
    kind = "subscription-role-added" if added else "subscription-role-removed"
    membership.system_message(platform, room, actor, kind, member.user.username, now, role=role)
    announce.subscription(platform, "updated", member)
    told = {"type": "added" if added else "removed", "_id": role, "u": brief(member.user), "scope": room.id}
    platform.hub.emit(announce.NOTIFY_LOGGED, "roles-change", [told])


def clean(
    platform: Platform,
    room: Room,
    oldest: float,
    latest: float,
    now: float,
    *,
    inclusive: bool = False,
    keep_pinned: bool = False,
    keep_threads: bool = False,
    keep_discussions: bool = False,
    files_only: bool = False,
    users: list[str] | None = None,
    limit: int = 0,
) -> int:
    """Delete the messages between two times; return their number."""
    doomed: list[Message] = [
        message
        for message in room.messages.values()
        if (oldest <= message.at <= latest if inclusive else oldest < message.at < latest)
        and not (keep_pinned and message.pinned_at is not None)
        and not (keep_threads and (message.thread_last is not None or "tmid" in message.extra))
        and not (keep_discussions and "drid" in message.extra)
        and (not files_only or "file" in message.extra)
        and (not users or message.username in users)
    ]
    if limit > 0:
        doomed = doomed[:limit]
    for message in doomed:
        membership.drop_message(platform, room, message, now)
    if doomed:
        told = {
            "rid": room.id,
            "excludePinned": keep_pinned,
            "ignoreDiscussion": keep_discussions,
            "ts": {"$gt": moment(oldest), "$lt": moment(latest)},
            "users": users or [],
            "ids": [message.id for message in doomed],
        }
        platform.hub.emit(announce.NOTIFY_ROOM, f"{room.id}/deleteMessageBulk", [told])
    tell_members(platform, room, now)
    return len(doomed)


def discuss(platform: Platform, parent: Room, data: dict[str, Any], founder: User, now: float) -> Room:
    """Create a discussion: a room whose parent is another room, or one of its messages."""
    room = Room(
        type="p" if parent.type == "d" else parent.type,
        name=new_id(),
        fname=data["t_name"],
        creator={"_id": founder.id, "username": founder.username},
        created_at=now,
        updated_at=now,
        topic=data.get("topic"),
        encrypted=bool(data.get("encrypted")),
        parent_id=parent.id,
    )
    platform.store.rooms.add(room)
    parent.discussions.append(room.id)
    membership.join(platform, room, founder, now, owner=True)
    for username in data.get("users") or ():
        user = platform.store.users.with_username(username)
        if user is not None:
            membership.join(platform, room, user, now)
    more: dict[str, Any] = {"drid": room.id}
    about = parent.messages.get(data.get("pmid") or "")
    if about is not None:
        more["attachments"] = [posting.quote(about)]
        posting.send(platform, room, founder, {"attachments": more["attachments"]}, now)
    membership.system_message(platform, parent, founder, "discussion-created", data["t_name"], now, **more)
    if data.get("reply"):
        posting.send(platform, room, founder, {"msg": data["reply"]}, now)
    return room


def to_team(platform: Platform, room: Room, now: float) -> dict[str, Any]:
    """Make the room the main room of a new team; return the team."""
    if room.team_id is not None:
        raise MeteorError("error-room-already-in-team", "The room is already in a team")
    room.team_id, room.team_main = new_id(), True
    tell_members(platform, room, now)
    return {
        "_id": room.team_id,
        "name": room.name,
        "type": 1 if room.type == "p" else 0,
        "roomId": room.id,
        "createdBy": room.creator,
        "createdAt": moment(now),
        "_updatedAt": moment(now),
    }


def touch(platform: Platform, room: Room, now: float) -> None:
    """Update the time of a room's last change, and notify its members."""
    room.updated_at = now
    announce.room_to_members(platform, room)


def tell_members(platform: Platform, room: Room, now: float) -> None:
    """Notify the members that their room and their membership have changed."""
    touch(platform, room, now)
    for member in room.members.values():
        member.updated_at = now
        announce.subscription(platform, "updated", member)
