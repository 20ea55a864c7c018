"""Subscribed rooms: each message once, in order, even after lost connections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs

from ethora_async.platforms.ethora.chats.message_records import Message
from ethora_async.platforms.ethora.realtime.events import Gap, MessageReceived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ethora_async.event_queue import EventQueue
    from ethora_async.platforms.ethora.realtime.events import RealtimeEvent
    from ethora_async.platforms.ethora.realtime.machine import Found, PageEnd, PageRefused, XmppMachine

_PAGE: Final = 100


@attrs.define(eq=False)
class _Room:
    """One room.

    Archive ids rise, so the newest delivered one is enough to know what has been delivered. After each entry the
    archive is queried, first for its newest id and later for missed messages; messages that arrive meanwhile are held
    until then.
    """

    newest: int | None = None
    begun: int = 0
    query: str = ""
    held: list[Message] = attrs.field(factory=list)


class ListenedRooms:
    """The rooms of one stream. They are kept over any number of connections."""

    def __init__(self, machine: XmppMachine, queue: EventQueue[RealtimeEvent], chat_id: Callable[[str], str]) -> None:
        self._machine = machine
        self._queue = queue
        self._chat_id = chat_id
        self._rooms: dict[str, _Room] = {}

    def __contains__(self, room: str) -> bool:
        return room in self._rooms

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._rooms))

    def add(self, room: str) -> None:
        """Subscribe to a room."""
        self._rooms.setdefault(room, _Room())

    def discard(self, room: str) -> None:
        """End the subscription to a room."""
        self._rooms.pop(room, None)

    def entered(self, name: str) -> None:
        """Query the messages that were written while the user was not there."""
        room = self._rooms.get(name)
        if room is not None and not room.query:
            self._ask(name, room)

    def disconnected(self) -> None:
        """Discard pending queries: their answers are lost, and held messages will be fetched."""
        for room in self._rooms.values():
            room.query = ""
            room.held.clear()

    async def said(self, name: str, message: Message) -> None:
        """Deliver a message, or hold it while older ones are fetched."""
        room = self._rooms.get(name)
        if room is None:
            return
        if room.query or room.newest is None:
            room.held.append(message)
        else:
            await self._deliver(name, room, message)

    async def found(self, found: Found) -> bool:
        """Process a message of the history; return False when the query is not one of these."""
        name, room = self._asking(found.query)
        if room is None:
            return False
        if room.newest is not None:
            if found.deleted:
                room.newest = max(room.newest, int(found.message.id))
            else:
                await self._deliver(name, room, found.message, missed=True)
        else:
            room.begun = int(found.message.id)
        return True

    async def page_ended(self, end: PageEnd) -> str | None:
        """Query the next page, or deliver the held messages. Return the room once it is complete."""
        name, room = self._asking(end.query)
        if room is None:
            return None
        if room.newest is None:
            # The page contained the newest message, if any. Messages since the user entered are new nevertheless.
            room.newest = min(room.begun, int(room.held[0].id) - 1) if room.held else room.begun
        elif not end.complete:
            self._ask(name, room)
            return None
        await self._release(name, room)
        return name

    async def page_refused(self, refused: PageRefused) -> str | None:
        """Report that messages may be missing, and continue. Return the room, if it is one of these."""
        name, room = self._asking(refused.query)
        if room is None:
            return None
        if room.newest:
            since = datetime.fromtimestamp(room.newest / 1_000_000, UTC)
            await self._queue.put(Gap(self._chat_id(name), since))
        room.newest = room.newest or 0
        await self._release(name, room)
        return name

    def _ask(self, name: str, room: _Room) -> None:
        if room.newest is None:
            room.query = self._machine.ask(name, 1, before="")
        else:
            room.query = self._machine.ask(name, _PAGE, after=str(room.newest))

    def _asking(self, query: str) -> tuple[str, _Room | None]:
        return next(((name, room) for name, room in self._rooms.items() if room.query == query), ("", None))

    async def _release(self, name: str, room: _Room) -> None:
        while room.held:
            await self._deliver(name, room, room.held[0])
            room.held.pop(0)
        room.query = ""

    async def _deliver(self, name: str, room: _Room, message: Message, *, missed: bool = False) -> None:
        if int(message.id) > (room.newest or 0):
            await self._queue.put(MessageReceived(self._chat_id(name), message, missed))
            # Only now: if it is cancelled while it waits, the message is fetched again.
            room.newest = int(message.id)
