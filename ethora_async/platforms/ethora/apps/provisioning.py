"""Rooms for a new app (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.errors import ChatError, ReplyLostError
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.apps.records import read_room
from ethora_async.platforms.ethora.names import Names
from ethora_async.records import required_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.platforms.ethora.apps.records import DefaultRoom
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.request import Reply

ROOMS_AT_ONCE = 20
"""Maximum number of rooms in one request."""


def _title(value: str) -> str:
    return required_text(value, "title")


@attrs.frozen
class NewRoom:
    """A room to create in an app.

    Raises:
        InvalidInputError: the title is empty.
    """

    title: str = attrs.field(converter=_title)
    pinned: bool | None = None


async def provision_batch(app: App, app_id: str, rooms: Sequence[NewRoom]) -> list[Outcome[NewRoom]]:
    """Create up to twenty rooms with one request; return an outcome for each, its `value` the room if known."""
    body = [{"title": room.title} | ({} if room.pinned is None else {"pinned": room.pinned}) for room in rooms]
    try:
        reply = await app.call(operations.PROVISION_APP, path={"app": app_id}, data={"rooms": body})
    except ChatError as error:
        return [failed(room, room.title, error) for room in rooms]
    made = _made(reply, Names(app_id))
    # Rooms have no ids of the caller's: they are matched by order, and only when none is missing.
    shown = made if len(made) == len(rooms) else [None] * len(rooms)
    return [
        Outcome(room, room.title, "created", value=value, attempts=reply.attempts, request_id=reply.request_id)
        for room, value in zip(rooms, shown, strict=True)
    ]


def _made(reply: Reply, names: Names) -> Sequence[DefaultRoom | None]:
    try:
        return wire.read_list(
            wire.result(reply.data),
            ("rooms", "created", "createdRooms", "chats", "result"),
            lambda row, path: read_room(row, names, origin=reply.origin, path=path),
            origin=reply.origin,
        )[0]
    except ReplyLostError:
        return ()  # a 2xx means success, even if the rooms in the reply are invalid


__all__ = ["ROOMS_AT_ONCE", "NewRoom", "provision_batch"]
