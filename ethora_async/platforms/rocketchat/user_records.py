"""Arguments about users, beside `NewUser`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.platforms.rocketchat.names import lookup
from ethora_async.records import Id, email_text, required_text
from ethora_async.redaction import Secret


def _id(value: Id) -> str:
    return lookup(value)


def _name(value: str | None) -> str | None:
    return None if value is None else " ".join(required_text(value, "name").split())


def _email(value: str | None) -> str | None:
    return None if value is None else email_text(value)


def _password(value: str | Secret | None) -> Secret | None:
    if value is None:
        return None
    if not value:
        msg = "password is empty"
        raise InvalidInputError(msg, field="password")
    return value if isinstance(value, Secret) else Secret(value)


def role_names(value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return roles as a tuple; a single text is one role.

    Raises:
        InvalidInputError: one is empty or not text.
    """
    if value is None:
        return None
    return tuple(required_text(role, "roles") for role in ([value] if isinstance(value, str) else value))


@attrs.frozen(kw_only=True)
class UserChange:
    """A change of a user; None leaves a field unchanged.

    Attributes:
        id: the user name, or a `RecordId`.
        name: the whole name as it is shown.
        email: the address; it counts as unverified unless `verified` says otherwise.
        username: a new user name, which is a new id.
        password: masked.
        active: whether the user may log in; False ends all sessions.
        roles: all the user's roles, replacing the existing ones.
        custom_fields: by the names that the server defines.

    Raises:
        InvalidInputError: a field cannot be used; its `field` names it.
    """

    id: str = attrs.field(converter=_id)
    name: str | None = attrs.field(default=None, converter=_name)
    email: str | None = attrs.field(default=None, converter=_email)
    username: str | None = None
    password: Secret | None = attrs.field(default=None, converter=_password)
    active: bool | None = None
    verified: bool | None = None
    roles: tuple[str, ...] | None = attrs.field(default=None, converter=role_names)
    custom_fields: Mapping[str, Any] | None = attrs.field(default=None, hash=False)

    def body(self) -> dict[str, Any]:
        """Return the wire's ``data`` (docs/platforms/rocketchat.md#users) without fields that are None, since the route
        rejects null.

        Raises:
            InvalidInputError: nothing is to be changed.
        """
        data = {
            "name": self.name,
            "email": self.email,
            "username": self.username,
            "password": self.password,
            "active": self.active,
            "verified": self.verified,
            "roles": None if self.roles is None else list(self.roles),
            "customFields": None if self.custom_fields is None else dict(self.custom_fields),
        }
        stated = {name: value for name, value in data.items() if value is not None}
        if not stated:
            msg = "nothing to change: pass name, email or another field"
            raise InvalidInputError(msg, field="name")
        return stated


@attrs.frozen(kw_only=True)
class UserOptions:
    """Options for every user that one call creates.

    Attributes:
        roles: replace the server's default ones.
        verified: whether the e-mail address counts as verified (default yes: it is your own record of the user).
        join_default_channels: whether they are put into the server's default channels (default no).
        require_password_change, send_welcome_email: options of the server (default no).
    """

    roles: tuple[str, ...] | None = attrs.field(default=None, converter=role_names)
    verified: bool = True
    join_default_channels: bool = False
    require_password_change: bool = False
    send_welcome_email: bool = False

    def body(self) -> dict[str, Any]:
        """Return the wire format (docs/platforms/rocketchat.md#users)."""
        stated: dict[str, Any] = {
            "verified": self.verified,
            "joinDefaultChannels": self.join_default_channels,
            "requirePasswordChange": self.require_password_change,
            "sendWelcomeEmail": self.send_welcome_email,
        }
        return stated if self.roles is None else {**stated, "roles": list(self.roles)}
