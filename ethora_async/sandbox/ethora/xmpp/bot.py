"""A bot inside the server: an occupant of each room that it is a member of, whose answers come from a function."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import orjson

from ethora_async.sandbox.ethora.xmpp.content import content
from ethora_async.sandbox.ethora.xmpp.elements import Element, element, reparse, write, write_inner
from ethora_async.sandbox.ethora.xmpp.namespaces import BOT, CHAT_STATES, CLIENT
from ethora_async.sandbox.ethora.xmpp.session import XmppSession

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.xmpp.hub import Hub

MOST_BUTTONS: Final = 6
LONGEST_NAME, LONGEST_VALUE = 40, 200
MOST_WAITING: Final = 1000
"""Messages of one room that may wait for the function."""
_COMMAND: Final = "/bot"
_REMEMBERED: Final = 256
_log = logging.getLogger("ethora_async.sandbox")


@attrs.frozen
class BotMessage:
    """A message in a room that the bot is in.

    Attributes:
        chat_id: The id of the chat.
        chat_title: Its title.
        user_id: The id of its sender.
        user_name: First and last name of the sender.
        text: The text of the message.
        id: The archive id of the message.
    """

    chat_id: str
    chat_title: str
    user_id: str
    user_name: str
    text: str
    id: str


@attrs.frozen
class BotReply:
    """An answer with buttons: `BotReply("Sure?", [("Yes", "yes"), ("No", "no")])`.

    A tap on a button sends its value as a message.

    Attributes:
        text: The answer.
        buttons: At most 6 pairs of a name (40 characters) and a value (200 characters).
    """

    text: str
    buttons: Sequence[tuple[str, str]] = ()

    def __attrs_post_init__(self) -> None:
        if len(self.buttons) > MOST_BUTTONS:
            msg = f"{len(self.buttons)} buttons: an answer has at most {MOST_BUTTONS}"
            raise ValueError(msg)
        for name, value in self.buttons:
            if not 0 < len(name) <= LONGEST_NAME or not 0 < len(value) <= LONGEST_VALUE:
                msg = (
                    f"button {name[:LONGEST_NAME]!r}: a name has 1 to {LONGEST_NAME} characters,"
                    f" a value 1 to {LONGEST_VALUE}"
                )
                raise ValueError(msg)


Reply = str | BotReply | None
"""A bot's answer: a text, a text with buttons, or nothing."""
BotFunction = Callable[[BotMessage], Reply | Awaitable[Reply]]
"""The bot function: a coroutine function, or a plain one, which runs in a thread."""


class _Deaf:
    """A connection that drops all stanzas: the bot observes the store instead."""

    def push(self, head: bytes, tail: bytes = b"") -> None:
        """Drop a frame."""

    def close(self) -> None:
        """Do nothing."""


