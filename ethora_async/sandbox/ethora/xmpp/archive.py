"""The history of a room (XEP-0313)."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.xmpp.addresses import Address
from ethora_async.sandbox.ethora.xmpp.content import content, marks, nick_of, stanza_id
from ethora_async.sandbox.ethora.xmpp.elements import Element, element, quoted
from ethora_async.sandbox.ethora.xmpp.namespaces import CLIENT, DATA_FORM, DELAY, FORWARD, MAM
from ethora_async.sandbox.ethora.xmpp.paging import Page, page_set
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError
from ethora_async.sandbox.ethora.xmpp.rooms import find_room, require_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.xmpp.hub import Hub
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

MAX_PAGE_BYTES: Final = 1024 * 1024
"""Bytes of a page; a page of very long messages has fewer than requested."""
_FIELDS: Final = ("with", "start", "end")


def history(_: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    """Send a page of a room's history, followed by its result set.

    Raises:
        StanzaError: the query is malformed, or the user may not read there.
    """
    to = iq.get("to")
    if to in ("", session.bare, session.domain):
        # An archive of direct messages is empty: people talk in rooms only.
        return [] if iq.get("type") == "get" else [element("fin", MAM, page_set((), 0), complete="true")]
    chat = find_room(session, to)
    require_reader(session, chat)
    if iq.get("type") == "get":
        return [element("query", MAM, _form())]
    messages, low, high = _selected(chat, query)
    total, page = high - low, Page.read(query)
    if page.index is not None:
        raise StanzaError("feature-not-implemented", "Pages of the archive are selected by before and after")
    if page.before:
        high = min(high, _position(messages, _number(page.before)))
    if page.after:
        low = max(low, _position(messages, _number(page.after) + 1))
    ids, complete = _send(session, chat, messages[low:high], page, query.attributes.get("queryid"))
    return [element("fin", MAM, page_set(ids, total), complete="true" if complete else "false")]


def _send(
    session: XmppSession, chat: Chat, messages: Sequence[Message[User]], page: Page, queryid: str | None
) -> tuple[list[str], bool]:
    """Send one page of messages, oldest first; return their ids, and whether the page is complete."""
    backwards = page.before is not None
    wanted = list(reversed(messages[max(0, len(messages) - page.size) :])) if backwards else messages[: page.size]
    frames: list[bytes] = []
    size = 0
    for message in wanted:
        frame = _result(session, chat, message, queryid).encode()
        size += len(frame)
        if frames and size > MAX_PAGE_BYTES:
            break
        frames.append(frame)
    for frame in reversed(frames) if backwards else frames:
        session.line.push(frame)
    ids = [str(message.stanza) for message in wanted[: len(frames)]]
    return ids[::-1] if backwards else ids, len(frames) == len(messages)


def _result(session: XmppSession, chat: Chat, message: Message[User], queryid: str | None) -> str:
    room = quoted(session.room(chat))
    asked = "" if queryid is None else f' queryid="{quoted(queryid)}"'
    at = datetime.fromtimestamp(message.sent_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (
        f'<message xmlns="{CLIENT}" from="{room}" to="{quoted(session.jid)}">'
        f'<result xmlns="{MAM}" id="{message.stanza}"{asked}><forwarded xmlns="{FORWARD}">'
        f'<message xmlns="{CLIENT}" type="groupchat" id="{quoted(stanza_id(message))}"'
        f' from="{room}/{quoted(nick_of(chat, message))}">'
        f"{marks(room, message.stanza)}{content(chat, message, session.domain)}</message>"
        f'<delay xmlns="{DELAY}" stamp="{at}"/></forwarded></result></message>'
    )


def _selected(chat: Chat, query: Element) -> tuple[Sequence[Message[User]], int, int]:
    """Return messages, and the range of them that the query's form selects."""
    form = query.find("x", DATA_FORM)
    fields = {} if form is None else _values(form)
    unknown = fields.keys() - {*_FIELDS, "FORM_TYPE"}
    if unknown:
        # Ignoring a filter would return messages that were not asked for.
        raise StanzaError("bad-request", f"The archive is not filtered by {min(unknown)!r}")
    messages: Sequence[Message[User]] = chat.conversation.archive
    if "with" in fields:
        address = Address.read(fields["with"])
        nick = folded(address.resource if address.of_room else address.local)
        messages = [message for message in messages if folded(nick_of(chat, message)) == nick]
    low, high = 0, len(messages)
    if "start" in fields:
        low = _position(messages, _micros(fields["start"]))
    if "end" in fields:
        high = max(low, _position(messages, _micros(fields["end"]) + 1))
    return messages, low, high


def _values(form: Element) -> dict[str, str]:
    return {field.get("var"): field.text_of("value") or "" for field in form.elements if field.name == "field"}


def _form() -> Element:
    fields = [
        element("field", DATA_FORM, var=name, type="jid-single" if name == "with" else "text-single")
        for name in _FIELDS
    ]
    kind = element("field", DATA_FORM, element("value", DATA_FORM, MAM), var="FORM_TYPE", type="hidden")
    return element("x", DATA_FORM, kind, *fields, type="form")


def _position(messages: Sequence[Message[User]], stanza: int) -> int:
    return bisect_left(messages, stanza, key=lambda message: message.stanza)


def _number(id: str) -> int:
    if not (id.isascii() and id.isdigit() and len(id) < 20):
        raise StanzaError("item-not-found", "There is no such message")
    return int(id)


def _micros(stamp: str) -> int:
    try:
        at = datetime.fromisoformat(stamp)
        return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise StanzaError("bad-request", "A time is written as in XEP-0082") from None
