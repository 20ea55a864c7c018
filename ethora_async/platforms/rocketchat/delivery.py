"""Deliver messages from subscriptions to the reader, missed ones first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ethora_async.errors import ChatError, ForbiddenError, NotFoundError
from ethora_async.platforms.rocketchat.message_records import Message, MessageChanges
from ethora_async.platforms.rocketchat.realtime.backfill import fetch_missed
from ethora_async.platforms.rocketchat.realtime.events import Gap, MessageDeleted, MessageReceived, RealtimeEvent
from ethora_async.platforms.rocketchat.realtime.feed import Feed

if TYPE_CHECKING:
    from datetime import datetime

    from ethora_async.event_queue import EventQueue
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.protocols import Clock


class Deliveries:
    """The rooms of one stream.

    After an interruption, arriving messages are held back until the missed ones have been fetched.

    Args:
        most_held: maximum number of held messages; beyond it `arrived` waits.
    """

    def __init__(self, queue: EventQueue[RealtimeEvent], clock: Clock, most_held: int) -> None:
        self._queue = queue
        self._clock = clock
        self._most_held = most_held
        self._feeds: dict[str, Feed] = {}
        self._fills: dict[str, asyncio.Task[None]] = {}

    def begin(self, room_id: str, now: datetime) -> None:
        """Start to track a room; `now` by the server's clock."""
        self._feeds.setdefault(room_id, Feed(begun=now))

    async def end(self, room_id: str) -> None:
        """Stop tracking a room."""
        self._feeds.pop(room_id, None)
        await self._stop(room_id)

    async def interrupted(self, room_id: str | None = None) -> None:
        """Note that the subscription to one room, or to all, has ended: from now on messages are missed."""
        for room in list(self._feeds) if room_id is None else [room_id]:
            await self._stop(room)
            feed = self._feeds.get(room)
            if feed is not None:
                # Held messages will be fetched: none of them counts as delivered.
                feed.held.clear()
                feed.filling = True

    def resumed(self, api: Api, room_id: str) -> None:
        """Note that a subscription is active, for the first time or again; missed messages are fetched from `api`."""
        feed = self._feeds.get(room_id)
        if feed is not None and feed.filling and room_id not in self._fills:
            self._fills[room_id] = asyncio.create_task(self._fill(api, room_id, feed))

    async def arrived(self, room_id: str, message: Message) -> None:
        """Deliver or hold a message that arrived by itself."""
        feed = self._feeds.get(room_id)
        if feed is None:
            return
        if not feed.filling:
            await self._deliver(feed, message)
            return
        feed.held.append(message)
        while self._fills and sum(len(feed.held) for feed in self._feeds.values()) >= self._most_held:
            await asyncio.wait(set(self._fills.values()), return_when=asyncio.FIRST_COMPLETED)

    async def _stop(self, room_id: str) -> None:
        fill = self._fills.pop(room_id, None)
        if fill is not None:
            fill.cancel()
            await asyncio.wait({fill})

    async def _deliver(self, feed: Feed, message: Message, *, missed: bool = False) -> None:
        if feed.is_missed(message) if missed else feed.is_new(message):
            await self._queue.put(MessageReceived(message, missed))
            # Only now: if it is cancelled while it waits, the message is fetched again.
            feed.delivered(message)

    async def _fill(self, api: Api, room_id: str, feed: Feed) -> None:
        since = feed.since()
        changes = MessageChanges(updated=(), deleted=())
        try:
            changes = await fetch_missed(api, room_id, since, self._clock)
        except (ForbiddenError, NotFoundError):
            pass  # the user is no longer in the room: an event reports that
        except ChatError:
            await self._queue.put(Gap(room_id, since))
        for message in changes.updated:
            await self._deliver(feed, message, missed=True)
        for message_id in changes.deleted:
            await self._queue.put(MessageDeleted(room_id, message_id))
        while feed.held:
            await self._deliver(feed, feed.held[0])
            feed.held.popleft()
        feed.filling = False
        del self._fills[room_id]
