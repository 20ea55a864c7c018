"""Who wants to know what happens in the store: the chat, which tells its clients at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User


class Watcher(Protocol):
    """Told of each change when it has been made."""

    def posted(self, chat: Chat, message: Message[User]) -> None:
        """A message was kept."""
        ...

    def joined(self, chat: Chat, user: User) -> None:
        """A user became a member."""
        ...

    def left(self, chat: Chat, user: User) -> None:
        """A user is a member no longer."""
        ...

    def chat_deleted(self, chat: Chat) -> None:
        """A chat is gone."""
        ...

    def chat_changed(self, chat: Chat) -> None:
        """The title, description or picture of a chat is another."""
        ...

    def user_changed(self, user: User) -> None:
        """A profile is another."""
        ...
