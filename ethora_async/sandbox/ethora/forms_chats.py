"""The forms of bodies and queries about chats (docs/platforms/ethora.md#chats, #older-guide)."""

from __future__ import annotations

import re

from ethora_async.sandbox.ethora.forms import PAGE, identifier, optional_text
from ethora_async.sandbox.ethora.validation import (
    Anything,
    Field,
    Flag,
    Form,
    Items,
    Moment,
    Reference,
    Text,
    Whole,
    required,
)

CODE = re.compile("[01]{4}")

CHAT_CHANGE = Form({"title": Field(Text()), "description": Field(optional_text)}, filled=True)
CHAT_META = Form(
    {
        "name": required(identifier),
        "data": required(
            Form({"chatJid": Field(identifier), "title": Field(Text()), "description": Field(optional_text)})
        ),
    }
)
CHAT_DELETION = Form({"name": Field(identifier), "chatName": Field(identifier)})
CHAT_MEMBERS = Form({"chatName": required(identifier), "members": required(Items(identifier, low=1))})

pair: Items = Items(identifier, low=1, high=2)
PRIVATE_CHAT = Form(
    {
        "username": Field(identifier),
        "members": Field(pair),
        "users": Field(pair),
        "title": Field(optional_text),
        "uuid": Field(identifier),
        "e2ee": Field(Flag(), default=False),
    },
    one_of=(("username", "members", "users"),),
)
CHAT_REPORT = Form(
    {"category": Field(Text()), "text": Field(optional_text), "reason": Field(Text())},
    one_of=(("category", "reason"),),
)
BROADCAST = Form(
    {
        "text": required(Text(max=4000)),
        "senderName": Field(Text(max=120)),
        "allRooms": Field(Flag()),
        "chatIds": Field(Items(identifier)),
        "chatNames": Field(Items(identifier)),
        "metadata": Field(Anything()),
        "dryRun": Field(Flag(), default=False),
    }
)
ARCHIVE = Form({**PAGE.fields, "before": Field(identifier)}, strict=False)
CONTEXT = Form(
    {
        "aroundStanzaId": Field(identifier),
        "aroundMessageId": Field(identifier),
        "radius": Field(Whole(0, 100), default=10),
    },
    strict=False,
    one_of=(("aroundStanzaId", "aroundMessageId"),),
)
SEARCH = Form(
    {
        **PAGE.fields,
        "q": required(Text(trim=True)),
        "mode": Field(Text(choices=("substring", "fulltext")), default="substring"),
        "chatId": Field(identifier),
        "fromUserId": Field(identifier),
        "since": Field(Moment()),
        "until": Field(Moment()),
        "sort": Field(Text(choices=("relevance", "date")), default="relevance"),
    },
    strict=False,
)

OLDER_CHAT = Form(
    {
        "UUID": Field(Reference()),
        "access": Field(Text(choices=("public", "private")), default="private"),
        "title": Field(Text()),
    }
)
OLDER_DELETION = Form(
    {"UUID": Field(Reference()), "chatUuid": Field(Reference()), "chatJid": Field(identifier)},
    one_of=(("UUID", "chatUuid", "chatJid"),),
)
OLDER_ACCESS = Form(
    {
        "chatUuid": Field(Reference()),
        "chatJid": Field(identifier),
        "userUuid": Field(Reference()),
        "userJid": Field(identifier),
        "accessCode": required(Text(pattern=CODE, mismatch="must be four digits, each 0 or 1")),
        "accessTimer": Field(Whole(0, 10**9), default=0),
    },
    one_of=(("chatUuid", "chatJid"), ("userUuid", "userJid")),
)
