"""Events about people, what they do in rooms, the user and the server (docs/platforms/rocketchat.md#streams)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.platforms.rocketchat.realtime.ddp_events import (
    NOTIFY_ALL,
    NOTIFY_LOGGED,
    NOTIFY_ROOM,
    NOTIFY_USER,
    Topic,
)
from ethora_async.platforms.rocketchat.realtime.events import (
    AccountChanged,
    AvatarChanged,
    HistoryCleaned,
    MessagesRead,
    Notified,
    PresenceChanged,
    RealtimeEvent,
    RoleChanged,
    SettingChanged,
    Typing,
    UserDeleted,
    UserRenamed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PRESENCES = ("offline", "online", "away", "busy", "disabled")
"""By the number that streams write."""


def about_people() -> list[Topic]:
    """Return the topics about everybody on the server."""
    return [Topic(NOTIFY_LOGGED, name) for name in _OF_PEOPLE]


def about_room(room_id: str) -> list[Topic]:
    """Return the topics about what people do in a room, beside writing messages."""
    return [Topic(NOTIFY_ROOM, f"{room_id}/{name}") for name in _OF_ROOMS]


def about_account(user_id: str) -> list[Topic]:
    """Return the topics about the stream's user."""
    return [Topic(NOTIFY_USER, f"{user_id}/{name}") for name in _OF_THE_USER]


def about_settings() -> list[Topic]:
    """Return the topics about the server's public settings."""
    return [Topic(NOTIFY_ALL, name) for name in _OF_THE_SERVER]


def read_people_event(topic: Topic, args: Sequence[Any]) -> list[RealtimeEvent]:
    """Return what an event of these topics says; one of an unexpected shape says nothing."""
    named = {NOTIFY_LOGGED: _OF_PEOPLE, NOTIFY_ALL: _OF_THE_SERVER, NOTIFY_USER: _OF_THE_USER}.get(topic.stream)
    if named is not None:
        name = topic.name.rpartition("/")[2] if topic.stream == NOTIFY_USER else topic.name
        read = named.get(name)
        event = None if read is None else read(args)
    else:
        room_id, _, name = topic.name.partition("/")
        read_in = _OF_ROOMS.get(name)
        event = None if read_in is None else read_in(room_id, args)
    return [] if event is None else [event]


def _presence(args: Sequence[Any]) -> RealtimeEvent | None:
    row = args[0] if args and isinstance(args[0], list) else []
    user_id, username, number, text = (*row, None, None, None, None)[:4]
    if not isinstance(user_id, str) or not isinstance(username, str):
        return None
    if not isinstance(number, int) or not 0 <= number < len(_PRESENCES):
        return None
    return PresenceChanged(user_id, username, _PRESENCES[number], text if isinstance(text, str) else "")


def _role(args: Sequence[Any]) -> RealtimeEvent | None:
    row = _object(args)
    action, role = _text(row, "type"), _text(row, "_id")
    if action is None or role is None:
        return None
    user = row.get("u")
    user = user if isinstance(user, dict) else {}
    return RoleChanged(action, role, _text(user, "_id"), _text(user, "username"), _text(row, "scope"))


def _avatar(args: Sequence[Any]) -> RealtimeEvent | None:
    row = _object(args)
    username, room_id = _text(row, "username"), _text(row, "rid")
    return None if username is None and room_id is None else AvatarChanged(username, room_id)


def _renamed(args: Sequence[Any]) -> RealtimeEvent | None:
    row = _object(args)
    user_id, username = _text(row, "_id"), _text(row, "username")
    return None if user_id is None or username is None else UserRenamed(user_id, username, _text(row, "name"))


def _deleted(args: Sequence[Any]) -> RealtimeEvent | None:
    user_id = _text(_object(args), "userId")
    return None if user_id is None else UserDeleted(user_id)


def _activity(room_id: str, args: Sequence[Any]) -> RealtimeEvent | None:
    name, activities = (*args, None, None)[:2]
    if not isinstance(name, str) or not isinstance(activities, list):
        return None
    return Typing(room_id, name, "user-typing" in activities)


def _typing(room_id: str, args: Sequence[Any]) -> RealtimeEvent | None:
    name, composing = (*args, None, None)[:2]
    return Typing(room_id, name, composing) if isinstance(name, str) and isinstance(composing, bool) else None


def _read(room_id: str, args: Sequence[Any]) -> RealtimeEvent | None:
    return MessagesRead(room_id, _text(_object(args), "tmid"))


def _cleaned(room_id: str, args: Sequence[Any]) -> RealtimeEvent | None:
    users = _object(args).get("users")
    names = users if isinstance(users, list) else []
    return HistoryCleaned(room_id, tuple(name for name in names if isinstance(name, str)))


def _notified(args: Sequence[Any]) -> RealtimeEvent | None:
    row = _object(args)
    title, text, payload = _text(row, "title"), _text(row, "text"), row.get("payload")
    if title is None or text is None:
        return None
    payload = payload if isinstance(payload, dict) else {}
    sender = payload.get("sender")
    author = _text(sender, "username") if isinstance(sender, dict) else None
    room_id = _text(payload, "rid")
    return Notified(title, text, room_id, None if room_id is None else _text(payload, "_id"), author)


def _account(args: Sequence[Any]) -> RealtimeEvent | None:
    row = _object(args)
    action, user_id = _text(row, "type"), _text(row, "id")
    if action is None or user_id is None:
        return None
    found = row.get("diff") if action == "updated" else row.get("data")
    unset = row.get("unset")
    changes = {name: value for name, value in found.items() if _shown(name)} if isinstance(found, dict) else {}
    removed = tuple(name for name in unset if _shown(name)) if isinstance(unset, dict) else ()
    if action == "updated" and not changes and not removed:
        return None
    return AccountChanged(action, user_id, changes, removed)


def _shown(name: Any) -> bool:
    """Return whether a value of an account is none of its credentials."""
    return isinstance(name, str) and name.partition(".")[0] not in _CREDENTIALS


def _setting(args: Sequence[Any]) -> RealtimeEvent | None:
    action, row = (*args, None, None)[:2]
    if not isinstance(action, str) or not isinstance(row, dict):
        return None
    name = _text(row, "_id")
    return None if name is None else SettingChanged(action, name, row.get("value"))


def _object(args: Sequence[Any]) -> Mapping[str, Any]:
    return args[0] if args and isinstance(args[0], dict) else {}


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


_CREDENTIALS = frozenset({"services", "e2e"})
"""The parts of an account that hold hashed tokens, second factors and keys."""
_OF_THE_USER: Mapping[str, Callable[[Sequence[Any]], RealtimeEvent | None]] = {
    "notification": _notified,
    "userData": _account,
}
_OF_THE_SERVER: Mapping[str, Callable[[Sequence[Any]], RealtimeEvent | None]] = {"public-settings-changed": _setting}
_OF_PEOPLE: Mapping[str, Callable[[Sequence[Any]], RealtimeEvent | None]] = {
    "user-status": _presence,
    "roles-change": _role,
    "updateAvatar": _avatar,
    "Users:NameChanged": _renamed,
    "Users:Deleted": _deleted,
}
_OF_ROOMS: Mapping[str, Callable[[str, Sequence[Any]], RealtimeEvent | None]] = {
    "user-activity": _activity,
    "typing": _typing,  # before 4.0
    "messagesRead": _read,
    "deleteMessageBulk": _cleaned,
}
