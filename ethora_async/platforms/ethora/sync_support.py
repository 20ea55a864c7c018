"""Compare users and chats of an app with those of a source: the methods that `ethora_async.capabilities` requires of
``client.users`` and ``client.chats`` beside reading and writing.

Texts are compared unchanged, including white space and case: the platform is not known to change any but e-mail
addresses, which it trims and converts to lower case, as `NewUser` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.capabilities import ShortNames
from ethora_async.platforms.ethora.users.records import UserChange
from ethora_async.records import NewChat

if TYPE_CHECKING:
    from ethora_async.capabilities import State
    from ethora_async.records import Chat, NewUser, User

USER_FIELDS = frozenset({"first_name", "last_name", "profile_image"})
"""The fields of a user that can be changed: no route changes an e-mail address for the app."""

SHORT_NAMES = ShortNames(
    ("first_name", "last_name"), 1, "some Ethora servers require two letters, and refuse the row; repeat the name there"
)
"""The minimum has changed between versions, and no route tells it: see docs/platforms/ethora.md#users-batch."""

CHAT_FIELDS = frozenset({"title", "description"})
"""The fields of a chat that can be changed: its access is fixed at its creation."""


def comparable_user(user: NewUser | User) -> State:
    """Return the user's compared fields; None for a field that was not stated."""
    return {
        "email": user.email.strip().lower() if user.email is not None else None,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "profile_image": user.profile_image,
    }


def user_change(user: NewUser, fields: frozenset[str], *, current: str | None = None) -> UserChange:
    """Return the change that sets these fields to the values of `user`; other fields stay."""
    return UserChange(
        id=user.id if current is None else current,
        first_name=user.first_name if "first_name" in fields else None,
        last_name=user.last_name if "last_name" in fields else None,
        profile_image=user.profile_image if "profile_image" in fields else None,
    )


def comparable_chat(chat: NewChat | Chat) -> State:
    """Return the chat's compared fields; ``access`` is None if the platform does not say."""
    new = isinstance(chat, NewChat)
    return {
        "title": chat.title,
        "description": chat.description if new else chat.description or "",
        "access": chat.access if isinstance(chat, NewChat) or chat.type is not None else None,
    }


__all__ = ["CHAT_FIELDS", "SHORT_NAMES", "USER_FIELDS", "comparable_chat", "comparable_user", "user_change"]
