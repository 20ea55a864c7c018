"""Records about rooms beside `Chat` (docs/platforms/rocketchat.md#room-roles, #standing-in-a-room)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

RoomRole = Literal["owner", "moderator", "leader"]
"""A member's role in a room."""


@attrs.frozen(kw_only=True)
class RoleHolder:
    """A member with roles in a room.

    Attributes:
        user_id: The record id.
        username: The user name.
        roles: ``owner``, ``moderator``, ``leader``.
    """

    user_id: str
    username: str
    roles: tuple[str, ...]
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Counters:
    """The number of members and messages of a room, and one member's unread messages.

    Attributes:
        joined: Whether the member is in it.
        members, messages: Their numbers.
        unread: Number of messages that the member has not read; None for a non-member.
        mentions: Number of unread mentions of the member.
        unread_from, latest: The times of the first unread and of the last message.
    """

    joined: bool
    members: int
    messages: int
    unread: int | None = None
    mentions: int = 0
    unread_from: datetime | None = None
    latest: datetime | None = None
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class RoomFile:
    """A file in a room.

    Attributes:
        id: The platform's id of the file.
        url: Relative to the site's address; fetching it requires a log-in.
        extra: Every field of the reply that has no attribute here, under the platform's name for it.
    """

    id: str
    name: str = ""
    content_type: str | None = None
    size: int | None = None
    user_id: str | None = None
    url: str | None = None
    uploaded_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)
