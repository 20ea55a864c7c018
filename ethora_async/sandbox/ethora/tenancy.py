"""Create apps, each with an owner account and optionally a first chat (docs/platforms/ethora.md#apps)."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.records import UserKind
from ethora_async.sandbox.ethora.store import UserData

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import App, User
    from ethora_async.sandbox.ethora.store import Store

MAIN_CHAT = "Main"
NOT_IN_A_NAME = re.compile("[^a-z0-9]")


@attrs.frozen
class AppData:
    """The validated values of a new app; missing ones are generated."""

    display_name: str
    domain_name: str | None = None
    id: str | None = None
    secret: str | None = attrs.field(default=None, repr=False)
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any])
    main_chat: bool = False


def open_app(store: Store, data: AppData, now: float, *, parent: App | None, creator: User | None) -> App:
    """Create an app and its owner account, `<appId>_owner-<record id of its creator>`.

    ValueError when the id or the domain name is taken.
    """
    app = store.create_app(
        app_id=data.id,
        secret=data.secret or secrets.token_hex(32),
        now=now,
        display_name=data.display_name,
        domain_name=data.domain_name or free_domain(store, data.display_name),
        parent=parent,
    )
    app.settings = dict(data.settings)
    app.creator = creator
    if creator is not None:
        app.owner = owner_of(store, app, creator, now)
    if data.main_chat:
        store.open_room(app, MAIN_CHAT, now, pinned=True)
    return app


def owner_of(store: Store, app: App, creator: User, now: float) -> User:
    """Return the account in `app` that represents a manager of it, and create it if needed."""
    if creator.app is app and creator.kind is UserKind.OWNER:
        return creator
    uuid = f"owner-{creator.id}"
    known = app.users.with_uuid(uuid)
    if known is not None:
        return known
    free = creator.email is not None and app.users.with_email(creator.email) is None
    owner = UserData(
        first_name=creator.first_name,
        last_name=creator.last_name,
        email=creator.email if free else None,
        uuid=uuid,
        kind=UserKind.OWNER,
    )
    return store.create_user(app, owner, now)


def free_domain(store: Store, display_name: str) -> str:
    """Return an unused domain name of letters and digits."""
    stem = NOT_IN_A_NAME.sub("", display_name.lower())[:32] or "app"
    name = stem
    while store.app_of_domain(name) is not None:
        name = f"{stem}{secrets.token_hex(4)}"
    return name
