"""`Realtime`: a stream of the events in one user's rooms (docs/platforms/rocketchat.md#realtime)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp

from ethora_async.engine.reconnecting_stream import AT_ONCE, OPERATION, ReconnectingStream, read_error
from ethora_async.errors import (
    ForbiddenError,
    NotSentError,
)
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.api import NOBODY
from ethora_async.platforms.rocketchat.delivery import Deliveries
from ethora_async.platforms.rocketchat.realtime.ddp import DdpMachine
from ethora_async.platforms.rocketchat.realtime.ddp_events import (
    NOTIFY_ROOM,
    NOTIFY_USER,
    ROOM_MESSAGES,
    Broken,
    DdpEvent,
    Happened,
    Left,
    LoggedIn,
    LoginRefused,
    Ready,
    Refused,
    Revoked,
    Topic,
)
from ethora_async.platforms.rocketchat.realtime.events import (
    RealtimeEvent,
    Reconnected,
    RoomLeft,
)
from ethora_async.platforms.rocketchat.realtime.login_token import RealtimeToken, user_id
from ethora_async.platforms.rocketchat.realtime.people_events import (
    about_account,
    about_people,
    about_room,
    about_settings,
    read_people_event,
)
from ethora_async.platforms.rocketchat.realtime.speaking import Speaking
from ethora_async.platforms.rocketchat.realtime.wire import read_event, read_messages
from ethora_async.records import Id, several

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.platforms.rocketchat.message_records import Message

OpenSocket = Callable[[str], Awaitable[aiohttp.ClientWebSocketResponse]]
"""Opens a websocket at an http(s) URL."""

_USER_EVENTS = ("subscriptions-changed", "rooms-changed")
_BEFORE = timedelta(seconds=2)
"""Uncertainty of the server's clock in seconds: a subscription counts as begun that much earlier."""


