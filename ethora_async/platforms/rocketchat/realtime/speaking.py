"""Send and read messages as the user of a stream, over REST (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ethora_async.engine.reconnecting_stream import check_limit, check_text
from ethora_async.errors import ForbiddenError, InvalidInputError, NotFoundError
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.context import ServerContext
from ethora_async.platforms.rocketchat.messages import Messages, read_page
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.server_info import public_setting

if TYPE_CHECKING:
    from ethora_async.engine.emitter import Emitter
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.directory import Directory
    from ethora_async.platforms.rocketchat.message_records import Message
    from ethora_async.platforms.rocketchat.realtime.login_token import RealtimeToken
    from ethora_async.protocols import Clock
    from ethora_async.records import Id

_PAGE: Final = 100
_REAL_NAMES: Final = "UI_Use_Real_Name"


class Speaking(ServerContext):
    """The server of a stream, called as the stream's user with the token that it is logged in with."""

    def __init__(self, own: ServerContext, token: RealtimeToken) -> None:
        self.clock: Clock = own.clock
        self.emitter: Emitter = own.emitter
        self.directory: Directory = own.directory
        self._own = own
        self._token = token
        self._messages = Messages(self)
        self._shown_name: str | None = None

    async def open(self) -> Api:
        """Return the server."""
        return self._token.signed(await self._own.open())

    async def room_id(self, room: Id) -> str:
        """Return the record id of a room."""
        try:
            # As the admin, who has no rate limit; but the admin may not see every room.
            return await self.directory.room_id(await self._own.open(), room)
        except ForbiddenError:
            return await self.directory.room_id(await self.open(), room)

    async def write(self, room: Id, text: str) -> Message:
        """Send a message; see `Realtime.send`."""
        check_text(text)
        if not text.strip():
            msg = "text is empty"
            raise InvalidInputError(msg, field="text")
        return await self._messages.send(RecordId(await self.room_id(room)), text)

    async def shown_name(self) -> str:
        """Return the name under which the user types: the user name, or the real one where the server shows those."""
        if self._shown_name is None:
            api = await self.open()
            own = (await api.call(operations.ME)).data
            by_name = await public_setting(api, _REAL_NAMES)
            self._shown_name = str((by_name is True and own.get("name")) or own.get("username") or "")
        return self._shown_name

    async def history(self, room: Id, *, limit: int, before: str | None) -> list[Message]:
        """Return the latest messages of a room, oldest first; see `Realtime.history`."""
        check_limit(limit)
        if before is not None and not before:
            msg = "before is empty: pass the id of a message"
            raise InvalidInputError(msg, field="before")
        id = RecordId(await self.room_id(room))
        try:
            return await self._read_back(id, limit, before)
        except NotFoundError as error:
            if error.code != "error-room-not-found":
                raise
            # The room exists; the server hides it from who is not in it.
            msg = "the user may not read this room"
            raise ForbiddenError(msg, operation=error.operation, code=error.code) from None

    async def _read_back(self, id: RecordId, limit: int, before: str | None) -> list[Message]:
        api = await self.open()
        room = await self.directory.room(api, id)
        edge = None if before is None else await self._messages.get(before)
        if edge is not None and edge.room_id != room.id:
            msg = "there is no such message in this room"
            raise NotFoundError(msg, operation="realtime")
        latest = None if edge is None else edge.sent_at
        found: dict[str, Message] = {}
        passed, offset = edge is None, 0
        while len(found) < limit:
            # From one moment on, so that what is written meanwhile does not shift the pages.
            rows = await read_page(api, room, latest=latest, inclusive=True, offset=offset, count=_PAGE)
            if not rows:
                break
            latest = latest or rows[0].sent_at
            offset += len(rows)
            for message in rows:
                if passed or edge is None or message.sent_at != edge.sent_at:
                    passed = True
                    found.setdefault(message.id, message)
                elif message.id == edge.id:
                    passed = True
        return [*found.values()][:limit][::-1]
