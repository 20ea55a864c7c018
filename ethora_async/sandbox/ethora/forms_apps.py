"""The forms of bodies and queries about apps (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

import re

from ethora_async.sandbox.ethora.forms import PAGE, identifier, optional_text, uuid
from ethora_async.sandbox.ethora.validation import Field, Flag, Form, Items, Moment, Text, required

COLOUR = re.compile("#[0-9a-fA-F]{6}")
DOMAIN_NAME = re.compile("[a-zA-Z0-9]+")
MOST_ROOMS = 20
SORTS = (
    "displayName",
    "totalRegistered",
    "totalSessions",
    "totalApiCalls",
    "totalFiles",
    "totalTransactions",
    "createdAt",
    "totalChats",
)

domain_name: Text = Text(lower=True, max=63, pattern=DOMAIN_NAME, mismatch="must only contain alpha-numeric characters")

SETTINGS = {
    "appTagline": Field(optional_text),
    "primaryColor": Field(Text(pattern=COLOUR, mismatch="must be a color like #RRGGBB")),
    "logoImage": Field(optional_text),
    "sublogoImage": Field(optional_text),
    "loginScreenBackgroundImage": Field(optional_text),
    "bundleId": Field(optional_text),
    "usersCanFree": Field(Flag()),
    "defaultAccessProfileOpen": Field(Flag()),
    "defaultAccessAssetsOpen": Field(Flag()),
    "allowUsersToCreateRooms": Field(Flag()),
}
"""The fields of an app beside its names. The platform has more keys than are public, so others are accepted and
dropped.
"""

NEW_APP = Form(
    {
        "displayName": required(Text(trim=True)),
        "domainName": Field(domain_name),
        "createDefaultChat": Field(Flag(), default=False),
        **SETTINGS,
    },
    strict=False,
)
APP_CHANGE = Form(
    {"displayName": Field(Text(trim=True)), "domainName": Field(domain_name), **SETTINGS}, strict=False, filled=True
)
USER_DEFAULTS = Form(
    {key: SETTINGS[key] for key in ("usersCanFree", "defaultAccessProfileOpen", "defaultAccessAssetsOpen")},
    filled=True,
)
APP_ORDER = Form(
    {
        **PAGE.fields,
        "orderBy": Field(Text(choices=SORTS), default="createdAt"),
        "order": Field(Text(choices=("asc", "desc")), default="asc"),
        "includeArchived": Field(Flag(), default=False),
        "status": Field(Text(choices=("active", "archived"))),
    },
    strict=False,
)
APP_DELETION = Form(
    {"mode": Field(Text(choices=("soft", "hard")), default="soft"), "reason": Field(optional_text)}, strict=False
)
EXPORT = Form(
    {"format": Field(Text(choices=("json", "zip")), default="json"), "include": Field(optional_text, default="")},
    strict=False,
)
IMPORT = Form({"domainNameOverride": Field(domain_name)}, strict=False)
CHECK_DOMAIN = Form({"domainName": required(domain_name)})
TOKEN_LABEL = Form({"label": Field(optional_text)})
ROOM = Form({"title": required(Text(trim=True)), "pinned": Field(Flag(), default=False)})
PROVISION = Form({"rooms": Field(Items(ROOM, high=MOST_ROOMS), default=())}, strict=False)
ROOM_DELETION = Form({"chatJid": required(identifier)})
BOT_CHANGE = Form(
    {
        "status": Field(Text(choices=("on", "off"))),
        "trigger": Field(Text(choices=("any_message", "/bot"))),
        "isRAG": Field(Flag()),
        **dict.fromkeys(
            ("prompt", "greetingMessage", "botFirstName", "botLastName", "botDisplayName", "chatId", "savedAgentId"),
            Field(optional_text),
        ),
    },
)

_BUNDLE_USER = Form(
    {
        "uuid": required(uuid),
        "firstName": required(Text()),
        "lastName": Field(optional_text, default=""),
        "email": Field(Text(may_be_empty=True)),
        "tags": Field(Items(Text()), default=()),
    },
    strict=False,
)
_BUNDLE_CHAT = Form(
    {
        "uuid": required(uuid),
        "title": required(Text()),
        "description": Field(optional_text, default=""),
        "type": required(Text(choices=("public", "group"))),
        "members": Field(Items(identifier), default=()),
        "isAppChat": Field(Flag(), default=False),
    },
    strict=False,
)
SCHEMA_VERSION = "ethora.app.bundle.v1"
BUNDLE = Form(
    {
        "schemaVersion": required(Text(choices=(SCHEMA_VERSION,))),
        "app": required(
            Form({"displayName": required(Text(trim=True)), "domainName": Field(domain_name), **SETTINGS}, strict=False)
        ),
        "bot": Field(Form(BOT_CHANGE.fields, strict=False), default={}),
        "users": Field(Items(_BUNDLE_USER), default=()),
        "chats": Field(Items(_BUNDLE_CHAT), default=()),
    },
    strict=False,
)
PERIOD = Form({"startDate": Field(Moment()), "endDate": Field(Moment())}, strict=False)
