"""`Realtime`: a stream of the events in one user's chats (docs/platforms/ethora.md#realtime)."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from ethora_async.engine.reconnecting_stream import (
    OPERATION,
    ReconnectingStream,
    check_limit,
    check_text,
    read_error,
)
from ethora_async.errors import (
    ChatError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    ReplyLostError,
    UnauthorizedError,
)
from ethora_async.platforms.ethora.realtime import machine as told
from ethora_async.platforms.ethora.realtime import stanzas
from ethora_async.platforms.ethora.realtime.events import (
    MessageDeleted,
    MessageEdited,
    RealtimeEvent,
    Reconnected,
    RoomJoined,
    RoomLeft,
    Typing,
)
from ethora_async.platforms.ethora.realtime.machine import XmppMachine
from ethora_async.platforms.ethora.realtime.rooms import ListenedRooms
from ethora_async.records import Id, MongoId, several

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.platforms.ethora.chats.message_records import Message
    from ethora_async.platforms.ethora.names import Names
    from ethora_async.platforms.ethora.realtime.account import Account
    from ethora_async.protocols import Clock

OpenSocket = Callable[[str, tuple[str, ...]], Awaitable[aiohttp.ClientWebSocketResponse]]
"""Opens a websocket at an http(s) URL, with one of these subprotocols."""
AccountOf = Callable[[], Awaitable["Account"]]
"""Returns the account to log in with before each connection: passwords are short-lived."""

_SUBPROTOCOLS: Final = ("xmpp",)
_PAGE: Final = 100
_ARCHIVE_ID: Final = re.compile(r"[0-9]{1,17}").fullmatch
_NOT_THERE: Final = frozenset({"item-not-found"})


class Realtime(ReconnectingStream[RealtimeEvent]):
    """The messages of chats, over one websocket as one user.

    ```python
    async with ethora.as_user(session).realtime(rooms=["order-7"]) as stream:
        async for event in stream:
            match event:
                case MessageReceived(chat_id, message):
                    await stream.send(chat_id, f"You said {message.body}")
    ```

    Entering waits for the log-in and for the chats. A lost connection is opened again, with growing pauses of up to
    half a minute. Then every chat is entered again and the messages missed in between are fetched from its archive, so
    that each message comes exactly once and in order.

    When the session has ended or the account is gone, iterating raises `UnauthorizedError` after the remaining events.
    When the user is removed from a chat, a `RoomLeft` event follows; the other chats continue.

    **Slow readers.** At most `queue_size` events wait to be read. When the queue is full, nothing more is read from the
    socket, and the server may close the connection. What was missed is then fetched as after any gap: no message is
    lost, and memory stays bounded.

    Several tasks may iterate; each event goes to one of them.
    """

    def __init__(
        self,
        account_of: AccountOf,
        open_socket: OpenSocket,
        clock: Clock,
        *,
        rooms: Id | Iterable[Id] = (),
        queue_size: int = 1000,
        timeout: float,
    ) -> None:
        super().__init__(clock, queue_size=queue_size, timeout=timeout)
        self._account_of = account_of
        self._open_socket = open_socket
        self._first_rooms = [*several(rooms)]
        self._account: Account | None = None
        self._machine: XmppMachine | None = None
        self._rooms: ListenedRooms | None = None
        self._entering: dict[str, asyncio.Future[None]] = {}
        self._said: dict[str, asyncio.Future[Message]] = {}
        self._pages: dict[str, tuple[list[Message], asyncio.Future[bool]]] = {}
        self._lost: set[str] = set()

    async def subscribe(self, room: Id) -> None:
        """Enter a chat and receive its messages; returns once the user is in. A public chat gets a new member.

        Raises:
            NotFoundError: There is no such chat.
            ForbiddenError: The user may not enter it.
            NotSentError: The server did not answer in time, or the stream is not open.
        """
        while True:
            machine, rooms, name = self._opened(room)
            waiting = self._entering.get(name)
            if waiting is None:
                if name not in rooms or name in self._lost:
                    await self._enter(machine, rooms, name)
                return
            # Another task is entering the same chat. If it gives up, this one goes on.
            await asyncio.wait({waiting})
            if not waiting.cancelled():
                waiting.result()
                return

    async def _enter(self, machine: XmppMachine, rooms: ListenedRooms, name: str) -> None:
        waiting = self._entering[name] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(read_error)
        self._lost.discard(name)
        rooms.add(name)
        machine.enter(name)
        try:
            await self._flush()
            await self._within_time(waiting, "that the user is in the chat")
        except BaseException:
            rooms.discard(name)
            machine.leave(name)
            await self._flush()
            raise
        finally:
            del self._entering[name]
            waiting.cancel()

    async def unsubscribe(self, room: Id) -> None:
        """Stop receiving a chat's messages. The user stays a member."""
        machine, rooms, name = self._opened(room)
        rooms.discard(name)
        self._lost.discard(name)
        machine.leave(name)
        await self._flush()

    async def send(self, room: Id, text: str) -> Message:
        """Send a message to a chat; return it as it is in the archive, once everybody in the chat has received it.

        Subscribe to the chat first.

        Raises:
            InvalidInputError: The text is empty or too long, or holds a character that the chat cannot carry.
            ForbiddenError: The user is not in the chat, or may not write there.
            NotFoundError: There is no such chat.
            NotSentError: There is no connection now.
            ReplyLostError: The connection broke, or the server did not confirm in time: the message may have been sent.
        """
        check_text(text)
        why = stanzas.refusal(text)
        if why is not None:
            msg = f"the text cannot be sent: {why}"
            raise InvalidInputError(msg, field="text")
        machine, _, name = self._opened(room)
        if not machine.live or self._account is None:
            msg = "there is no connection at the moment: the client is reconnecting"
            raise NotSentError(msg, operation=OPERATION)
        id = f"send-text-message-{secrets.token_hex(16)}"
        waiting = self._said[id] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(read_error)
        try:
            machine.say(name, id, text, self._account.first_name, self._account.last_name)
            await self._flush()
            await asyncio.wait({waiting}, timeout=self._timeout)
            if not waiting.done():
                msg = f"the server did not confirm the message within {self._timeout:g} s"
                raise ReplyLostError(msg, operation=OPERATION)
            said: Message = waiting.result()
            return said
        finally:
            self._said.pop(id, None)

    async def typing(self, room: Id, *, composing: bool = True) -> None:
        """Tell a chat that the user is typing, or has stopped. There is no confirmation."""
        machine, _, name = self._opened(room)
        account = self._account
        label = "" if account is None else f"{account.first_name} {account.last_name}".strip()
        machine.typing(name, label, composing=composing)
        await self._flush()

    async def history(self, room: Id, *, limit: int = 100, before: str | None = None) -> list[Message]:
        """Return the latest messages of a chat, oldest first.

        Args:
            room: A chat that the user is a member of; a subscription is not needed.
            limit: Maximum number of messages.
            before: The archive id of a message (`Message.id`), for the messages before it.

        Raises:
            ForbiddenError, NotFoundError: The user may not read it, or there is no such chat.
            InvalidInputError: The limit is less than 1, or `before` is not the id of a message.
            NotSentError: The server did not answer in time, or there is no connection now.
        """
        check_limit(limit)
        if before is not None and not _ARCHIVE_ID(str(before)):
            msg = f"before must be the id of a message (`Message.id`), not {before!r}"
            raise InvalidInputError(msg, field="before")
        machine, _, name = self._opened(room)
        pages: list[list[Message]] = []
        left, edge = limit, before or ""
        while left > 0:
            if not machine.live:
                msg = "there is no connection at the moment: the client is reconnecting"
                raise NotSentError(msg, operation=OPERATION)
            query = machine.ask(name, min(left, _PAGE), before=edge)
            waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(read_error)
            found: list[Message] = []
            self._pages[query] = (found, waiting)
            try:
                await self._flush()
                complete = await self._within_time(waiting, "the history")
            finally:
                self._pages.pop(query, None)
            pages.append(found)
            left -= len(found)
            if complete or not found:
                break
            edge = found[0].id
        return [message for page in reversed(pages) for message in page]

    # -- the connection

    async def _start(self) -> None:
        await super()._start()
        for room in self._first_rooms:
            await self.subscribe(room)

    async def _prepare(self) -> None:
        self._account = account = await self._account_of()
        self._machine = XmppMachine(account.host)
        self._rooms = ListenedRooms(self._machine, self._queue, account.names.strip)

    def _opened(self, room: Id) -> tuple[XmppMachine, ListenedRooms, str]:
        if self._machine is None or self._rooms is None or not self._is_open:
            raise _not_open()
        name = self._names.lookup_name(room, "room")
        if isinstance(name, MongoId) or not stanzas.is_room_name(name):
            msg = f"room {room!r} cannot be the name of a chat: pass your own id of it"
            raise InvalidInputError(msg, field="room")
        return self._machine, self._rooms, name

    @property
    def _names(self) -> Names:
        if self._account is None:
            raise _not_open()
        return self._account.names

    async def _flush(self) -> None:
        await self._send(self._machine)

    def _awaited(self) -> Iterable[asyncio.Future[None]]:
        return self._entering.values()

    async def _interrupted(self) -> None:
        """Fail the requests on this connection, which will not be answered; chats are entered again on the next."""
        if self._rooms is not None:
            self._rooms.disconnected()
        for said in self._said.values():
            if not said.done():
                msg = "the connection broke before the message was confirmed: it may have been delivered"
                said.set_exception(ReplyLostError(msg, operation=OPERATION))
        for _, page in self._pages.values():
            if not page.done():
                page.set_exception(NotSentError("the connection broke", operation=OPERATION))

    async def _connection(self) -> float | None:
        machine, account = self._machine, self._account
        if self._connections or account is None:
            account = self._account = await self._account_of()
        if machine is None:
            raise _not_open()
        socket = self._socket = await self._open_socket(account.service, _SUBPROTOCOLS)
        try:
            machine.opened(account.username, account.password, self._clock.monotonic())
            async with aclosing(self._told(socket, machine)) as events:
                async for event in events:
                    if isinstance(event, told.Broken):
                        return None
                    if isinstance(event, told.LoginRefused):
                        msg = f"the chat server refused the log-in: {event.condition}"
                        raise UnauthorizedError(msg, operation=OPERATION, code=event.condition)
                    await self._handle(event)
            return None
        finally:
            self._socket = None
            machine.closed()
            await socket.close()

    # -- events

    async def _handle(self, event: told.Event) -> None:
        handler: Any = _HANDLERS.get(type(event))
        if handler is not None:
            await handler(self, event)

    async def _logged_in(self, _: told.LoggedIn) -> None:
        if self._note_log_in():
            await self._queue.put(Reconnected())
        if self._machine is not None and self._rooms is not None:
            # Including chats that the user was removed from: an invitation may have been missed.
            for name in self._rooms:
                self._machine.enter(name)

    async def _entered(self, event: told.Entered) -> None:
        self._lost.discard(event.room)
        if self._rooms is not None:
            self._rooms.entered(event.room)

    async def _entry_refused(self, event: told.EntryRefused) -> None:
        waiting = self._entering.get(event.room)
        if waiting is not None and not waiting.done():
            waiting.set_exception(_refusal(event.condition, "enter this chat"))
        elif self._rooms is not None and event.room in self._rooms:
            await self._gone(event.room)

    async def _left(self, event: told.Left) -> None:
        if self._rooms is not None and event.room in self._rooms:
            await self._gone(event.room)

    async def _gone(self, room: str) -> None:
        if room not in self._lost:
            self._lost.add(room)
            await self._queue.put(RoomLeft(self._names.strip(room)))

    async def _invited(self, event: told.Invited) -> None:
        await self._queue.put(RoomJoined(self._names.strip(event.room)))
        if event.room in self._lost and self._machine is not None:
            self._lost.discard(event.room)
            self._machine.enter(event.room)

    async def _said_in(self, event: told.Said) -> None:
        waiting = self._said.get(event.message.origin_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(event.message)
        if self._rooms is not None:
            await self._rooms.said(event.room, event.message)

    async def _send_refused(self, event: told.SendRefused) -> None:
        waiting = self._said.get(event.id)
        if waiting is not None and not waiting.done():
            waiting.set_exception(_refusal(event.condition, "write in this chat"))

    async def _edited(self, event: told.Edited) -> None:
        if self._rooms is not None and event.room in self._rooms:
            await self._queue.put(MessageEdited(self._names.strip(event.room), event.message_id, event.text))

    async def _deleted(self, event: told.Deleted) -> None:
        if self._rooms is not None and event.room in self._rooms:
            await self._queue.put(MessageDeleted(self._names.strip(event.room), event.message_id))

    async def _typed(self, event: told.Typed) -> None:
        if self._rooms is not None and event.room in self._rooms:
            await self._queue.put(Typing(self._names.strip(event.room), event.name, event.composing))

    async def _found(self, event: told.Found) -> None:
        page = self._pages.get(event.query)
        if page is not None:
            page[0].append(event.message)
        elif self._rooms is not None:
            await self._rooms.found(event)

    async def _page_ended(self, event: told.PageEnd) -> None:
        page = self._pages.get(event.query)
        if page is not None:
            if not page[1].done():
                page[1].set_result(event.complete)
        elif self._rooms is not None:
            self._is_in(await self._rooms.page_ended(event))

    async def _page_refused(self, event: told.PageRefused) -> None:
        page = self._pages.get(event.query)
        if page is not None:
            if not page[1].done():
                page[1].set_exception(_refusal(event.condition, "read this chat"))
        elif self._rooms is not None:
            self._is_in(await self._rooms.page_refused(event))

    def _is_in(self, room: str | None) -> None:
        waiting = self._entering.get(room or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


_HANDLERS: Final[dict[type, Callable[[Realtime, Any], Awaitable[None]]]] = {
    told.LoggedIn: Realtime._logged_in,  # noqa: SLF001  its own attribute
    told.Entered: Realtime._entered,  # noqa: SLF001
    told.EntryRefused: Realtime._entry_refused,  # noqa: SLF001
    told.Left: Realtime._left,  # noqa: SLF001
    told.Invited: Realtime._invited,  # noqa: SLF001
    told.Said: Realtime._said_in,  # noqa: SLF001
    told.SendRefused: Realtime._send_refused,  # noqa: SLF001
    told.Edited: Realtime._edited,  # noqa: SLF001
    told.Deleted: Realtime._deleted,  # noqa: SLF001
    told.Typed: Realtime._typed,  # noqa: SLF001
    told.Found: Realtime._found,  # noqa: SLF001
    told.PageEnd: Realtime._page_ended,  # noqa: SLF001
    told.PageRefused: Realtime._page_refused,  # noqa: SLF001
}


def _refusal(condition: str, what: str) -> ChatError:
    msg = f"the user may not {what}: {condition}"
    if condition in _NOT_THERE:
        return NotFoundError("there is no such chat", operation=OPERATION, code=condition)
    return ForbiddenError(msg, operation=OPERATION, code=condition)


def _not_open() -> NotSentError:
    return NotSentError("the stream is not open: enter it with `async with`", operation=OPERATION)
