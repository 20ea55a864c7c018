"""Find the room of a stanza, and check its sender's rights there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.grants import OWNER, READ
from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.xmpp.addresses import Address
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import App, Chat
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession


def find_chat(session: XmppSession, name: str) -> Chat:
    """Return the chat whose room has this local part.

    Raises:
        StanzaError: the name is another app's, or there is no such chat.
    """
    app = session.user.app
    if not folded(name).startswith(folded(f"{app.id}_")):
        raise StanzaError("forbidden", "wrong app name")
    chat = room_of(app, name)
    if chat is None:
        raise StanzaError("item-not-found", "Conference room does not exist")
    return chat


def room_of(app: App, name: str) -> Chat | None:
    """Return an app's chat whose room has this local part, ignoring case, as JIDs are compared."""
    name, prefix = folded(name), folded(f"{app.id}_")
    return app.chats.sharing_jid(name.removeprefix(prefix)) if name.startswith(prefix) else None


def find_room(session: XmppSession, jid: str) -> Chat:
    """Return the chat whose room has this JID.

    Raises:
        StanzaError: it is no room's JID, or as `find_chat`.
    """
    address = Address.read(jid)
    if not address.of_room:
        raise StanzaError("service-unavailable")
    return find_chat(session, address.local)


def require_reader(session: XmppSession, chat: Chat) -> None:
    """Check that the user may read a room's history.

    Raises:
        StanzaError: anybody else.
    """
    if not chat.access(session.user) & READ:
        raise StanzaError("forbidden")


def require_owner(session: XmppSession, chat: Chat) -> None:
    """Check that the user may change a room.

    Raises:
        StanzaError: anybody else.
    """
    if not chat.access(session.user) & OWNER:
        raise StanzaError("forbidden", "Owner privileges required")
