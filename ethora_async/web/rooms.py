"""Addresses of rooms for front ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ethora_async.errors import ConfigError

if TYPE_CHECKING:
    from ethora_async.records import Id

RoomAddress = Callable[[Any, str], Awaitable[Mapping[str, str]]]
"""Returns the data that a front end needs to show a room; called with the client and your id of the room."""


class HasJids(Protocol):
    """``client.chats`` on a platform whose rooms have JIDs: Ethora."""

    def jid(self, id: Id, /) -> str:
        """Return the room's JID."""
        ...


class NamesRooms(Protocol):
    """A client whose rooms have JIDs."""

    @property
    def chats(self) -> HasJids:
        """The rooms."""
        ...


class RoomPages(Protocol):
    """The result of `ShowsRooms.embedding`."""

    @property
    def origin(self) -> str:
        """The only origin to exchange messages with."""
        ...

    def room_url(self, room: Id, kind: Literal["channel", "group"] = "group") -> str:
        """Return the address for an iframe."""
        ...


class ShowsRooms(Protocol):
    """A client whose rooms are pages to embed: Rocket.Chat."""

    async def embedding(self) -> RoomPages:
        """The builder of addresses."""
        ...


async def room_jid(client: NamesRooms, room: str) -> Mapping[str, str]:
    """Return ``jid``: the room's address on Ethora's XMPP side.

    Raises:
        InvalidInputError: the id cannot be a room's.
        ConfigError: the XMPP host is not known: see `EthoraClient`.
    """
    return {"jid": client.chats.jid(room)}


async def group_url(client: ShowsRooms, room: str) -> Mapping[str, str]:
    """Return ``url`` and ``origin`` of a private room of Rocket.Chat, for an iframe. The URL contains no token.

    Raises:
        InvalidInputError: the id cannot be a room's.
    """
    pages = await client.embedding()
    return {"url": pages.room_url(room), "origin": pages.origin}


async def channel_url(client: ShowsRooms, room: str) -> Mapping[str, str]:
    """Return ``url`` and ``origin`` of a public room of Rocket.Chat, for an iframe. The URL contains no token.

    Raises:
        InvalidInputError: the id cannot be a room's.
    """
    pages = await client.embedding()
    return {"url": pages.room_url(room, "channel"), "origin": pages.origin}


def address_for(client: object) -> RoomAddress:
    """Return the function for a client's kind of rooms.

    Raises:
        ConfigError: the client has no addresses of rooms.
    """
    if callable(getattr(client, "embedding", None)):
        return group_url
    if callable(getattr(getattr(client, "chats", None), "jid", None)):
        return room_jid
    msg = f"{type(client).__name__} cannot resolve rooms: leave out may_enter=, or pass rooms= to TokenEndpoint"
    raise ConfigError(msg)
