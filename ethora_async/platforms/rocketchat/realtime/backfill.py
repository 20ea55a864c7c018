"""Fetching what a room's subscription missed (docs/platforms/rocketchat.md#reconnecting): streams have no replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import RateLimitedError, ServerFaultError, TransportError
from ethora_async.platforms.rocketchat.messages import read_changes

if TYPE_CHECKING:
    from datetime import datetime

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.message_records import MessageChanges
    from ethora_async.protocols import Clock

_TRIES = 5
_PAUSE = 2.0
"""Seconds between two tries where the server names none."""


async def fetch_missed(api: Api, room_id: str, since: datetime, clock: Clock) -> MessageChanges:
    """Return what changed in a room since a moment, however patient one has to be: users are let through ten times a
    minute.

    Raises:
        ForbiddenError, NotFoundError: the room is not the user's any more.
        ChatError: five tries failed.
    """
    for left in reversed(range(_TRIES)):
        try:
            return await read_changes(api, room_id, since)
        except (RateLimitedError, ServerFaultError, TransportError) as error:
            if not left:
                raise
            await clock.sleep(error.retry_after or _PAUSE)
    raise AssertionError  # the last round returns or raises
