"""The forms of bodies and queries about users and sessions (docs/platforms/ethora.md#users, #sessions)."""

from __future__ import annotations

from ethora_async.sandbox.ethora.forms import BATCH_LIMIT, PAGE, email, identifier, optional_text, uri
from ethora_async.sandbox.ethora.validation import Anything, Field, Flag, Form, Items, Rule, Text, Whole, required

MOST_TAGS = 100
MOST_DAYS = 365
ids: Items = Items(identifier, low=1)
name: Text = Text(max=60)
password: Text = Text(min=4)

USER_IDS = Form({"usersIdList": required(ids)})
USER_TAGS = Form(
    {
        "usersIdList": Field(ids),
        "userIdList": Field(ids),
        "tagsList": required(Items(Text(trim=True), high=MOST_TAGS)),
    },
    one_of=(("usersIdList", "userIdList"),),
)
"""Newer examples of the vendor use `userIdList`."""
IMPORTED = Form({"email": required(email), "firstName": required(name), "lastName": Field(name)})
IMPORT_MANY = Form({"usersList": required(Items(IMPORTED, low=1, high=BATCH_LIMIT))})
USER_LIST = Form(
    {
        **PAGE.fields,
        "orderBy": Field(Text(choices=("createdAt", "email", "firstName", "lastName")), default="createdAt"),
        "order": Field(Text(choices=("asc", "desc")), default="asc"),
    },
    strict=False,
)
UNREAD = Form(
    {
        "userIds": required(Items(identifier, low=1, high=BATCH_LIMIT)),
        "mode": Field(Text(choices=("count", "flag")), default="count"),
        "cap": Field(Whole(1)),
        "concurrency": Field(Whole(1)),
    }
)
ACL = Form({"application": Field(Anything()), "network": Field(Anything())}, filled=True)

PROFILE = Form(
    {
        "firstName": Field(name),
        "lastName": Field(name),
        "username": Field(optional_text),
        "description": Field(Text(min=5, max=300, may_be_empty=True)),
        "phone": Field(Text(min=5, may_be_empty=True)),
        "address": Field(Text(min=3, max=30, may_be_empty=True)),
        "homeScreen": Field(optional_text),
        "isProfileOpen": Field(Flag()),
        "isAssetsOpen": Field(Flag()),
        "profileImage": Field(uri),
    }
)

_app: dict[str, Field] = {"appId": Field(identifier)}


def _sign_up(last_name: Rule, further: dict[str, Field]) -> Form:
    return Form(
        {"email": required(email), "firstName": required(name), "lastName": Field(last_name), **further, **_app}
    )


SIGN_UP_V1 = _sign_up(name, {})
SIGN_UP_V2 = _sign_up(
    Text(max=60, may_be_empty=True),
    {"password": required(password), "cfToken": Field(optional_text), "utm": Field(optional_text)},
)
LOGIN = Form({"email": required(email), "password": required(Text()), **_app})
LOGIN_CODE = Form({"mfaToken": required(Text()), "code": required(Text(trim=True)), **_app})
REFRESH = Form({"refreshToken": Field(identifier)}, strict=False)
LOGOUT = Form({"type": Field(Text(choices=("all", "current", "except-current")), default="current")}, strict=False)
FORGOT = Form({"email": required(email), **_app})
RESET = Form({"token": required(Text()), "password": required(password)})
NEW_API_KEY = Form({"name": Field(optional_text, default=""), "ttlDays": Field(Whole(1, MOST_DAYS), default=90)})
SHARE_LINK = Form({"fileId": required(identifier)}, strict=False)
SECURE_FILE = Form({"chatName": required(identifier)}, strict=False)
