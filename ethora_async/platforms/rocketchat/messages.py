"""Messages of rooms (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ethora_async.errors import ApiError, InvalidInputError
from ethora_async.platforms.rocketchat import operations, wire
from ethora_async.platforms.rocketchat.message_marks import MessageMarks
from ethora_async.platforms.rocketchat.names import RecordId, lookup

if TYPE_CHECKING:
    from datetime import datetime

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.platforms.rocketchat.directory import Room
    from ethora_async.platforms.rocketchat.message_records import Message, MessageChanges
    from ethora_async.records import Id

_LETTERS = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
"""The format of the platform's own ids, which cannot be confused with other ids."""
_ID_LENGTH = 17
_HISTORY = {
    "c": operations.CHANNEL_HISTORY,
    "p": operations.GROUP_HISTORY,
    "d": operations.DIRECT_HISTORY,
}


def new_message_id() -> str:
    """Return a message id in the format of the platform's own clients."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))


class Messages(MessageMarks):
    """Sends and reads messages as the admin, or as the user of `RocketChatClient.as_user`."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def send(self, room: Id, text: str, *, id: str | None = None, thread: str | None = None) -> Message:
        """Send a message to a room that the sender is in.

        Each message has an id, generated here unless you pass one. So the request may be retried: the platform accepts
        an id once, and after a rejected retry the client checks whether the message exists.

        Args:
            room: the room's name, or its `RecordId`.
            id: your own id of the message (letters and digits, 17 by custom): sent twice, it is written once.
            thread: the id of the message whose thread to answer in.

        Raises:
            InvalidInputError: the text is empty.
            NotFoundError: there is no such room.
            ForbiddenError: the sender is not in the room, or may not write there.
        """
        if not text.strip():
            msg = "text is empty"
            raise InvalidInputError(msg, field="text")
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, room)
        message_id = new_message_id() if id is None else lookup(id)
        body: dict[str, Any] = {"_id": message_id, "rid": room_id, "msg": text}
        if thread is not None:
            body["tmid"] = thread
        try:
            reply = await api.call(operations.SEND_MESSAGE, data={"message": body})
        except ApiError as refusal:
            if id is None and refusal.attempts < 2:
                raise
            # The rejection may mean that an earlier attempt succeeded.
            written = await self._written(api, message_id)
            if written is None or written.room_id != room_id or written.text != text:
                raise
            return written
        return wire.read_message(reply.data.get("message"), origin=reply.origin)

    async def get(self, id: str) -> Message:
        """Return one message by its id.

        Raises:
            NotFoundError, ValidationFailedError: there is no such message, or the caller may not see it.
        """
        api = await self._context.open()
        reply = await api.call(operations.GET_MESSAGE, query={"msgId": id})
        return wire.read_message(reply.data.get("message"), origin=reply.origin)

    async def history(
        self,
        room: Id,
        *,
        before: datetime | None = None,
        after: datetime | None = None,
        count: int = 50,
    ) -> tuple[Message, ...]:
        """Return a room's messages, the newest first.

        Args:
            before, after: only messages sent between the two; aware datetimes.
            count: maximum number, 1 to 100.

        Raises:
            InvalidInputError: `count` is out of range, or a datetime has no time zone.
            NotFoundError: there is no such room.
        """
        if not 1 <= count <= 100:
            msg = f"count must be from 1 to 100, not {count}"
            raise InvalidInputError(msg, field="count")
        api = await self._context.open()
        found = await self._context.directory.room(api, room)
        operation = _HISTORY.get(found.kind)
        if operation is None:
            msg = f"rooms of the kind {found.kind!r} show no history"
            raise InvalidInputError(msg, field="room")
        query: dict[str, str | int] = {"roomId": found.id, "count": count}
        for name, moment in (("latest", before), ("oldest", after)):
            if moment is not None:
                query[name] = wire.iso(moment)
        reply = await api.call(operation, query=query)
        return wire.read_list(reply.data, "messages", wire.read_message, origin=reply.origin)

    async def changes(self, room: Id, since: datetime) -> MessageChanges:
        """Return everything in a room that was written, edited, reacted to or deleted since a time.

        Raises:
            InvalidInputError: the datetime has no time zone.
            NotFoundError: there is no such room.
            ForbiddenError: the caller is not in the room.
        """
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, room)
        return await read_changes(api, room_id, since)

    async def _written(self, api: Api, message_id: str) -> Message | None:
        try:
            reply = await api.call(operations.GET_MESSAGE, query={"msgId": message_id})
        except ApiError:
            return None
        return wire.read_message(reply.data.get("message"), origin=reply.origin)


async def read_page(
    api: Api, room: Room, *, latest: datetime | None, inclusive: bool, offset: int, count: int
) -> tuple[Message, ...]:
    """Return one page of a room's messages up to a time, the newest first.

    Raises:
        InvalidInputError: rooms of this kind show no history.
    """
    operation = _HISTORY.get(room.kind)
    if operation is None:
        msg = f"rooms of the kind {room.kind!r} show no history"
        raise InvalidInputError(msg, field="room")
    query: dict[str, str | int] = {"roomId": room.id, "count": count, "offset": offset}
    if latest is not None:
        query |= {"latest": wire.iso(latest), "inclusive": "true" if inclusive else "false"}
    reply = await api.call(operation, query=query)
    return wire.read_list(reply.data, "messages", wire.read_message, origin=reply.origin)


async def read_changes(api: Api, room_id: str, since: datetime) -> MessageChanges:
    """Return the result of `Messages.changes` for a room with a known record id."""
    operation = operations.SYNC_MESSAGES
    reply = await api.call(operation, query={"roomId": room_id, "lastUpdate": wire.iso(since)})
    return wire.read_changes(reply.data, origin=reply.origin)


__all__ = ["Messages", "RecordId", "new_message_id"]
