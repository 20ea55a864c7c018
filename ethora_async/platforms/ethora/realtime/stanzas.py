"""The XML of the chat: write the client's frames, and parse the server's."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from ethora_async.redaction import Secret

MAX_TEXT: Final = 250 * 1024
"""Bytes of a message's text, escaped: the platform takes stanzas of at most 256 KiB."""

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

CLIENT: Final = "{jabber:client}"
FRAMING: Final = "{urn:ietf:params:xml:ns:xmpp-framing}"
STREAM: Final = "{http://etherx.jabber.org/streams}"
SASL: Final = "{urn:ietf:params:xml:ns:xmpp-sasl}"
BIND: Final = "{urn:ietf:params:xml:ns:xmpp-bind}"
MUC_USER: Final = "{http://jabber.org/protocol/muc#user}"
MAM: Final = "{urn:xmpp:mam:2}"
RSM: Final = "{http://jabber.org/protocol/rsm}"
CHAT_STATES: Final = "{http://jabber.org/protocol/chatstates}"
FORWARD: Final = "{urn:xmpp:forward:0}"
STANZA_ID: Final = "{urn:xmpp:sid:0}"

CLOSE: Final = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>'
PRESENCE: Final = '<presence xmlns="jabber:client"/>'


class _Tree(ElementTree.TreeBuilder):
    """Rejects a document type: XMPP has none, and it could define entities."""

    def doctype(self, *_: str | None) -> None:
        msg = "a document type in a stanza"
        raise ValueError(msg)


def parse(frame: str) -> ElementTree.Element:
    """Parse a frame.

    Raises:
        ValueError: it is not XML, or contains something that XMPP forbids.
    """
    parser = ElementTree.XMLParser(target=_Tree())  # noqa: S314  the tree rejects what is dangerous about XML
    try:
        parser.feed(frame)
        return parser.close()
    except ElementTree.ParseError as error:
        msg = f"not well-formed: {error.code}"
        raise ValueError(msg) from None


def refusal(text: str) -> str | None:
    """Return why a text cannot be sent; None if it can."""
    found = _NOT_XML.search(text)
    if found is not None:
        return f"it holds the character U+{ord(found[0]):04X} at position {found.start()}, which XML cannot hold"
    size = len(_escaped(text).encode())
    return None if size <= MAX_TEXT else f"it is too long: {size} bytes as XML, and a message has at most {MAX_TEXT}"


def is_room_name(name: str) -> bool:
    """Return whether a name can be the local part of a room's JID."""
    return "/" not in name and "@" not in name and _NOT_XML.search(name) is None


def _escaped(text: str) -> str:
    # An XML reader would make a line feed of a bare carriage return.
    return escape(text, {"\r": "&#13;"})


def _attribute(value: str) -> str:
    """Write the value of an attribute. Names come from the platform: what XML cannot hold is replaced."""
    return quoteattr(_NOT_XML.sub("\ufffd", value))


def local_name(element: ElementTree.Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def condition(element: ElementTree.Element | None) -> str:
    """Return an error's condition, the name of its first child; "" without one."""
    first = next(iter(element), None) if element is not None else None
    return "" if first is None else local_name(first)


def opening(domain: str) -> str:
    """Return the frame that opens a stream."""
    return f'<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to={quoteattr(domain)} version="1.0"/>'


def log_in(username: str, password: Secret) -> str:
    """Return a log-in by SASL PLAIN."""
    message = base64.b64encode(f"\0{username}\0{password.reveal()}".encode()).decode()
    return f'<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">{message}</auth>'


def bind(id: str) -> str:
    """Return a request for a resource; the server chooses it."""
    wanted = '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>'
    return f'<iq xmlns="jabber:client" type="set" id="{id}">{wanted}</iq>'


def ping(id: str, domain: str) -> str:
    """Return a ping."""
    to = quoteattr(domain)
    return f'<iq xmlns="jabber:client" type="get" id="{id}" to={to}><ping xmlns="urn:xmpp:ping"/></iq>'


def entering(id: str, room: str, nick: str) -> str:
    """Return the presence that enters a room; the history is requested separately."""
    inside = '<x xmlns="http://jabber.org/protocol/muc"><history maxstanzas="0"/></x>'
    return f'<presence xmlns="jabber:client" id="{id}" to={quoteattr(f"{room}/{nick}")}>{inside}</presence>'


def leaving(room: str, nick: str) -> str:
    """Return the presence that leaves a room."""
    return f'<presence xmlns="jabber:client" type="unavailable" to={quoteattr(f"{room}/{nick}")}/>'


def message(id: str, room: str, text: str, data: dict[str, str]) -> str:
    """Return a message to a room, with the data that front ends need to show it."""
    about = " ".join(f"{name}={_attribute(value)}" for name, value in data.items())
    inside = f"<data {about}/><body>{_escaped(text)}</body>"
    return f'<message xmlns="jabber:client" type="groupchat" id="{id}" to={quoteattr(room)}>{inside}</message>'


def typing(id: str, room: str, name: str, *, composing: bool) -> str:
    """Return the notice that somebody is typing, or has stopped."""
    state = "composing" if composing else "paused"
    inside = f'<{state} xmlns="http://jabber.org/protocol/chatstates"/><data fullName={_attribute(name)}/>'
    return f'<message xmlns="jabber:client" type="groupchat" id="{id}" to={quoteattr(room)}>{inside}</message>'


def history(id: str, room: str, size: int, *, before: str | None = None, after: str | None = None) -> str:
    """Return a request for a page of history: after an archive id, or the last page before one ("" for the newest)."""
    where = "" if before is None else f"<before>{escape(before)}</before>" if before else "<before/>"
    where += "" if after is None else f"<after>{escape(after)}</after>"
    page = f'<set xmlns="http://jabber.org/protocol/rsm"><max>{size}</max>{where}</set>'
    query = f'<query xmlns="urn:xmpp:mam:2" queryid="{id}">{page}</query>'
    return f'<iq xmlns="jabber:client" type="set" id="{id}" to={quoteattr(room)}>{query}</iq>'
