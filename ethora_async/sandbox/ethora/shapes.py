"""The wire format of records (docs/platforms/ethora.md#users, #chats, #apps).

Replies contain every key that any known client reads (docs/platforms/ethora.md#shapes-of-the-sandbox).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.ethora.records import UserKind
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.files import StoredFile
    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.tokens import Signer

MY_CHATS_MEMBERS = 30
RECENT_MESSAGES = 1_000
MOST_UNREAD = 99


@lru_cache(maxsize=4096)
def timestamp(seconds: float) -> str:
    """Write a time as the platform does: `2026-10-01T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03d}Z"


def brief_user(user: User) -> dict[str, Any]:
    """Return the keys of a listing or a look-up."""
    return {
        "_id": user.id,
        "uuid": user.uuid,
        "appId": user.app.id,
        "xmppUsername": user.xmpp_username,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "username": user.username,
        "description": user.profile.description,
        "tags": user.profile.tags,
        "profileImage": user.profile_image,
        "createdAt": timestamp(user.created_at),
        "updatedAt": timestamp(user.updated_at),
    }


def full_user(user: User, signer: Signer) -> dict[str, Any]:
    """Return the keys of the reply to a creation or a login, including the XMPP password."""
    verified = {"loginType": "email", "email": user.email, "verified": True, "_id": user.id}
    return {
        **brief_user(user),
        "xmppPassword": signer.derive(f"xmpp:{user.id}"),
        "emails": [] if user.email is None else [verified],
        "roles": ["owner"] if user.kind is UserKind.OWNER else ["user"],
        "isProfileOpen": user.profile.open,
        "isAssetsOpen": user.profile.assets_open,
        "isAgreeWithTerms": False,
        "homeScreen": user.profile.home_screen,
        "phone": user.profile.phone,
        "address": user.profile.address,
        "registrationChannelType": "b2b",
        "defaultWallet": {"walletAddress": user.xmpp_username},
    }


def member(user: User) -> dict[str, Any]:
    """Return a member of a chat."""
    return {
        "_id": user.id,
        "xmppUsername": user.xmpp_username,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "description": user.profile.description,
        "profileImage": user.profile_image,
    }


def chat_record(chat: Chat) -> dict[str, Any]:
    """Return a chat without its members. `createdBy` is absent on chats that no user created."""
    creator = {} if chat.creator is None else {"createdBy": chat.creator.id}
    return {
        "_id": chat.id,
        "name": chat.name,
        "title": chat.title,
        "description": chat.description,
        "type": chat.type,
        "picture": chat.picture,
        "appId": chat.app.id,
        **creator,
        "isAppChat": chat.is_app_chat,
        "reported": chat.reported,
        "usersCnt": len(chat.members),
        "createdAt": timestamp(chat.created_at),
        "updatedAt": timestamp(chat.updated_at),
    }


def chat_with_members(chat: Chat, most: int | None = None) -> dict[str, Any]:
    """Return a chat with its listed members, at most `most`."""
    members = chat.members.window(0, chat.members.listed if most is None else most)
    return {**chat_record(chat), "members": [member(user) for user in members]}


def my_chat(chat: Chat, user: User) -> dict[str, Any]:
    """Return a chat for one of its members, with its most recently active members and its last message."""
    unread = chat.unread(user)
    return {
        **chat_record(chat),
        "members": [member(one) for one in _recently_active(chat)],
        "muted": chat.muted_by(user),
        "unreadCount": min(unread, MOST_UNREAD),
        "unreadCapped": unread > MOST_UNREAD,
        "lastMessage": last_message(chat, user),
    }


def last_message(chat: Chat, user: User) -> dict[str, Any] | None:
    """Return the newest message of a chat as a list of chats shows it to `user`; None if there is none."""
    if not chat.messages:
        return None
    message = chat.messages[-1]
    found, sender = found_message(chat, message), message.sender
    shown = {key: found[key] for key in ("body", "from", "fromUserId", "messageId", "stanzaId", "createdAt")}
    return {
        **shown,
        "senderFirstName": chat.app.display_name if sender is None else sender.first_name,
        "senderLastName": "" if sender is None else sender.last_name,
        "isOwn": sender is user,
    }


def _recently_active(chat: Chat) -> list[User]:
    """Return at most 30 listed members: those who wrote last, then the others in order of joining."""
    listed = chat.members.window(0, chat.members.listed)
    if len(listed) <= MY_CHATS_MEMBERS:
        return listed
    known = set(listed)
    spoke = dict.fromkeys(message.sender for message in reversed(chat.messages[-RECENT_MESSAGES:]))
    active = [user for user in spoke if user is not None and user in known]
    return list(dict.fromkeys([*active, *listed]))[:MY_CHATS_MEMBERS]


def sender_name(chat: Chat, message: Message[User]) -> str:
    """Return the sender: a user, or the app under the name given for a broadcast."""
    if message.sender is not None:
        return f"{message.sender.first_name} {message.sender.last_name}".strip()
    named = message.metadata.get("senderName") if isinstance(message.metadata, dict) else None
    return named if isinstance(named, str) and named else chat.app.display_name


def message_record(chat: Chat, message: Message[User]) -> dict[str, Any]:
    """Return a message of a chat's archive; `ts` is in milliseconds."""
    sender = message.sender
    is_shown = message.metadata is not None and message.deleted_at is None
    metadata = {"metadata": message.metadata} if is_shown else {}
    return {
        "id": str(message.stanza),
        "originId": message.id,
        "ts": int(message.sent_at * 1000),
        "from": chat.app.id if sender is None else sender.xmpp_username,
        "nick": sender_name(chat, message),
        "body": message.body,
        **metadata,
    }


def found_message(chat: Chat, message: Message[User]) -> dict[str, Any]:
    """Return a message that a search found."""
    sender = message.sender
    deleted = {} if message.deleted_at is None else {"deletedAt": timestamp(message.deleted_at)}
    return {
        "_id": message.id,
        "chatId": chat.id,
        "chatType": chat.type,
        "room": chat.name,
        "from": chat.app.id if sender is None else sender.xmpp_username,
        "fromUserId": None if sender is None else sender.id,
        "body": message.body,
        "messageId": message.id,
        "stanzaId": str(message.stanza),
        "createdAt": timestamp(message.sent_at),
        **deleted,
    }


def file_record(file: StoredFile, origin: str) -> dict[str, Any]:
    """Return an uploaded file; `origin` is where this server was called."""
    location = f"{origin}/files/{file.filename}"
    return {
        "_id": file.id,
        "userId": file.owner.id,
        "ownerKey": file.owner.xmpp_username,
        "location": location,
        "locationPreview": location,
        "originalname": file.content.name,
        "filename": file.filename,
        "mimetype": file.content.mimetype,
        "size": file.content.size,
        "expiresAt": None,
        "isPrivate": file.private,
        "createdAt": timestamp(file.created_at),
        "updatedAt": timestamp(file.created_at),
    }


def listing(
    alias: str, rows: Iterable[Any], *, total: int, limit: int, offset: int, further: dict[str, Any] | None = None
) -> Reply:
    """Reply with a page, under the keys `results`, `items` and the resource's own name; encoded once."""
    encoded = orjson.Fragment(orjson.dumps(list(rows)))
    return json_reply(
        {
            "ok": True,
            "success": True,
            "results": encoded,
            "items": encoded,
            alias: encoded,
            "total": total,
            "limit": limit,
            "offset": offset,
            **(further or {}),
        }
    )