class Realtime(ReconnectingStream[RealtimeEvent]):
    """The messages of rooms, and changes of a user's rooms, over one websocket as that user.

    ```python
    async with rocketchat.realtime("ann", rooms=["order-7"]) as stream:
        async for event in stream:
            match event:
                case MessageReceived(message):
                    ...
    ```

    Entering waits for the log-in and the subscriptions. A lost connection is opened again, with growing pauses of up to
    half a minute. Then every subscription is renewed, and the messages missed in between are fetched over REST, so that
    each version of a message comes exactly once; meanwhile the room's new messages are held.

    When the token is revoked (somebody logged the user out), iterating raises `UnauthorizedError` after the remaining
    events. A token of this client's own that has expired, or that the client has replaced, does not end the stream: it
    continues with the new one.

    **Slow readers.** At most `queue_size` events wait to be read. When the queue is full, nothing more is read from the
    socket. The server may then close the connection (codes 1013 and 4000), and what was missed is fetched as after any
    gap: no message is lost, and memory stays bounded.

    Several tasks may iterate; each event goes to one of them.
    """

    _frames: frozenset[aiohttp.WSMsgType] = frozenset({aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY})

    def __init__(
        self,
        context: ServerContext,
        token: RealtimeToken,
        open_socket: OpenSocket,
        *,
        rooms: Id | Iterable[Id] = (),
        queue_size: int = 1000,
        timeout: float,
    ) -> None:
        super().__init__(context.clock, queue_size=queue_size, timeout=timeout)
        self._context = context
        self._token = token
        self._open_socket = open_socket
        self._first_rooms = [*several(rooms)]
        self._speaking = Speaking(context, token)
        self._machine: DdpMachine | None = None
        self._deliveries = Deliveries(self._queue, context.clock, queue_size)
        self._waiting: dict[Topic, asyncio.Future[None]] = {}
        self._typed: set[Topic] = set()
        self._watched: set[Topic] = set()

    async def subscribe(self, room: Id) -> None:
        """Subscribe to a room's messages and deletions; returns once the server has confirmed it.

        Raises:
            NotFoundError: there is no such room.
            ForbiddenError: the user may not read it.
            NotSentError: the server did not confirm it in time, or the stream is not open.
        """
        api = await self._context.open()
        room_id = await self._speaking.room_id(room)
        self._deliveries.begin(room_id, _server_time(api) - _BEFORE)
        try:
            await self._confirmed(Topic(ROOM_MESSAGES, room_id))
        except BaseException:
            if self._machine is None or not self._machine.wants(Topic(ROOM_MESSAGES, room_id)):
                await self._deliveries.end(room_id)
            raise
        self._opened().subscribe(Topic(NOTIFY_ROOM, f"{room_id}/deleteMessage"))
        await self._flush()

    async def unsubscribe(self, room: Id) -> None:
        """End the subscription to a room."""
        room_id = await self._speaking.room_id(room)
        await self._deliveries.end(room_id)
        machine = self._opened()
        machine.unsubscribe(Topic(ROOM_MESSAGES, room_id))
        machine.unsubscribe(Topic(NOTIFY_ROOM, f"{room_id}/deleteMessage"))
        await self._flush()

    async def send(self, room: Id, text: str) -> Message:
        """Send a message to a room as the user; return it as the server keeps it. A subscription is not needed.

        It is sent over REST, as the platform's own clients do: it may be retried, and is written once.

        Raises:
            InvalidInputError: The text is empty.
            NotFoundError: There is no such room.
            ForbiddenError: The user is not in the room, or may not write there.
            NotSentError: The stream is not open.
            ReplyLostError: The server did not answer: the message may have been written.
        """
        self._opened()
        return await self._speaking.write(room, text)

    async def typing(self, room: Id, *, composing: bool = True) -> None:
        """Tell a room that the user is typing, or has stopped. There is no confirmation.

        Streams that called `watch_room` receive it as `Typing`.

        Raises:
            NotFoundError: There is no such room.
            NotSentError: The stream is not open.
        """
        machine = self._opened()
        room_id, name = await self._speaking.room_id(room), await self._speaking.shown_name()
        machine.call(NOTIFY_ROOM, [f"{room_id}/user-activity", name, ["user-typing"] if composing else [], {}])
        await self._flush()

    async def history(self, room: Id, *, limit: int = 100, before: str | None = None) -> list[Message]:
        """Return the latest messages of a room, oldest first, the platform's own among them.

        Args:
            room: A room that the user may read; a subscription is not needed.
            limit: Maximum number of messages.
            before: The id of a message (`Message.id`), for the messages before it.

        Raises:
            ForbiddenError, NotFoundError: The user may not read it, or there is no such room or message.
            InvalidInputError: The limit is less than 1, or `before` is empty.
            NotSentError: The server did not answer in time, or the stream is not open.
        """
        self._opened()
        return await self._speaking.history(room, limit=limit, before=before)

    async def watch(self, stream: str, name: str) -> None:
        """Subscribe to any other stream, such as ``stream-notify-room`` and ``<rid>/user-activity``; its events are
        `StreamEvent`.

        Raises:
            ForbiddenError: the server rejected it.
            NotSentError: the server did not confirm it in time, or the stream is not open.
        """
        topic = Topic(stream, name)
        self._watched.add(topic)
        await self._confirmed(topic)

    async def watch_people(self) -> None:
        """Report what changes about anybody on the server: `PresenceChanged`, `RoleChanged`, `AvatarChanged`,
        `UserRenamed`, `UserDeleted`.

        Raises:
            NotSentError: the server did not confirm it in time, or the stream is not open.
        """
        await self._watch_typed(about_people())

    async def watch_room(self, room: Id) -> None:
        """Report what people do in a room beside writing: `Typing`, `MessagesRead`, `HistoryCleaned`.

        Raises:
            NotFoundError: there is no such room.
            ForbiddenError: the user is not in it.
            NotSentError: the server did not confirm it in time, or the stream is not open.
        """
        await self._watch_typed(about_room(await self._speaking.room_id(room)))

    async def watch_account(self) -> None:
        """Report notifications and changes of the user's own account: `Notified`, `AccountChanged`.

        Raises:
            NotSentError: the server did not confirm it in time, or the stream is not open.
        """
        self._opened()
        await self._watch_typed(about_account(user_id(await self._token.current())))

    async def watch_settings(self) -> None:
        """Report changes of the server's public settings: `SettingChanged`.

        Raises:
            NotSentError: the server did not confirm it in time, or the stream is not open.
        """
        await self._watch_typed(about_settings())

    async def _watch_typed(self, topics: list[Topic]) -> None:
        for topic in topics:
            self._typed.add(topic)
            try:
                await self._confirmed(topic)
            except BaseException:
                self._typed.discard(topic)
                raise

    async def _start(self) -> None:
        await super()._start()
        for room in self._first_rooms:
            await self.subscribe(room)

    async def _prepare(self) -> None:
        owner = user_id(await self._token.current())
        self._machine = DdpMachine(owner)
        for event in _USER_EVENTS:
            self._machine.subscribe(Topic(NOTIFY_USER, f"{owner}/{event}"))
        api = await self._context.open()
        if api.shared.clock_offset is None:
            await api.call(operations.SERVER_INFO, credentials=NOBODY)  # shows the server's time

    def _opened(self) -> DdpMachine:
        if self._machine is None or not self._is_open:
            msg = "the stream is not open: enter it with `async with`"
            raise NotSentError(msg, operation=OPERATION)
        return self._machine

    async def _confirmed(self, topic: Topic) -> None:
        machine = self._opened()
        if machine.holds(topic):
            return
        waiting = self._waiting.get(topic)
        if waiting is not None:
            await self._within_time(waiting, f"the subscription to {topic.stream}")
            return
        waiting = self._waiting[topic] = asyncio.get_running_loop().create_future()
        waiting.add_done_callback(read_error)
        machine.subscribe(topic)
        if machine.holds(topic):  # one of the topics that every connection subscribes to
            waiting.set_result(None)
        try:
            await self._flush()
            await self._within_time(waiting, f"the subscription to {topic.stream}")
        except BaseException:
            machine.unsubscribe(topic)
            raise
        finally:
            del self._waiting[topic]
            if not waiting.done():  # other waiting calls requested the same, and fail too
                waiting.set_exception(NotSentError("the subscription was given up", operation=OPERATION))

    async def _flush(self) -> None:
        await self._send(self._machine)

    def _awaited(self) -> Iterable[asyncio.Future[None]]:
        return self._waiting.values()

    async def _interrupted(self) -> None:
        await self._deliveries.interrupted()

    async def _connection(self) -> float | None:
        machine = self._machine
        if machine is None:
            return None
        api = await self._context.open()
        token = await self._token.current()
        socket = await self._open_socket(f"{api.url}/websocket")
        try:
            machine.opened(token.secret, self._clock.monotonic())
            self._socket = socket
            async with aclosing(self._told(socket, machine)) as events:
                async for event in events:
                    if isinstance(event, Broken):
                        return None
                    if isinstance(event, (LoginRefused, Revoked)):
                        return self._refused(event)
                    await self._handle(event, api)
            return None
        finally:
            self._socket = None
            machine.closed()
            await socket.close()

    def _refused(self, refusal: LoginRefused | Revoked) -> float | None:
        if isinstance(refusal, Revoked):
            self._token.ended(self._context.clock.now())
        elif refusal.why == "later":
            return refusal.retry_after
        else:
            self._token.refused(refusal)
        return AT_ONCE

    async def _handle(self, event: DdpEvent, api: Api) -> None:
        if isinstance(event, LoggedIn):
            await self._logged_in()
        elif isinstance(event, Ready):
            self._ready(event.topic, api)
        elif isinstance(event, Refused):
            await self._not_allowed(event)
        elif isinstance(event, Left):
            await self._left(event.room_id)
        elif isinstance(event, Happened):
            await self._happened(event)

    async def _logged_in(self) -> None:
        self._token.accepted()
        if self._note_log_in():
            await self._queue.put(Reconnected())

    def _ready(self, topic: Topic, api: Api) -> None:
        waiting = self._waiting.get(topic)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if topic.stream == ROOM_MESSAGES:
            self._deliveries.resumed(self._token.signed(api), topic.name)

    async def _not_allowed(self, refused: Refused) -> None:
        topic = refused.topic
        waiting = self._waiting.get(topic)
        if waiting is not None and not waiting.done():
            msg = f"the platform refused the subscription to {topic.stream}"
            waiting.set_exception(ForbiddenError(msg, operation=OPERATION, code=refused.code))
        elif topic.stream == ROOM_MESSAGES:
            await self._deliveries.end(topic.name)
            await self._queue.put(RoomLeft(topic.name))

    async def _left(self, room_id: str) -> None:
        await self._deliveries.interrupted(room_id)
        await self._queue.put(RoomLeft(room_id))

    async def _happened(self, event: Happened) -> None:
        if event.topic.stream == ROOM_MESSAGES:
            for message in read_messages(event.args):
                await self._deliveries.arrived(event.topic.name, message)
            return
        found: list[RealtimeEvent] = []
        if event.topic in self._typed:
            found += read_people_event(event.topic, event.args)
        if event.topic not in self._typed or event.topic in self._watched:
            found += read_event(event.topic, event.args)
        for told in found:
            await self._queue.put(told)


def _server_time(api: Api) -> datetime:
    return datetime.fromtimestamp(api.server_now(), UTC)
