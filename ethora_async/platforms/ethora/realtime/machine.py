"""The client's side of the chat as a state machine without I/O: frames come in, events and frames to send come out."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal
from xml.sax.saxutils import quoteattr

import attrs

from ethora_async.platforms.ethora.chats.message_records import Message
from ethora_async.platforms.ethora.realtime import stanzas
from ethora_async.platforms.ethora.realtime.stanzas import BIND, CLIENT, MAM, MUC_USER, SASL, STREAM

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from ethora_async.redaction import Secret

HANDSHAKE: Final = 20.0
"""Maximum seconds from the opened socket to the bound session."""
QUIET: Final = 45.0
"""Seconds of silence after which the client sends a ping."""
PATIENCE: Final = 15.0
"""Maximum seconds until the answer to a ping."""
_NEVER: Final = float("inf")
_DELETED: Final = "deleted"
"""The text that the platform gives a deleted message."""


@attrs.frozen
class LoggedIn:
    """The session is bound."""


@attrs.frozen
class LoginRefused:
    """Name and password were rejected. `condition` is the server's error condition."""

    condition: str


@attrs.frozen
class Broken:
    """The connection cannot be used any more."""

    reason: str


@attrs.frozen
class Entered:
    """The user is in a room."""

    room: str


@attrs.frozen
class EntryRefused:
    """The user may not enter a room."""

    room: str
    condition: str


@attrs.frozen
class Left:
    """The user is no longer in a room."""

    room: str


@attrs.frozen
class Invited:
    """The user was added to a room."""

    room: str


@attrs.frozen
class Said:
    """Somebody wrote a message in a room."""

    room: str
    message: Message


@attrs.frozen
class Edited:
    """A message was edited."""

    room: str
    message_id: str
    text: str


@attrs.frozen
class Deleted:
    """A message was deleted."""

    room: str
    message_id: str


@attrs.frozen
class Typed:
    """Somebody is typing, or has stopped."""

    room: str
    name: str
    composing: bool


@attrs.frozen
class SendRefused:
    """A message was not delivered."""

    id: str
    condition: str


@attrs.frozen
class Found:
    """A message of the history. `deleted` tells that its sender has deleted it: its text is the platform's."""

    query: str
    message: Message
    deleted: bool = False


@attrs.frozen
class PageEnd:
    """The end of a page of the history, and whether it was the last one in that direction."""

    query: str
    complete: bool


@attrs.frozen
class PageRefused:
    """The history cannot be read."""

    query: str
    condition: str


Event = (
    LoggedIn | LoginRefused | Broken | Entered | EntryRefused | Left | Invited | Said | Edited | Deleted | Typed
    | SendRefused | Found | PageEnd | PageRefused
)  # fmt: skip


