"""Create, change, deactivate and delete accounts (docs/platforms/rocketchat.md#users)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import announce, integrations, membership, webhook_events
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure
from ethora_async.sandbox.rocketchat.ids import digest, new_token
from ethora_async.sandbox.rocketchat.permissions import known_roles, may
from ethora_async.sandbox.rocketchat.platform import Mail
from ethora_async.sandbox.rocketchat.records import User
from ethora_async.sandbox.rocketchat.shapes import emails
from ethora_async.sandbox.rocketchat.tokens import drop
from ethora_async.sandbox.rocketchat.webhook_calls import Event

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Membership, Room

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
BAD_NAME = re.compile(r"[<>\\]")
PLAIN = {
    "bio": "bio",
    "nickname": "nickname",
    "statusText": "status_text",
    "customFields": "custom_fields",
    "requirePasswordChange": "require_password_change",
    "freeSwitchExtension": "extension",
    "verified": "verified",
}


def hash_password(password: str) -> str:
    """Return the stored form of a password: a hash of the hash that clients send."""
    return digest(digest(password))


def create(platform: Platform, data: dict[str, Any], actor: User, now: float) -> User:
    """Create an account from the body of `users.create`."""
    _need(actor, "create-user", "Adding user is not allowed", "Adding_user")
    if "active" in data and not may(actor, "edit-other-user-active-status"):
        raise _not_permitted("Adding user is not allowed", "Adding_user")
    check_name(data["name"])
    _check_roles(actor, data.get("roles"))
    username, email = data["username"].strip(), data["email"].strip().lower()
    check_username(platform, username)
    check_email(platform, email)
    password = data["password"]
    if data.get("setRandomPassword"):
        password = new_token()
    user = User(
        username=username,
        name=data["name"].strip(),
        email=email,
        password=hash_password(password),
        roles=list(data.get("roles") or ["user"]),
        active=data.get("active") is not False,
        created_at=now,
        updated_at=now,
        bug_left=platform.fresh_user_bug,
    )
    _set_plain(user, data)
    platform.store.users.add(user)
    if data.get("sendWelcomeEmail") or data.get("setRandomPassword"):
        platform.outbox.append(Mail(email, "password", password))
    if data.get("joinDefaultChannels") is not False:
        for room in [room for room in platform.store.rooms if room.default]:
            membership.join(platform, room, user, now)
    webhook_events.run(platform, Event(name="userCreated", at=now, user=user))
    return user


def register(platform: Platform, data: dict[str, Any], now: float) -> User:
    """Create an account by self-registration; its address is not verified."""
    check_name(data["name"])
    username, email = data["username"].strip(), data["email"].strip().lower()
    check_username(platform, username)
    check_email(platform, email)
    user = User(
        username=username,
        name=data["name"].strip(),
        email=email,
        password=hash_password(data["password"]),
        custom_fields=dict(data.get("customFields") or {}),
        created_at=now,
        updated_at=now,
        bug_left=platform.fresh_user_bug,
    )
    platform.store.users.add(user)
    for room in [room for room in platform.store.rooms if room.default]:
        membership.join(platform, room, user, now)
    webhook_events.run(platform, Event(name="userCreated", at=now, user=user))
    return user


def update(platform: Platform, user: User, data: dict[str, Any], actor: User, now: float) -> None:
    """Change an account by the `data` of `users.update`, or nothing if a part is refused."""
    if actor is not user and not may(actor, "edit-other-user-info"):
        raise _not_permitted("Editing user is not allowed", "Editing_user")
    if data.get("active") is not None and not may(actor, "edit-other-user-active-status"):
        raise _not_permitted("Editing user is not allowed", "Editing_user")
    username, email = data.get("username") or user.username, (data.get("email") or user.email or "").lower() or None
    _check_roles(actor, data.get("roles"))
    if data.get("name") is not None:
        check_name(data["name"])
    if username != user.username:
        check_username(platform, username, user)
    if email is not None and email != user.email:
        check_email(platform, email, user)
        user.verified = False
    _rename_in_rooms(user, username)
    renamed = username != user.username or data.get("name") not in (None, user.name)
    user.name = data.get("name") or user.name
    user.roles = list(data.get("roles") or user.roles)
    if (username, email) != (user.username, user.email):
        platform.store.users.rename(user, username=username, email=email)
    if data.get("password"):
        user.password = hash_password(data["password"])
        drop(platform, user, lambda token: not token.personal)
    _set_plain(user, data)
    user.updated_at = now
    platform.store.users.changed()
    if renamed:
        announce.renamed(platform, user)
    announce.user_data(platform, user, {"name": user.name, "username": user.username, "emails": emails(user)})


def _rename_in_rooms(user: User, username: str) -> None:
    for member in user.rooms.values():
        for names in (member.room.muted, member.room.unmuted):
            names[:] = [username if one == user.username else one for one in names]


def set_active(platform: Platform, user: User, *, active: bool, confirmed: bool, now: float) -> None:
    """Activate or deactivate an account; deactivating ends all its sessions and tokens."""
    if not active:
        relinquish(platform, user, confirmed=confirmed, now=now)
        drop(platform, user, lambda _: True)
    user.active, user.updated_at = active, now


def delete(platform: Platform, user: User, *, confirmed: bool, now: float) -> list[str]:
    """Delete an account with its messages; return the ids of the rooms deleted with it."""
    deleted = relinquish(platform, user, confirmed=confirmed, now=now)
    for member in list(user.rooms.values()):
        if member.room.type == "d" and len(member.room.usernames) <= 2:
            deleted.append(member.room.id)
            membership.delete(platform, member.room, now)
        else:
            membership.remove(platform, member, now)
    drop(platform, user, lambda _: True)
    integrations.disable_of(platform.store, user)
    platform.store.users.remove(user)
    announce.user_deleted(platform, user)
    return deleted


def relinquish(platform: Platform, user: User, *, confirmed: bool, now: float) -> list[str]:
    """Hand over, or delete, the rooms that only this user owns; raise `user-last-owner` without a confirmation."""
    handed: list[tuple[Room, Membership]] = []
    doomed: list[Room] = []
    for member in user.rooms.values():
        if member.room.owners() != [member]:
            continue
        heir = next((other for other in member.room.members.values() if other is not member), None)
        if heir is None:
            doomed.append(member.room)
        else:
            handed.append((member.room, heir))
    if (handed or doomed) and not confirmed:
        details = {
            "shouldChangeOwner": [room.name for room, _ in handed],
            "shouldBeRemoved": [room.name for room in doomed],
        }
        raise MeteorError("user-last-owner", "", details)
    for room, heir in handed:
        heir.roles = [*heir.roles, "owner"]
        heir.updated_at = now
        room.members[user.id].roles = []
    for room in doomed:
        membership.delete(platform, room, now)
    return [room.id for room in doomed]


def check_name(name: str) -> None:
    """Refuse names with characters that would be markup."""
    if BAD_NAME.search(name):
        raise failure("Name contains invalid characters")


def check_username(platform: Platform, username: str, owner: User | None = None) -> None:
    """Refuse user names that break the server's rule or are taken."""
    if not username:
        raise MeteorError("error-the-field-is-required", "The field Username is required", {"field": "Username"})
    if not platform.settings.fits("UTF8_User_Names_Validation", username):
        details = {"method": "insertOrUpdateUser", "input": username, "field": "Username"}
        raise MeteorError("error-input-is-not-a-valid-field", f"{username} is not a valid username", details)
    taken = platform.store.users.with_username(username)
    if taken is not None and taken is not owner:
        raise _unavailable(username)


