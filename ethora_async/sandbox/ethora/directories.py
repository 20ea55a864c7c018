"""The users and the chats of one app: in order of creation, and found by any form of id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.names import local_id
from ethora_async.sandbox.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.sandbox.ethora.names import RecordIds
    from ethora_async.sandbox.ethora.records import Chat, User


class Users:
    """The users of one app, in order of creation."""

    def __init__(self, app_id: str, ids: RecordIds) -> None:
        self.app_id = app_id
        self.ids = ids
        self._ledger: Ledger[User] = Ledger()
        self._by_uuid: dict[str, User] = {}
        self._by_email: dict[str, User] = {}
        self._sorted: dict[str, list[User]] = {}

    def __len__(self) -> int:
        return len(self._ledger)

    def __iter__(self) -> Iterator[User]:
        return iter(self._ledger)

    def window(self, offset: int, limit: int) -> list[User]:
        """Return at most `limit` users from position `offset` on."""
        return self._ledger.window(offset, limit)

    def sorted_by(self, field: str) -> list[User]:
        """Return all users ordered by an attribute; kept until a user changes, as pages ask for it again."""
        if field not in self._sorted:
            self._sorted[field] = sorted(self._ledger, key=lambda user: getattr(user, field) or "")
        return self._sorted[field]

    def find(self, reference: str) -> User | None:
        """Look a user up by uuid, xmppUsername (doubled prefixes too), JID or record id."""
        uuid = local_id(self.app_id, reference)
        user = self._by_uuid.get(uuid)
        return self.with_id(uuid) if user is None else user

    def with_uuid(self, uuid: str) -> User | None:
        """Return the user whose uuid is exactly this."""
        return self._by_uuid.get(uuid)

    def with_id(self, record_id: str) -> User | None:
        """Return the user whose record id is exactly this."""
        number = self.ids.number(record_id)
        return None if number is None else self._ledger.get(number)

    def with_email(self, email: str) -> User | None:
        """Return the user with this address (lower case)."""
        return self._by_email.get(email)

    def add(self, user: User) -> None:
        """Take a new user in; its uuid and e-mail must be free."""
        self._ledger.append(user.number, user)
        self._by_uuid[user.uuid] = user
        if user.email is not None:
            self._by_email[user.email] = user
        self._sorted.clear()

    def remove(self, user: User) -> None:
        """Delete a user and all its memberships."""
        self._ledger.remove(user.number)
        del self._by_uuid[user.uuid]
        if user.email is not None:
            del self._by_email[user.email]
        for chat in user.chats:
            chat.members.discard(user)
            chat.forget(user)
        self._sorted.clear()

    def renamed(self) -> None:
        """Say that names changed, so that orders by name are made anew."""
        self._sorted.clear()


class Chats:
    """The chats of one app, in order of creation."""

    def __init__(self, app_id: str, ids: RecordIds) -> None:
        self.app_id = app_id
        self.ids = ids
        self._ledger: Ledger[Chat] = Ledger()
        self._by_uuid: dict[str, Chat] = {}
        self._fading: dict[str, Chat] = {}

    def __len__(self) -> int:
        return len(self._by_uuid)

    def __iter__(self) -> Iterator[Chat]:
        return iter(self._by_uuid.values())

    @property
    def listed(self) -> int:
        """How many chats listings show, those that lag behind their deletion included."""
        return len(self._ledger)

    def window(self, offset: int, limit: int) -> list[Chat]:
        """Return at most `limit` listed chats from position `offset` on."""
        return self._ledger.window(offset, limit)

    def find(self, reference: str) -> Chat | None:
        """Look a chat up by uuid, name, JID or record id."""
        uuid = local_id(self.app_id, reference)
        chat = self._by_uuid.get(uuid)
        if chat is not None:
            return chat
        number = self.ids.number(uuid)
        chat = None if number is None else self._ledger.get(number)
        return chat if chat is not None and self._by_uuid.get(chat.uuid) is chat else None

    def with_uuid(self, uuid: str) -> Chat | None:
        """Return the chat whose uuid is exactly this."""
        return self._by_uuid.get(uuid)

    def add(self, chat: Chat) -> None:
        """Take a new chat in; its uuid must be free. A namesake that fades from listings goes at once."""
        faded = self._fading.get(chat.uuid)
        if faded is not None:
            self.unlist(faded)
        self._ledger.append(chat.number, chat)
        self._by_uuid[chat.uuid] = chat

    def remove(self, chat: Chat) -> None:
        """Delete a chat; listings show it until `unlist`."""
        del self._by_uuid[chat.uuid]
        self._fading[chat.uuid] = chat

    def unlist(self, chat: Chat) -> None:
        """Take a deleted chat out of every listing; harmless when that is done already."""
        if not chat.listed:
            return
        chat.listed = False
        del self._fading[chat.uuid]
        self._ledger.remove(chat.number)
        for user in chat.members:
            user.chats.discard(chat)
