"""The CSV files that describe users, chats and members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import InvalidInput
from ethora_async.records import ChatAccess, NewChat, NewUser, id_text
from ethora_async.sync.csv_file import CsvFormat

if TYPE_CHECKING:
    from collections.abc import Mapping


def _user(row: Mapping[str, str]) -> NewUser:
    return NewUser(
        id=row["id"],
        email=row["email"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        password=row.get("password") or None,
        profile_image=row.get("profile_image") or None,
    )


def _chat(row: Mapping[str, str]) -> NewChat:
    access: ChatAccess = "private"
    stated = row.get("access", "").lower()
    if stated == "public":
        access = "public"
    elif stated not in ("", "private"):
        msg = f"access is {stated!r}: write private or public, or leave it empty for private"
        raise InvalidInput(msg, field="access")
    return NewChat(id=row["id"], title=row["title"], access=access, description=row.get("description") or None)


def _member(row: Mapping[str, str]) -> tuple[str, str]:
    return id_text(row["chat"], "chat"), id_text(row["user"], "user")


USERS = CsvFormat(
    required=("id", "email", "first_name", "last_name"),
    optional=("password", "profile_image"),
    make=_user,
    key=lambda user: user.id,
)
CHATS = CsvFormat(required=("id", "title"), optional=("access", "description"), make=_chat, key=lambda chat: chat.id)
MEMBERS = CsvFormat(required=("chat", "user"), optional=(), make=_member)