def check_email(platform: Platform, email: str, owner: User | None = None) -> None:
    """Refuse invalid addresses, and addresses that are taken."""
    if EMAIL.fullmatch(email) is None:
        raise MeteorError("error-invalid-email", f"Invalid email {email}", {"email": email})
    taken = platform.store.users.with_email(email)
    if taken is not None and taken is not owner:
        raise _unavailable(email)


def _unavailable(value: str) -> MeteorError:
    return MeteorError("error-field-unavailable", f"{value} is already in use :(", {"field": value})


def _check_roles(actor: User, roles: list[str] | None) -> None:
    for role in roles or ():
        if role not in known_roles():
            raise MeteorError("error-action-not-allowed", "The field Roles consist invalid role id", {"action": role})
        if role == "admin" and not may(actor, "assign-admin-role"):
            raise _not_permitted("Assigning role is not allowed", "Assign_role")


def _need(actor: User, permission: str, reason: str, action: str) -> None:
    if not may(actor, permission):
        raise _not_permitted(reason, action)


def _not_permitted(reason: str, action: str) -> MeteorError:
    return MeteorError("error-action-not-allowed", reason, {"method": "insertOrUpdateUser", "action": action})


def _set_plain(user: User, data: dict[str, Any]) -> None:
    for key, name in PLAIN.items():
        if data.get(key) is not None:
            setattr(user, name, data[key])