class XmppMachine:
    """One user's connection, and its successors.

    Call `opened` with every new socket, `received` with each of its frames, `on_time` at `deadline`; send the frames of
    `to_send` after each of them. Times are seconds of one monotonic clock. No input raises. Rooms are named by the
    local part of their JIDs.

    Args:
        domain: the XMPP host.
    """

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._state: Literal["closed", "opening", "proving", "proved", "binding", "live"] = "closed"
        self._username = ""
        self._password: Secret | None = None
        self._out: list[str] = []
        self._ids = itertools.count(1)
        self._heard = 0.0
        self._pinged: float | None = None

    @property
    def live(self) -> bool:
        """Whether the session is bound."""
        return self._state == "live"

    @property
    def deadline(self) -> float:
        """When to call `on_time`, unless something is received before."""
        if self._state == "closed":
            return _NEVER
        if self._state != "live":
            return self._heard + HANDSHAKE
        return self._heard + QUIET if self._pinged is None else self._pinged + PATIENCE

    def opened(self, username: str, password: Secret, now: float) -> None:
        """Start a new connection on a new socket."""
        self.closed()
        self._state = "opening"
        self._username = username
        self._password = password
        self._heard = now
        self._out.append(stanzas.opening(self._domain))

    def closed(self) -> None:
        """End the connection."""
        self._state = "closed"
        self._password = None
        self._pinged = None
        self._out.clear()

    def to_send(self) -> list[str]:
        """Return the frames to send now, in order, and remove them."""
        frames, self._out = self._out, []
        return frames

    # -- actions of the user; without a live session nothing is sent

    def enter(self, room: str) -> None:
        """Enter a room."""
        self._send(stanzas.entering(f"enter-{next(self._ids)}", self._jid(room), self._username))

    def leave(self, room: str) -> None:
        """Leave a room."""
        self._send(stanzas.leaving(self._jid(room), self._username))

    def say(self, room: str, id: str, text: str, first_name: str, last_name: str) -> None:
        """Send a message to a room."""
        data = {
            "senderFirstName": first_name,
            "senderLastName": last_name,
            "fullName": f"{first_name} {last_name}".strip(),
            "senderJID": f"{self._username}@{self._domain}",
            "senderWalletAddress": self._username,
            "roomJid": self._jid(room),
            "isSystemMessage": "false",
            "push": "true",
        }
        self._send(stanzas.message(id, self._jid(room), text, data))

    def typing(self, room: str, name: str, *, composing: bool) -> None:
        """Tell a room that the user is typing, or has stopped."""
        self._send(stanzas.typing(f"typing-{next(self._ids)}", self._jid(room), name, composing=composing))

    def ask(self, room: str, size: int, *, before: str | None = None, after: str | None = None) -> str:
        """Request a page of a room's history; return the id of the query."""
        id = f"history-{next(self._ids)}"
        self._send(stanzas.history(id, self._jid(room), size, before=before, after=after))
        return id

    # -- input

    def received(self, frame: str, now: float) -> list[Event]:
        """Process one frame. Unknown input is ignored."""
        if self._state == "closed":
            return []
        if self.live:
            self._heard, self._pinged = now, None
        try:
            element = stanzas.parse(frame)
        except ValueError as error:
            return self._broken(f"the server sent no XML ({error})")
        was_live = self.live
        events = self._read(element)
        if self.live and not was_live:
            self._heard = now
        return events

    def on_time(self, now: float) -> list[Event]:
        """React to silence: send a ping, or end the connection."""
        if now < self.deadline:
            return []
        if not self.live:
            return self._broken("the server did not finish the log-in in time")
        if self._pinged is not None:
            return self._broken("the server gave no sign of life")
        self._pinged = now
        self._send(stanzas.ping(f"ping-{next(self._ids)}", self._domain))
        return []

    def _send(self, frame: str) -> None:
        if self.live:
            self._out.append(frame)

    def _jid(self, room: str) -> str:
        return f"{room}@conference.{self._domain}"

    def _broken(self, reason: str) -> list[Event]:
        self.closed()
        return [Broken(reason)]

    def _read(self, element: Element) -> list[Event]:
        match element.tag:
            case "{http://etherx.jabber.org/streams}error":
                return self._broken(f"the server ended the stream: {stanzas.condition(element)}")
            case "{urn:ietf:params:xml:ns:xmpp-framing}close":
                return self._broken("the server closed the stream")
        if not self.live:
            return self._log_in(element)
        match element.tag:
            case "{jabber:client}message":
                return self._message(element)
            case "{jabber:client}presence":
                return self._presence(element)
            case "{jabber:client}iq":
                return self._iq(element)
        return []

    def _log_in(self, element: Element) -> list[Event]:
        if element.tag == f"{STREAM}features":
            if self._state == "opening" and self._password is not None:
                if "PLAIN" not in [one.text for one in element.iter(f"{SASL}mechanism")]:
                    return self._broken("the server does not offer the log-in PLAIN")
                self._state = "proving"
                self._out.append(stanzas.log_in(self._username, self._password))
            elif self._state == "proved":
                self._state = "binding"
                self._out.append(stanzas.bind("bind"))
        elif element.tag == f"{SASL}success" and self._state == "proving":
            self._state = "proved"
            self._password = None
            self._out.append(stanzas.opening(self._domain))
        elif element.tag == f"{SASL}failure":
            self.closed()
            return [LoginRefused(stanzas.condition(element))]
        elif element.tag == f"{CLIENT}iq" and self._state == "binding" and element.get("id") == "bind":
            if element.get("type") != "result" or element.find(f"{BIND}bind/{BIND}jid") is None:
                return self._broken("the server gave the session no address")
            self._state = "live"
            self._send(stanzas.PRESENCE)
            return [LoggedIn()]
        return []

    def _presence(self, element: Element) -> list[Event]:
        room, nick = _from(element)
        kind = element.get("type", "")
        if not room:
            return []
        if kind == "error":
            return [EntryRefused(room, stanzas.condition(element.find(f"{CLIENT}error")))]
        if nick != self._username:
            return []
        about = element.find(f"{MUC_USER}x")
        codes = [] if about is None else [one.get("code") for one in about.iter(f"{MUC_USER}status")]
        if kind == "unavailable":
            destroyed = about is not None and about.find(f"{MUC_USER}destroy") is not None
            # 110 alone confirms that the user has left by a request, perhaps to enter again at once.
            return [Left(room)] if destroyed or {"110"} < {*codes} else []
        return [Entered(room)] if "110" in codes and not kind else []

    def _message(self, element: Element) -> list[Event]:
        room, nick = _from(element)
        if element.get("type") == "error":
            return [SendRefused(element.get("id", ""), stanzas.condition(element.find(f"{CLIENT}error")))]
        result = element.find(f"{MAM}result")
        if result is not None:
            inner = result.find(f"{stanzas.FORWARD}forwarded/{CLIENT}message")
            message = None if inner is None else _read_message(inner, result.get("id"))
            if inner is None or message is None:
                return []
            # The mark alone proves nothing: a sender may write one beside any text.
            is_deleted = message.body == _DELETED and _child(inner, "deleted") is not None
            return [Found(result.get("queryid", ""), message, is_deleted)]
        if not room:
            return []
        if element.find(f"{MUC_USER}x/{MUC_USER}invite") is not None:
            return [Invited(room)]
        replaced, deleted = _child(element, "replace"), _child(element, "delete")
        if deleted is not None:
            return [Deleted(room, deleted.get("id", ""))]
        if replaced is not None and replaced.get("text") is not None:
            return [Edited(room, replaced.get("id", ""), replaced.get("text", ""))]
        for state in ("composing", "paused"):
            if element.find(f"{stanzas.CHAT_STATES}{state}") is not None and element.find(f"{CLIENT}body") is None:
                data = _child(element, "data")
                name = nick if data is None else data.get("fullName", nick)
                return [] if nick == self._username else [Typed(room, name, state == "composing")]
        stamp = element.find(f"{stanzas.STANZA_ID}stanza-id")
        message = None if stamp is None else _read_message(element, stamp.get("id"))
        return [] if message is None else [Said(room, message)]

    def _iq(self, element: Element) -> list[Event]:
        id, kind = element.get("id", ""), element.get("type")
        if kind == "get":
            self._send(_unavailable(element))
        if not id.startswith("history-"):
            return []
        if kind == "error":
            return [PageRefused(id, stanzas.condition(element.find(f"{CLIENT}error")))]
        fin = element.find(f"{MAM}fin")
        return [] if fin is None else [PageEnd(id, fin.get("complete") == "true")]


