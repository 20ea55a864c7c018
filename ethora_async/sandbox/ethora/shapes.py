"""Records as the wire shows them (contract §1.4, §1.6).

Replies are supersets of what any known client reads (§8.1).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.ethora.records import UserKind
from ethora_async.sandbox.wire import Answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.ethora.records import App, Chat, User
    from ethora_async.sandbox.ethora.tokens import Signer

MY_CHATS_MEMBERS = 30


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
        "description": "",
        "tags": [],
        "profileImage": user.profile_image,
        "createdAt": timestamp(user.created_at),
        "updatedAt": timestamp(user.updated_at),
    }


def full_user(user: User, signer: Signer) -> dict[str, Any]:
    """Return the keys that a creation or a login answers with, the XMPP password included."""
    verified = {"loginType": "email", "email": user.email, "verified": True, "_id": user.id}
    return {
        **brief_user(user),
        "xmppPassword": signer.derive(f"xmpp:{user.id}"),
        "emails": [] if user.email is None else [verified],
        "roles": ["owner"] if user.kind is UserKind.OWNER else ["user"],
        "isProfileOpen": True,
        "isAssetsOpen": True,
        "isAgreeWithTerms": False,
        "homeScreen": "",
        "registrationChannelType": "b2b",
        "defaultWallet": {"walletAddress": ""},
    }


def member(user: User) -> dict[str, Any]:
    """Return a member of a chat."""
    return {
        "_id": user.id,
        "xmppUsername": user.xmpp_username,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "description": "",
        "profileImage": user.profile_image,
    }


def chat_record(chat: Chat) -> dict[str, Any]:
    """Return a chat without its members. `createdBy` is absent on chats that no user made."""
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
        "isAppChat": False,
        "reported": False,
        "usersCnt": len(chat.members),
        "createdAt": timestamp(chat.created_at),
        "updatedAt": timestamp(chat.updated_at),
    }


def chat_with_members(chat: Chat, most: int | None = None) -> dict[str, Any]:
    """Return a chat with its listed members, at most `most`."""
    members = chat.members.window(0, chat.members.listed if most is None else most)
    return {**chat_record(chat), "members": [member(user) for user in members]}


def app_config(app: App, xmpp_host: str, app_token: str) -> dict[str, Any]:
    """Return what `GET /v1/apps/get-config` tells a front end about an app."""
    return {
        "_id": app.id,
        "displayName": app.display_name,
        "domainName": app.domain_name,
        "appToken": app_token,
        "xmppHost": xmpp_host,
        "isBaseApp": app.parent is None,
        "isAllowedNewAppCreate": app.parent is None,
        "parentAppId": None if app.parent is None else app.parent.id,
        "defaultRooms": [],
        "aiBot": {"status": "off"},
        "signonOptions": ["email"],
        "allowUsersToCreateRooms": True,
        "status": "active",
        "archivedAt": None,
        "createdAt": timestamp(app.created_at),
    }


def listing(alias: str, rows: Iterable[Any], *, total: int, limit: int, offset: int) -> Answer:
    """Answer with a page, under the keys `results`, `items` and the resource's own name; encoded once."""
    encoded = orjson.Fragment(orjson.dumps(list(rows)))
    return json_answer(
        {
            "ok": True,
            "success": True,
            "results": encoded,
            "items": encoded,
            alias: encoded,
            "total": total,
            "limit": limit,
            "offset": offset,
        }
    )
