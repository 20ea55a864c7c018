"""A plain XMPP client: nothing of the library's client side is used here."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING, Self
from xml.etree import ElementTree

from ethora_async.sandbox.ethora.store import ChatData, UserData
from ethora_async.sandbox.ethora.xmpp.stream import Stream

if TYPE_CHECKING:
    from types import TracebackType

    import aiohttp
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import Chat, User

APP = "app123"
SECRET = "an app secret for tests"
HOST = "localhost"
FOREVER = 120.0

OPEN = f'<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="{HOST}" version="1.0"/>'
CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>'
BIND = '<iq type="set" id="bind" xmlns="jabber:client"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind">{}</bind></iq>'


class World:
    """A sandbox with ada, bob and eve; ada made the group `room`, bob is in it, `hall` is public."""

    def __init__(self, sandbox: EthoraSandbox, clock: Clock) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.users: dict[str, User] = {}
        self.machines: list[Machine] = []
        for name in ("ada", "bob", "eve"):
            self.add_user(name)
        self.room = self.add_chat("room", "ada", "bob")
        self.hall = self.add_chat("hall", "ada", kind="public")

    def add_user(self, name: str, app_id: str = APP) -> User:
        app, store = self.sandbox.store.app(app_id), self.sandbox.store
        data = UserData(name.capitalize(), "Byron", f"{name}@example.com", name, "password")
        self.users[name] = store.create_user(app, data, self.clock())
        return self.users[name]

    def add_chat(self, uuid: str, creator: str, *members: str, kind: str = "group", title: str = "") -> Chat:
        store = self.sandbox.store
        maker, others = self.users[creator], [self.users[name] for name in members]
        data = ChatData(title=title or uuid.capitalize(), type=kind, uuid=uuid)
        return store.create_chat(maker.app, data, self.clock(), creator=maker, members=others)

    def password(self, name: str) -> str:
        return self.sandbox.realtime.hub.platform.signer.derive(f"xmpp:{self.users[name].id}")

    def connect(self) -> Machine:
        """A connection whose stream is not open yet."""
        return Machine(self)

    def log_in(self, name: str, resource: str = "", host: str = HOST) -> Machine:
        """A session of a user, bound."""
        machine = Machine(self)
        machine(OPEN.replace(HOST, host))
        machine(plain(self.users[name].xmpp_username, self.password(name)))
        machine(OPEN.replace(HOST, host))
        (bound,) = machine(BIND.format(f"<resource>{resource}</resource>" if resource else ""))[-1:]
        found = re.search("<jid>(.*?)</jid>", bound)
        assert found is not None, bound
        machine.jid = found[1]
        return machine

    def join(self, name: str, chat: Chat, resource: str = "") -> Machine:
        """A session of a user who has entered a room; what came with it has been read."""
        machine = self.log_in(name, resource)
        machine.enter(chat)
        for other in self.machines:
            other.take()
        return machine


class Machine:
    """A connection to the state machine without a socket: its frames are a list."""

    def __init__(self, world: World) -> None:
        self.jid = ""
        self.closed = False
        self.stream = Stream(world.sandbox.realtime.hub, self)
        self._frames: list[str] = []
        world.machines.append(self)

    def push(self, head: bytes, tail: bytes = b"") -> None:
        frame = (head + tail).decode()
        ElementTree.fromstring(frame)  # whatever goes out is XML
        self._frames.append(frame)

    def close(self) -> None:
        self.closed = True

    def __call__(self, frame: str) -> list[str]:
        """Send a frame; return the frames since the last look."""
        self.stream.receive(frame)
        return self.take()

    def take(self) -> list[str]:
        frames, self._frames = self._frames, []
        return frames

    def enter(self, chat: Chat, id: str = "p1") -> list[str]:
        return self(presence(f"{room(chat)}/{self.jid.partition('@')[0]}", id))

    def say(self, chat: Chat, text: str, id: str = "m1") -> list[str]:
        return self(f'<message to="{room(chat)}" type="groupchat" id="{id}"><body>{text}</body></message>')


def room(chat: Chat, host: str = HOST) -> str:
    return f"{chat.name}@conference.{host}"


def presence(to: str, id: str = "p1", inside: str = '<x xmlns="http://jabber.org/protocol/muc"/>', **given: str) -> str:
    more = "".join(f' {key}="{value}"' for key, value in given.items())
    return f'<presence id="{id}" to="{to}"{more}>{inside}</presence>'


def plain(name: str, password: str, authzid: str = "") -> str:
    secret = base64.b64encode(f"{authzid}\0{name}\0{password}".encode()).decode()
    return f'<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">{secret}</auth>'


def seen(frame: str) -> str:
    """Return a frame without the parts that differ from run to run."""
    return re.sub(r"\d{16}", "STANZA", frame)


class Client:
    """A client on a real websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    @classmethod
    async def connect(cls, http: aiohttp.ClientSession, url: str) -> Self:
        return cls(await http.ws_connect(f"{url}/ws", protocols=("xmpp",), max_msg_size=0))

    @classmethod
    async def log_in(cls, http: aiohttp.ClientSession, world: World, name: str) -> Self:
        client = await cls.connect(http, world.sandbox.url)
        await client.send(OPEN)
        await client.until("features")
        await client.send(plain(world.users[name].xmpp_username, world.password(name)))
        await client.until("<success")
        await client.send(OPEN)
        await client.until("features")
        await client.send(BIND.format(""))
        await client.until("<jid>")
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()

    async def send(self, frame: str) -> None:
        await self.socket.send_str(frame)

    async def until(self, part: str) -> str:
        """Return the next frame that contains this."""
        async with asyncio.timeout(FOREVER):
            while True:
                frame = await self.socket.receive_str()
                if part in frame:
                    return frame
