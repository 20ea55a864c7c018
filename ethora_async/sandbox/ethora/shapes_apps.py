"""The wire format of apps (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.shapes import timestamp

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.credentials import ApiKey
    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import App, AppToken, DefaultRoom

UNTOUCHED: dict[str, Any] = {
    "appTagline": "",
    "primaryColor": "#0052CD",
    "logoImage": "",
    "sublogoImage": "",
    "loginScreenBackgroundImage": "",
    "bundleId": "",
    "usersCanFree": False,
    "defaultAccessProfileOpen": True,
    "defaultAccessAssetsOpen": True,
    "allowUsersToCreateRooms": True,
}


def app_record(app: App, platform: Platform, *, secret: bool = False) -> dict[str, Any]:
    """Return an app as its managers see it."""
    return {
        **_head(app, platform),
        "creatorId": None if app.creator is None else app.creator.id,
        **({"appSecret": app.secret} if secret else {}),
        **{name: total(app, platform, name) for name in TOTALS},
    }


def app_config(app: App, platform: Platform) -> dict[str, Any]:
    """Return what `GET /v1/apps/get-config` tells a front end about an app."""
    return {
        **_head(app, platform),
        "xmppHost": platform.xmpp_host,
        "systemChatAccount": {"jid": f"{app.id}_{app.id}@{platform.xmpp_host}"},
        "e2eeEnabled": False,
        "translateLanguages": [],
    }


def default_room(room: DefaultRoom) -> dict[str, Any]:
    """Return a default room; `jid` is the local part of its JID."""
    creator = room.chat.creator or room.chat.app.owner
    return {
        "_id": room.id,
        "chatId": room.chat.id,
        "jid": room.chat.name,
        "title": room.chat.title,
        "creator": None if creator is None else creator.id,
        "pinned": room.pinned,
    }


def app_token_record(token: AppToken) -> dict[str, Any]:
    """Return the record of an app token, without its value."""
    return {
        "tokenId": token.id,
        "label": token.label,
        "status": "active" if token.active else "revoked",
        "createdAt": timestamp(token.created_at),
        "rotatedAt": None if token.rotated_at is None else timestamp(token.rotated_at),
        "revokedAt": None if token.revoked_at is None else timestamp(token.revoked_at),
    }


def api_key_record(key: ApiKey) -> dict[str, Any]:
    """Return the record of an API key, without its value."""
    return {
        "_id": key.id,
        "name": key.name,
        "createdAt": timestamp(key.created_at),
        "expiresAt": timestamp(key.expires_at),
    }


TOTALS = ("totalRegistered", "totalChats", "totalSessions", "totalApiCalls", "totalFiles", "totalTransactions")


def total(app: App, platform: Platform, name: str) -> int:
    """Return the totals of users, chats and files; the platform's other totals are 0 here."""
    if name == "totalRegistered":
        return len(app.users)
    if name == "totalChats":
        return len(app.chats)
    return platform.shelf.count(app) if name == "totalFiles" else 0


def _head(app: App, platform: Platform) -> dict[str, Any]:
    return {
        "_id": app.id,
        "displayName": app.display_name,
        "domainName": app.domain_name,
        "parentAppId": None if app.parent is None else app.parent.id,
        "isBaseApp": app.parent is None,
        "isAllowedNewAppCreate": app.parent is None,
        "status": "archived" if app.archived else "active",
        "archivedAt": None if app.archived_at is None else timestamp(app.archived_at),
        "createdAt": timestamp(app.created_at),
        "updatedAt": timestamp(app.updated_at),
        "defaultRooms": [default_room(room) for room in app.rooms],
        "aiBot": app.bot,
        "signonOptions": ["email"],
        **UNTOUCHED,
        **app.settings,
        "appToken": platform.app_token(app),
    }
