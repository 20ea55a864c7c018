"""Conversations: messages, read marks, mutes and reports of a chat."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ethora_async.sandbox.ethora.grants import Grant

if TYPE_CHECKING:
    from collections.abc import Sequence

UserT = TypeVar("UserT")
"""The type of the members. Records refer to conversations, so conversations are generic over them."""


@attrs.define(eq=False)
class Message(Generic[UserT]):
    """A message kept in a chat. `stanza` orders the archive, as the platform's own ids do: microseconds.

    `inner` is the content from an XMPP client, without the server's marks; None for a message posted by REST.
    `deleted_at` is when its sender deleted it: its place in the archive stays, its text does not.
    """

    stanza: int
    id: str
    sent_at: float
    body: str
    sender: UserT | None
    metadata: dict[str, Any] | None = None
    inner: str | None = attrs.field(default=None, repr=False)
    deleted_at: float | None = None


@attrs.frozen(eq=False)
class Report(Generic[UserT]):
    """A complaint about a chat."""

    user: UserT
    category: str
    text: str


@attrs.define(eq=False)
class Conversation(Generic[UserT]):
    """The messages of a chat, created when first needed: most chats of a big import never are.

    `messages` are those with a text; `archive` also contains the reactions, in the same order.
    """

    messages: list[Message[UserT]] = attrs.field(factory=list["Message[UserT]"])
    archive: list[Message[UserT]] = attrs.field(factory=list["Message[UserT]"])
    muted: set[UserT] = attrs.field(factory=set[UserT])
    seen: dict[UserT, int] = attrs.field(factory=dict[UserT, int])
    reports: list[Report[UserT]] = attrs.field(factory=list["Report[UserT]"])
    grants: dict[UserT, Grant] = attrs.field(factory=dict[UserT, Grant])
    newest: int = 0

    def next_stanza(self, now: float) -> int:
        """Return an id above all those before it."""
        self.newest = max(int(now * 1_000_000), self.newest + 1)
        return self.newest

    def keep(self, message: Message[UserT], limit: int) -> None:
        """Store a message; from time to time the oldest above `limit` are dropped."""
        self.archive.append(message)
        if message.body:
            self.messages.append(message)
        if len(self.archive) > limit + max(limit // 10, 1):
            del self.archive[:-limit]
            del self.messages[: _position(self.messages, self.archive[0].stanza)]

    def clear(self) -> None:
        """Drop all messages."""
        self.messages.clear()
        self.archive.clear()

    def with_stanza(self, stanza: int) -> Message[UserT] | None:
        """Return the kept message with this archive id, or None."""
        index = _position(self.archive, stanza)
        found = self.archive[index] if index < len(self.archive) else None
        return found if found is not None and found.stanza == stanza else None

    def place(self, reference: str) -> int | None:
        """Return the position of a message named by stanza id or message id, or None."""
        for index, message in enumerate(self.messages):
            if reference in (str(message.stanza), message.id):
                return index
        return None

    def before(self, stanza: int | None, limit: int) -> list[Message[UserT]]:
        """Return the latest `limit` messages, those before `stanza` if given; oldest first."""
        end = len(self.messages)
        if stanza is not None:
            end = _position(self.messages, stanza)
        return self.messages[max(0, end - limit) : end]

    def unread(self, user: UserT) -> int:
        """Count what others wrote since `user` joined or read."""
        mark = self.seen.get(user, 0)
        return sum(message.stanza > mark and message.sender is not user for message in self.messages)

    def mark_read(self, user: UserT, until: int | None = None) -> None:
        """Mark everything so far, or up to an archive id, as read by `user`. Nothing becomes unread again."""
        if self.messages:
            newest = self.messages[-1].stanza
            mark = newest if until is None else min(until, newest)
            self.seen[user] = max(self.seen.get(user, 0), mark)

    def forget(self, user: UserT) -> None:
        """Drop the data of a member who left."""
        self.muted.discard(user)
        self.seen.pop(user, None)
        self.grants.pop(user, None)


def _position(messages: Sequence[Message[UserT]], stanza: int) -> int:
    """Return the position of a message with this id, or where it would be."""
    return bisect_left(messages, stanza, key=lambda message: message.stanza)
