"""Read, search and clear messages of an app's chats (docs/platforms/ethora.md#messages)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import InvalidInputError, ReplyLostError
from ethora_async.pages import Pages
from ethora_async.platforms.ethora import operations
from ethora_async.platforms.ethora.chats.message_records import (
    FoundMessage,
    History,
    HistoryPage,
    Message,
    cursor,
    read_found,
    read_history,
    read_messages,
)
from ethora_async.platforms.ethora.listings import LARGEST_PAGE, find_chat
from ethora_async.records import MongoId, required_text

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.records import Id


class ChatMessages:
    """The message methods of `Chats`.

    These routes identify a chat by its record id (docs/platforms/ethora.md#plain-or-prefixed). Pass `Chat.record_id`, a
    `MongoId`, if you have it; any other form of the id also works, but costs a scan of the listing for each call.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def messages(self, id: Id, *, limit: int = 100, before: str | int | None = None) -> History:
        """See `Chats.messages`."""
        if not 1 <= limit <= LARGEST_PAGE:
            msg = f"limit must be from 1 to {LARGEST_PAGE}, not {limit}"
            raise InvalidInputError(msg, field="limit")
        chat: str | None = None

        async def fetch(before: str | None) -> HistoryPage:
            nonlocal chat
            app = await self._context.open()
            chat = chat or await self._chat_record(app, id)
            query: dict[str, str | int] = {"limit": limit}
            if before is not None:
                query["before"] = before
            reply = await app.call(operations.LIST_MESSAGES, path={"chat": chat}, query=query)
            return read_history(reply.data, origin=reply.origin)

        return History(fetch, before=cursor(before))

    async def messages_context(
        self, id: Id, *, stanza_id: str | None = None, message_id: str | None = None, radius: int | None = None
    ) -> tuple[Message, ...]:
        """See `Chats.messages_context`."""
        if (stanza_id is None) == (message_id is None):
            msg = "pass either stanza_id or message_id"
            raise InvalidInputError(msg, field="stanza_id")
        if radius is not None and radius < 1:
            msg = f"radius must be at least 1, not {radius}"
            raise InvalidInputError(msg, field="radius")
        query: dict[str, str | int] = {}
        if stanza_id is not None:
            query["aroundStanzaId"] = required_text(stanza_id, "stanza_id")
        if message_id is not None:
            query["aroundMessageId"] = required_text(message_id, "message_id")
        if radius is not None:
            query["radius"] = radius
        app = await self._context.open()
        path = {"chat": await self._chat_record(app, id)}
        reply = await app.call(operations.MESSAGES_CONTEXT, path=path, query=query)
        return read_messages(reply.data, origin=reply.origin)[0]

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
        """See `Chats.search`."""
        query: dict[str, str | int] = {"q": required_text(text, "text")}
        optional = {"mode": mode, "since": _moment(since), "until": _moment(until), "sort": sort}
        query |= {name: value for name, value in optional.items() if value is not None}
        record: str | None = None

        async def fetch(offset: int, limit: int) -> tuple[tuple[FoundMessage, ...], int | None]:
            nonlocal record
            app = await self._context.open()
            asked = {**query, "limit": limit, "offset": offset}
            if chat is not None:
                asked["chatId"] = record = record or await self._chat_record(app, chat)
            if user is not None:
                asked["fromUserId"] = app.names.lookup(user, "user")
            reply = await app.call(operations.SEARCH_MESSAGES, query=asked)
            return read_found(reply.data, origin=reply.origin)

        return Pages(fetch, lambda message: message.record_id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def clear_messages(self, id: Id) -> Outcome[str]:
        """See `Chats.clear_messages`."""
        app = await self._context.open()
        path = {"chat": await self._chat_record(app, id)}
        reply = await app.call(operations.CLEAR_MESSAGES, path=path)
        key = app.names.lookup(id)
        return Outcome(key, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    async def _chat_record(self, app: App, id: Id) -> str:
        plain = app.names.lookup(id)
        if isinstance(plain, MongoId):
            return plain
        chat = await find_chat(self._context, id)
        if chat.record_id is None:
            msg = f"the platform's listing shows no record id of chat {chat.id!r}"
            raise ReplyLostError(msg, operation=app.operations.list_chats.name)
        return chat.record_id


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


__all__ = ["ChatMessages"]
