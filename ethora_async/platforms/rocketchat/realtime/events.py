"""Events of `Realtime`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ethora_async.platforms.rocketchat.message_records import Message
from ethora_async.records import Chat


@attrs.frozen
class MessageReceived:
    """A message was written, or changed: edited, reacted to, pinned.

    `missed` says that it was fetched after a gap in the connection.
    """

    message: Message
    missed: bool = False


@attrs.frozen
class MessageDeleted:
    """A message was deleted. After a gap in the connection the same deletion may be reported twice."""

    room_id: str
    message_id: str


@attrs.frozen
class RoomChanged:
    """A room of the user's changed; `action` is ``inserted``, ``updated``, ``removed`` or ``changed``."""

    action: str
    room: Chat


@attrs.frozen
class SubscriptionChanged:
    """A subscription of the user's changed: unread counts, mentions, joined or left.

    `action` is ``inserted``, ``updated``, ``removed`` or ``changed``; `subscription` is in the platform's format.
    """

    action: str
    subscription: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen
class RoomLeft:
    """The user is no longer in this room. Its messages resume when the user is back."""

    room_id: str


@attrs.frozen
class Reconnected:
    """The connection was interrupted. Missed messages follow; other events of that time are lost."""


@attrs.frozen
class Gap:
    """Missed messages of a room could not be fetched: messages since this time may be missing."""

    room_id: str
    since: datetime


@attrs.frozen
class StreamEvent:
    """An event of a stream that `Realtime.watch` subscribed to."""

    stream: str
    name: str
    args: tuple[Any, ...] = attrs.field(repr=False)


@attrs.frozen
class PresenceChanged:
    """The presence of a user changed: ``online``, ``away``, ``busy`` or ``offline``."""

    user_id: str
    username: str
    presence: str
    text: str = ""


@attrs.frozen
class RoleChanged:
    """A user was given a role, or lost it; `action` is ``added``, ``removed`` or ``changed``.

    Attributes:
        room_id: The room that it is a role in; None for a role on the whole server.
        user_id, username: None when the role itself changed.
    """

    action: str
    role: str
    user_id: str | None = None
    username: str | None = None
    room_id: str | None = None


@attrs.frozen
class AvatarChanged:
    """The picture of a user, or of a room, changed."""

    username: str | None = None
    room_id: str | None = None


@attrs.frozen
class UserRenamed:
    """A user has another user name or name."""

    user_id: str
    username: str
    name: str | None = None


@attrs.frozen
class UserDeleted:
    """An account was deleted."""

    user_id: str


@attrs.frozen
class Typing:
    """Somebody in a room is typing, or no longer. `name` is the name that their front end shows."""

    room_id: str
    name: str
    composing: bool


@attrs.frozen
class MessagesRead:
    """Somebody has read a room, or one of its threads."""

    room_id: str
    thread_id: str | None = None


@attrs.frozen
class HistoryCleaned:
    """Messages of a room were deleted in bulk: those between two moments, or of some users."""

    room_id: str
    users: tuple[str, ...] = ()


@attrs.frozen
class Notified:
    """A message that the platform notifies the user of: a mention, or a message in a direct room.

    Attributes:
        message_id, room_id: The message; None if the notification is about something else.
        sender: The user name of its author.
    """

    title: str
    text: str = attrs.field(repr=False)
    room_id: str | None = None
    message_id: str | None = None
    sender: str | None = None


@attrs.frozen
class AccountChanged:
    """The user's own account changed; `action` is ``inserted``, ``updated`` or ``removed``.

    Attributes:
        changes: The new values in the platform's format, by dotted name, such as ``emails``; without tokens and
            other credentials.
        removed: The names of values that are gone.
    """

    action: str
    user_id: str
    changes: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    removed: tuple[str, ...] = ()


@attrs.frozen
class SettingChanged:
    """A public setting of the server changed; `action` is ``inserted``, ``updated``, ``removed`` or ``changed``."""

    action: str
    name: str
    value: Any = None


RealtimeEvent = (
    MessageReceived
    | MessageDeleted
    | RoomChanged
    | SubscriptionChanged
    | RoomLeft
    | Reconnected
    | Gap
    | StreamEvent
    | PresenceChanged
    | RoleChanged
    | AvatarChanged
    | UserRenamed
    | UserDeleted
    | Typing
    | MessagesRead
    | HistoryCleaned
    | Notified
    | AccountChanged
    | SettingChanged
)
