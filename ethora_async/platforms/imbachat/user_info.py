"""User records for the chat server (docs/platforms/imbachat.md#users-info)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.records import email_text, required_text


def _user_id(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        msg = f"user_id must be an int or text, not {type(value).__name__}"
        raise InvalidInputError(msg, field="user_id")
    return required_text(value, "user_id") if isinstance(value, str) else value


def _name(value: Any) -> str:
    return required_text(value, "name")


def _avatar_url(value: Any) -> str | None:
    return _web_url(value, "avatar_url")


def _profile_url(value: Any) -> str | None:
    return _web_url(value, "profile_url")


def _web_url(value: Any, field: str) -> str | None:
    if value is None:
        return None
    text = required_text(value, field)
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or any(character.isspace() or not character.isprintable() for character in text):
        msg = f"{field} must be an absolute http(s) URL"
        raise InvalidInputError(msg, field=field)
    return text


def _moment(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            msg = "last_login must say its time zone: pass an aware datetime, or seconds since the epoch"
            raise InvalidInputError(msg, field="last_login")
        return int(value.timestamp())
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 2**53:
        msg = f"last_login must be a datetime or seconds since the epoch, not {type(value).__name__}"
        raise InvalidInputError(msg, field="last_login")
    return int(value)


def _email(value: Any) -> str | None:
    return None if value is None else email_text(value)


@attrs.frozen(kw_only=True)
class Profile:
    """One of a user's further profiles. `user_id` is text such as ``P11-A``."""

    user_id: int | str = attrs.field(converter=_user_id)
    name: str = attrs.field(converter=_name)
    avatar_url: str | None = attrs.field(default=None, converter=_avatar_url)

    def wire(self) -> dict[str, Any]:
        """Return the profile in the chat server's format."""
        return _stated({"user_id": self.user_id, "name": self.name, "avatar_url": self.avatar_url})


@attrs.frozen(kw_only=True)
class UserInfo:
    """One of your users, as the chat shows them. Fields that are None are left out.

    Attributes:
        user_id: your own id, as in the user's token.
        avatar_url, profile_url: absolute http(s) URLs.
        last_login: an aware `datetime`, or seconds since the epoch.
        badge: the value of a column of your own; any JSON value.
        profiles: further profiles of the user by key.
        email: personal data, which the chat does not need: left out unless you set it.
        chat_role: ``"admin"`` or ``"user"``.
        permissions: the user's permissions in the chat (``send_message``, ``send_files``, ``audio_calls``, …).
        extra: further fields of the answer.

    Raises:
        InvalidInputError: a value is invalid.
    """

    user_id: int | str = attrs.field(converter=_user_id)
    name: str = attrs.field(converter=_name)
    avatar_url: str | None = attrs.field(default=None, converter=_avatar_url)
    profile_url: str | None = attrs.field(default=None, converter=_profile_url)
    last_login: int | None = attrs.field(default=None, converter=_moment)
    badge: Any = None
    profiles: Mapping[str, Profile] | None = attrs.field(default=None, hash=False)
    email: str | None = attrs.field(default=None, converter=_email, repr=False)
    chat_role: Literal["admin", "user"] | None = None
    permissions: Mapping[str, bool] | None = attrs.field(default=None, hash=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.chat_role not in (None, "admin", "user"):
            msg = f"chat_role must be 'admin' or 'user', not {self.chat_role!r}"
            raise InvalidInputError(msg, field="chat_role")
        if not all(isinstance(one, Profile) for one in (self.profiles or {}).values()):
            msg = "every value of profiles must be a Profile"
            raise InvalidInputError(msg, field="profiles")
        if not all(isinstance(one, bool) for one in (self.permissions or {}).values()):
            msg = "every value of permissions must be True or False"
            raise InvalidInputError(msg, field="permissions")

    def wire(self) -> dict[str, Any]:
        """Return the user in the chat server's format."""
        profiles = {str(key): profile.wire() for key, profile in (self.profiles or {}).items()}
        stated = {
            "user_id": self.user_id,
            "name": self.name,
            "avatar_url": self.avatar_url,
            "profile_url": self.profile_url,
            "lastlogin": self.last_login,
            "badge": self.badge,
            "profiles": profiles or None,
            "user_mail": self.email,
            "chat_role": self.chat_role,
            "permissions": dict(self.permissions) if self.permissions is not None else None,
        }
        return {**_stated(self.extra), **_stated(stated)} if self.extra else _stated(stated)


def _stated(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
