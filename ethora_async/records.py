"""The records that callers pass in and receive, the same for every platform."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from ethora_async._drafts import draft_of
from ethora_async.errors import InvalidInputError
from ethora_async.ids import LONGEST_ID, PLAIN_ID, Id, MongoId, id_text, literal_id, record_id, several, well_formed
from ethora_async.redaction import Secret, wrapped

ChatAccess = Literal["private", "public"]
"""``"private"``: only added members may join; ``"public"``: anyone who knows the address may."""


LONGEST_EMAIL = 254
"""Characters: what fits between the brackets of an SMTP path (RFC 5321, erratum 1690)."""

# The "valid e-mail address" of the HTML standard, as browsers apply it to <input type=email>.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+"
    r"@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)


_PLAIN_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9]{1,61}\.){1,2}[a-z0-9]{1,61}")
"""Matches addresses that need no further check or change: most addresses, and none longer than 250 characters."""


def email_text(value: str, field: str = "email") -> str:
    """Return the e-mail address, trimmed and in lower case.

    Raises:
        InvalidInputError: it is not a valid e-mail address by the HTML standard, or longer than mail servers take.
    """
    text = _string(value, field)
    if len(text) > LONGEST_EMAIL:
        msg = f"{field} is longer than {LONGEST_EMAIL} characters"
        raise InvalidInputError(msg, field=field)
    if not _EMAIL.fullmatch(text):
        msg = f"{field} {text!r} is not a valid e-mail address" if text else f"{field} is empty"
        raise InvalidInputError(msg, field=field)
    # Not before: the sign for kelvin has an ASCII letter for its lower case, which is in somebody else's address.
    return text.lower()


def required_text(value: str, field: str) -> str:
    """Return the text trimmed.

    Raises:
        InvalidInputError: it is empty.
    """
    text = _string(value, field)
    if not text:
        msg = f"{field} is empty"
        if field == "last_name":
            msg += ": the platform requires one; for somebody with a single name repeat it"
        raise InvalidInputError(msg, field=field)
    return text


def optional_text(value: str, field: str) -> str:
    """Return the text trimmed; it may be empty.

    Raises:
        InvalidInputError: it is not text, or cannot be stored.
    """
    return _string(value, field)


def _first_name(value: str) -> str:
    return required_text(value, "first_name")


def _last_name(value: str) -> str:
    return required_text(value, "last_name")


def _profile_image(value: str | None) -> str | None:
    return None if value is None else _string(value, "profile_image")


def _title(value: str) -> str:
    return required_text(value, "title")


def _description(value: str | None) -> str | None:
    return None if value is None else _string(value, "description")


def _member_ids(ids: Id | Iterable[Id]) -> tuple[str, ...]:
    return tuple([one if isinstance(one, MongoId) else literal_id(one, "members") for one in several(ids)])


def _new_id(value: Id) -> str:
    return literal_id(value)


def _email(value: str) -> str:
    return email_text(value)


def _string(value: Any, field: str) -> str:
    if not isinstance(value, str):
        msg = f"{field} must be text, not {type(value).__name__}"
        raise InvalidInputError(msg, field=field)
    text = value.strip()
    return text if text.isascii() and "\x00" not in text else well_formed(text, field)


def _secret(value: str | Secret | None) -> Secret | None:
    if value is not None and not isinstance(value, (str, Secret)):
        msg = f"password must be text, not {type(value).__name__}"
        raise InvalidInputError(msg, field="password")
    return wrapped(value) if value else None


@attrs.frozen(kw_only=True)
class NewUser:
    """A user to create. All texts but the id are trimmed.

    Attributes:
        id: your own id (`str`, `int` or `UUID`), kept as text and taken literally.
        email: converted to lower case; valid by the HTML standard; unique within an app.
        first_name, last_name: not empty.
        password: for platforms whose users can log in by themselves; None lets the platform generate one. Masked.
        profile_image: the URL of a picture. None leaves an existing user's picture; an empty text removes it.

    Raises:
        InvalidInputError: a field cannot be used; `field` names it.
    """

    id: str = attrs.field(converter=_new_id)
    email: str = attrs.field(converter=_email)
    first_name: str = attrs.field(converter=_first_name)
    last_name: str = attrs.field(converter=_last_name)
    password: Secret | None = attrs.field(default=None, converter=_secret)
    profile_image: str | None = attrs.field(default=None, converter=_profile_image)


_PLAIN_IDS = re.compile(rf"(?:{PLAIN_ID.pattern}\n)*+")
_EMAILS = re.compile(rf"(?:(?>{_EMAIL.pattern})\n)*+")


def are_plain_users(
    ids: Sequence[str], emails: Sequence[str], first_names: Sequence[str], last_names: Sequence[str]
) -> bool:
    """Return whether `NewUser` takes all these texts as they are. Checked together, at a fraction of the cost.

    Args:
        ids, emails, first_names, last_names: trimmed and printable.
    """
    lines = "\n".join([*emails, ""])
    return (
        all(first_names)
        and all(last_names)
        and lines == lines.lower()
        and max(map(len, emails), default=0) <= LONGEST_EMAIL
        and _EMAILS.fullmatch(lines) is not None
        and _PLAIN_IDS.fullmatch("\n".join([*ids, ""])) is not None
    )


_DRAFT = draft_of(NewUser)


def _plain_user(id: str, email: str, first_name: str, last_name: str, profile_image: str | None) -> NewUser:
    user = object.__new__(_DRAFT)
    user.id = id
    user.email = email
    user.first_name = first_name
    user.last_name = last_name
    user.password = None
    user.profile_image = profile_image
    user.__class__ = NewUser
    made: NewUser = user
    return made


def new_user(
    id: str,
    email: str,
    first_name: str,
    last_name: str,
    password: str | Secret | None = None,
    profile_image: str | None = None,
) -> NewUser:
    """Return a `NewUser` of texts from a file or a journal, at a third of the cost where nothing is to be trimmed.

    Raises:
        InvalidInputError: as `NewUser`.
    """
    plain = (
        not (password or profile_image)
        and type(id) is type(email) is type(first_name) is type(last_name) is str
        and PLAIN_ID.fullmatch(id)
        and (
            _PLAIN_EMAIL.fullmatch(email)
            or (email.islower() and len(email) <= LONGEST_EMAIL and _EMAIL.fullmatch(email))
        )
        and first_name.isprintable()
        and last_name.isprintable()
        and "" != first_name.strip() == first_name
        and "" != last_name.strip() == last_name
    )
    if plain:
        return _plain_user(id, email, first_name, last_name, profile_image)
    texts = {"id": id, "email": email, "first_name": first_name, "last_name": last_name}
    return NewUser(**texts, password=password, profile_image=profile_image)


_PLAIN_FIELDS = ("id", "email", "first_name", "last_name")


def new_users(records: Sequence[Mapping[str, Any]]) -> list[NewUser]:
    """Return `new_user` of many records. Checked together, they cost half as much.

    Raises:
        InvalidInputError: as `NewUser`.
    """
    columns: list[list[Any]] = [[record.get(name) for record in records] for name in _PLAIN_FIELDS]
    ids, emails, first_names, last_names = columns
    names = [*first_names, *last_names]
    images: list[Any] = [record.get("profile_image") for record in records]
    fields = len(_PLAIN_FIELDS) * len(records) + sum(["profile_image" in record for record in records])
    plain = (
        sum(map(len, records)) == fields
        and {type(text) for column in columns for text in column} <= {str}
        and {*map(type, images)} <= {str, type(None)}
        and not any(images)
        and "".join(names).isprintable()
        and [*map(str.strip, names)] == names
        and are_plain_users(ids, emails, first_names, last_names)
    )
    if plain:
        return list(map(_plain_user, ids, emails, first_names, last_names, images))
    return [new_user(**record) for record in records]


@attrs.frozen(kw_only=True)
class User:
    """A user as the platform knows it. Fields that it did not return are None.

    Attributes:
        id: your own id.
        xmpp_username: the platform's name for the user, ``<appId>_<id>``.
        record_id: the platform's own record id; a `MongoId` on Ethora.
        extra: every field of the reply that has no attribute here, under the platform's name for it.
    """

    id: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    profile_image: str | None = None
    tags: tuple[str, ...] | None = None
    xmpp_username: str | None = None
    record_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    # A reply may contain the user's XMPP password or session here.
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class NewChat:
    """A chat to create.

    Attributes:
        id: your own id of the chat's subject: an order, a ticket, a team.
        title: not empty.
        access: ``"private"`` (the default: only members) or ``"public"``.
        description: may be empty.
        members: your own ids of users to add at once, or a single one, taken literally; they must exist.

    Raises:
        InvalidInputError: a field cannot be used; `field` names it.
    """

    id: str = attrs.field(converter=_new_id)
    title: str = attrs.field(converter=_title)
    access: ChatAccess = attrs.field(default="private")
    description: str | None = attrs.field(default=None, converter=_description)
    members: tuple[str, ...] = attrs.field(default=(), converter=_member_ids)

    def __attrs_post_init__(self) -> None:
        if self.access not in ("private", "public"):
            msg = f"access must be 'private' or 'public', not {self.access!r}"
            raise InvalidInputError(msg, field="access")


@attrs.frozen(kw_only=True)
class Chat:
    """A chat as the platform knows it.

    Attributes:
        id: your own id.
        name: the platform's name for it, ``<appId>_<id>``: the local part of its JID.
        type: the platform's own type: ``group``, ``public``, ``private`` (1-1) or ``widget``
            (docs/platforms/ethora.md#chats).
        members: the listed members, or None when the reply listed none.
        member_count: the number of members, if the reply gave it.
        extra: every field of the reply that has no attribute here, under the platform's name for it.
    """

    id: str
    name: str
    title: str | None = None
    description: str | None = None
    type: str | None = None
    picture: str | None = None
    record_id: str | None = None
    members: tuple[User, ...] | None = None
    member_count: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)

    @property
    def access(self) -> ChatAccess:
        """``"public"`` when anyone may join, else ``"private"``."""
        return "public" if self.type == "public" else "private"


@attrs.frozen(kw_only=True)
class ChatToken:
    """A token with which a front end logs in to the chat.

    Attributes:
        user_id: your own id of the user it is for.
        expires_at, refresh_at: seconds since the epoch: when the token expires, and from when to request the next one.
        platform: ``"ethora"``, …
        extra: further data that the front end needs, if any.

    Its repr is masked and it cannot be pickled; `value` is the token.
    """

    secret: Secret
    user_id: str
    expires_at: float
    refresh_at: float
    platform: str
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)

    @property
    def value(self) -> str:
        """The token itself."""
        return self.secret.reveal()

    @property
    def expires(self) -> datetime:
        """`expires_at` as an aware `datetime` in UTC."""
        return datetime.fromtimestamp(self.expires_at, UTC)


__all__ = [
    "LONGEST_EMAIL",
    "LONGEST_ID",
    "Chat",
    "ChatAccess",
    "ChatToken",
    "Id",
    "MongoId",
    "NewChat",
    "NewUser",
    "User",
    "are_plain_users",
    "email_text",
    "id_text",
    "literal_id",
    "new_user",
    "new_users",
    "optional_text",
    "record_id",
    "required_text",
    "several",
]
