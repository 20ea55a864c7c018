"""Events of `Realtime`. Chats are named by the caller's own ids."""

from __future__ import annotations

from datetime import datetime

import attrs

from ethora_async.platforms.ethora.chats.message_records import Message


@attrs.frozen
class MessageReceived:
    """A message was written.

    Attributes:
        chat_id: Where.
        message: What the history shows of it; `message.sender` is the sender's prefixed name.
        missed: Whether it was fetched after a gap in the connection.
    """

    chat_id: str
    message: Message
    missed: bool = False


@attrs.frozen
class MessageEdited:
    """The sender of a message gave it another text. `message_id` is the archive id. Not told after a gap."""

    chat_id: str
    message_id: str
    text: str


@attrs.frozen
class MessageDeleted:
    """The sender of a message deleted it. `message_id` is the archive id. Not told after a gap."""

    chat_id: str
    message_id: str


@attrs.frozen
class Typing:
    """Somebody else is typing, or no longer. `name` is what the sender's front end calls them."""

    chat_id: str
    name: str
    composing: bool


@attrs.frozen
class RoomJoined:
    """The user was let into a chat. Its messages come if it was subscribed to before, or is now."""

    chat_id: str


@attrs.frozen
class RoomLeft:
    """The user is in this chat no more. Its messages come again by themselves once the user is let in again."""

    chat_id: str


@attrs.frozen
class Reconnected:
    """There was a gap in the connection. Missed messages follow; other events of that time are lost."""


@attrs.frozen
class Gap:
    """Missed messages of a chat could not be fetched: since this moment some may be missing."""

    chat_id: str
    since: datetime | None


RealtimeEvent = MessageReceived | MessageEdited | MessageDeleted | Typing | RoomJoined | RoomLeft | Reconnected | Gap