def _unavailable(element: Element) -> str:
    to = f" to={quoteattr(element.get('from', ''))}" if element.get("from") else ""
    why = '<error type="cancel"><service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>'
    return f'<iq xmlns="jabber:client" type="error" id={quoteattr(element.get("id", ""))}{to}>{why}</iq>'


def _from(element: Element) -> tuple[str, str]:
    """Return the room, by its local part, and the nick of a stanza's sender; "" for other senders."""
    bare, _, nick = element.get("from", "").partition("/")
    local, _, domain = bare.partition("@")
    return (local, nick) if domain.startswith("conference.") else ("", nick)


def _child(element: Element, name: str) -> Element | None:
    """Return the first child with this name; the namespaces of the platform's own children vary."""
    return next((child for child in element if stanzas.local_name(child) == name), None)


def _read_message(element: Element, id: str | None) -> Message | None:
    """Return a message with a text, in the archive's form."""
    body = element.findtext(f"{CLIENT}body")
    if body is None or id is None or not (id.isascii() and id.isdigit() and len(id) < 18):
        return None
    data = _child(element, "data")
    about = {} if data is None else dict(data.attrib)
    return Message(
        id=id,
        origin_id=element.get("id"),
        sender=element.get("from", "").partition("/")[2] or None,
        nick=about.get("fullName"),
        body=body,
        sent_at=datetime.fromtimestamp(int(id) / 1_000_000, UTC),
        extra=about,
    )
