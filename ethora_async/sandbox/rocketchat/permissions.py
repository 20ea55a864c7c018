"""Roles and their permissions: the defaults of a fresh server, as far as the routes need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.records import Room, User

ADMIN = frozenset({"admin"})
EVERYONE = frozenset({"admin", "user", "bot", "app"})
MACHINES = frozenset({"admin", "bot", "app"})
OWNERS = frozenset({"admin", "owner"})
KEEPERS = frozenset({"admin", "owner", "moderator"})

GRANTS: dict[str, frozenset[str]] = {
    "add-user-to-any-c-room": ADMIN,
    "add-user-to-any-p-room": frozenset(),
    "add-user-to-joined-room": KEEPERS,
    "api-bypass-rate-limit": MACHINES,
    "archive-room": OWNERS,
    "assign-admin-role": ADMIN,
    "assign-roles": ADMIN,
    "clean-channel-history": ADMIN,
    "create-c": EVERYONE,
    "create-d": EVERYONE,
    "create-p": EVERYONE,
    "create-personal-access-tokens": frozenset({"admin", "user"}),
    "create-team": frozenset({"admin", "user"}),
    "create-user": ADMIN,
    "delete-c": frozenset({"admin", "owner"}),
    "delete-d": ADMIN,
    "delete-message": KEEPERS,
    "delete-p": frozenset({"admin", "owner"}),
    "delete-user": ADMIN,
    "edit-message": KEEPERS,
    "edit-other-user-active-status": ADMIN,
    "edit-other-user-avatar": ADMIN,
    "edit-other-user-info": ADMIN,
    "edit-other-user-totp": ADMIN,
    "edit-privileged-setting": ADMIN,
    "edit-room": KEEPERS,
    "edit-room-avatar": KEEPERS,
    "join-without-join-code": frozenset({"admin", "bot", "app"}),
    "logout-other-user": ADMIN,
    "manage-incoming-integrations": ADMIN,
    "manage-outgoing-integrations": ADMIN,
    "manage-own-incoming-integrations": ADMIN,
    "manage-own-outgoing-integrations": ADMIN,
    "message-impersonate": frozenset({"bot", "app"}),
    "mute-user": KEEPERS,
    "pin-message": KEEPERS,
    "post-readonly": KEEPERS,
    "preview-c-room": frozenset({"admin", "user", "anonymous"}),
    "remove-user": KEEPERS,
    "set-leader": OWNERS,
    "set-moderator": OWNERS,
    "set-owner": OWNERS,
    "set-readonly": KEEPERS,
    "start-discussion": EVERYONE,
    "toggle-room-e2e-encryption": OWNERS,
    "unarchive-room": OWNERS,
    "user-generate-access-token": ADMIN,
    "view-all-teams": ADMIN,
    "view-c-room": frozenset({"admin", "user", "bot", "app", "anonymous"}),
    "view-d-room": EVERYONE,
    "view-full-other-user-info": ADMIN,
    "view-other-user-info": EVERYONE,
    "view-room-administration": ADMIN,
    "view-statistics": ADMIN,
}


def may(user: User | None, permission: str, room: Room | None = None) -> bool:
    """Return whether a user has a permission; with `room`, roles in that room count too."""
    granted = GRANTS[permission]
    if user is None:
        return "anonymous" in granted
    if not granted.isdisjoint(user.roles):
        return True
    member = None if room is None else room.members.get(user.id)
    return member is not None and not granted.isdisjoint(member.roles)


def known_roles() -> frozenset[str]:
    """Return the roles that an account may have."""
    return frozenset({"admin", "anonymous", "app", "bot", "guest", "livechat-agent", "livechat-manager", "user"})
