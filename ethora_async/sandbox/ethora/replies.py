"""The JSON Schema of replies, for the OpenAPI document.

Objects are closed: the tests fail for a served key that is not declared here, and for a missing one. A `?` at the end
of a name marks a key that may be absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
Replies = Mapping[int, Schema]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
MAP: Schema = {"type": "object"}


def ref(name: str) -> Schema:
    """Return a reference to a record in `RECORDS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(schema: Schema) -> Schema:
    """Return an array of such values."""
    return {"type": "array", "items": schema}


def closed(fields: Mapping[str, Schema]) -> Schema:
    """Return an object with exactly these keys."""
    return {
        "type": "object",
        "properties": {name.removesuffix("?"): schema for name, schema in fields.items()},
        "required": [name for name in fields if not name.endswith("?")],
        "additionalProperties": False,
    }


def success(fields: Mapping[str, Schema] | None = None) -> Schema:
    """Return the object of a reply: the keys that report success, and these."""
    return closed({"ok?": FLAG, "success?": FLAG, **(fields or {})})


def result(schema: Schema) -> Replies:
    """Reply 200 with one value under `result`."""
    return {200: success({"result": schema})}


def listed(alias: str, schema: Schema, further: Mapping[str, Schema] | None = None) -> Replies:
    """Reply 200 with a page of such values, under the keys that clients read."""
    keys = dict.fromkeys(("results", "items", alias), many(schema))
    return {200: success({**keys, "total": COUNT, "limit": COUNT, "offset": COUNT, **(further or {})})}


def job(outcome: Schema) -> Replies:
    """Reply 200 with the state of a job."""
    states: Schema = {"type": "string", "enum": ["pending", "running", "completed", "failed"]}
    return {
        200: success({"jobId": TEXT, "state": states, "createdAt": TIME, "result?": outcome, "error?": TEXT}),
    }


OK: Replies = {200: success()}
STARTED: Replies = {202: success({"jobId": TEXT, "statusUrl": TEXT})}

_BRIEF: dict[str, Schema] = {
    **dict.fromkeys(("_id", "uuid", "appId", "xmppUsername", "firstName", "lastName", "description"), TEXT),
    **dict.fromkeys(("email", "username", "profileImage"), MAYBE_TEXT),
    "tags": many(TEXT),
    "createdAt": TIME,
    "updatedAt": TIME,
}
_FULL: dict[str, Schema] = {
    **_BRIEF,
    "xmppPassword": TEXT,
    "emails": many(closed({"loginType": TEXT, "email": TEXT, "verified": FLAG, "_id": TEXT})),
    "roles": many(TEXT),
    **dict.fromkeys(("isProfileOpen", "isAssetsOpen", "isAgreeWithTerms"), FLAG),
    **dict.fromkeys(("homeScreen", "registrationChannelType", "phone", "address"), TEXT),
    "defaultWallet": closed({"walletAddress": TEXT}),
}
_MEMBER: dict[str, Schema] = {
    **dict.fromkeys(("_id", "xmppUsername", "firstName", "lastName", "description"), TEXT),
    "profileImage": MAYBE_TEXT,
}
_CHAT: dict[str, Schema] = {
    **dict.fromkeys(("_id", "name", "title", "description", "appId"), TEXT),
    "type": {"type": "string", "enum": ["public", "group", "private"]},
    "picture": MAYBE_TEXT,
    "createdBy?": TEXT,
    "isAppChat": FLAG,
    "reported": FLAG,
    "usersCnt": COUNT,
    "createdAt": TIME,
    "updatedAt": TIME,
}
_BOT: dict[str, Schema] = {
    "status": {"type": "string", "enum": ["on", "off"]},
    "trigger": {"type": "string", "enum": ["any_message", "/bot"]},
    "isRAG": FLAG,
    **dict.fromkeys(("prompt", "greetingMessage", "botFirstName", "botLastName", "botDisplayName"), TEXT),
    **dict.fromkeys(("chatId", "savedAgentId"), MAYBE_TEXT),
}
_ROOM: dict[str, Schema] = {
    **dict.fromkeys(("_id", "chatId", "jid", "title"), TEXT),
    "creator": MAYBE_TEXT,
    "pinned": FLAG,
}
_APP_HEAD: dict[str, Schema] = {
    **dict.fromkeys(("_id", "displayName", "domainName"), TEXT),
    "parentAppId": MAYBE_TEXT,
    **dict.fromkeys(("isBaseApp", "isAllowedNewAppCreate", "allowUsersToCreateRooms"), FLAG),
    "status": {"type": "string", "enum": ["active", "archived"]},
    "archivedAt": MAYBE_TIME,
    "createdAt": TIME,
    "updatedAt": TIME,
    "defaultRooms": many(ref("DefaultRoom")),
    "aiBot": {"anyOf": [ref("Bot"), {"type": "null"}]},
    "signonOptions": many(TEXT),
    **dict.fromkeys(("appTagline", "primaryColor", "bundleId"), TEXT),
    **dict.fromkeys(("logoImage", "sublogoImage", "loginScreenBackgroundImage"), TEXT),
    **dict.fromkeys(("usersCanFree", "defaultAccessProfileOpen", "defaultAccessAssetsOpen"), FLAG),
    "appToken": TEXT,
}
_APP: dict[str, Schema] = {
    **_APP_HEAD,
    "creatorId": MAYBE_TEXT,
    "appSecret?": TEXT,
    **dict.fromkeys(
        ("totalRegistered", "totalChats", "totalSessions", "totalApiCalls", "totalFiles", "totalTransactions"), COUNT
    ),
}
_MESSAGE: dict[str, Schema] = {
    **dict.fromkeys(("id", "originId", "from", "nick", "body"), TEXT),
    "ts": COUNT,
    "metadata?": MAP,
}
_LAST_MESSAGE: dict[str, Schema] = {
    **dict.fromkeys(("body", "from", "messageId", "stanzaId", "senderFirstName", "senderLastName"), TEXT),
    "fromUserId": MAYBE_TEXT,
    "createdAt": TIME,
    "isOwn": FLAG,
}
_HIT: dict[str, Schema] = {
    **dict.fromkeys(("_id", "chatId", "chatType", "room", "from", "body", "messageId", "stanzaId"), TEXT),
    "fromUserId": MAYBE_TEXT,
    "createdAt": TIME,
    "deletedAt?": TIME,
}
_FILE: dict[str, Schema] = {
    **dict.fromkeys(("_id", "userId", "ownerKey", "location", "locationPreview"), TEXT),
    **dict.fromkeys(("originalname", "filename", "mimetype"), TEXT),
    "size": COUNT,
    "expiresAt": {"type": "null"},
    "isPrivate": FLAG,
    "createdAt": TIME,
    "updatedAt": TIME,
}
_APP_TOKEN: dict[str, Schema] = {
    "tokenId": TEXT,
    "label": TEXT,
    "status": {"type": "string", "enum": ["active", "revoked"]},
    "createdAt": TIME,
    "rotatedAt": MAYBE_TIME,
    "revokedAt": MAYBE_TIME,
}
_API_KEY: dict[str, Schema] = {"_id": TEXT, "name": TEXT, "createdAt": TIME, "expiresAt": TIME}
TOKENS: dict[str, Schema] = dict.fromkeys(("token", "refreshToken", "wsToken"), TEXT)
SESSION: dict[str, Schema] = {
    **TOKENS,
    "user": ref("OwnUser"),
    "isAllowedNewAppCreate": FLAG,
}

RECORDS: dict[str, Schema] = {
    "Error": closed(
        {
            "success": FLAG,
            "error": TEXT,
            "requestId": TEXT,
            "code?": TEXT,
            "details?": MAP,
            "authFlow?": TEXT,
            "exists?": FLAG,
        }
    ),
    "User": closed(_BRIEF),
    "OwnUser": closed(_FULL),
    "Member": closed(_MEMBER),
    "Chat": closed(_CHAT),
    "ChatWithMembers": closed({**_CHAT, "members": many(ref("Member"))}),
    "LastMessage": closed(_LAST_MESSAGE),
    "MyChat": closed(
        {
            **_CHAT,
            "members": many(ref("Member")),
            "muted": FLAG,
            "unreadCount": {**COUNT, "maximum": 99},
            "unreadCapped": FLAG,
            "lastMessage": {"anyOf": [ref("LastMessage"), {"type": "null"}]},
        }
    ),
    "App": closed(_APP),
    "AppConfig": closed(
        {
            **_APP_HEAD,
            "xmppHost": TEXT,
            "systemChatAccount": closed({"jid": TEXT}),
            "e2eeEnabled": FLAG,
            "translateLanguages": many(TEXT),
        }
    ),
    "Bot": closed(_BOT),
    "DefaultRoom": closed(_ROOM),
    "Message": closed(_MESSAGE),
    "FoundMessage": closed(_HIT),
    "File": closed(_FILE),
    "AppToken": closed(_APP_TOKEN),
    "NewAppToken": closed({**_APP_TOKEN, "token": TEXT}),
    "ApiKey": closed(_API_KEY),
    "NewApiKey": closed({**_API_KEY, "apiKey": TEXT, "token": TEXT}),
}
