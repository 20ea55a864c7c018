"""The users and the chats of one app: in order of creation, and found by any form of id.

A directory knows only the keys of a record; the store manages relations between records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ethora_async.sandbox.ethora.names import folded, local_id
from ethora_async.sandbox.ledger import TicketIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.sandbox.ethora.names import RecordIds


class Record(Protocol):
    """The keys of every record."""

    number: int
    uuid: str


class Person(Record, Protocol):
    """The additional keys of a user."""

    email: str | None


UserT = TypeVar("UserT", bound=Person)
ChatT = TypeVar("ChatT", bound=Record)


class Users(Generic[UserT]):
    """The users of one app, in order of creation."""

    def __init__(self, app_id: str, ids: RecordIds) -> None:
        self.app_id = app_id
        self.ids = ids
        self._ledger: TicketIndex[UserT] = TicketIndex()
        self._by_uuid: dict[str, UserT] = {}
        self._by_jid: dict[str, UserT] = {}
        self._by_email: dict[str, UserT] = {}
        self._sorted: dict[str, list[UserT]] = {}

    def __len__(self) -> int:
        return len(self._ledger)

    def __iter__(self) -> Iterator[UserT]:
        return iter(self._ledger)

    def window(self, offset: int, limit: int) -> list[UserT]:
        """Return at most `limit` users from position `offset` on."""
        return self._ledger.window(offset, limit)

    def sorted_by(self, field: str) -> list[UserT]:
        """Return all users ordered by an attribute; cached until a user changes, for the next pages."""
        if field not in self._sorted:
            self._sorted[field] = sorted(self._ledger, key=lambda user: getattr(user, field) or "")
        return self._sorted[field]

    def find(self, reference: str) -> UserT | None:
        """Look a user up by uuid, xmppUsername (doubled prefixes too), JID or record id."""
        uuid = local_id(self.app_id, reference)
        user = self._by_uuid.get(uuid)
        return self.with_id(uuid) if user is None else user

    def with_uuid(self, uuid: str) -> UserT | None:
        """Return the user whose uuid is exactly this."""
        return self._by_uuid.get(uuid)

    def sharing_jid(self, uuid: str) -> UserT | None:
        """Return the user who has the JID that a user of this uuid would have."""
        return self._by_jid.get(folded(uuid))

    def with_id(self, record_id: str) -> UserT | None:
        """Return the user whose record id is exactly this."""
        number = self.ids.number(record_id)
        return None if number is None else self._ledger.get(number)

    def with_email(self, email: str) -> UserT | None:
        """Return the user with this address (lower case)."""
        return self._by_email.get(email)

    def add(self, user: UserT) -> None:
        """Add a new user; its uuid and e-mail must be free."""
        self._ledger.append(user.number, user)
        self._by_uuid[user.uuid] = user
        self._by_jid.setdefault(folded(user.uuid), user)
        if user.email is not None:
            self._by_email[user.email] = user
        self._sorted.clear()

    def remove(self, user: UserT) -> None:
        """Remove a user."""
        self._ledger.remove(user.number)
        del self._by_uuid[user.uuid]
        if self._by_jid.get(folded(user.uuid)) is user:
            del self._by_jid[folded(user.uuid)]
        if user.email is not None:
            del self._by_email[user.email]
        self._sorted.clear()

    def renamed(self) -> None:
        """Drop cached orders after names have changed."""
        self._sorted.clear()


class Chats(Generic[ChatT]):
    """The chats of one app, in order of creation."""

    def __init__(self, app_id: str, ids: RecordIds) -> None:
        self.app_id = app_id
        self.ids = ids
        self._ledger: TicketIndex[ChatT] = TicketIndex()
        self._by_uuid: dict[str, ChatT] = {}
        self._by_jid: dict[str, ChatT] = {}
        self._fading: dict[str, ChatT] = {}

    def __len__(self) -> int:
        return len(self._by_uuid)

    def __iter__(self) -> Iterator[ChatT]:
        return iter(self._by_uuid.values())

    @property
    def listed(self) -> int:
        """The number of listed chats, including deleted ones that listings still show."""
        return len(self._ledger)

    def window(self, offset: int, limit: int) -> list[ChatT]:
        """Return at most `limit` listed chats from position `offset` on."""
        return self._ledger.window(offset, limit)

    def find(self, reference: str) -> ChatT | None:
        """Look a chat up by uuid, name, JID or record id."""
        uuid = local_id(self.app_id, reference)
        chat = self._by_uuid.get(uuid)
        if chat is not None:
            return chat
        number = self.ids.number(uuid)
        chat = None if number is None else self._ledger.get(number)
        return chat if chat is not None and self._by_uuid.get(chat.uuid) is chat else None

    def with_uuid(self, uuid: str) -> ChatT | None:
        """Return the chat whose uuid is exactly this."""
        return self._by_uuid.get(uuid)

    def sharing_jid(self, uuid: str) -> ChatT | None:
        """Return the chat that has the room which a chat of this uuid would have."""
        return self._by_jid.get(folded(uuid))

    def add(self, chat: ChatT) -> None:
        """Add a new chat; its uuid must be free, even in listings."""
        self._ledger.append(chat.number, chat)
        self._by_uuid[chat.uuid] = chat
        self._by_jid.setdefault(folded(chat.uuid), chat)

    def remove(self, chat: ChatT) -> None:
        """Delete a chat; listings show it until `unlist`."""
        del self._by_uuid[chat.uuid]
        if self._by_jid.get(folded(chat.uuid)) is chat:
            del self._by_jid[folded(chat.uuid)]
        self._fading[chat.uuid] = chat

    def namesake(self, uuid: str) -> ChatT | None:
        """Return the deleted chat of this uuid that listings still show, if any."""
        return self._fading.get(uuid)

    def unlist(self, chat: ChatT) -> bool:
        """Remove a deleted chat from listings; return False when that is already done."""
        if self._fading.get(chat.uuid) is not chat:
            return False
        del self._fading[chat.uuid]
        self._ledger.remove(chat.number)
        return True
