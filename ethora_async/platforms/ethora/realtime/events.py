"""Events of `Realtime`. Chats are named by the caller's own ids."""

from __future__ import annotations

from datetime import datetime

import attrs

from ethora_async.platforms.ethora.chats.message_records import Message


@attrs.frozen
class MessageReceived:
    """A message was written.

    Attributes:
        chat_id: The chat.
        message: The message as in the history; `message.sender` is the sender's prefixed name.
        missed: Whether it was fetched after a gap in the connection. A message that was deleted in the gap is left out.
    """

    chat_id: str
    message: Message
    missed: bool = False


@attrs.frozen
class MessageEdited:
    """The sender of a message edited it. `message_id` is the archive id. Not emitted after a gap."""

    chat_id: str
    message_id: str
    text: str


@attrs.frozen
class MessageDeleted:
    """The sender of a message deleted it. `message_id` is the archive id. Not emitted after a gap."""

    chat_id: str
    message_id: str


@attrs.frozen
class Typing:
    """Somebody else is typing, or has stopped. `name` is the sender's displayed name."""

    chat_id: str
    name: str
    composing: bool


@attrs.frozen
class RoomJoined:
    """The user was added to a chat. Its messages come if it is subscribed to, now or later."""

    chat_id: str


@attrs.frozen
class RoomLeft:
    """The user is no longer in this chat. Its messages resume when the user is added again."""

    chat_id: str


@attrs.frozen
class Reconnected:
    """The connection was interrupted. Missed messages follow; other events of that time are lost."""


@attrs.frozen
class Gap:
    """Missed messages of a chat could not be fetched: messages since this time may be missing."""

    chat_id: str
    since: datetime | None


RealtimeEvent = MessageReceived | MessageEdited | MessageDeleted | Typing | RoomJoined | RoomLeft | Reconnected | Gap
