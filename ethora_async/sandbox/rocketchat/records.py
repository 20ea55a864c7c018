"""The records of the local Rocket.Chat: users, tokens, rooms, memberships, messages. Times are seconds since 1970."""

from __future__ import annotations

from typing import Any

import attrs

from ethora_async.sandbox.rocketchat.ids import new_id


@attrs.define(eq=False)
class LoginToken:
    """A token as the server stores it: hashed. A personal access token has a `name`, and does not expire.

    `trusted_until`, `trusted_by`: until when calls of this fingerprint need no second factor.
    """

    hashed: str = attrs.field(repr=False)
    when: float
    name: str | None = None
    bypass_two_factor: bool = False
    trusted_until: float = 0.0
    trusted_by: str = ""

    @property
    def personal(self) -> bool:
        """True for a personal access token."""
        return self.name is not None


@attrs.define(eq=False, kw_only=True)
class User:
    """An account. `password` is the sha256 of the sha256 that clients send; None when there is no local password.

    `status` is the presence: offline, online, away or busy. `logged_in` tells whether a login ever succeeded.
    """

    id: str = attrs.field(factory=new_id)
    username: str
    name: str
    email: str | None
    verified: bool = False
    password: str | None = attrs.field(default=None, repr=False)
    roles: list[str] = attrs.field(factory=lambda: ["user"])
    kind: str = "user"
    active: bool = True
    created_at: float
    updated_at: float
    last_login: float | None = None
    status: str = "offline"
    status_text: str = ""
    bio: str | None = None
    nickname: str | None = None
    extension: str | None = None
    preferences: dict[str, Any] = attrs.field(factory=dict[str, Any])
    avatar: Avatar | None = None
    import_ids: list[str] = attrs.field(factory=list[str])
    custom_fields: dict[str, Any] = attrs.field(factory=dict[str, Any])
    require_password_change: bool = False
    totp_secret: str | None = attrs.field(default=None, repr=False)
    email_two_factor: bool = True
    tokens: list[LoginToken] = attrs.field(factory=list[LoginToken], repr=False)
    rooms: dict[str, Membership] = attrs.field(factory=dict[str, "Membership"], repr=False)
    left: list[Departure] = attrs.field(factory=list["Departure"], repr=False)
    bug_left: int = 0


@attrs.frozen
class Avatar:
    """A picture: its URL or its bytes."""

    etag: str = attrs.field(factory=new_id)
    address: str | None = None
    content: bytes = attrs.field(default=b"", repr=False)
    content_type: str = "image/png"


@attrs.frozen
class Departure:
    """An ended membership or deleted room, for the `remove` list of `…get?updatedSince`."""

    id: str
    room_id: str
    at: float
    room_deleted: bool


@attrs.define(eq=False, kw_only=True)
class Membership:
    """A user in a room; the platform calls it a subscription."""

    id: str = attrs.field(factory=new_id)
    user: User = attrs.field(repr=False)
    room: Room = attrs.field(repr=False)
    roles: list[str] = attrs.field(factory=list[str])
    since: float
    updated_at: float
    seen_at: float | None = None
    unread: int = 0
    mentions: int = 0
    group_mentions: int = 0
    open: bool = True
    alert: bool = False
    favorite: bool = False
    ignored: list[str] = attrs.field(factory=list[str])
    unread_threads: list[str] = attrs.field(factory=list[str])


@attrs.define(eq=False, kw_only=True)
class Message:
    """A message. `kind` is set on system messages: `au` added, `ru` removed, `ul` left, `room_changed_topic`."""

    id: str = attrs.field(factory=new_id)
    room_id: str
    user_id: str
    username: str
    user_name: str
    text: str = attrs.field(repr=False)
    at: float
    updated_at: float
    kind: str | None = None
    edited_at: float | None = None
    edited_by: dict[str, str] | None = None
    mentions: list[dict[str, str]] = attrs.field(factory=list[dict[str, str]])
    pinned_at: float | None = None
    pinned_by: dict[str, str] | None = None
    starred: list[str] = attrs.field(factory=list[str])
    followers: list[str] = attrs.field(factory=list[str])
    thread_count: int = 0
    thread_last: float | None = None
    reports: list[Report] = attrs.field(factory=list["Report"], repr=False)
    reactions: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    extra: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)


@attrs.frozen
class Report:
    """A complaint about a message."""

    user_id: str
    text: str = attrs.field(repr=False)
    at: float


@attrs.define(eq=False, kw_only=True)
class File:
    """An upload into a room. One that is not `confirmed` has no message yet."""

    id: str = attrs.field(factory=new_id)
    name: str
    content_type: str
    content: bytes = attrs.field(repr=False)
    user: User = attrs.field(repr=False)
    at: float
    confirmed: bool = False
    description: str = ""


@attrs.frozen
class DeletedMessage:
    """The record of a deleted message."""

    id: str
    at: float


@attrs.define(eq=False, kw_only=True)
class Room:
    """A room: `c` public channel, `p` private group, `d` direct. Direct rooms have no name."""

    id: str = attrs.field(factory=new_id)
    type: str
    name: str | None
    creator: dict[str, str]
    created_at: float
    updated_at: float
    fname: str | None = None
    topic: str | None = None
    description: str | None = None
    announcement: str | None = None
    archived: bool = False
    join_code: str | None = attrs.field(default=None, repr=False)
    parent_id: str | None = None
    discussions: list[str] = attrs.field(factory=list[str])
    team_id: str | None = None
    team_main: bool = False
    read_only: bool = False
    default: bool = False
    broadcast: bool = False
    encrypted: bool = False
    featured: bool = False
    react_when_read_only: bool = False
    muted: list[str] = attrs.field(factory=list[str])
    unmuted: list[str] = attrs.field(factory=list[str])
    hidden_system_messages: list[str] | None = None
    favorite: dict[str, bool] | None = None
    retention: dict[str, Any] | None = None
    avatar: Avatar | None = None
    usernames: list[str] = attrs.field(factory=list[str])
    custom_fields: dict[str, Any] = attrs.field(factory=dict[str, Any])
    members: dict[str, Membership] = attrs.field(factory=dict[str, Membership], repr=False)
    messages: dict[str, Message] = attrs.field(factory=dict[str, Message], repr=False)
    files: dict[str, File] = attrs.field(factory=dict[str, File], repr=False)
    deleted: list[DeletedMessage] = attrs.field(factory=list[DeletedMessage], repr=False)
    last_message: Message | None = attrs.field(default=None, repr=False)

    def owners(self) -> list[Membership]:
        """Return the members who own the room, oldest first."""
        return [member for member in self.members.values() if "owner" in member.roles]


@attrs.define(eq=False, kw_only=True)
class Integration:
    """A webhook. `channels` are `#name`, `@name` or a whole kind of rooms; `fields` are its other settings."""

    id: str = attrs.field(factory=new_id)
    kind: str
    channels: list[str]
    user: User = attrs.field(repr=False)
    creator: dict[str, str]
    created_at: float
    updated_at: float
    fields: dict[str, Any] = attrs.field(repr=False)
