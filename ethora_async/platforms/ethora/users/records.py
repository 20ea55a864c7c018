"""Arguments about users, beside `NewUser`."""

from __future__ import annotations

import attrs

from ethora_async.records import Id, email_text, id_text, optional_text, required_text


def _user_id(value: Id) -> str:
    return id_text(value)


def _first_name(value: str | None) -> str | None:
    return None if value is None else optional_text(value, "first_name")


def _last_name(value: str | None) -> str | None:
    return None if value is None else optional_text(value, "last_name")


def _profile_image(value: str | None) -> str | None:
    return None if value is None else optional_text(value, "profile_image")


def _username(value: str | None) -> str | None:
    return None if value is None else optional_text(value, "username")


def _email(value: str) -> str:
    return email_text(value)


def _required_first_name(value: str) -> str:
    return required_text(value, "first_name")


def _required_last_name(value: str) -> str:
    return required_text(value, "last_name")


@attrs.frozen(kw_only=True)
class UserChange:
    """A change of a user. Texts are trimmed; None leaves a field unchanged, an empty text clears it.

    Raises:
        InvalidInputError: a field cannot be used; `field` names it.
    """

    id: str = attrs.field(converter=_user_id)
    first_name: str | None = attrs.field(default=None, converter=_first_name)
    last_name: str | None = attrs.field(default=None, converter=_last_name)
    username: str | None = attrs.field(default=None, converter=_username)
    profile_image: str | None = attrs.field(default=None, converter=_profile_image)


@attrs.frozen(kw_only=True)
class UserImport:
    """A user to import by e-mail address; the platform generates the id (``create-many-with-app-id``,
    docs/platforms/ethora.md#users).

    Raises:
        InvalidInputError: a field cannot be used; `field` names it.
    """

    email: str = attrs.field(converter=_email)
    first_name: str = attrs.field(converter=_required_first_name)
    last_name: str = attrs.field(converter=_required_last_name)


__all__ = ["UserChange", "UserImport"]
