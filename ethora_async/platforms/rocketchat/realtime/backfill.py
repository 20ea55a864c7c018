"""Fetch the messages that a room's subscription missed (docs/platforms/rocketchat.md#reconnecting): streams have no
replay.
"""

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
"""Seconds between two attempts if the server names none."""


async def fetch_missed(api: Api, room_id: str, since: datetime, clock: Clock) -> MessageChanges:
    """Return the changes in a room since a time, waiting for the rate limit: users are allowed ten calls a minute.

    Raises:
        ForbiddenError, NotFoundError: the user has no access to the room any more.
        ChatError: five attempts failed.
    """
    for left in reversed(range(_TRIES)):
        try:
            return await read_changes(api, room_id, since)
        except (RateLimitedError, ServerFaultError, TransportError) as error:
            if not left:
                raise
            await clock.sleep(error.retry_after or _PAUSE)
    raise AssertionError  # the last round returns or raises
