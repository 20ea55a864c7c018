"""``ethora.chats.default_rooms``: the chats that every user of an app is a member of from the start.

See docs/platforms/ethora.md#default-rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import NotFoundError
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.apps.records import DefaultRoom, read_room
from ethora_async.platforms.ethora.unpaged_lists import whole_list
from ethora_async.records import required_text

if TYPE_CHECKING:
    from ethora_async.pages import Pages
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.records import Id


class DefaultRooms:
    """The default rooms of one app.

    These are routes of the platform's own admin UI, documented for a user's session; whether they accept the app's own
    server token is not public. If they do not, use an `in_app` with a user's session.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def list(self) -> Pages[DefaultRoom]:
        """Return all default rooms; the platform returns them in one reply."""

        async def read(query: dict[str, str | int]) -> tuple[tuple[DefaultRoom, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operations.LIST_DEFAULT_ROOMS, query=query)
            return wire.read_list(
                wire.result(reply.data),
                ("rooms", "defaultRooms", "result"),
                lambda row, path: read_room(row, app.names, origin=reply.origin, path=path),
                origin=reply.origin,
            )

        return whole_list(read, lambda room: room.name)

    async def create(self, title: str, *, pinned: bool = False) -> DefaultRoom:
        """Create a chat and add every user of the app to it. Never retried: a second request would create a second
        chat.

        Raises:
            InvalidInputError: the title is empty.
        """
        app = await self._context.open()
        data = {"title": required_text(title, "title"), "pinned": pinned}
        reply = await app.call(operations.CREATE_DEFAULT_ROOM, data=data)
        return read_room(reply.data, app.names, origin=reply.origin)

    async def delete(self, id: Id) -> Outcome[str]:
        """Delete one, by its id, name or JID.

        Returns:
            An outcome ``deleted``, or ``absent`` when there was none.
        """
        app = await self._context.open()
        key = app.names.lookup(id)
        try:
            # In this route, `jid` is only the local part, in requests and in replies
            # (docs/platforms/ethora.md#default-rooms).
            reply = await app.call(operations.DELETE_DEFAULT_ROOM, data={"chatJid": app.names.lookup_name(id)})
        except NotFoundError as error:
            return Outcome(key, key, "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(key, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)


__all__ = ["DefaultRooms"]
