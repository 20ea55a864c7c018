"""A user who is logged in over one connection, with its address, rooms and output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ethora_async.sandbox.ethora.xmpp.addresses import CONFERENCE
from ethora_async.sandbox.ethora.xmpp.elements import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.xmpp.elements import Element


class Line(Protocol):
    """The connection to one client. Nothing here waits: pushed frames are queued and sent in order."""

    def push(self, head: bytes, tail: bytes = b"") -> None:
        """Send one frame in two pieces, so that recipients of one message share them."""
        ...

    def close(self) -> None:
        """Close the connection, after the frames before."""
        ...


class XmppSession:
    """One bound connection of a user. `ended` is called when the server ends it."""

    def __init__(self, user: User, domain: str, resource: str, line: Line, ended: Callable[[], None]) -> None:
        self.user = user
        self.domain = domain
        self.resource = resource
        self.line = line
        self.ended = ended
        self.jid: str = f"{user.xmpp_username}@{domain}/{resource}"
        self.chats: set[Chat] = set()

    def __repr__(self) -> str:
        return f"<Session {self.jid}>"

    @property
    def nick(self) -> str:
        """The user's nick in every room."""
        return self.user.xmpp_username

    @property
    def bare(self) -> str:
        """The JID without the resource."""
        return f"{self.nick}@{self.domain}"

    def room(self, chat: Chat, nick: str = "") -> str:
        """Return the JID of a room, or of an occupant."""
        jid = f"{chat.name}@{CONFERENCE}{self.domain}"
        return f"{jid}/{nick}" if nick else jid

    def send(self, stanza: Element) -> None:
        """Send a stanza."""
        self.line.push(write(stanza).encode())
