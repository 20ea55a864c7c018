"""Convert stream events to records (docs/platforms/rocketchat.md#streams)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ethora_async.errors import ReplyLostError
from ethora_async.platforms.rocketchat import wire
from ethora_async.platforms.rocketchat.realtime.ddp_events import NOTIFY_ROOM, NOTIFY_USER, Topic
from ethora_async.platforms.rocketchat.realtime.events import (
    MessageDeleted,
    RealtimeEvent,
    RoomChanged,
    StreamEvent,
    SubscriptionChanged,
)
from ethora_async.request import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.platforms.rocketchat.message_records import Message

_ORIGIN = Origin("realtime")
logger: logging.Logger = logging.getLogger("ethora_async")


def read_messages(args: Sequence[Any]) -> list[Message]:
    """Return the message of a room's event. One of an unexpected shape is logged and skipped."""
    try:
        return [wire.read_message(args[0], origin=_ORIGIN, path="event")] if args else []
    except ReplyLostError as error:
        logger.warning("a message was skipped: %s", error.message)
        return []


def read_event(topic: Topic, args: Sequence[Any]) -> list[RealtimeEvent]:
    """Return the event for any other stream."""
    _, _, event = topic.name.partition("/")
    first, second = (*args, None, None)[:2]
    if topic.stream == NOTIFY_USER and isinstance(second, dict):
        if event == "subscriptions-changed":
            return [SubscriptionChanged(str(first), second)]
        if event == "rooms-changed":
            try:
                return [RoomChanged(str(first), wire.read_chat(second, origin=_ORIGIN, path="event"))]
            except ReplyLostError as error:
                logger.warning("a change of a room was skipped: %s", error.message)
                return []
    if topic.stream == NOTIFY_ROOM and event == "deleteMessage" and isinstance(first, dict):
        message_id = first.get("_id")
        return [MessageDeleted(topic.name.partition("/")[0], message_id)] if isinstance(message_id, str) else []
    return [StreamEvent(topic.stream, topic.name, tuple(args))]
