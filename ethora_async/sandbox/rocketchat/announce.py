"""Notify listeners of changes (docs/platforms/rocketchat.md#streams)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.shapes import (
    message_shape,
    removed_subscription,
    room_label,
    room_shape,
    subscription_shape,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Membership, Message, Room, User

MESSAGES = "stream-room-messages"
NOTIFY_USER = "stream-notify-user"
NOTIFY_ROOM = "stream-notify-room"
NOTIFY_LOGGED = "stream-notify-logged"
NOTIFY_ALL = "stream-notify-all"
MY_MESSAGES = "__my_messages__"
STATES = ("offline", "online", "away", "busy")


def to_user(platform: Platform, user: User, event: str, args: Callable[[], list[Any]]) -> None:
    """Send an event to a user's connections; `args` is called only if one of them listens."""
    name = f"{user.id}/{event}"
    if platform.hub.heard((NOTIFY_USER, name)):
        platform.hub.emit(NOTIFY_USER, name, args())


def subscription(platform: Platform, action: str, member: Membership) -> None:
    """Notify a member of a change to their membership: `inserted`, `updated` or `removed`."""

    def args() -> list[Any]:
        return [action, removed_subscription(member) if action == "removed" else subscription_shape(member)]

    to_user(platform, member.user, "subscriptions-changed", args)


def room(platform: Platform, action: str, changed: Room, user: User) -> None:
    """Notify a user of a change to a room: `inserted`, `updated` or `removed`."""

    def args() -> list[Any]:
        return [action, {"_id": changed.id} if action == "removed" else room_shape(changed)]

    to_user(platform, user, "rooms-changed", args)


def room_to_members(platform: Platform, changed: Room) -> None:
    """Notify all members that a room has changed."""
    for member in changed.members.values():
        room(platform, "updated", changed, member.user)


def message(platform: Platform, where: Room, written: Message) -> None:
    """Send a new or changed message to the subscribers of its room, and to those of all rooms who may read it."""
    hub = platform.hub
    if hub.heard((MESSAGES, where.id)):
        hub.emit(MESSAGES, where.id, [message_shape(written)])
    if not hub.heard((MESSAGES, MY_MESSAGES)):
        return
    shape = message_shape(written)

    def args(listener: User | None) -> list[Any] | None:
        if listener is None or not may_read(listener, where):
            return None
        about = {
            "roomParticipant": listener.id in where.members,
            "roomType": where.type,
            "roomName": room_label(where, listener),
        }
        return [shape, about]

    hub.emit_each(MESSAGES, MY_MESSAGES, args)


def may_read(user: User | None, where: Room) -> bool:
    """Return whether a user may read a room: as a member, or with the permission to preview public channels."""
    if user is not None and user.id in where.members:
        return True
    return where.type == "c" and may(user, "preview-c-room")


def notification(platform: Platform, member: Membership, written: Message) -> None:
    """Send the desktop notification of a message that concerns a member."""
    where = member.room

    def args() -> list[Any]:
        payload: dict[str, Any] = {
            "_id": written.id,
            "rid": where.id,
            "type": where.type,
            "sender": {"_id": written.user_id, "username": written.username, "name": written.user_name},
            "message": {"msg": written.text},
        }
        if where.name is not None:
            payload["name"] = where.name
        return [{"title": room_label(where, member.user), "text": written.text, "payload": payload}]

    to_user(platform, member.user, "notification", args)


def deleted_message(platform: Platform, where: Room, message_id: str) -> None:
    """Notify a room that a message was deleted."""
    platform.hub.emit(NOTIFY_ROOM, f"{where.id}/deleteMessage", [{"_id": message_id}])


def user_data(platform: Platform, user: User, diff: dict[str, Any]) -> None:
    """Notify a user's connections that the account has changed."""
    to_user(platform, user, "userData", lambda: [{"type": "updated", "id": user.id, "diff": diff, "unset": {}}])


def tokens(platform: Platform, user: User) -> None:
    """Send a user's connections the remaining tokens."""
    left = [
        {"hashedToken": token.hashed}
        if token.name is None
        else {"hashedToken": token.hashed, "type": "personalAccessToken", "name": token.name}
        for token in user.tokens
    ]
    user_data(platform, user, {"services.resume.loginTokens": left})


def status(platform: Platform, user: User) -> None:
    """Notify all logged-in users of a user's presence."""
    entry = [user.id, user.username, STATES.index(user.status), user.status_text, user.name, list(user.roles)]
    platform.hub.emit(NOTIFY_LOGGED, "user-status", [entry])


def renamed(platform: Platform, user: User) -> None:
    """Notify all logged-in users of a user's new name."""
    about = {"_id": user.id, "name": user.name, "username": user.username}
    platform.hub.emit(NOTIFY_LOGGED, "Users:NameChanged", [about])


def user_deleted(platform: Platform, user: User) -> None:
    """Notify all logged-in users that an account was deleted."""
    platform.hub.emit(NOTIFY_LOGGED, "Users:Deleted", [{"userId": user.id}])


def setting(platform: Platform, name: str, value: Any) -> None:
    """Notify everyone, logged in or not, that a public setting has changed."""
    platform.hub.emit(NOTIFY_ALL, "public-settings-changed", ["updated", {"_id": name, "value": value}])
