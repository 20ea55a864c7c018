"""Contents of rooms, and a member's relation to a room (docs/platforms/rocketchat.md#standing-in-a-room,
#room-contents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import NotFoundError, ReplyLostError
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations_rooms as operations
from ethora_async.platforms.rocketchat import wire
from ethora_async.platforms.rocketchat.names import lookup
from ethora_async.platforms.rocketchat.room_settings import RoomSettings
from ethora_async.platforms.rocketchat.users import LARGEST_PAGE
from ethora_async.platforms.rocketchat.wire import iso
from ethora_async.records import Chat, Id, User, required_text, several
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from ethora_async.platforms.rocketchat.room_records import Counters, RoomFile
    from ethora_async.redaction import Secret
    from ethora_async.request import Operation

EPOCH = "1970-01-01T00:00:00.000Z"


class RoomContents(RoomSettings):
    """The methods of `Rooms` that read and clean up rooms, and concern the caller's own membership."""

    async def open(self, id: Id) -> Outcome[Id]:
        """Show a room in the caller's own list.

        Raises:
            NotFoundError, ForbiddenError, ValidationFailedError: There is no such room, or the caller is not in it.
        """
        return await self._stand(id, operations.OPEN, {})

    async def hide(self, id: Id) -> Outcome[Id]:
        """Hide a room from the caller's own list until there is a new message (the platform's ``close``)."""
        return await self._stand(id, operations.HIDE, {})

    close = hide

    async def set_favorite(self, id: Id, favorite: bool = True) -> Outcome[Id]:
        """Add a room to the caller's favourites, or remove it."""
        return await self._stand(id, operations.FAVORITE, {"favorite": favorite})

    async def join(self, id: Id, *, code: str | Secret | None = None) -> Outcome[Id]:
        """Join a channel.

        Args:
            code: The channel's join code, if it has one.

        Raises:
            ForbiddenError: The code is wrong.
            ConflictError: The channel is archived.
        """
        code = wrapped(code)  # the frames of errors show it
        return await self._stand(id, operations.JOIN, {} if code is None else {"joinCode": code})

    async def leave(self, id: Id) -> Outcome[Id]:
        """Leave a channel or group; ``absent`` when the caller is not in it.

        Raises:
            ConflictError: The caller is its last owner.
        """
        try:
            return await self._stand(id, operations.LEAVE, {})
        except NotFoundError as error:
            if error.code != "error-user-not-in-room":
                raise
            return Outcome(id, str(lookup(id)), "absent", attempts=error.attempts, request_id=error.request_id)

    async def mark_read(self, id: Id) -> Outcome[Id]:
        """Mark a room as read for the caller."""
        return await self._stand(id, operations.MARK_READ, {})

    async def mark_unread(self, id: Id, *, first: str | None = None) -> Outcome[Id]:
        """Mark a room as unread for the caller.

        Args:
            first: The id of the first message to mark as unread; by default the last one of somebody else.
        """
        if first is None:
            return await self._stand(id, operations.MARK_UNREAD, {})
        api = await self._context.open()
        data = {"firstUnreadMessage": {"_id": required_text(first, "first")}}
        return await self._change(api, id, operations.MARK_UNREAD, data)

    async def subscription(self, id: Id) -> Mapping[str, Any] | None:
        """Return the caller's subscription to a room, in the platform's format; None when they are not in it."""
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, id)
        reply = await api.call(operations.GET_SUBSCRIPTION, query={"roomId": room_id})
        row = reply.data.get("subscription")
        return row if isinstance(row, dict) else None

    async def counters(self, id: Id, *, user: Id | None = None) -> Counters:
        """Count the members and messages of a room of any kind, and one member's unread messages.

        Args:
            user: The member whose unread messages to count; by default the caller.
        """
        api = await self._context.open()
        room = await self._context.directory.room(api, id)
        query = {"roomId": room.id}
        if user is not None:
            query["userId"] = await self._context.directory.user_id(api, user)
        operation = self._for(room, operations.COUNTERS, id)
        reply = await api.call(operation, query=query)
        return wire.read_counters(reply.data, origin=reply.origin)

    async def online(self, id: Id) -> tuple[User, ...]:
        """Return the members of a channel or group who are online."""
        api = await self._context.open()
        room = await self._room(api, id)
        operation = self._for(room, operations.ONLINE, id)
        reply = await api.call(operation, query={"_id": room.id})
        return wire.read_list(reply.data, "online", wire.read_user, origin=reply.origin)

    async def invite_all(self, id: Id, *, active_only: bool = False) -> Outcome[Id]:
        """Add everybody on the server to a channel or group.

        Raises:
            ForbiddenError: The caller lacks the permission ``add-all-to-room``.
        """
        return await self._set(id, operations.ADD_ALL, {"activeUsersOnly": active_only})

    def files(self, id: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[RoomFile]:
        """Read the files of a room of any kind, the newest first."""
        return self._contents(id, operations.FILES, "files", wire.read_file, lambda file: file.id, limit, offset)

    def integrations(self, id: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Mapping[str, Any]]:
        """Read the integrations of a channel or group, in the platform's format; the ``token`` of each is a `Secret`.

        Of a group, the first page that the server gives by default, 50 as a rule: its route takes no paging.
        """

        async def fetch(offset: int, limit: int) -> tuple[tuple[Mapping[str, Any], ...], int | None]:
            api = await self._context.open()
            room = await self._context.directory.room(api, id)
            operation = self._for(room, operations.INTEGRATIONS, id)
            # The published validator of the groups' route takes neither.
            page = {"offset": offset, "count": limit} if room.public else {}
            reply = await api.call(operation, query={"roomId": room.id, **page})
            rows = wire.read_list(reply.data, "integrations", wire.read_integration, origin=reply.origin)
            return (rows, wire.total(reply.data)) if room.public else (rows[offset : offset + limit], len(rows))

        return Pages(fetch, lambda row: str(row.get("_id")), limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def discussions(self, id: Id) -> tuple[Chat, ...]:
        """Return the discussions of a room."""
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, id)
        operation = operations.DISCUSSIONS
        reply = await api.call(operation, query={"roomId": room_id, "count": LARGEST_PAGE})
        return wire.read_list(reply.data, "discussions", wire.read_chat, origin=reply.origin)

    async def create_discussion(
        self,
        id: Id,
        name: str,
        *,
        message: str | None = None,
        users: Id | Iterable[Id] = (),
        topic: str | None = None,
        reply: str | None = None,
    ) -> Chat:
        """Create a discussion: a separate room that belongs to another.

        Args:
            name: Its name.
            message: The id of a message to discuss.
            users: Users to add at once.
            reply: Its first message.

        Raises:
            InvalidInputError: The name is empty.
            NotFoundError: There is no such room.
        """
        data: dict[str, Any] = {"t_name": required_text(name, "name")}
        data |= {
            key: value for key, value in (("pmid", message), ("topic", topic), ("reply", reply)) if value is not None
        }
        names = [str(lookup(user)) for user in several(users)]
        if names:
            data["users"] = names
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, id)
        operation = operations.CREATE_DISCUSSION
        answer = await api.call(operation, data={"prid": room_id, **data})
        return wire.read_chat(answer.data.get("discussion"), origin=answer.origin)

    async def clean_history(
        self,
        id: Id,
        *,
        before: datetime,
        after: datetime | None = None,
        inclusive: bool = False,
        keep_pinned: bool = False,
        keep_threads: bool = False,
        keep_discussions: bool = False,
        files_only: bool = False,
        users: Id | Iterable[Id] = (),
    ) -> int:
        """Delete the messages of a room between two times; return their number. This cannot be undone.

        Args:
            before, after: Aware datetimes; without `after` it begins with the first message.
            inclusive: Whether to delete messages of exactly these times too.
            users: Delete only messages of these users.

        Raises:
            InvalidInputError: A datetime has no time zone.
            ForbiddenError: The caller lacks the permission ``clean-channel-history``.
        """
        data: dict[str, Any] = {"latest": iso(before), "oldest": EPOCH if after is None else iso(after)}
        flags = {
            "inclusive": inclusive,
            "excludePinned": keep_pinned,
            "ignoreThreads": keep_threads,
            "ignoreDiscussion": keep_discussions,
            "filesOnly": files_only,
        }
        data |= {key: True for key, flag in flags.items() if flag}
        names = [str(lookup(user)) for user in several(users)]
        if names:
            data["users"] = names
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, id)
        count = (await api.call(operations.CLEAN_HISTORY, data={"roomId": room_id, **data})).data.get("count")
        if not isinstance(count, int):
            msg = "the platform's reply has an unexpected shape: no count"
            raise ReplyLostError(msg, operation=operations.CLEAN_HISTORY.name)
        return count

    def everywhere(
        self, *, name: str = "", kinds: Iterable[str] = (), limit: int = LARGEST_PAGE, offset: int = 0
    ) -> Pages[Chat]:
        """Read all rooms of the server, including direct rooms and discussions.

        Args:
            name: A part of the name.
            kinds: Some of ``c``, ``p``, ``d``, ``discussions``, ``teams``.

        Raises:
            ForbiddenError: On reading, the caller lacks the permission ``view-room-administration``.
        """
        operation = operations.ADMIN_ROOMS
        wanted = list(kinds)

        async def fetch(offset: int, limit: int) -> tuple[tuple[Chat, ...], int | None]:
            api = await self._context.open()
            query: dict[str, Any] = {"offset": offset, "count": limit}
            query |= {"filter": name} if name else {}
            query |= {"types[]": wanted} if wanted else {}
            reply = await api.call(operation, query=query)
            return wire.read_list(reply.data, "rooms", wire.read_chat, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, lambda chat: chat.record_id or chat.id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    def _contents(
        self,
        id: Id,
        kinds: Mapping[str, Operation],
        key: str,
        read: Callable[..., Any],
        identity: Callable[[Any], str],
        limit: int,
        offset: int,
    ) -> Pages[Any]:
        async def fetch(offset: int, limit: int) -> tuple[tuple[Any, ...], int | None]:
            api = await self._context.open()
            room = await self._context.directory.room(api, id)
            operation = self._for(room, kinds, id)
            reply = await api.call(operation, query={"roomId": room.id, "offset": offset, "count": limit})
            return wire.read_list(reply.data, key, read, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, identity, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def _stand(self, id: Id, operation: Operation, data: Mapping[str, Any]) -> Outcome[Id]:
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, id)
        return await self._change(api, id, operation, {"roomId": room_id, **data})


__all__ = ["RoomContents"]
