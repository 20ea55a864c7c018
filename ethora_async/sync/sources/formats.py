"""Formats of rows: users, chats and members."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.records import ChatAccess, NewChat, NewUser, are_plain_users, id_text, new_user

T = TypeVar("T")


@attrs.frozen
class RowFormat(Generic[T]):
    """The format of one kind of rows.

    Attributes:
        name: ``users``, ``chats`` or ``members``; also the table's name in a mapping file.
        required, optional: columns, in any order and case.
        make: builds the item from the row's trimmed texts; raises `InvalidInputError` with `field` set to the column.
        key: returns the text that must be unique, or None.
        ids: columns whose values may be integers or UUIDs if the source has such types; all others are text.
        multiline: columns whose texts may contain line breaks and tabs.
        plain: returns whether `make` takes columns of trimmed, printable texts as they are; None checks each row.
        own: columns that must differ from row to row, so that they cannot have a default.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    make: Callable[[Mapping[str, str]], T]
    key: Callable[[T], str] | None = None
    name: str = "rows"
    ids: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    multiline: frozenset[str] = frozenset()
    plain: Callable[[Mapping[str, Sequence[str]]], bool] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return self.required + self.optional


def _user(row: Mapping[str, str]) -> NewUser:
    return new_user(
        row["id"], row["email"], row["first_name"], row["last_name"], row.get("password"), row.get("profile_image")
    )


def _plain_users(columns: Mapping[str, Sequence[str]]) -> bool:
    return are_plain_users(columns["id"], columns["email"], columns["first_name"], columns["last_name"])


def _chat(row: Mapping[str, str]) -> NewChat:
    access: ChatAccess = "private"
    stated = row.get("access", "").lower()
    if stated == "public":
        access = "public"
    elif stated not in ("", "private"):
        msg = f"access is {stated!r}: write private or public, or leave it empty for private"
        raise InvalidInputError(msg, field="access")
    return NewChat(id=row["id"], title=row["title"], access=access, description=row.get("description"))


def _member(row: Mapping[str, str]) -> tuple[str, str]:
    return id_text(row["chat"], "chat"), id_text(row["user"], "user")


USERS = RowFormat(
    required=("id", "email", "first_name", "last_name"),
    optional=("password", "profile_image"),
    make=_user,
    key=lambda user: user.id,
    name="users",
    ids=frozenset({"id"}),
    own=frozenset({"id", "email", "password"}),
    plain=_plain_users,
)
CHATS = RowFormat(
    required=("id", "title"),
    optional=("access", "description"),
    make=_chat,
    key=lambda chat: chat.id,
    name="chats",
    ids=frozenset({"id"}),
    own=frozenset({"id"}),
    multiline=frozenset({"description"}),
)
MEMBERS = RowFormat(
    required=("chat", "user"), optional=(), make=_member, name="members", ids=frozenset({"chat", "user"})
)
