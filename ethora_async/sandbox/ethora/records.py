"""What the local Ethora keeps: apps, users and chats.

Records are plain slotted objects compared by identity. Everything that a reply can derive (`_id`,
`xmppUsername`, JIDs) is derived, not stored: a million users have to fit into a laptop.
"""

from __future__ import annotations

import enum

import attrs

from ethora_async.sandbox.ethora.directories import Chats, Users
from ethora_async.sandbox.ethora.tokens import AppKeys
from ethora_async.sandbox.ledger import Roster


class UserKind(enum.Enum):
    """Whose account it is: a person's, or the platform's own (never the caller's to delete)."""

    PERSON = "person"
    OWNER = "owner"


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
    _chats: Roster[Chat] | None = attrs.field(default=None, repr=False, alias="chats")

    @property
    def id(self) -> str:
        """The platform's record id, 24 hex characters."""
        return self.app.users.ids.text(self.number)

    @property
    def xmpp_username(self) -> str:
        """`<appId>_<uuid>`, contract §3."""
        return f"{self.app.id}_{self.uuid}"

    @property
    def chats(self) -> Roster[Chat]:
        """The chats this user is a member of, in order of joining."""
        if self._chats is None:
            self._chats = Roster()
        return self._chats

    @property
    def platform_owned(self) -> bool:
        """True for the platform's own accounts, such as an app's owner account."""
        return self.kind is not UserKind.PERSON

    def manages(self, app: App) -> bool:
        """True when this account may administrate `app`: its own app, or a child of it."""
        return self.kind is UserKind.OWNER and (self.app is app or self.app is app.parent)


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
    listed: bool = attrs.field(default=True, repr=False)

    @property
    def id(self) -> str:
        """The platform's record id, 24 hex characters."""
        return self.app.chats.ids.text(self.number)

    @property
    def name(self) -> str:
        """`<appId>_<uuid>`, the local part of the chat's JID."""
        return f"{self.app.id}_{self.uuid}"


@attrs.define(eq=False)
class App:
    """One app (tenant) with its users and chats. A child app names its `parent`."""

    id: str
    secret: str = attrs.field(repr=False)
    keys: AppKeys = attrs.field(repr=False)
    display_name: str
    domain_name: str
    created_at: float
    parent: App | None = attrs.field(repr=False)
    users: Users = attrs.field(repr=False)
    chats: Chats = attrs.field(repr=False)
