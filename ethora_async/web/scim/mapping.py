"""Map SCIM records to chat users and rooms, and to the platform's data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from unicodedata import normalize
from urllib.parse import urlsplit

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.records import NewChat, NewUser, email_text, literal_id

IdAttribute = Literal["id", "externalId"]
"""The attribute that is used as the id in the chat."""

Inactive = Literal["keep", "delete"]
"""What to do with the chat user of a person who is made inactive."""

EMAIL_DOMAIN = "users.invalid"
"""RFC 2606: no mail is ever delivered below ``.invalid``."""

_LONGEST_PICTURE = 2048


def folded(text: str) -> str:
    """Fold a text as SCIM compares texts that are not case-exact."""
    return normalize("NFC", normalize("NFC", text).lower())


def chat_key(id: str) -> str:
    """Return the form of an id that must be unique: some platforms treat ``Ann`` and ``ann`` as equal."""
    return normalize("NFKC", id).casefold()


@attrs.frozen(kw_only=True)
class ScimMapping:
    """The mapping of SCIM records to chat users and rooms.

    An id is set when a record is created and never changes: a renamed user stays the same user.

    Attributes:
        user_id: the attribute that is the chat user's id. ``id`` (the default): the id that this service generates, 32
            hexadecimal digits, valid on every platform. ``externalId``: the identity provider's own, such as Entra's
            object id, literally.
        room_id: the same for groups and their rooms.
        inactive: ``keep`` (the default) removes inactive users from their rooms and keeps them on the platform, with
            their messages; ``delete`` deletes them, and creates them again when they return. Both refuse them tokens.
        email_domain: gives a user without any e-mail address the address ``ID@DOMAIN``, since platforms require one;
            None rejects such users.

    Raises:
        ConfigError: a value is invalid.
    """

    user_id: IdAttribute = "id"
    room_id: IdAttribute = "id"
    inactive: Inactive = "keep"
    email_domain: str | None = EMAIL_DOMAIN

    def __attrs_post_init__(self) -> None:
        for name, allowed in (
            ("user_id", ("id", "externalId")),
            ("room_id", ("id", "externalId")),
            ("inactive", ("keep", "delete")),
        ):
            if getattr(self, name) not in allowed:
                msg = f"{name} must be {allowed[0]!r} or {allowed[1]!r}, not {getattr(self, name)!r}"
                raise ConfigError(msg)
        if self.email_domain is not None:
            try:
                email_text(f"id@{self.email_domain}", "email_domain")
            except InvalidInputError:
                msg = f"email_domain {self.email_domain!r} is not a domain: an example is {EMAIL_DOMAIN}"
                raise ConfigError(msg) from None

    def chat_user(self, id: str, doc: Mapping[str, Any]) -> str:
        """Return the chat user's id for a new SCIM user.

        Raises:
            InvalidInputError: the attribute is missing, or cannot be an id.
        """
        return _id(self.user_id, id, doc)

    def chat_room(self, id: str, doc: Mapping[str, Any]) -> str:
        """Return the room's id for a new SCIM group.

        Raises:
            InvalidInputError: the attribute is missing, or cannot be an id.
        """
        return _id(self.room_id, id, doc)

    def user(self, chat_user: str, doc: Mapping[str, Any]) -> NewUser:
        """Return a user's data for the platform.

        Raises:
            InvalidInputError: there is no e-mail address, or a field cannot be used.
        """
        first, last = _names(doc)
        return NewUser(
            id=chat_user,
            email=self._email(chat_user, doc),
            first_name=first,
            last_name=last,
            profile_image=_picture(doc),
        )

    def _email(self, chat_user: str, doc: Mapping[str, Any]) -> str:
        for text in (*addresses(doc), doc.get("userName", "")):
            try:
                return email_text(text)
            except InvalidInputError:
                continue
        if self.email_domain is None:
            msg = "the user has no valid e-mail address in emails or userName, and the chat platform requires one"
            raise InvalidInputError(msg, field="emails")
        return email_text(f"{chat_user}@{self.email_domain}")


def room(chat: str, doc: Mapping[str, Any]) -> NewChat:
    """Return a group's room for the platform.

    Raises:
        InvalidInputError: a field cannot be used.
    """
    return NewChat(id=chat, title=_text(doc.get("displayName")) or chat)


def addresses(doc: Mapping[str, Any]) -> list[Any]:
    """Return the e-mail addresses of a user: the primary one first, then those for work, then the others."""
    entries = [entry for entry in doc.get("emails") or () if isinstance(entry, Mapping) and entry.get("value")]
    entries.sort(key=lambda entry: (entry.get("primary") is not True, entry.get("type") != "work"))
    return [entry["value"] for entry in entries]


def _id(attribute: IdAttribute, id: str, doc: Mapping[str, Any]) -> str:
    if attribute == "id":
        return id
    value = doc.get("externalId")
    if not isinstance(value, str) or not value:
        msg = "externalId is missing: here it is the id in the chat, so map an attribute that never changes to it"
        raise InvalidInputError(msg, field="externalId")
    return literal_id(value, "externalId")


def _names(doc: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first and the last name. Platforms require both, so a single name is repeated."""
    name = doc.get("name") or {}
    first, last = _text(name.get("givenName")), _text(name.get("familyName"))
    if first and last:
        return first, last
    for whole in (doc.get("displayName"), name.get("formatted"), doc.get("nickName"), doc.get("userName")):
        words = _text(whole).split()
        if words:
            break
    else:
        words = ["-"]
    if first or last:
        rest = [word for word in words if word != (first or last)]
        other = " ".join(rest) or first or last
        return first or other, last or other
    return words[0], " ".join(words[1:]) or words[0]


def _picture(doc: Mapping[str, Any]) -> str | None:
    for url in _pictures(doc):
        if isinstance(url, str) and len(url) <= _LONGEST_PICTURE and _is_web(url):
            return url
    return None


def _pictures(doc: Mapping[str, Any]) -> Iterator[Any]:
    entries = [entry for entry in doc.get("photos") or () if isinstance(entry, Mapping)]
    entries.sort(key=lambda entry: (entry.get("primary") is not True, entry.get("type") != "photo"))
    return (entry.get("value") for entry in entries)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


__all__ = ["EMAIL_DOMAIN", "IdAttribute", "Inactive", "ScimMapping", "addresses", "chat_key", "folded", "room"]
