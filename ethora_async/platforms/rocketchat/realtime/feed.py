"""One room's messages in realtime: each version once, and from when on to ask for missed ones."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

import attrs

from ethora_async.platforms.rocketchat.message_records import Message

REMEMBERED = 1_000
"""Messages of a room of which the last version is remembered."""
_OVERLAP = timedelta(seconds=5)
"""What is asked for once more: changes may be stored in another order than they are stamped."""


@attrs.define(eq=False)
class Feed:
    """The messages of one room that have been delivered.

    Messages come twice when they are fetched after a gap and arrive by themselves as well, and a message comes again
    with every edit, reaction and pin. A version is known by the message's id and when it was last updated.

    Attributes:
        begun: when the subscription began, by the server's clock; nothing older is fetched.
        filling: whether missed messages are being fetched. What arrives meanwhile waits in `held`, to come after them.
    """

    begun: datetime
    filling: bool = False
    held: deque[Message] = attrs.field(factory=deque)
    _newest: datetime | None = None
    _versions: OrderedDict[str, datetime | None] = attrs.field(factory=OrderedDict)

    def since(self) -> datetime:
        """From when on to ask for what was missed."""
        return self.begun if self._newest is None else max(self.begun, self._newest - _OVERLAP)

    def is_new(self, message: Message) -> bool:
        """Return whether this version is yet to be delivered."""
        if message.id not in self._versions:
            return True
        known, stamp = self._versions[message.id], message.updated_at
        return stamp is not None and (known is None or stamp > known)

    def is_missed(self, message: Message) -> bool:
        """Return the same for a fetched one, which may be older than the subscription."""
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
