"""The records of the local Ethora: apps, users and chats.

Records are plain slotted objects compared by identity. Everything that a reply can derive (`_id`, `xmppUsername`, JIDs)
is derived, not stored: a million users must fit into a laptop's memory.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.conversation import Conversation
from ethora_async.sandbox.ethora.directories import Chats, Users
from ethora_async.sandbox.ethora.grants import EVERYTHING, MEMBER
from ethora_async.sandbox.ethora.tokens import AppKeys
from ethora_async.sandbox.ledger import Roster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.grants import Grant


class UserKind(enum.Enum):
    """The kind of an account: a person's, or the platform's own (which callers must not delete)."""

    PERSON = "person"
    OWNER = "owner"
    BOT = "bot"


@attrs.frozen
class Profile:
    """Values that few users have. `mfa_code` is the second factor that a login asks for, or None."""

    description: str = ""
    phone: str = ""
    address: str = ""
    home_screen: str = ""
    open: bool = True
    assets_open: bool = True
    tags: tuple[str, ...] = ()
    acl: dict[str, Any] = attrs.field(factory=dict[str, Any])
    mfa_code: str | None = attrs.field(default=None, repr=False)


PLAIN = Profile()


@attrs.define(eq=False)
class User:
    """A user of one app. `uuid` is the caller's own plain id (or the record id when none was given)."""

    app: App = attrs.field(repr=False)
    number: int = attrs.field(repr=False)
    uuid: str
    email: str | None
    first_name: str
    last_name: str
    created_at: float
    updated_at: float
    password: str | None = attrs.field(default=None, repr=False)
    profile_image: str | None = None
    username: str | None = None
    kind: UserKind = UserKind.PERSON
    profile: Profile = attrs.field(default=PLAIN, repr=False)
    _chats: Roster[Chat] | None = attrs.field(default=None, repr=False, alias="chats")

    @property
    def id(self) -> str:
        """The platform's record id, 24 hex characters."""
        return self.app.users.ids.text(self.number)

    @property
    def xmpp_username(self) -> str:
        """`<appId>_<uuid>` (docs/platforms/ethora.md#names-and-ids)."""
        return f"{self.app.id}_{self.uuid}"

    @property
    def chats(self) -> Roster[Chat]:
        """The chats this user is a member of, in order of joining."""
        if self._chats is None:
            self._chats = Roster()
        return self._chats

    @property
    def exists(self) -> bool:
        """False once the account is deleted."""
        return self.app.users.with_uuid(self.uuid) is self

    @property
    def platform_owned(self) -> bool:
        """True for the platform's own accounts, such as an app's owner account."""
        return self.kind is not UserKind.PERSON

    @property
    def may_create_apps(self) -> bool:
        """True for every account of the base app, and for owner accounts (docs/platforms/ethora.md#apps)."""
        return self.app.parent is None or self.kind is UserKind.OWNER

    def manages(self, app: App) -> bool:
        """True when this account may administer `app`: it created it, or it is an owner of it or of its parent."""
        return app.creator is self or (self.kind is UserKind.OWNER and (self.app is app or self.app is app.parent))

    def require_code(self, code: str | None) -> None:
        """Require `code` as a second step when this user logs in; None removes it."""
        self.profile = attrs.evolve(self.profile, mfa_code=code)


@attrs.define(eq=False)
class Chat:
    """A chat of one app. `uuid` is what follows `<appId>_` in its name."""

    app: App = attrs.field(repr=False)
    number: int = attrs.field(repr=False)
    uuid: str
    title: str
    type: str
    created_at: float
    updated_at: float
    description: str = ""
    picture: str | None = None
    creator: User | None = None
    members: Roster[User] = attrs.field(factory=Roster["User"], repr=False)
    is_app_chat: bool = False
    _conversation: Conversation[User] | None = attrs.field(default=None, repr=False, init=False)

    @property
    def id(self) -> str:
        """The platform's record id, 24 hex characters."""
        return self.app.chats.ids.text(self.number)

    @property
    def name(self) -> str:
        """`<appId>_<uuid>`, the local part of the chat's JID."""
        return f"{self.app.id}_{self.uuid}"

    @property
    def exists(self) -> bool:
        """False once the chat is deleted."""
        return self.app.chats.with_uuid(self.uuid) is self

    @property
    def conversation(self) -> Conversation[User]:
        """Messages, mutes, reports and access settings."""
        if self._conversation is None:
            self._conversation = Conversation()
        return self._conversation

    @property
    def messages(self) -> Sequence[Message[User]]:
        """The stored messages, oldest first."""
        return () if self._conversation is None else self._conversation.messages

    @property
    def reported(self) -> bool:
        """True when somebody reported it."""
        return self._conversation is not None and bool(self._conversation.reports)

    def muted_by(self, user: User) -> bool:
        """True when `user` has muted it."""
        return self._conversation is not None and user in self._conversation.muted

    def unread(self, user: User) -> int:
        """Count the messages that `user` has not seen."""
        return 0 if self._conversation is None else self._conversation.unread(user)

    def grant_of(self, user: User) -> Grant | None:
        """Return the access setting of `user` (docs/platforms/ethora.md#older-guide), or None."""
        return None if self._conversation is None else self._conversation.grants.get(user)

    def access(self, user: User) -> int:
        """Return the rights of `user`, as the bits of an access code: 1 read, 2 write, 4 admin, 8 owner.

        A plain member has 3, the creator 15, anybody else 0.
        """
        if user not in self.members:
            return 0
        grant = self.grant_of(user)
        if grant is not None:
            return grant.bits
        return EVERYTHING if user is self.creator else MEMBER

    def forget(self, user: User) -> None:
        """Drop the data of a member who left."""
        if self._conversation is not None:
            self._conversation.forget(user)


@attrs.frozen(eq=False)
class DefaultRoom:
    """A chat that belongs to the app and is offered to all its users."""

    id: str
    chat: Chat
    pinned: bool


@attrs.define(eq=False)
class AppToken:
    """An app token of `/v2/apps/{id}/tokens`."""

    id: str
    app: App = attrs.field(repr=False)
    label: str
    created_at: float
    rotated_at: float | None = None
    revoked_at: float | None = None

    @property
    def active(self) -> bool:
        """False once it was revoked, or replaced by a rotation."""
        return self.revoked_at is None


@attrs.define(eq=False)
class App:
    """One app (tenant) with its users and chats. A child app names its `parent`.

    `creator` is the account whose owner account stands in this app, `owner` that account. `bot` is None if the platform
    never created one. `token_version` counts rotations of the app token.
    """

    id: str
    secret: str = attrs.field(repr=False)
    keys: AppKeys = attrs.field(repr=False)
    display_name: str
    domain_name: str
    created_at: float
    updated_at: float
    parent: App | None = attrs.field(repr=False)
    users: Users[User] = attrs.field(repr=False)
    chats: Chats[Chat] = attrs.field(repr=False)
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    bot: dict[str, Any] | None = attrs.field(default=None, repr=False)
    creator: User | None = attrs.field(default=None, repr=False)
    owner: User | None = attrs.field(default=None, repr=False)
    rooms: list[DefaultRoom] = attrs.field(factory=list[DefaultRoom], repr=False)
    tokens: dict[str, AppToken] = attrs.field(factory=dict[str, "AppToken"], repr=False)
    token_version: int = 1
    archived_at: float | None = None

    @property
    def archived(self) -> bool:
        """True while the app is archived: it can be read and restored, but not used."""
        return self.archived_at is not None
