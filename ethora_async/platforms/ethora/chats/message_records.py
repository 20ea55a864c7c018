"""Records of messages: history, context and search results (docs/platforms/ethora.md#messages)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import InvalidInputError, ServerFaultError
from ethora_async.platforms.ethora import wire

if TYPE_CHECKING:
    from ethora_async.request import Origin

_FRUITLESS_PAGES = 5


@attrs.frozen(kw_only=True)
class Message:
    """A message in a chat's history. Fields that the reply lacked are None.

    Attributes:
        id: its id in the archive.
        origin_id: the id that its sender gave it.
        sender: the sender's JID.
        nick: the sender's name in the chat.
        sent_at: when it was sent.
        extra: every other field of the reply, under the platform's name for it.
    """

    id: str
    origin_id: str | None = None
    sender: str | None = None
    nick: str | None = None
    body: str | None = None
    sent_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class FoundMessage:
    """A message that a search found. Fields that the reply lacked are None.

    Attributes:
        record_id: the platform's record id of it.
        chat_id: the platform's record id of the chat.
        chat_type: ``group``, ``public``, ``private`` (1-1) or ``widget``.
        room: the chat's JID or name.
        sender: the sender's JID.
        sender_id: the platform's id of the author.
        message_id, stanza_id: arguments of `Chats.messages_context`.
        deleted_at: when it was deleted, if it was.
        extra: every other field of the reply, under the platform's name for it.
    """

    record_id: str
    chat_id: str | None = None
    chat_type: str | None = None
    room: str | None = None
    sender: str | None = None
    sender_id: str | None = None
    body: str | None = None
    message_id: str | None = None
    stanza_id: str | None = None
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


wire.codec.add(Message, {"origin_id": "originId", "sender": "from", "sent_at": "ts"})
wire.codec.add(
    FoundMessage,
    {
        "record_id": "_id",
        "chat_id": "chatId",
        "chat_type": "chatType",
        "sender": "from",
        "sender_id": "fromUserId",
        "message_id": "messageId",
        "stanza_id": "stanzaId",
        "created_at": "createdAt",
        "deleted_at": "deletedAt",
    },
)


@attrs.frozen
class HistoryPage:
    """One page of a chat's history.

    Attributes:
        total: number of messages that the platform reports; None when it reports none.
        next_before: the start of the page of earlier messages (``before=``), or None after the last.
        unavailable: whether the platform's message archive did not answer; an empty page then means nothing.
    """

    items: tuple[Message, ...]
    total: int | None
    next_before: str | None
    unavailable: bool
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class History:
    """A chat's messages, from the latest page backwards.

    ``await history`` reads the first `HistoryPage`; ``async for message in history`` reads all, every message once;
    `by_page` yields whole pages, whose `next_before` is where a later call can resume. It ends with a page without
    `next_before`, an empty or repeated page, or the fifth page in a row without a new message.

    Iterating raises `ServerFaultError` when the platform's archive does not answer, instead of ending early.
    """

    def __init__(self, fetch: Callable[[str | None], Awaitable[HistoryPage]], *, before: str | None) -> None:
        self._fetch = fetch
        self._before = before

    def __await__(self) -> Generator[Any, None, HistoryPage]:
        return self._first().__await__()

    async def __aiter__(self) -> AsyncIterator[Message]:
        # Leaving the loop abandons this generator: its source is closed here.
        async with aclosing(self.by_page()) as pages:
            async for page in pages:
                for message in page.items:
                    yield message

    async def by_page(self) -> AsyncGenerator[HistoryPage]:
        """Yield every page, without messages of the page before it."""
        before = self._before
        asked: set[str | None] = {before}
        last: frozenset[str] = frozenset()
        fruitless = 0
        while fruitless < _FRUITLESS_PAGES:
            page = await self._fetch(before)
            if page.unavailable:
                msg = "the platform's message archive does not answer"
                raise ServerFaultError(msg, effect="none", operation="chats.messages")
            fresh = tuple(message for message in page.items if message.id not in last)
            fruitless = 0 if fresh else fruitless + 1
            yield attrs.evolve(page, items=fresh)
            before = page.next_before
            if not before or before in asked or not page.items:
                return
            asked.add(before)
            last = frozenset(message.id for message in page.items)

    async def _first(self) -> HistoryPage:
        return await self._fetch(self._before)


def cursor(value: str | int | None) -> str | None:
    """Return the value of ``before``: a page's `next_before`, an archive id or milliseconds; or None for the latest.

    Raises:
        InvalidInputError: it is empty, or a boolean.
    """
    if value is None:
        return None
    if isinstance(value, bool) or value == "":
        msg = f"before must be the value of `next_before`, not {value!r}"
        raise InvalidInputError(msg, field="before")
    return str(value)


def read_history(data: Any, *, origin: Origin) -> HistoryPage:
    """Read one page of history: ``{results, total, nextBefore, mamUnavailable}``.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    items, total = read_messages(data, origin=origin)
    holder = data if isinstance(data, dict) else {}
    following = holder.get("nextBefore")
    return HistoryPage(
        items,
        total,
        str(following) if isinstance(following, (str, int)) and not isinstance(following, bool) else None,
        unavailable=holder.get("mamUnavailable") is True,
        request_id=origin.request_id,
    )


def read_messages(data: Any, *, origin: Origin) -> tuple[tuple[Message, ...], int | None]:
    """Read the messages of a listing, and its total.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    return wire.read_list(
        data,
        ("messages",),
        lambda row, path: wire.codec.read(_with_id(row), Message, origin=origin, path=path),
        origin=origin,
    )


def read_found(data: Any, *, origin: Origin) -> tuple[tuple[FoundMessage, ...], int | None]:
    """Read the messages that a search found, and their total."""
    return wire.read_list(
        data,
        ("messages",),
        lambda row, path: wire.codec.read(row, FoundMessage, origin=origin, path=path),
        origin=origin,
    )


def _with_id(row: Any) -> Any:
    if isinstance(row, dict) and row.get("id") is None:
        return {**row, "id": next((row[key] for key in ("stanzaId", "_id", "originId") if row.get(key)), None)}
    return row


__all__ = ["FoundMessage", "History", "HistoryPage", "Message"]
