"""Which record ids stand behind user names and room names, remembered."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import attrs

from ethora_async.errors import ReplyLostError
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.names import RecordId, plain

if TYPE_CHECKING:
    from typing import Any

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.records import Id

T = TypeVar("T")

RoomKind = Literal["c", "p", "d", "l"]
"""Rocket.Chat's letters: public channel, private group, direct, omnichannel (docs/platforms/rocketchat.md#rooms)."""


@attrs.frozen
class Room:
    """A room as its routes need to know it."""

    id: str
    kind: str

    @property
    def public(self) -> bool:
        """Whether it is a channel, which has routes of its own."""
        return self.kind == "c"


class Directory:
    """Looks up each name once; a name whose record has gone is forgotten by whoever notices.

    Args:
        size: how many users and how many rooms are remembered (default 10,000 each).
    """

    def __init__(self, size: int = 10_000) -> None:
        self._users: _Recent[str] = _Recent(size)
        self._rooms: _Recent[Room] = _Recent(size)

    async def user_id(self, api: Api, id: Id) -> str:
        """The record id of a user.

        Raises:
            NotFoundError: there is no such user.
        """
        name = plain(id)
        if isinstance(name, RecordId):
            return str(name)
        known = self._users.get(name)
        if known is None:
            reply = await api.call(operations.GET_USER, query={"username": name})
            known = _text(reply.data.get("user"), "_id", operations.GET_USER.name)
            self._users.put(name, known)
        return known

    def known_user(self, id: Id) -> str | None:
        """The record id of a user as far as it is remembered."""
        name = plain(id)
        return str(name) if isinstance(name, RecordId) else self._users.get(name)

    async def room(self, api: Api, id: Id) -> Room:
        """The record id and the kind of a room.

        Raises:
            NotFoundError: there is no such room.
        """
        name = plain(id)
        key = repr(name)  # a name and a record id may read the same
        known = self._rooms.get(key)
        if known is None:
            reply = await api.call(operations.GET_ROOM, query=room_query(name))
            data = reply.data.get("room")
            known = Room(*(_text(data, field, operations.GET_ROOM.name) for field in ("_id", "t")))
            self._rooms.put(key, known)
        return known

    async def room_id(self, api: Api, id: Id) -> str:
        """The record id of a room; a `RecordId` is taken as it is.

        Raises:
            NotFoundError: there is no such room.
        """
        name = plain(id)
        return str(name) if isinstance(name, RecordId) else (await self.room(api, name)).id

    def forget_user(self, id: Id) -> None:
        """Look the user up again next time."""
        self._users.drop(plain(id))

    def forget_room(self, id: Id) -> None:
        """Look the room up again next time."""
        self._rooms.drop(repr(plain(id)))


def user_query(name: str) -> dict[str, str | int]:
    """What names a user in a query."""
    return {"userId" if isinstance(name, RecordId) else "username": str(name)}


def room_query(name: str) -> dict[str, str | int]:
    """What names a room in a query."""
    return {"roomId" if isinstance(name, RecordId) else "roomName": str(name)}


def _text(data: Any, field: str, operation: str) -> str:
    value = data.get(field) if isinstance(data, dict) else None
    if not isinstance(value, str) or not value:
        msg = f"the platform's reply has an unexpected shape: no {field}"
        raise ReplyLostError(msg, operation=operation)
    return value


class _Recent(Generic[T]):
    def __init__(self, size: int) -> None:
        self._size = size
        self._items: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        item = self._items.get(key)
        if item is not None:
            self._items.move_to_end(key)
        return item

    def put(self, key: str, item: T) -> None:
        self._items[key] = item
        self._items.move_to_end(key)
        if len(self._items) > self._size:
            self._items.popitem(last=False)

    def drop(self, key: str) -> None:
        self._items.pop(key, None)
