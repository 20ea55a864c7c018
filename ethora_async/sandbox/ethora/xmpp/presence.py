"""Presence: enter and leave rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ethora_async.sandbox.ethora.grants import READ
from ethora_async.sandbox.ethora.xmpp.addresses import Address
from ethora_async.sandbox.ethora.xmpp.namespaces import MUC
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError
from ethora_async.sandbox.ethora.xmpp.rooms import find_chat, room_of

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import Chat
    from ethora_async.sandbox.ethora.xmpp.elements import Element
    from ethora_async.sandbox.ethora.xmpp.hub import Hub
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

MAX_ROOMS: Final = 1000
"""The largest number of rooms of one session."""


def receive(hub: Hub, session: XmppSession, stanza: Element) -> None:
    """Handle a presence.

    Raises:
        StanzaError: it cannot be served.
    """
    kind = stanza.get("type")
    if kind not in ("", "unavailable"):
        return  # ignore subscriptions and probes: the server has no rosters
    if not stanza.get("to"):
        if kind:
            for chat in list(session.chats):
                hub.exit(chat, session, presence=stanza)
        return
    address = Address.read(stanza.get("to"))
    if not address.of_room:
        return  # to the server or to another user; a front end writes `null/…` before it knows a room
    if kind:
        _leave(hub, session, address, stanza)
    else:
        _enter(hub, session, address, stanza)


def _leave(hub: Hub, session: XmppSession, address: Address, stanza: Element) -> None:
    chat = room_of(session.user.app, address.local)
    if chat is not None:
        hub.exit(chat, session, presence=stanza)


def _enter(hub: Hub, session: XmppSession, address: Address, stanza: Element) -> None:
    if not address.resource:
        raise StanzaError("jid-malformed", "No nickname: enter as room/nickname")
    chat = find_chat(session, address.local)
    if address.resource.casefold() != session.nick.casefold():
        raise StanzaError("forbidden", "wrong nickname")
    if chat in session.chats and not stanza.has("x", MUC):
        hub.update(chat, session, stanza)
        return
    if chat not in session.chats and len(session.chats) >= MAX_ROOMS:
        raise StanzaError("resource-constraint", f"A session is in at most {MAX_ROOMS} rooms")
    _admit(hub, session, chat)
    hub.enter(chat, session, stanza)


def _admit(hub: Hub, session: XmppSession, chat: Chat) -> None:
    """Admit members, and any user of the app to public chats: they become members, for REST too."""
    user = session.user
    if user not in chat.members:
        if chat.type != "public":
            raise StanzaError("registration-required", "Membership is required to enter this room")
        hub.admit(chat, session)
    if not chat.access(user) & READ:
        raise StanzaError("forbidden", "You may not read here")
