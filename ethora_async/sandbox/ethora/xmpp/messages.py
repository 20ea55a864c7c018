"""Messages to rooms: store, forward, edit, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.grants import OWNER, WRITE
from ethora_async.sandbox.ethora.xmpp.addresses import Address
from ethora_async.sandbox.ethora.xmpp.content import id_mark, rewrite
from ethora_async.sandbox.ethora.xmpp.elements import Element, element, write_inner
from ethora_async.sandbox.ethora.xmpp.moderation import BANNED
from ethora_async.sandbox.ethora.xmpp.namespaces import CLIENT, HINTS, MUC_USER, REACTIONS
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError
from ethora_async.sandbox.ethora.xmpp.rooms import find_chat, require_owner

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.xmpp.hub import Hub
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

_OURS = ("archived", "stanza-id")
"""Elements that only the server may write."""


def receive(hub: Hub, session: XmppSession, stanza: Element) -> None:
    """Handle a message.

    Raises:
        StanzaError: it cannot be delivered.
    """
    kind = stanza.get("type")
    if kind == "error" or not stanza.get("to"):
        return
    address = Address.read(stanza.get("to"))
    if not address.of_room:
        raise StanzaError("service-unavailable", "People talk in rooms here: open a 1-1 chat")
    chat = find_chat(session, address.local)
    if address.resource:
        raise StanzaError("service-unavailable", "People talk in rooms here: open a 1-1 chat")
    if kind != "groupchat":
        _invite(hub, session, chat, stanza)
        return
    if chat not in session.chats:
        raise StanzaError("not-acceptable", "Only occupants are allowed to send messages to the conference")
    if hub.moderation.is_banned(chat, session.user, hub.platform.clock()):
        raise StanzaError("forbidden", BANNED, kind="cancel")
    access = chat.access(session.user)
    if not access & WRITE:
        raise StanzaError("forbidden", "Visitors are not allowed to send messages to all occupants")
    if stanza.has("subject") and not stanza.has("body") and not access & OWNER:
        raise StanzaError("forbidden", "Only moderators are allowed to change the subject in this room")
    stanza.children = [child for child in stanza.children if not (isinstance(child, Element) and child.name in _OURS)]
    _say(hub, session, chat, stanza)


def is_kept(stanza: Element) -> bool:
    """Return whether a message goes into the archive."""
    if stanza.has("no-store", HINTS):
        return False
    return stanza.has("body") or stanza.has("reactions", REACTIONS) or stanza.has("store", HINTS)


def _say(hub: Hub, session: XmppSession, chat: Chat, stanza: Element) -> None:
    delete, replace = stanza.find("delete"), stanza.find("replace")
    now = hub.platform.clock()
    if delete is not None:
        message = _own_message(session, chat, delete)
        if message is not None:
            note = element("deleted", CLIENT, timestamp=str(int(now * 1000)))
            rewrite(chat, message, session.domain, "deleted", note)
            message.deleted_at = now
            _pass_on(hub, session, chat, stanza, now, marked=True)
    elif replace is not None and "text" in replace.attributes:
        message = _own_message(session, chat, replace)
        if message is not None:
            note = element("replaced", CLIENT, timestamp=str(int(now * 1000)))
            rewrite(chat, message, session.domain, replace.get("text"), note)
            _pass_on(hub, session, chat, stanza, now, marked=True)
    elif is_kept(stanza):
        body = stanza.text_of("body")
        inner, id = write_inner(stanza), stanza.get("id") or None
        hub.platform.store.post(chat, body, now, sender=session.user, inner=inner, id=id)
    else:
        _pass_on(hub, session, chat, stanza, now)


def _own_message(session: XmppSession, chat: Chat, reference: Element) -> Message[User] | None:
    """Return the message to edit or delete; None if another user sent it, or it is deleted already."""
    id = reference.get("id")
    message = chat.conversation.with_stanza(int(id)) if id.isascii() and id.isdigit() and len(id) < 20 else None
    if message is None or message.sender is not session.user or message.deleted_at is not None:
        return None
    return message


def _pass_on(hub: Hub, session: XmppSession, chat: Chat, stanza: Element, now: float, *, marked: bool = False) -> None:
    """Send a message that is not stored; with `marked`, add the mark of its room."""
    inner = write_inner(stanza)
    number = chat.conversation.next_stanza(now) if marked else 0
    hub.spread(
        chat,
        session.nick,
        stanza.get("id"),
        lambda _, room: (id_mark(room, number) if marked else "") + inner,
    )


def _invite(hub: Hub, session: XmppSession, chat: Chat, stanza: Element) -> None:
    """Handle an invitation by the owner of a chat: the invited user becomes a member."""
    about = stanza.find("x", MUC_USER)
    invites = [] if about is None else [child for child in about.elements if child.name == "invite"]
    if not invites:
        raise StanzaError("bad-request", "Messages to a room have the type groupchat")
    require_owner(session, chat)
    users = [chat.app.users.find(Address.read(invite.get("to")).local) for invite in invites]
    if None in users:
        raise StanzaError("item-not-found", "There is no such user")
    for user in users:
        if user is not None:
            hub.platform.store.join(chat, user)
