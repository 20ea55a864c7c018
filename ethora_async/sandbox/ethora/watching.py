"""Observers of the store, such as the chat, which notifies its clients at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User


class Watcher(Protocol):
    """Notified of each change after it was made."""

    def posted(self, chat: Chat, message: Message[User]) -> None:
        """Handle a message that was stored."""
        ...

    def joined(self, chat: Chat, user: User) -> None:
        """Handle a user who joined a chat."""
        ...

    def left(self, chat: Chat, user: User) -> None:
        """Handle a user who left a chat."""
        ...

    def access_changed(self, chat: Chat, user: User) -> None:
        """Handle a change of a member's rights in a chat."""
        ...

    def chat_deleted(self, chat: Chat) -> None:
        """Handle the deletion of a chat."""
        ...

    def chat_changed(self, chat: Chat) -> None:
        """Handle a change of title, description or picture of a chat."""
        ...

    def user_changed(self, user: User) -> None:
        """Handle a change of a profile."""
        ...
