"""The forms of bodies and queries (docs/platforms/ethora.md#users, #chats)."""

from __future__ import annotations

import re

import attrs

from ethora_async.sandbox.ethora.validation import Field, Flag, Form, Items, Rule, Text, Whole, required

BATCH_LIMIT = 100
PAGE_LIMIT = 500
PAGE_DEFAULT = 100

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+")
LOCAL_PART = re.compile(r"[^\s@/\x00-\x1f\x7f]*")

email: Text = Text(trim=True, lower=True, pattern=EMAIL, mismatch="must be a valid email")
uri: Text = Text(pattern=URI, mismatch="must be a valid uri")
optional_text: Text = Text(may_be_empty=True)
identifier: Text = Text(trim=True)
# One character is enough: the minimum of two is a rule of the playground's form, and ids such as 7 are common.
uuid: Text = Text(trim=True, pattern=LOCAL_PART, mismatch="fails to match the required pattern")

PAGE = Form(
    {
        "limit": Field(Whole(1, PAGE_LIMIT), default=PAGE_DEFAULT),
        "offset": Field(Whole(0), default=0),
        "includeMembers": Field(Flag(), default=False),
    },
    strict=False,
)
USER_SEARCH = Form(
    {
        **PAGE.fields,
        "chatName": Field(identifier),
        "xmppUsername": Field(identifier),
        "userId": Field(identifier),
    },
    strict=False,
)
USER_ORDER = Form(
    {
        **PAGE.fields,
        "orderBy": Field(Text(choices=("firsName", "firstName", "lastName", "createdAt")), default="createdAt"),
        "order": Field(Text(choices=("asc", "desc")), default="asc"),
    },
    strict=False,
)
DOMAIN = Form({"domainName": required(Text())}, strict=False)
USER_DELETION = Form({"usersIdList": required(Items(identifier, low=1))})


@attrs.frozen
class Forms:
    """The forms that depend on how strict this deployment is about names."""

    user: Form
    users: Form
    user_changes: Form
    chat: Form

    @classmethod
    def of(cls, *, lenient: bool) -> Forms:
        """Build them: names of at least 2 characters, or 1 and no last name needed when `lenient`."""
        name = Text(min=1 if lenient else 2)
        user = _user_fields(name, last_name=Field(name, required=not lenient))
        return cls(
            user=Form({**user, "email": Field(email)}, rivals=("profileImage", "profileImageFileIndex")),
            users=Form(
                {
                    "usersList": required(
                        Items(
                            Form(user, rivals=("profileImage", "profileImageFileIndex")),
                            low=1,
                            high=BATCH_LIMIT,
                        )
                    ),
                    "bypassEmailConfirmation": Field(Flag(), default=False),
                }
            ),
            user_changes=Form({"users": required(Items(_user_change(name), low=1, high=BATCH_LIMIT))}),
            chat=Form(
                {
                    "title": required(Text()),
                    "type": Field(Text(choices=("public", "group")), default="group"),
                    "uuid": Field(uuid),
                    "description": Field(optional_text, default=""),
                    "picture": Field(optional_text),
                    "members": Field(Items(identifier), default=()),
                }
            ),
        )


def _user_fields(name: Rule, *, last_name: Field) -> dict[str, Field]:
    return {
        "email": required(email),
        "firstName": required(name),
        "lastName": last_name,
        "password": Field(Text(min=4)),
        "uuid": Field(uuid),
        "profileImage": Field(uri),
        "profileImageFileIndex": Field(Whole(0)),
        "displayName": Field(optional_text),
    }


def _user_change(name: Rule) -> Form:
    return Form(
        {
            "xmppUsername": required(identifier),
            "uuid": Field(identifier),
            "firstName": Field(name),
            "lastName": Field(name),
            "username": Field(optional_text),
            "profileImage": Field(optional_text),
        }
    )
