"""How users and chats of an app are compared with yours: what `ethora_async.capabilities` asks of ``client.users`` and
``client.chats`` beside reading and writing.

Texts are compared as they are, white space and case included: the platform is not known to change any but e-mail
addresses, which it trims and lower-cases (docs/platforms/ethora.md#users-batch), as `NewUser` does. Ids are compared as
they are too, their case included: it is only the chat server that may fold it (docs/platforms/ethora.md#names-and-ids),
and no reply of the API is known to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.platforms.ethora.platform_records import own_chats, own_users
from ethora_async.platforms.ethora.users.records import UserChange
from ethora_async.records import NewChat

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.capabilities import State
    from ethora_async.platforms.ethora.context import Context
    from ethora_async.records import Chat, Id, NewUser, User

_USER_FIELDS = frozenset({"first_name", "last_name", "profile_image"})
_CHAT_FIELDS = frozenset({"title", "description"})


class UsersInStep:
    """The part of `Users` that tells differences."""

    _context: Context
    _bot_jid: str | None

    @property
    def changeable(self) -> frozenset[str]:
        """Names and picture: no route changes an e-mail address for the app.

        See docs/platforms/ethora.md#changing-users.
        """
        return _USER_FIELDS

    def key(self, id: Id) -> str:
        """Your own id, from any form of it; one that cannot be used is left as it came, and meets nobody.

        Raises:
            ConfigError: the app id comes from the secret store, which has not been asked yet.
        """
        return str(self._context.known().names.key(id))

    def comparable(self, user: NewUser | User) -> State:
        """``email``, ``first_name``, ``last_name`` and ``profile_image``; None is what was not stated, or not told."""
        return {
            "email": user.email.strip().lower() if user.email is not None else None,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "profile_image": user.profile_image,
        }

    def change(self, user: NewUser, fields: frozenset[str]) -> UserChange:
        """What makes these fields as `user` has them; the others, and those that cannot be changed, stay."""
        return UserChange(
            id=user.id,
            first_name=user.first_name if "first_name" in fields else None,
            last_name=user.last_name if "last_name" in fields else None,
            profile_image=user.profile_image if "profile_image" in fields else None,
        )

    async def reserved(self) -> Callable[[User], bool]:
        """What tells the platform's own accounts: the owner's (ids ``owner-…``), widget visitors' (``widget-…``), and
        bots'; among them the one named by ``bot_jid=``. One request.

        An account of yours with such an id cannot be told from them: `Users.create_many` makes it, but it is not kept
        in step, and never deleted by a sync or a reset.
        """
        return await own_users(self._context, self._bot_jid)


class ChatsInStep:
    """The part of `Chats` that tells differences."""

    _context: Context

    @property
    def changeable(self) -> frozenset[str]:
        """Title and description: who may join is settled when a chat is made (docs/platforms/ethora.md#chats)."""
        return _CHAT_FIELDS

    def key(self, id: Id) -> str:
        """Your own id, from any form of it; one that cannot be used is left as it came, and meets nothing.

        Raises:
            ConfigError: the app id comes from the secret store, which has not been asked yet.
        """
        return str(self._context.known().names.key(id))

    def comparable(self, chat: NewChat | Chat) -> State:
        """``title``, ``description`` and ``access``, which is None where the platform does not tell.

        An existing chat without a description has an empty one.
        """
        new = isinstance(chat, NewChat)
        return {
            "title": chat.title,
            "description": chat.description if new else chat.description or "",
            "access": chat.access if isinstance(chat, NewChat) or chat.type is not None else None,
        }

    async def reserved(self) -> Callable[[Chat], bool]:
        """What tells the platform's own chats: 1-1 and widget rooms, and those of the app itself. One request."""
        return await own_chats(self._context)


__all__ = ["ChatsInStep", "UsersInStep"]
