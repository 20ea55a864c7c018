"""Convert records to Rocket.Chat's request bodies, and replies to records.

See docs/platforms/rocketchat.md#users, #rooms, #messages.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeGuard

from ethora_async.codec import Codec
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.rocketchat.message_records import Message, MessageChanges
from ethora_async.platforms.rocketchat.room_records import Counters, RoomFile
from ethora_async.platforms.rocketchat.token_records import PersonalToken
from ethora_async.records import Chat, NewUser, User
from ethora_async.redaction import Secret, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from ethora_async.request import Origin

    T = TypeVar("T")

_TYPE_OF_KIND = {"c": "public", "p": "group", "d": "direct", "l": "livechat"}
_PRIVATE_FIELDS = ("services", "inviteToken", "resume")
"""Old servers return password digests and session tokens here: they are dropped."""

codec: Codec = Codec()
codec.add(User, {"record_id": "_id", "created_at": "createdAt", "updated_at": "_updatedAt"})
codec.add(Chat, {"record_id": "_id", "member_count": "usersCount", "created_at": "ts", "updated_at": "_updatedAt"})
codec.add(RoomFile, {"id": "_id", "content_type": "type", "user_id": "userId", "uploaded_at": "uploadedAt"})
codec.add(
    PersonalToken,
    {"created_at": "createdAt", "last_part": "lastTokenPart", "bypasses_two_factor": "bypassTwoFactor"},
)
codec.add(Counters, {"messages": "msgs", "unread": "unreads", "mentions": "userMentions", "unread_from": "unreadsFrom"})
codec.add(
    Message,
    {
        "id": "_id",
        "room_id": "rid",
        "text": "msg",
        "type": "t",
        "thread_id": "tmid",
        "sent_at": "ts",
        "updated_at": "_updatedAt",
        "edited_at": "editedAt",
    },
)


def full_name(first: str | None, last: str | None) -> str:
    """Join both names to the single name of Rocket.Chat, with white space collapsed."""
    return " ".join(f"{first or ''} {last or ''}".split())


def user_body(user: NewUser, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a user's creation: a password is required even if nobody will ever type one."""
    password = user.password if user.password is not None else Secret(random_password())
    return {
        "name": full_name(user.first_name, user.last_name),
        "email": user.email,
        "username": user.id,
        "password": password,
        **options,
    }


def random_password() -> str:
    """Return a random password with every kind of character that a password policy may require."""
    return f"{secrets.token_urlsafe(32)}aA1!"


def read_user(data: Any, *, origin: Origin, path: str = "reply.user") -> User:
    """Read a user record. `first_name` is the name up to its first space, `last_name` the rest.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key not in _PRIVATE_FIELDS}
        name = data.get("name")
        first, _, last = " ".join(name.split()).partition(" ") if isinstance(name, str) else ("", "", "")
        emails = data.get("emails")
        address = emails[0].get("address") if isinstance(emails, list) and emails and _is_object(emails[0]) else None
        data |= {
            "id": data.get("username") or data.get("_id"),
            "first_name": first or None,
            "last_name": last or None,
            "email": address.lower() if isinstance(address, str) else None,
        }
    return codec.read(data, User, origin=origin, path=path)


def read_chat(data: Any, *, origin: Origin, path: str = "reply.room") -> Chat:
    """Read a room record: its name is your own id, its topic the title. Direct rooms have only a record id.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    if isinstance(data, dict):
        record = data.get("_id") or data.get("rid")
        name = data.get("name") or record
        kind = data.get("t")
        data = {
            **data,
            "_id": record,
            "id": name,
            "name": name,
            "title": data.get("topic"),
            "type": _TYPE_OF_KIND.get(kind, kind) if isinstance(kind, str) else None,
        }
        data.pop("members", None)
    return codec.read(data, Chat, origin=origin, path=path)


def read_message(data: Any, *, origin: Origin, path: str = "reply.message") -> Message:
    """Read a message; times are ISO 8601 (REST) or milliseconds.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    if isinstance(data, dict):
        author = data.get("u")
        author = author if _is_object(author) else {}
        data = {**data, "user_id": author.get("_id"), "username": author.get("username"), "msg": data.get("msg") or ""}
    return codec.read(data, Message, origin=origin, path=path)


def read_changes(data: Any, *, origin: Origin) -> MessageChanges:
    """Read the reply of ``chat.syncMessages``.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    result = data.get("result") if _is_object(data) else None
    updated = read_list(result, "updated", read_message, origin=origin)
    gone = result.get("deleted") if _is_object(result) else None
    ids = [row.get("_id") for row in gone if _is_object(row)] if isinstance(gone, list) else []
    ordered = sorted(updated, key=lambda message: message.updated_at.timestamp() if message.updated_at else 0.0)
    deleted = tuple(id for id in ids if isinstance(id, str))
    return MessageChanges(updated=tuple(ordered), deleted=deleted, request_id=origin.request_id)


def iso(moment: datetime) -> str:
    """Format a time as REST does: UTC, milliseconds, ``Z``.

    Raises:
        InvalidInputError: it has no time zone.
    """
    if moment.tzinfo is None:
        msg = "a datetime needs a time zone: pass an aware one, such as datetime.now(UTC)"
        raise InvalidInputError(msg, field="since")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_personal_token(data: Any, *, origin: Origin, path: str = "reply.token") -> PersonalToken:
    """Read a personal access token, without its secret.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    if _is_object(data):
        data = {**data, "bypassTwoFactor": bool(data.get("bypassTwoFactor"))}
    return codec.read(data, PersonalToken, origin=origin, path=path)


def read_file(data: Any, *, origin: Origin, path: str = "reply.file") -> RoomFile:
    """Read a file of a room.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    return codec.read(data, RoomFile, origin=origin, path=path)


def read_row(data: Any, **_: str) -> Mapping[str, Any]:
    """Return a record in the platform's format; empty if there is none."""
    return data if _is_object(data) else {}


def read_integration(data: Any, **_: str) -> Mapping[str, Any]:
    """Return an integration in the platform's format, its token wrapped as a `Secret`."""
    row = read_row(data)
    return {**row, "token": wrapped(row["token"])} if "token" in row else row


def read_counters(data: Any, *, origin: Origin) -> Counters:
    """Read the counters of a room.

    Raises:
        ReplyLostError: they have an unexpected shape.
    """
    if _is_object(data):
        data = {**data, "userMentions": data.get("userMentions") or 0}
    return codec.read(data, Counters, origin=origin, path="reply")


def read_list(data: Any, key: str, read: Callable[..., T], *, origin: Origin) -> tuple[T, ...]:
    """Read the records of a list under `key`.

    Raises:
        ReplyLostError: there is no list, or one of its items has an unexpected shape.
    """
    rows = data.get(key) if _is_object(data) else None
    if not isinstance(rows, list):
        msg = f"the platform's reply has an unexpected shape: no list under {key}"
        raise origin.lost(msg)
    return tuple(read(row, origin=origin, path=f"reply.{key}[{index}]") for index, row in enumerate(rows))


def total(data: Any) -> int | None:
    """Return the total of a paged listing."""
    value = data.get("total")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
