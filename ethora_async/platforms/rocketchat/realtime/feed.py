"""One room's realtime messages: each version once, and the time from which to fetch missed ones."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

import attrs

from ethora_async.platforms.rocketchat.message_records import Message

REMEMBERED = 1_000
"""Number of a room's messages whose last version is remembered."""
_OVERLAP = timedelta(seconds=5)
"""Overlap in seconds when fetching: changes may be stored in another order than their time stamps."""


@attrs.define(eq=False)
class Feed:
    """The messages of one room that have been delivered.

    Messages come twice when they are fetched after a gap and also arrive by themselves, and a message comes again with
    every edit, reaction and pin. A version is identified by the message's id and the time of its last update.

    Attributes:
        begun: when the subscription began, by the server's clock; nothing older is fetched.
        filling: whether missed messages are being fetched. Messages that arrive meanwhile wait in `held`.
    """

    begun: datetime
    filling: bool = False
    held: deque[Message] = attrs.field(factory=deque)
    _newest: datetime | None = None
    _versions: OrderedDict[str, datetime | None] = attrs.field(factory=OrderedDict)

    def since(self) -> datetime:
        """The time from which to fetch missed messages."""
        return self.begun if self._newest is None else max(self.begun, self._newest - _OVERLAP)

    def is_new(self, message: Message) -> bool:
        """Return whether this version has not been delivered yet."""
        if message.id not in self._versions:
            return True
        known, stamp = self._versions[message.id], message.updated_at
        return stamp is not None and (known is None or stamp > known)

    def is_missed(self, message: Message) -> bool:
        """Return the same for a fetched version, which may be older than the subscription."""
        stamp = message.updated_at
        return (stamp is None or stamp >= self.begun) and self.is_new(message)

    def delivered(self, message: Message) -> None:
        """Remember that this version has been delivered."""
        self._versions[message.id] = stamp = message.updated_at
        self._versions.move_to_end(message.id)
        if len(self._versions) > REMEMBERED:
            self._versions.popitem(last=False)
        if stamp is not None and (self._newest is None or stamp > self._newest):
            self._newest = stamp
