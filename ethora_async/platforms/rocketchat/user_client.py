"""The API as one user, with their own token (docs/platforms/rocketchat.md#rooms, #messages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.engine.open_requests import Requests
from ethora_async.platforms.rocketchat import operations, wire
from ethora_async.platforms.rocketchat.context import PAGING
from ethora_async.platforms.rocketchat.messages import Messages
from ethora_async.platforms.rocketchat.names import own
from ethora_async.platforms.rocketchat.personal_tokens import PersonalTokens
from ethora_async.platforms.rocketchat.rooms import Rooms
from ethora_async.platforms.rocketchat.server import Server
from ethora_async.platforms.rocketchat.user_profile import UserProfiles
from ethora_async.records import Chat, Id, User

if TYPE_CHECKING:
    from datetime import datetime

    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.request import Operation, Reply


@attrs.frozen(kw_only=True)
class Joined:
    """The rooms that a user is in.

    Attributes:
        rooms: all of them; or those that changed since the requested time.
        left: the record ids of rooms that the user has left since then, or that are gone.
    """

    rooms: tuple[Chat, ...]
    left: tuple[str, ...] = ()
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Subscriptions:
    """A user's subscriptions: unread counts, mentions and favourites of their rooms.

    Attributes:
        rows: one for each room, with ``rid``, ``name``, ``t``, ``unread``, ``userMentions``, ``open`` and more.
        removed: the same for those that ended since the requested time.
    """

    rows: tuple[Mapping[str, Any], ...] = attrs.field(repr=False)
    removed: tuple[Mapping[str, Any], ...] = attrs.field(default=(), repr=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class UserClient(Requests):
    """One user's own view. The server limits these calls to about ten a minute for each route and address.

    Attributes:
        chats: rooms as this user may see and change them.
        messages: sends and reads messages as this user.
        people: this user's own presence, picture and preferences, and other users as this user sees them.
        personal_tokens: this user's own.
        server: the server's directory as this user sees it.
    """

    def __init__(self, context: ServerContext) -> None:
        super().__init__(context.send, PAGING)
        self._context = context
        self.chats: Rooms = Rooms(context)
        self.messages: Messages = Messages(context)
        self.people: UserProfiles = UserProfiles(context)
        self.personal_tokens: PersonalTokens = PersonalTokens(context)
        self.server: Server = Server(context)

    async def me(self) -> User:
        """Return the user's own record; the cheapest check of whether a token is still valid.

        Raises:
            UnauthorizedError: it is not.
        """
        api = await self._context.open()
        reply = await api.call(operations.ME)
        return wire.read_user(reply.data, origin=reply.origin, path="reply")

    async def rooms(self, *, since: datetime | None = None) -> Joined:
        """Return the rooms that the user is in, direct ones included, in one request.

        Args:
            since: only what changed since then; an aware datetime.
        """
        reply = await self._changed(operations.JOINED_ROOMS, since)
        data, origin = reply.data, reply.origin
        removed = wire.read_list(data, "remove", wire.read_chat, origin=origin) if "remove" in data else ()
        return Joined(
            rooms=wire.read_list(data, "update", wire.read_chat, origin=origin),
            left=tuple(room.record_id for room in removed if room.record_id is not None),
            request_id=reply.request_id,
        )

    async def subscriptions(self, *, since: datetime | None = None) -> Subscriptions:
        """Return the user's subscriptions to their rooms, in one request.

        Args:
            since: only what changed since then; an aware datetime.
        """
        reply = await self._changed(operations.SUBSCRIPTIONS, since)
        data, origin = reply.data, reply.origin

        def row(value: Any, **_: str) -> Mapping[str, Any]:
            return value if isinstance(value, dict) else {}

        removed = wire.read_list(data, "remove", row, origin=origin) if "remove" in data else ()
        rows = wire.read_list(data, "update", row, origin=origin)
        return Subscriptions(rows=rows, removed=removed, request_id=reply.request_id)

    async def direct(self, user: Id) -> Chat:
        """Return the direct room of this user and another; create it if there is none.

        Raises:
            NotFoundError, ValidationFailedError: the other user does not exist.
        """
        name = own(user, "user")
        api = await self._context.open()
        # Given a name, the server accepts the user who has it in any spelling.
        await self._context.directory.account(api, name, fresh=True)
        reply = await api.call(operations.CREATE_DIRECT, data={"username": str(name)})
        return wire.read_chat(reply.data.get("room"), origin=reply.origin)

    async def _changed(self, operation: Operation, since: datetime | None) -> Reply:
        api = await self._context.open()
        query = {} if since is None else {"updatedSince": wire.iso(since)}
        return await api.call(operation, query=query)
