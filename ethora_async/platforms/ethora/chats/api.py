"""``ethora.chats``: rooms and their members (docs/platforms/ethora.md#chats)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import attrs

from ethora_async.bulk.outcome import Outcome, Unread, failed
from ethora_async.bulk.run import Run
from ethora_async.errors import (
    ApiError,
    ChatError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    ReplyLostError,
    ServerFaultError,
    UnauthorizedError,
)
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.app_records import AppRecords
from ethora_async.platforms.ethora.chats.access_control import CONCURRENCY, AccessControl
from ethora_async.platforms.ethora.chats.namesakes import Namesakes
from ethora_async.platforms.ethora.listings import LARGEST_PAGE, chat_pages, find_chat
from ethora_async.platforms.ethora.names import conference_host
from ethora_async.platforms.ethora.platform_records import own_chats
from ethora_async.platforms.ethora.sync_support import CHAT_FIELDS, comparable_chat
from ethora_async.records import Chat, ChatAccess, Id, NewChat, User, optional_text, required_text, several
from ethora_async.request import Origin
from ethora_async_secrets.lazy import made_once

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence
    from datetime import datetime
    from typing import Literal

    from ethora_async.access import Access
    from ethora_async.bulk.report import Report
    from ethora_async.bulk.run import WorkGenerator
    from ethora_async.capabilities import State
    from ethora_async.config import Seconds
    from ethora_async.pages import Pages
    from ethora_async.platforms.ethora.chats.default_rooms import DefaultRooms
    from ethora_async.platforms.ethora.chats.message_records import FoundMessage, History, Message
    from ethora_async.platforms.ethora.chats.messages import ChatMessages
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.platforms.ethora.users.api import Users


_PASSING = (ServerFaultError, RateLimitedError, UnauthorizedError)
"""Refusals that a later attempt may not meet."""


class Chats(AppRecords):
    """The chats of one app."""

    _access_type: ClassVar[type[AccessControl]] = AccessControl

    def __init__(self, context: AppContext, users: Users, *, xmpp_host: str | None, bot_jid: str | None) -> None:
        super().__init__(context)
        self._users = users
        self._access = self._access_type(context, bot_jid=bot_jid)
        self._namesakes = Namesakes(context)
        self._xmpp_host = xmpp_host

    # Both are imported when they are first used, for the sake of the import of a client.

    @made_once
    def default_rooms(self) -> DefaultRooms:
        """The chats that every user of the app is a member of from the start."""
        from ethora_async.platforms.ethora.chats.default_rooms import DefaultRooms

        return DefaultRooms(self._context)

    @made_once
    def _messages(self) -> ChatMessages:
        from ethora_async.platforms.ethora.chats.messages import ChatMessages

        return ChatMessages(self._context)

    async def create(
        self,
        id: Id | None = None,
        *,
        title: str,
        access: ChatAccess = "private",
        description: str | None = None,
        members: Id | Iterable[Id] = (),
    ) -> Outcome[NewChat]:
        """Create one chat.

        The platform refuses a name that is taken, and does not say by whom: ``board`` and ``Board`` are one room on the
        chat server. So a chat that is there already is looked for in the listing, at a request for every 500 chats, of
        which the names are then known for five minutes.

        Args:
            id: your own id of the chat's subject. Without one the platform generates an id, and the request is never
                retried: a second one would create a second chat.
            title: not empty.
            access: ``"private"`` (only members, the wire's ``group``) or ``"public"``.
            members: users who are members from the start; they must exist.

        Returns:
            An outcome ``created`` or ``existed``; an existing chat is left unchanged. `value` holds the `Chat`
            when it was created.

        Raises:
            InvalidInputError: an argument cannot be used.
            NotFoundError: one of the members does not exist; no chat was created.
            ConflictError: the room belongs to a chat of another spelling, or to one that is not listed.
        """
        if id is None:
            return await self._create_unnamed(title, access, description, members)
        chat = NewChat(id=id, title=title, access=access, description=description, members=members)
        return (await self._create_one(await self._context.open(), [chat]))[0].raise_for_failure()

    def create_many(
        self,
        chats: Iterable[NewChat] | AsyncIterable[NewChat],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[NewChat]:
        """Create any number of chats, one request each, `concurrency` at once. Each ends ``created``, ``existed``,
        ``failed`` or ``unknown``. One whose room belongs to another spelling is ``failed``, see `create`.
        """

        @asynccontextmanager
        async def working() -> WorkGenerator[NewChat]:
            yield partial(self._create_one, await self._context.open())

        emit = self._context.emitter.emit
        return Run(chats, working, batch_size=1, concurrency=concurrency, ordered=ordered, emit=emit)

    async def update(self, id: Id, *, title: str | None = None, description: str | None = None) -> Outcome[str]:
        """Update a chat's title or description. None leaves a field unchanged, an empty description clears it.

        The platform cannot change a chat's access.

        Raises:
            InvalidInputError: nothing is to be changed, or the title is empty.
            NotFoundError: there is no such chat.
        """
        data = _chat_changes(title, description)
        app = await self._context.open()
        reply = await app.call(app.operations.update_chat, path={"chat": app.names.lookup_name(id)}, data=data)
        key = app.names.lookup(id)
        return Outcome(key, key, "updated", attempts=reply.attempts, request_id=reply.request_id)

    async def update_meta(self, id: Id, *, title: str | None = None, description: str | None = None) -> Outcome[str]:
        """Update what the chat server itself shows of a chat, as the platform's web client does (``/v1/chats/meta``).

        The arguments are those of `update`, which is the documented way; the route needs the chat's JID, see `jid`.

        Raises:
            InvalidInputError: nothing is to be changed, or the title is empty.
            ConfigError: the XMPP host is not set and cannot be derived from the API's.
            NotFoundError: there is no such chat.
        """
        changes = _chat_changes(title, description)
        app = await self._context.open()
        data = {"name": app.names.lookup_name(id), "data": {"chatJid": self.jid(id), **changes}}
        reply = await app.call(operations.UPDATE_CHAT_META, data=data)
        key = app.names.lookup(id)
        return Outcome(key, key, "updated", attempts=reply.attempts, request_id=reply.request_id)

    async def delete(self, id: Id) -> Outcome[Id]:
        """Delete a chat with all its messages.

        Returns:
            An outcome ``deleted``, or ``absent`` when there was no such chat. Real servers continue to list a
            deleted chat for some ten seconds (docs/platforms/ethora.md#jobs-and-delays).
        """
        return (await self._delete_one(await self._context.open(), [id]))[0].raise_for_failure()

    def delete_many(
        self, ids: Id | Iterable[Id] | AsyncIterable[Id], *, concurrency: int = CONCURRENCY, ordered: bool = False
    ) -> Run[Id]:
        """Delete any number of chats, one request each.

        Each ends ``deleted``, ``absent``, ``failed`` or ``unknown``.
        """

        @asynccontextmanager
        async def working() -> WorkGenerator[Id]:
            yield partial(self._delete_one, await self._context.open())

        emit = self._context.emitter.emit
        return Run(several(ids), working, batch_size=1, concurrency=concurrency, ordered=ordered, emit=emit)

    async def get(self, id: Id) -> Chat:
        """Return one chat, found in the listing: no route reads a single chat.

        It costs a request for every 500 chats of the app until it is found.

        Raises:
            NotFoundError: no page lists it.
        """
        return await find_chat(self._context, id)

    def list(self, *, include_members: bool = False, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Chat]:
        """List the app's chats, including the platform's own (default, 1-1 and widget chats).

        Args:
            include_members: whether each chat lists its members.
            limit: chats in a page, 1 to 500 (default 500).
            offset: where to start; 0 is the first.
        """
        return chat_pages(self._context, include_members=include_members, limit=limit, offset=offset)

    def members(self, id: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[User]:
        """List all members of a chat: the platform's own member lists stop at 30 (docs/platforms/ethora.md#chats).

        A removed member may stay listed for up to a minute on real servers (docs/platforms/ethora.md#jobs-and-delays).
        """
        return self._users.list(chat=id, limit=limit, offset=offset)

    def name(self, id: Id) -> str:
        """Return the chat's name on the platform, ``<appId>_<id>``, from any form of its id. No request is sent."""
        return self._context.names().lookup_name(id)

    def jid(self, id: Id) -> str:
        """Return the chat's address, ``<appId>_<id>@conference.<xmpp host>``. No request is sent.

        The host is ``xmpp_host=`` or ``ETHORA_XMPP_HOST``; without them ``xmpp.`` in place of the API host's
        ``api.``, as on Ethora's own clusters (docs/platforms/ethora.md#names-and-ids).

        Raises:
            ConfigError: the host is not set and cannot be told from the API's.
        """
        app = self._context.known()
        return f"{app.names.lookup_name(id)}@{conference_host(self._xmpp_host or app.xmpp_host())}"

    async def grant(self, id: Id, users: Id | Iterable[Id]) -> Report:
        """Add users to a chat: one id or several. Granting twice changes nothing.

        Returns:
            A report with an outcome for each user: ``created``, ``existed`` or ``failed``; `Report.raise_for_failures`
            raises failures as an error.

        Raises:
            InvalidInputError: there is no user, or an id cannot be used.
            NotFoundError: there is no such chat.
        """
        return await self._access.grant(id, users)

    async def revoke(self, id: Id, users: Id | Iterable[Id]) -> Report:
        """Remove users from a chat: one id or several.

        Returns:
            A report with an outcome for each user: ``deleted``, ``absent`` or ``failed``.

        Raises:
            InvalidInputError: there is no user, or an id cannot be used.
            NotFoundError: there is no such chat.
        """
        return await self._access.revoke(id, users)

    async def set_access(
        self, chat: Id, user: Id, access: Access | str, *, expires_in: Seconds | None = None
    ) -> Outcome[tuple[Id, Id]]:
        """Set one user's rights in one chat, as the guide's older call does (docs/platforms/ethora.md#older-guide).

        The current platform has members, who read and write, and non-members, who do neither. So it supports
        `Access.NONE` (`revoke`) and ``Access.READ | Access.WRITE`` (`grant`), both without a time limit; other rights
        are rejected rather than widened or emulated. A client with ``legacy_api=True`` uses the older API, which
        supports all of them.

        Args:
            chat, user: your own id, the prefixed name or a JID.
            access: rights, or their four-digit code such as ``"0011"``.
            expires_in: time limit in whole seconds; None (the default) for no limit.

        Returns:
            An outcome ``created`` or ``existed`` for a member, ``deleted`` or ``absent`` for no access, and
            ``updated`` from the older API, whose `value` is an `AccessSetting`. Its key is ``chat/user``.

        Raises:
            InvalidInputError: the code or the time is invalid, or the current platform does not support the setting.
            NotFoundError: there is no such chat, or no such user.
        """
        return await self._access.set_access(chat, user, access, expires_in=expires_in)

    async def grant_bot(self, id: Id) -> Report:
        """Add the app's bot, named by ``bot_jid=`` or ``ETHORA_CHAT_BOT_JID``, to a chat.

        Raises:
            InvalidInputError: no bot is named.
            NotFoundError: there is no such chat.
        """
        return await self._access.grant_bot(id)

    def grant_many(
        self,
        grants: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[tuple[Id, Id]]:
        """Add users to chats: any number of pairs of chat and user, with `concurrency` concurrent requests.

        Pairs are read in hundreds, and those of one chat within a hundred share a request: input sorted by chat needs
        the fewest requests. Each pair ends ``created``, ``existed``, ``failed`` or ``unknown``; its key is
        ``chat/user``.
        """
        return self._access.grant_many(grants, concurrency=concurrency, ordered=ordered)

    def revoke_many(
        self,
        revocations: Iterable[tuple[Id, Id]] | AsyncIterable[tuple[Id, Id]],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = False,
    ) -> Run[tuple[Id, Id]]:
        """Remove users from chats: pairs as for `grant_many`, which share requests in the same way.

        Each pair ends ``deleted``, ``absent``, ``failed`` or ``unknown``. A removed member may stay listed for up to a
        minute on real servers (docs/platforms/ethora.md#jobs-and-delays).
        """
        return self._access.revoke_many(revocations, concurrency=concurrency, ordered=ordered)

    def messages(self, id: Id, *, limit: int = 100, before: str | int | None = None) -> History:
        """Return a chat's history: ``await`` for the first page, ``async for`` for all of it.

        Args:
            limit: messages in a page, 1 to 500 (default 100).
            before: a page's `next_before`, to continue from there; None for the latest.

        Raises:
            InvalidInputError: an argument cannot be used.
            NotFoundError: on reading, there is no such chat.
            ServerFaultError: on reading, the platform's message archive does not answer.
        """
        return self._messages.messages(id, limit=limit, before=before)

    async def messages_context(
        self, id: Id, *, stanza_id: str | None = None, message_id: str | None = None, radius: int | None = None
    ) -> tuple[Message, ...]:
        """Return the messages around one, given by the archive's id (`stanza_id`) or its own (`message_id`).

        The reply's shape is not public; a list under ``items``, ``results`` or ``messages`` is accepted.

        Args:
            radius: number of messages on either side; None uses the platform's default.

        Raises:
            InvalidInputError: not exactly one of the two is given, or `radius` is less than 1.
            NotFoundError: there is no such chat or message.
        """
        return await self._messages.messages_context(id, stanza_id=stanza_id, message_id=message_id, radius=radius)

    def search(
        self,
        text: str,
        *,
        mode: Literal["substring", "fulltext"] | None = None,
        chat: Id | None = None,
        user: Id | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        sort: Literal["relevance", "date"] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Pages[FoundMessage]:
        """Search messages for a text, in one chat or the whole app. Filters that are None are not sent.

        Args:
            user: the author: your own id, the prefixed name, a JID or a `MongoId`.
            since, until: aware `datetime`; a naive one is treated as UTC.
            limit: messages in a page, 1 to 500 (default 100).

        Raises:
            InvalidInputError: an argument cannot be used.
            NotFoundError: on reading, there is no such chat.
        """
        return self._messages.search(
            text, mode=mode, chat=chat, user=user, since=since, until=until, sort=sort, limit=limit, offset=offset
        )

    async def clear_messages(self, id: Id) -> Outcome[str]:
        """Delete all messages of a chat; the chat and its members stay.

        Returns:
            An outcome ``deleted``.

        Raises:
            NotFoundError: there is no such chat.
        """
        return await self._messages.clear_messages(id)

    @property
    def changeable(self) -> frozenset[str]:
        """The compared fields that can be changed: title and description."""
        return CHAT_FIELDS

    def comparable(self, chat: NewChat | Chat) -> State:
        """Return ``title``, ``description`` and ``access``, which is None if the platform does not say.

        An existing chat without a description has an empty one.
        """
        return comparable_chat(chat)

    async def reserved(self) -> Callable[[Chat], bool]:
        """Return a predicate for the platform's own chats: 1-1 and widget rooms, and the app's. One request."""
        return await own_chats(self._context)

    async def _create_unnamed(
        self, title: str, access: ChatAccess, description: str | None, members: Id | Iterable[Id]
    ) -> Outcome[NewChat]:
        app = await self._context.open()
        # The record requires an id, but the request has none.
        chat = NewChat(id="new", title=title, access=access, description=description, members=members)
        body = wire.chat_body(chat, app.names)
        del body["uuid"]
        operation = app.operations.create_chat_without_id
        reply = await app.call(operation, data=body)
        made = wire.read_chat(wire.result(reply.data), app.names, origin=reply.origin)
        return Outcome(
            attrs.evolve(chat, id=made.id),
            made.id,
            "created",
            value=made,
            attempts=reply.attempts,
            request_id=reply.request_id,
        )

    async def _create_one(self, app: App, chats: Sequence[NewChat]) -> Sequence[Outcome[NewChat]]:
        (chat,) = chats
        key = chat.id
        try:
            reply = await app.call(app.operations.create_chat, data=wire.chat_body(chat, app.names))
        except ConflictError as refusal:
            return [await self._taken(app, chat, refusal)]
        except ChatError as error:
            return [failed(chat, key, error)]
        request_id = reply.request_id
        made = Unread(partial(_created_chat, app, reply.data), request_id)
        return [Outcome(chat, key, "created", value=made, attempts=reply.attempts, request_id=request_id)]

    async def _taken(self, app: App, chat: NewChat, refusal: ConflictError) -> Outcome[NewChat]:
        """Return what a refused creation means: the chat was there, or another one has its room."""
        existed = Outcome(chat, chat.id, "existed", attempts=refusal.attempts, request_id=refusal.request_id)
        if refusal.effect == "unknown":
            return existed  # created by an earlier attempt, whose reply was lost; a 429 or a 401 creates nothing
        name = app.names.own_name(chat.id)
        try:
            holder = await self._namesakes.holder(name)
        except ChatError as error:
            if self._lists_nothing(error):
                return existed  # the platform's word is all there is
            return Outcome(chat, chat.id, "failed", error, attempts=refusal.attempts)
        if holder == name:
            return existed
        if holder is None:
            msg = f"chat {chat.id!r} cannot be created: the platform says that it exists, and does not list it"
        else:
            other = app.names.strip(holder)
            msg = f"chat {chat.id!r} cannot be created because {other!r} exists: the server treats both as one room"
        conflict = ConflictError(msg, operation=app.operations.create_chat.name, attempts=refusal.attempts)
        return failed(chat, chat.id, conflict)

    def _lists_nothing(self, error: ChatError) -> bool:
        """Return whether an error says that the chats are not listed to this client, now or later."""
        return isinstance(error, ApiError) and not isinstance(error, _PASSING)

    async def _delete_one(self, app: App, ids: Sequence[Id]) -> Sequence[Outcome[Id]]:
        (id,) = ids
        key = app.names.shown(id)
        try:
            reply = await app.call(app.operations.delete_chat, data={"name": app.names.lookup_name(id)})
        except NotFoundError as error:
            return [Outcome(id, key, "absent", attempts=error.attempts, request_id=error.request_id)]
        except ChatError as error:
            return [failed(id, key, error)]
        return [Outcome(id, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)]


def _created_chat(app: App, data: object, request_id: str | None) -> Chat | None:
    origin = Origin(app.operations.create_chat.name, request_id=request_id)
    try:
        return wire.read_chat(wire.result(data), app.names, origin=origin)
    except ReplyLostError:
        return None  # a 2xx means success, even if the chat in the reply is invalid


def _chat_changes(title: str | None, description: str | None) -> dict[str, str]:
    data: dict[str, str] = {}
    if title is not None:
        data["title"] = required_text(title, "title")
    if description is not None:
        data["description"] = optional_text(description, "description")
    if not data:
        msg = "nothing to change: pass title or description"
        raise InvalidInputError(msg, field="title")
    return data


__all__ = ["CONCURRENCY", "LARGEST_PAGE", "Chats"]
