"""What is said in a chat, and what its members think of it: messages, read marks, mutes, reports."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Generic, TypeVar

import attrs

from ethora_async.sandbox.ethora.grants import Grant

UserT = TypeVar("UserT")
"""Whoever speaks: records name conversations, so a conversation does not name the records."""


@attrs.frozen(eq=False)
class Message(Generic[UserT]):
    """A message kept in a chat. `stanza` orders the archive, as the platform's own ids do: microseconds."""

    stanza: int
    id: str
    sent_at: float
    body: str
    sender: UserT | None
    metadata: dict[str, Any] | None = None


@attrs.frozen(eq=False)
class Report(Generic[UserT]):
    """A complaint about a chat."""

    user: UserT
    category: str
    text: str


@attrs.define(eq=False)
class Conversation(Generic[UserT]):
    """Made for a chat when first needed: most chats of a big import never are."""

    messages: list[Message[UserT]] = attrs.field(factory=list["Message[UserT]"])
    muted: set[UserT] = attrs.field(factory=set[UserT])
    seen: dict[UserT, int] = attrs.field(factory=dict[UserT, int])
    reports: list[Report[UserT]] = attrs.field(factory=list["Report[UserT]"])
    grants: dict[UserT, Grant] = attrs.field(factory=dict[UserT, Grant])

    def next_stanza(self, now: float) -> int:
        """Return an id above all those before it."""
        return max(int(now * 1_000_000), self.messages[-1].stanza + 1 if self.messages else 0)

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
            end = bisect_left(self.messages, stanza, key=lambda message: message.stanza)
        return self.messages[max(0, end - limit) : end]

    def unread(self, user: UserT) -> int:
        """Count what others wrote since `user` joined or read."""
        mark = self.seen.get(user, 0)
        return sum(message.stanza > mark and message.sender is not user for message in self.messages)

    def mark_read(self, user: UserT) -> None:
        """Note that `user` has seen everything so far."""
        if self.messages:
            self.seen[user] = self.messages[-1].stanza

    def forget(self, user: UserT) -> None:
        """Drop what was kept about a member who left."""
        self.muted.discard(user)
        self.seen.pop(user, None)
        self.grants.pop(user, None)
