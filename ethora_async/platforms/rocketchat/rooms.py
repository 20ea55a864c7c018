"""``rocketchat.chats``: channels, groups and direct rooms (docs/platforms/rocketchat.md#rooms)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.errors import ChatError, ConflictError, InvalidInputError, NotFoundError, ReplyLostError
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations, wire
from ethora_async.platforms.rocketchat.directory import A_MOMENT, room_query
from ethora_async.platforms.rocketchat.name_rules import ROOM_NAMES, name_rule
from ethora_async.platforms.rocketchat.names import RecordId, lookup, own
from ethora_async.platforms.rocketchat.names import key as folded
from ethora_async.platforms.rocketchat.room_contents import RoomContents
from ethora_async.platforms.rocketchat.users import LARGEST_PAGE, each
from ethora_async.records import Chat, ChatAccess, Id, NewChat, optional_text, required_text, several

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable

    from ethora_async.capabilities import NameRule, State
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.request import Operation, Reply

GENERAL = "GENERAL"
"""The record id of the room that every server has."""


class Rooms(RoomContents):
    """The rooms of one server. Your own id of a chat is the room's name, its title the topic.

    A private chat is a group, a public one a channel. A `RecordId` is Rocket.Chat's own id, the only one of a direct
    room.
    """

    changeable: frozenset[str] = frozenset({"title", "description"})

    async def create(
        self,
        id: Id,
        *,
        title: str,
        access: ChatAccess = "private",
        description: str | None = None,
        members: Id | Iterable[Id] = (),
    ) -> Outcome[NewChat]:
        """Create a group, or a channel for ``access="public"``.

        Args:
            id: the room's name: letters, digits, ``-``, ``_`` and ``.`` unless the server allows more.
            title: the topic.
            members: user names to add at once; they must exist.

        Returns:
            An outcome ``created`` or ``existed``; an existing room is left unchanged. `value` holds the `Chat`
            when it was created.

        Raises:
            InvalidInputError: an argument cannot be used.
            ValidationFailedError: the server does not allow such a name.
            ForbiddenError: the admin lacks the permission ``create-c`` or ``create-p``.
        """
        chat = NewChat(id=id, title=title, access=access, description=description, members=members)
        return (await self._create_one(await self._context.open(), chat)).raise_for_failure()

    def create_many(
        self,
        chats: Iterable[NewChat] | AsyncIterable[NewChat],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[NewChat]:
        """Create any number of rooms, one request each, `concurrency` at once; each ends ``created``, ``existed``,
        ``failed`` or ``unknown``.
        """
        return each(self._context, chats, self._create_one, concurrency, ordered=ordered)

    async def direct(self, users: Id | Iterable[Id]) -> Chat:
        """Return the direct room of these users, without the admin; create it if there is none. Repeated calls return
        one room.

        Args:
            users: user names, two as a rule.

        Raises:
            InvalidInputError: there is no user, or one is a `RecordId`: the route takes names.
            NotFoundError, ValidationFailedError: one of the users does not exist.
        """
        names = list(dict.fromkeys(own(user, "users") for user in several(users)))
        if not names or any(isinstance(name, RecordId) or "," in name for name in names):
            msg = "users must be user names, at least one"
            raise InvalidInputError(msg, field="users")
        api = await self._context.open()
        await self._check_names(api, names)
        operation = operations.CREATE_DIRECT
        reply = await api.call(operation, data={"usernames": ",".join(names), "excludeSelf": True})
        return wire.read_chat(reply.data.get("room"), origin=reply.origin)

    async def get(self, id: Id) -> Chat:
        """Return one room, by name or `RecordId`.

        Raises:
            NotFoundError: there is no such room.
            ForbiddenError: the admin may not see it.
        """
        api = await self._context.open()
        reply = await api.call(operations.GET_ROOM, query=room_query(lookup(id)))
        return wire.read_chat(reply.data.get("room"), origin=reply.origin)

    async def list(self) -> AsyncIterator[Chat]:
        """Yield all channels, then all groups; direct rooms cannot be listed."""
        async for channel in self.channels():
            yield channel
        async for group in self.groups():
            yield group

    def channels(self, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Chat]:
        """Return all channels.

        Args:
            limit: rooms in a page, 1 to 100 (default 100).
            offset: where to start; 0 is the first.
        """
        return self._listing(operations.LIST_CHANNELS, "channels", limit, offset)

    def groups(self, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Chat]:
        """Return all groups, including those that the admin is not in; see `channels`. Needs the permission
        ``view-room-administration``.
        """
        return self._listing(operations.LIST_GROUPS, "groups", limit, offset)

    async def update(self, id: Id, *, title: str | None = None, description: str | None = None) -> Outcome[str]:
        """Update a room's topic or description, a request each. None leaves it unchanged.

        Raises:
            InvalidInputError: nothing is to be changed, the title is empty, or it is neither a channel nor a group.
            NotFoundError: there is no such room.
        """
        if title is None and description is None:
            msg = "nothing to change: pass title or description"
            raise InvalidInputError(msg, field="title")
        topic = None if title is None else required_text(title, "title")
        text = None if description is None else optional_text(description, "description")
        api = await self._context.open()
        room = await self._room(api, id)
        replies: list[Reply] = []
        try:
            if topic is not None:
                operation = operations.CHANNEL_TOPIC if room.public else operations.GROUP_TOPIC
                replies.append(await api.call(operation, data={"roomId": room.id, "topic": topic}))
            if text is not None:
                operation = operations.CHANNEL_DESCRIPTION if room.public else operations.GROUP_DESCRIPTION
                replies.append(await api.call(operation, data={"roomId": room.id, "description": text}))
        except NotFoundError:
            self._context.directory.forget_room(id)
            raise
        key = self.plain_id(id)
        attempts = sum(reply.attempts for reply in replies)
        return Outcome(key, key, "updated", attempts=attempts, request_id=replies[-1].request_id)

    async def delete(self, id: Id) -> Outcome[Id]:
        """Delete a room of any kind, with its messages.

        Returns:
            An outcome that is ``deleted``, or ``absent`` when there was no such room.
        """
        return (await self._delete_one(await self._context.open(), id)).raise_for_failure()

    def delete_many(
        self,
        ids: Id | Iterable[Id] | AsyncIterable[Id],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[Id]:
        """Delete any number of rooms; each ends ``deleted``, ``absent``, ``failed`` or ``unknown``."""
        return each(self._context, several(ids), self._delete_one, concurrency, ordered=ordered)

    async def name_rule(self) -> NameRule | None:
        """Return what the server demands of new names, if it tells: a public setting."""
        return await name_rule(self._context, ROOM_NAMES)

    def plain_id(self, id: Id) -> str:
        """Return the room's name."""
        return str(lookup(id))

    def key(self, id: Id) -> str:
        """Return the key of a room's name; names that differ only by case are equal."""
        return folded(lookup(id))

    def comparable(self, chat: NewChat | Chat) -> State:
        """Return ``title``, ``description`` and ``access``; missing fields of an existing room are empty."""
        absent = None if isinstance(chat, NewChat) else ""
        return {
            "title": chat.title or absent,
            "description": chat.description if chat.description is not None else absent,
            "access": chat.access,
        }

    async def reserved(self) -> Callable[[Chat], bool]:
        """Return a predicate for the server's own rooms: ``general``, default rooms, discussions, rooms of teams, and
        any that are neither channel nor group.
        """

        def is_reserved(chat: Chat) -> bool:
            extra = chat.extra
            own = chat.record_id == GENERAL or extra.get("default") is True
            part_of = any(extra.get(name) for name in ("prid", "teamId", "teamMain"))
            return own or part_of or chat.type not in ("public", "group")

        return is_reserved

    def _listing(self, operation: Operation, key: str, limit: int, offset: int) -> Pages[Chat]:
        async def fetch(offset: int, limit: int) -> tuple[tuple[Chat, ...], int | None]:
            api = await self._context.open()
            reply = await api.call(operation, query={"offset": offset, "count": limit})
            return wire.read_list(reply.data, key, wire.read_chat, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, lambda chat: chat.record_id or chat.id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def _create_one(self, api: Api, chat: NewChat) -> Outcome[NewChat]:
        operation = operations.CREATE_CHANNEL if chat.access == "public" else operations.CREATE_GROUP
        data = {"name": chat.id, "members": [*chat.members], "extraData": {"topic": chat.title}}
        try:
            await self._check_names(api, chat.members)
            reply = await api.call(operation, data=data)
        except ConflictError as refusal:
            return await self._existing(api, chat, refusal)
        except ChatError as error:
            return failed(chat, chat.id, error)
        self._context.directory.forget_room(chat.id)
        key = "channel" if chat.access == "public" else "group"
        try:
            made = wire.read_chat(reply.data.get(key), origin=reply.origin)
        except ReplyLostError:
            made = None  # a 2xx means success, even if the room in the reply is invalid
        outcome = Outcome(chat, chat.id, "created", value=made, attempts=reply.attempts, request_id=reply.request_id)
        return await self._described(chat, outcome) if chat.description else outcome

    async def _existing(self, api: Api, chat: NewChat, refusal: ConflictError) -> Outcome[NewChat]:
        """Return the outcome for a taken name. A room that an earlier attempt created still lacks its description."""
        outcome = Outcome(chat, chat.id, "existed", attempts=refusal.attempts, request_id=refusal.request_id)
        if refusal.effect == "none" or not chat.description:
            return outcome
        try:
            reply = await api.call(operations.GET_ROOM, query=room_query(chat.id))
            room = wire.read_chat(reply.data.get("room"), origin=reply.origin)
        except ChatError as error:
            return failed(chat, chat.id, error)
        # A room of before with another topic, kind or description is left unchanged.
        ours = (room.title, room.access, room.description or "") == (chat.title, chat.access, "")
        return await self._described(chat, outcome) if ours else outcome

    async def _described(self, chat: NewChat, outcome: Outcome[NewChat]) -> Outcome[NewChat]:
        """Set the description of a room, which creation does not take."""
        try:
            await self.update(chat.id, description=chat.description)
        except ChatError as error:
            # The room exists: only its description failed, and `update` sets it.
            return failed(chat, chat.id, error)
        return outcome

    async def _check_names(self, api: Api, names: Iterable[str]) -> None:
        # Given names, the server adds the users who have them in any spelling.
        for name in names:
            await self._context.directory.account(api, own(name, "members"), fresh=True)

    async def _delete_one(self, api: Api, id: Id) -> Outcome[Id]:
        key = str(id)
        try:
            room = await self._context.directory.room(api, id, within=A_MOMENT)
            reply = await api.call(operations.DELETE_ROOM, data={"roomId": room.id})
        except NotFoundError as error:
            outcome = Outcome(id, key, "absent", attempts=error.attempts, request_id=error.request_id)
        except ChatError as error:
            return failed(id, key, error)
        else:
            outcome = Outcome(id, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)
        self._context.directory.forget_room(id)
        return outcome


__all__ = ["GENERAL", "LARGEST_PAGE", "Rooms"]
