"""Look up and cache the record ids of user names and room names."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import attrs

from ethora_async.errors import NotFoundError, ReplyLostError
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.names import RecordId, lookup

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.protocols import Clock
    from ethora_async.records import Id

T = TypeVar("T")

REMEMBERED = 60.0
"""Seconds for which a name is taken to stand for the record that it stood for when it was looked up."""

A_MOMENT = 5.0
"""The same for rooms that people are let into or taken out of, and that are deleted."""

RoomKind = Literal["c", "p", "d", "l"]
"""Rocket.Chat's letters: public channel, private group, direct, omnichannel (docs/platforms/rocketchat.md#rooms)."""


@attrs.frozen
class Room:
    """The data of a room that its routes need."""

    id: str
    kind: str

    @property
    def public(self) -> bool:
        """Whether it is a channel, which has separate routes."""
        return self.kind == "c"


@attrs.frozen
class Account:
    """The identifying part of a user's record.

    Attributes:
        id: the record id.
        username: the user name, exactly as the server stores it.
        roles: the roles; None if the caller may not see them.
        kind: ``user``, ``bot`` or ``app``, if the server says so.
    """

    id: str
    username: str
    roles: frozenset[str] | None = None
    kind: str = ""

    @property
    def privileged(self) -> bool:
        """Whether it is an administrator, a bot or an app, or its roles are unknown."""
        return self.roles is None or bool(self.roles & PRIVILEGED) or self.kind in PRIVILEGED


PRIVILEGED = frozenset({"admin", "bot", "app"})
"""Roles, and types of accounts, that no ordinary person has."""


class Directory:
    """Looks up each name once; callers remove a name whose record is gone.

    The server ignores case when it looks for a user. Here a name means the account with exactly that name. Names change
    hands: what was looked up is trusted for `REMEMBERED` seconds, and not at all where `fresh` is asked for.

    Args:
        clock: tells how old an entry is.
        size: maximum number of cached users and of cached rooms (default 10,000 each).
    """

    def __init__(self, clock: Clock, size: int = 10_000) -> None:
        self._users: _Recent[Account] = _Recent(clock, size)
        self._rooms: _Recent[Room] = _Recent(clock, size)

    async def account(self, api: Api, id: Id, *, fresh: bool = False, timeout: float | None = None) -> Account:
        """Return a user's account.

        Args:
            fresh: True always asks the server: the name may now belong to another record.
            timeout: seconds for the whole call; None is the client's own.

        Raises:
            NotFoundError: there is no such user, or only one with another spelling of the name.
        """
        name = lookup(id)
        remembered = repr(name)  # a name and a record id may have the same text
        known = None if fresh else self._users.get(remembered)
        if known is None:
            operation = operations.GET_USER
            reply = await api.call(operation, query=user_query(name), timeout=timeout)
            known = read_account(reply.data.get("user"), operation.name)
            check_name(name, known.username, operation.name)
            self._users.put(remembered, known)
        return known

    async def user_id(self, api: Api, id: Id, *, fresh: bool = False) -> str:
        """Return the record id of a user; a `RecordId` is returned unchanged. See `account`.

        Raises:
            NotFoundError: there is no such user.
        """
        name = lookup(id)
        return str(name) if isinstance(name, RecordId) else (await self.account(api, name, fresh=fresh)).id

    def known_user(self, id: Id) -> str | None:
        """Return the cached record id of a user, if there is one."""
        name = lookup(id)
        if isinstance(name, RecordId):
            return str(name)
        known = self._users.get(repr(name))
        return None if known is None else known.id

    async def room(self, api: Api, id: Id, *, within: float = REMEMBERED) -> Room:
        """Return the record id and the kind of a room.

        Args:
            within: seconds for which a name that was looked up before is trusted.

        Raises:
            NotFoundError: there is no such room.
        """
        name = lookup(id)
        key = repr(name)  # a name and a record id may have the same text
        known = self._rooms.get(key, within)
        if known is None:
            reply = await api.call(operations.GET_ROOM, query=room_query(name))
            data = reply.data.get("room")
            known = Room(*(_text(data, field, operations.GET_ROOM.name) for field in ("_id", "t")))
            self._rooms.put(key, known)
        return known

    async def room_id(self, api: Api, id: Id) -> str:
        """Return the record id of a room; a `RecordId` is returned unchanged.

        Raises:
            NotFoundError: there is no such room.
        """
        name = lookup(id)
        return str(name) if isinstance(name, RecordId) else (await self.room(api, name)).id

    def forget_user(self, id: Id) -> None:
        """Remove the user from the cache; a `RecordId` removes every name of that user."""
        name = lookup(id)
        self._users.drop(repr(name))
        if isinstance(name, RecordId):
            self._users.drop_where(lambda account: account.id == str(name))

    def forget_all(self) -> None:
        """Remove every user and room from the cache."""
        self._users.drop_where(lambda _: True)
        self._rooms.drop_where(lambda _: True)

    def forget_room(self, id: Id) -> None:
        """Remove the room from the cache."""
        self._rooms.drop(repr(lookup(id)))


def read_account(data: Any, operation: str) -> Account:
    """Read a user's record.

    Raises:
        ReplyLostError: it names no account.
    """
    id, username = (_text(data, field, operation) for field in ("_id", "username"))
    roles, kind = data.get("roles"), data.get("type")
    named = frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else None
    return Account(id, username, named, kind if isinstance(kind, str) else "")


def check_name(name: str, found: str, operation: str) -> None:
    """Check that the account's name is exactly the requested one, or that it was requested by its `RecordId`.

    Raises:
        NotFoundError: its name differs: the server ignores case.
    """
    if not isinstance(name, RecordId) and found != name:
        msg = f"no user {name!r}: the server has {found!r}, and names are case-sensitive"
        raise NotFoundError(msg, operation=operation)


def user_query(name: str) -> dict[str, str | int]:
    """Return the query parameter for a user."""
    return {"userId" if isinstance(name, RecordId) else "username": str(name)}


def room_query(name: str) -> dict[str, str | int]:
    """Return the query parameter for a room."""
    return {"roomId" if isinstance(name, RecordId) else "roomName": str(name)}


def _text(data: Any, field: str, operation: str) -> str:
    value = data.get(field) if isinstance(data, dict) else None
    if not isinstance(value, str) or not value:
        msg = f"the platform's reply has an unexpected shape: no {field}"
        raise ReplyLostError(msg, operation=operation)
    return value


class _Recent(Generic[T]):
    def __init__(self, clock: Clock, size: int) -> None:
        self._clock = clock
        self._size = size
        self._items: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str, within: float = REMEMBERED) -> T | None:
        at, item = self._items.get(key, (0.0, None))
        if item is None or self._clock.monotonic() >= at + within:
            return None
        self._items.move_to_end(key)
        return item

    def put(self, key: str, item: T) -> None:
        self._items[key] = self._clock.monotonic(), item
        self._items.move_to_end(key)
        if len(self._items) > self._size:
            self._items.popitem(last=False)

    def drop(self, key: str) -> None:
        self._items.pop(key, None)

    def drop_where(self, gone: Callable[[T], bool]) -> None:
        for key in [key for key, (_, item) in self._items.items() if gone(item)]:
            del self._items[key]