class SandboxBot:
    """Lets a function answer in every room that its user is a member of; it watches the store.

    The bot settings of the app hold: a bot that is off is silent, and with the trigger `/bot` it answers what begins
    with that word, and everything in a 1-1 chat. The function may be a coroutine function; a plain one runs in a
    thread, so that it cannot block the server.
    """

    def __init__(self, hub: Hub, user: User, function: BotFunction) -> None:
        self.user = user
        self._hub = hub
        self._function = function
        self._session = XmppSession(user, hub.platform.xmpp_host, "bot", _Deaf(), lambda: None)
        self._waiting: dict[Chat, deque[Message[User]]] = {}
        self._answered: dict[tuple[Chat, str], None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        hub.arrive(self._session)

    @property
    def jid(self) -> str:
        """The JID that adds it to a chat, as in `ETHORA_CHAT_BOT_JID`."""
        return self._session.bare

    async def aclose(self) -> None:
        """Drop unanswered messages."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._waiting.clear()

    # -- changes of the store

    def joined(self, chat: Chat, user: User) -> None:
        """Enter a room that the bot was added to."""
        if user is self.user:
            self._hub.enter(chat, self._session, element("presence", CLIENT))
            self._say(chat, f"{self._name} has joined the chat", system=True)

    def posted(self, chat: Chat, message: Message[User]) -> None:
        """Answer a message once the earlier ones are answered."""
        sender = message.sender
        if sender is None or sender is self.user or not message.body or self.user not in chat.members:
            return
        if not self._wanted(chat, message) or self._is_repeated(chat, message):
            return
        waiting = self._waiting.get(chat)
        if waiting is not None:
            if len(waiting) < MOST_WAITING:
                waiting.append(message)
            return
        self._waiting[chat] = deque([message])
        task = asyncio.get_running_loop().create_task(self._answer_all(chat))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def left(self, chat: Chat, user: User) -> None:
        """Do nothing: the room removes its occupants itself."""

    def access_changed(self, chat: Chat, user: User) -> None:
        """Do nothing, as above."""

    def chat_deleted(self, chat: Chat) -> None:
        """Do nothing, as above."""

    def chat_changed(self, chat: Chat) -> None:
        """Do nothing."""

    def user_changed(self, user: User) -> None:
        """Do nothing."""

    # -- answering

    @property
    def _name(self) -> str:
        return f"{self.user.first_name} {self.user.last_name}".strip()

    def _wanted(self, chat: Chat, message: Message[User]) -> bool:
        settings = chat.app.bot or {}
        if settings.get("status") != "on":
            return False
        if settings.get("trigger") == _COMMAND and not self._is_alone_with_somebody(chat):
            return message.body.split(maxsplit=1)[:1] == [_COMMAND]
        data = _data(chat, message, self._session.domain)
        return data is None or data.get("isSystemMessage") != "true"

    def _is_alone_with_somebody(self, chat: Chat) -> bool:
        name = self.user.xmpp_username
        return chat.type == "private" and (chat.name.startswith(f"{name}-") or chat.name.endswith(f"-{name}"))

    def _is_repeated(self, chat: Chat, message: Message[User]) -> bool:
        """Return whether the room has had a message with this id: clients resend unacknowledged messages."""
        key = (chat, message.id)
        if key in self._answered:
            return True
        self._answered[key] = None
        if len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]
        return False

    async def _answer_all(self, chat: Chat) -> None:
        waiting = self._waiting[chat]
        try:
            while waiting:
                await self._answer(chat, waiting.popleft())
        finally:
            self._waiting.pop(chat, None)

    async def _answer(self, chat: Chat, message: Message[User]) -> None:
        sender = message.sender
        if sender is None or not self._is_there(chat):
            return
        self._typing(chat, "composing")
        text = message.body
        if text.split(maxsplit=1)[:1] == [_COMMAND]:
            text = text.removeprefix(_COMMAND).strip()
        name = f"{sender.first_name} {sender.last_name}".strip()
        try:
            answer = await self._ask(BotMessage(chat.uuid, chat.title, sender.uuid, name, text, str(message.stanza)))
        except Exception as error:  # noqa: BLE001  the user's function: the chat continues, and the error is reported
            _log.warning("the bot failed in chat %s: %s: %s", chat.uuid, type(error).__name__, error)
            answer = None
        if not self._is_there(chat):
            return
        if answer is None:
            self._typing(chat, "paused")
        else:
            self._say(chat, answer)

    async def _ask(self, message: BotMessage) -> Reply:
        if inspect.iscoroutinefunction(self._function):
            answer = await self._function(message)
        else:
            answer = await asyncio.to_thread(self._function, message)
            if inspect.isawaitable(answer):
                answer = await answer
        if answer is not None and not isinstance(answer, str | BotReply):
            msg = f"a bot answers with text, a BotReply or None, not with {type(answer).__name__}"
            raise TypeError(msg)
        return answer or None

    def _is_there(self, chat: Chat) -> bool:
        return chat.exists and self.user in chat.members

    def _typing(self, chat: Chat, state: str) -> None:
        frame = write(element(state, CHAT_STATES)) + write(element("data", CLIENT, fullName=self._name))
        stamp = int(self._hub.platform.clock() * 1000)
        self._hub.spread(chat, self.user.xmpp_username, f"typing-{stamp}", lambda *_: frame)

    def _say(self, chat: Chat, answer: str | BotReply, *, system: bool = False) -> None:
        reply = BotReply(answer) if isinstance(answer, str) else answer
        buttons = [{"name": name, "value": value} for name, value in reply.buttons]
        nick = self.user.xmpp_username
        data = {
            "fullName": self._name,
            "senderFirstName": self.user.first_name or " ",
            "senderLastName": self.user.last_name or " ",
            "senderJID": f"{nick}@{self._session.domain}",
            "senderWalletAddress": nick,
            "photo": self.user.profile_image or "",
            "roomJid": self._session.room(chat),
            "isSystemMessage": "true" if system else "false",
            "quickReplies": orjson.dumps(buttons).decode() if buttons else "",
        }
        children: list[Element | str] = [
            Element("data", CLIENT, data),
            element("body", CLIENT, reply.text),
            element("x", BOT, agentAddress=nick),
        ]
        if not system:
            children.append(element("paused", CHAT_STATES))
        said = write_inner(Element("message", CLIENT, {}, children))
        platform = self._hub.platform
        platform.store.post(chat, reply.text, platform.clock(), sender=self.user, inner=said)


def _data(chat: Chat, message: Message[User], domain: str) -> Element | None:
    written = reparse(content(chat, message, domain))
    return next((child for child in written if isinstance(child, Element) and child.name == "data"), None)
