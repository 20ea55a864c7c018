"""The XMPP form of a stored message: as it was written there, or generated for one that REST posted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ethora_async.sandbox.ethora.shapes import sender_name
from ethora_async.sandbox.ethora.xmpp.elements import Element, element, reparse, write_inner
from ethora_async.sandbox.ethora.xmpp.namespaces import CLIENT, HINTS, MAM_MARK, STANZA_ID

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.records import Chat, User

MEDIA: Final = "media"
"""The body, and the stanza id, of a message that is a file."""
_RENAMED: Final = {"originalname": "originalName", "filename": "fileName"}


def marks(room: str, stanza: int) -> str:
    """Write the two marks with the archive id; `room` is escaped already."""
    id_of = f'by="{room}" id="{stanza}"'
    return f'<archived xmlns="{MAM_MARK}" {id_of}/>{id_mark(room, stanza)}'


def id_mark(room: str, stanza: int) -> str:
    """Write the mark with the room of a message; `room` is escaped already."""
    return f'<stanza-id xmlns="{STANZA_ID}" by="{room}" id="{stanza}"/>'


def stanza_id(message: Message[User]) -> str:
    """Return the id of a message's stanza."""
    return MEDIA if message.inner is None and _is_file(message) else message.id


def nick_of(chat: Chat, message: Message[User]) -> str:
    """Return the sender's nick; the system account's if no user sent it."""
    return f"{chat.app.id}_{chat.app.id}" if message.sender is None else message.sender.xmpp_username


def content(chat: Chat, message: Message[User], domain: str) -> str:
    """Write the children of a message, without its marks."""
    return write_inner(_made(chat, message, domain)) if message.inner is None else message.inner


def rewrite(chat: Chat, message: Message[User], domain: str, body: str, note: Element) -> None:
    """Replace the body of a stored message, and mark it as edited."""
    changed = Element("message", CLIENT, {}, reparse(content(chat, message, domain)))
    bodies = [child for child in changed.elements if child.name == "body"]
    for child in bodies:
        child.children = [body]
    changed.children = [
        child for child in changed.children if not (isinstance(child, Element) and child.name == note.name)
    ]
    changed.children.append(note)
    message.inner = write_inner(changed)
    if bodies:  # a reaction has no text, and gets none
        message.body = body


def _is_file(message: Message[User]) -> bool:
    return message.metadata is not None and "location" in message.metadata


def _made(chat: Chat, message: Message[User], domain: str) -> Element:
    """Return the stanza of a message that was posted by REST.

    The published front end drops what has no `<data>` with a sender's JID and both names, in the history too.
    """
    sender = message.sender
    if sender is None:
        first, last, photo = sender_name(chat, message), " ", ""
    else:
        first, last, photo = sender.first_name or " ", sender.last_name or " ", sender.profile_image or ""
    nick = nick_of(chat, message)
    said = {
        "senderFirstName": first,
        "senderLastName": last,
        "fullName": f"{first} {last}".strip(),
        "photo": photo,
        "photoURL": photo,
        "senderJID": f"{nick}@{domain}",
        "senderWalletAddress": nick,
        "roomJid": f"{chat.name}@conference.{domain}",
        "isSystemMessage": "true" if sender is None else "false",
        "tokenAmount": "0",
        "quickReplies": "",
        "notDisplayedValue": "",
        "showInChannel": "false",
        "isReply": "false",
        "mainMessage": "",
        "push": "true",
    }
    made = element("message", CLIENT)
    if _is_file(message):
        said |= {_RENAMED.get(key, key): _plain(value) for key, value in (message.metadata or {}).items()}
        said["isMediafile"] = "true"
        made.children.append(element("store", HINTS))
    made.children += [Element("data", CLIENT, said), element("body", CLIENT, message.body)]
    return made


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
