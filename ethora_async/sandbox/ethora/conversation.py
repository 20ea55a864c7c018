"""What is said in a chat, and what its members think of it: messages, read marks, mutes, reports."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    # A cycle: records hold conversations. Nothing evaluates these annotations.
    from ethora_async.sandbox.ethora.access import Grant  # noqa: TC004
    from ethora_async.sandbox.ethora.records import Chat, User  # noqa: TC004


@attrs.frozen(eq=False)
class Message:
    """A message kept in a chat. `stanza` orders the archive, as the platform's own ids do: microseconds."""

    stanza: int
    id: str
    sent_at: float
    body: str
    sender: User | None
    metadata: dict[str, Any] | None = None


@attrs.frozen(eq=False)
class Report:
    """A complaint about a chat."""

    user: User
    category: str
    text: str


@attrs.define(eq=False)
class Conversation:
    """Made for a chat when first needed: most chats of a big import never are."""

    messages: list[Message] = attrs.field(factory=list[Message])
    muted: set[User] = attrs.field(factory=set["User"])
    seen: dict[User, int] = attrs.field(factory=dict["User", int])
    reports: list[Report] = attrs.field(factory=list[Report])
    grants: dict[User, Grant] = attrs.field(factory=dict["User", "Grant"])

    def next_stanza(self, now: float) -> int:
        """Return an id above all those before it."""
        return max(int(now * 1_000_000), self.messages[-1].stanza + 1 if self.messages else 0)

    def place(self, reference: str) -> int | None:
        """Return the position of a message named by stanza id or message id, or None."""
        for index, message in enumerate(self.messages):
            if reference in (str(message.stanza), message.id):
                return index
        return None

    def before(self, stanza: int | None, limit: int) -> list[Message]:
        """Return the latest `limit` messages, those before `stanza` if given; oldest first."""
        end = len(self.messages)
        if stanza is not None:
            end = bisect_left(self.messages, stanza, key=lambda message: message.stanza)
        return self.messages[max(0, end - limit) : end]

    def unread(self, user: User) -> int:
        """Count what others wrote since `user` joined or read."""
        mark = self.seen.get(user, 0)
        return sum(message.stanza > mark and message.sender is not user for message in self.messages)

    def mark_read(self, user: User) -> None:
        """Note that `user` has seen everything so far."""
        if self.messages:
            self.seen[user] = self.messages[-1].stanza

    def forget(self, user: User) -> None:
        """Drop what was kept about a member who left."""
        self.muted.discard(user)
        self.seen.pop(user, None)
        self.grants.pop(user, None)


def find_messages(chats: Sequence[Chat], words: Sequence[str]) -> list[tuple[Chat, Message]]:
    """Return the messages that hold every one of `words`, upper and lower case alike, in order of chats and time."""
    wanted = [word.casefold() for word in words]
    return [
        (chat, message)
        for chat in chats
        for message in chat.messages
        if all(word in message.body.casefold() for word in wanted)
    ]
