"""What happens on the server and runs outgoing webhooks, and the requests that follow.

See docs/platforms/rocketchat.md#integrations.
"""

from __future__ import annotations

from typing import Any

import attrs

from ethora_async.sandbox.rocketchat.records import Integration, Message, Room, User


@attrs.frozen(kw_only=True)
class Event:
    """What happened, and when. `user` is who joined, left, archived, or was created; of a new room, its owner."""

    name: str
    at: float
    room: Room | None = None
    message: Message | None = None
    user: User | None = None


@attrs.frozen(kw_only=True)
class WebhookCall:
    """One request of an outgoing webhook. `record` is its entry in the history; `tries` counts the earlier requests."""

    url: str
    data: dict[str, Any] = attrs.field(repr=False)
    integration: Integration
    event: Event
    record: dict[str, Any] = attrs.field(repr=False)
    tries: int = 0
