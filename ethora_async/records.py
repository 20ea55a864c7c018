"""The records that callers pass in and receive, the same for every platform."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from string import hexdigits
from typing import Any, Literal, Self, overload
from unicodedata import category
from uuid import UUID

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret, wrapped

_MONGO_ID_LENGTH = 24
_MONGO_ID = re.compile(r"[0-9a-fA-F]{24}")


class MongoId(str):
    """A platform's own record id: 24 hex digits.

    Plain strings are always the caller's own ids, even if they look like a record id; wrap a record id in this class.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Validate the digits and convert them to lower case."""
        if not _MONGO_ID.fullmatch(value):
            msg = f"a MongoId is 24 hexadecimal digits, not {value!r}"
            raise InvalidInputError(msg, field="id")
        return super().__new__(cls, value.lower())

    def __repr__(self) -> str:
        return f"MongoId({str(self)!r})"


Id = str | int | UUID
"""A caller's own id of a user or a chat, or a `MongoId`."""

ChatAccess = Literal["private", "public"]
"""``"private"``: only added members may join; ``"public"``: anyone who knows the address may."""


def record_id(value: str) -> str:
    """Return a record id from a reply: a `MongoId` if it has that form."""
    if len(value) != _MONGO_ID_LENGTH or value.strip(hexdigits):
        return value
    # `str.__new__` skips the check in MongoId's own, which has just been done.
    return str.__new__(MongoId, value.lower())


def id_text(value: Id, field: str = "id") -> str:
    """Return the id as text, trimmed; a `MongoId` is returned unchanged.

    Raises:
        InvalidInputError: it is empty, ``.`` or ``..``, or not a `str`, `int` or `UUID`.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, UUID)):
        msg = f"{field} must be a str, an int or a UUID, not {type(value).__name__}"
        raise InvalidInputError(msg, field=field)
    if isinstance(value, MongoId):
        return value
    # str() of an enum member gives the member's name, not its text.
    if isinstance(value, int) and value.bit_length() > _LONGEST_INT:  # Python itself refuses to write it out
        msg = f"{field} is a number of more than {LONGEST_ID} digits"
        raise InvalidInputError(msg, field=field)
    text = _well_formed((value if isinstance(value, str) else str(value)).strip(), field)
    if not text:
        msg = f"{field} is empty: pass your own id of the user or chat"
        raise InvalidInputError(msg, field=field)
    if text in (".", ".."):
        msg = f"{field} {text!r} cannot be used: in a URL it names another path"
        raise InvalidInputError(msg, field=field)
    return text


@overload
def several(ids: Id | Iterable[Id]) -> Iterable[Id]: ...
@overload
def several(ids: Id | Iterable[Id] | AsyncIterable[Id]) -> Iterable[Id] | AsyncIterable[Id]: ...
def several(ids: Id | Iterable[Id] | AsyncIterable[Id]) -> Iterable[Id] | AsyncIterable[Id]:
    """Return ids to iterate over; a single text is one id, not a list of its letters."""
    return [ids] if isinstance(ids, Id) else ids


LONGEST_ID = 998
"""In bytes: the local part of a JID may hold this much beside the app's prefix (RFC 7622)."""

_LONGEST_INT = 3310
"""Bits of a number of 998 decimal digits, rounded down."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
"""Matches ids that need no further check: most ids."""

_UNFIT_FOR_ID = re.compile(r"[\"&'/:<>@\s\x00-\x1f\x7f-\x9f\ufffe\uffff]")


def literal_id(value: Id, field: str = "id") -> str:
    """Return an external id as text, character by character as it came.

    Raises:
        InvalidInputError: it is empty, or contains a space, a control character or one of ``" & ' / : < > @``: such ids
            cannot be part of a JID (docs/platforms/ethora.md#names-and-ids). Or it contains an invisible character, is
            longer than 998 bytes, or is one of the platform's record ids.
    """
    if type(value) is str and _PLAIN_ID.fullmatch(value):
        return value
    if isinstance(value, MongoId):
        msg = f"{field} is a MongoId, which the platform gives out: pass an id of your own"
        raise InvalidInputError(msg, field=field)
    if isinstance(value, str) and value != value.strip() and value.strip():
        msg = f"{field} {value!r} begins or ends with white space: ids are taken literally, so remove it"
        raise InvalidInputError(msg, field=field)
    text = id_text(value, field)
    if found := _UNFIT_FOR_ID.search(text):
        character = found.group()
        culprit = "a space" if character == " " else character if character.isprintable() else "a control character"
        culprit = "white space" if character.isspace() and character != " " else culprit
        msg = f"{field} {text!r} holds {culprit}: use letters, digits, '-', '.' or '_'"
        raise InvalidInputError(msg, field=field)
    if not text.isascii() and any(category(character) == "Cf" for character in text):
        msg = f"{field} {text!r} holds an invisible character: remove it"
        raise InvalidInputError(msg, field=field)
    if len(text.encode()) > LONGEST_ID:
        msg = f"{field} is longer than {LONGEST_ID} bytes"
        raise InvalidInputError(msg, field=field)
    return text


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
    text = _string(value, field).lower()
    if len(text) > LONGEST_EMAIL:
        msg = f"{field} is longer than {LONGEST_EMAIL} characters"
        raise InvalidInputError(msg, field=field)
    if not _EMAIL.fullmatch(text):
        msg = f"{field} {text!r} is not a valid e-mail address" if text else f"{field} is empty"
        raise InvalidInputError(msg, field=field)
    return text


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
    return text if text.isascii() and "\x00" not in text else _well_formed(text, field)


def _well_formed(text: str, field: str) -> str:
    # No platform can store or send either: half a surrogate pair has no UTF-8 form, and NUL ends strings in C.
    if "\x00" in text or (not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text)):
        msg = f"{field} holds a NUL character or half of a surrogate pair"
        raise InvalidInputError(msg, field=field)
    return text


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


# Quicker than `object.__setattr__`, which looks the name up first.
_set_id, _set_email, _set_first_name, _set_last_name, _set_password, _set_profile_image = (
    NewUser.__dict__[field.name].__set__ for field in attrs.fields(NewUser)
)


_PLAIN_IDS = re.compile(rf"(?:{_PLAIN_ID.pattern}\n)*+")
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
        and _PLAIN_ID.fullmatch(id)
        and (
            _PLAIN_EMAIL.fullmatch(email)
            or (email.islower() and len(email) <= LONGEST_EMAIL and _EMAIL.fullmatch(email))
        )
        and first_name.isprintable()
        and last_name.isprintable()
        and "" != first_name.strip() == first_name
        and "" != last_name.strip() == last_name
    )
    if not plain:
        texts = {"id": id, "email": email, "first_name": first_name, "last_name": last_name}
        return NewUser(**texts, password=password, profile_image=profile_image)
    user = object.__new__(NewUser)
    _set_id(user, id)
    _set_email(user, email)
    _set_first_name(user, first_name)
    _set_last_name(user, last_name)
    _set_password(user, None)
    _set_profile_image(user, profile_image)
    return user


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
