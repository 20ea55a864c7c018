"""Roles of accounts (docs/platforms/rocketchat.md#roles)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat import announce
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.permissions import known_roles
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import NUMBER, TEXT, closed, maybe
from ethora_async.sandbox.rocketchat.shapes import user_for

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "roles"
IN_ROOMS = ("owner", "moderator", "leader")


def _shape(call: Call, name: str) -> dict[str, Any]:
    return {
        "_id": name,
        "name": name,
        "scope": "Subscriptions" if name in IN_ROOMS else "Users",
        "description": "",
        "protected": True,
        "mandatory2fa": False,
        "_updatedAt": moment(call.now),
    }


def _target(call: Call) -> tuple[User, str]:
    role = call.body.get("roleId") or call.body.get("roleName") or ""
    if role not in known_roles():
        raise MeteorError("error-invalid-role-properties", "The role does not exist")
    user = call.platform.store.users.with_username(call.body["username"])
    if user is None:
        raise MeteorError("error-user-not-found", "There is no user with this username")
    return user, role


def _tell(call: Call, user: User, role: str, kind: str) -> None:
    user.updated_at = call.now
    call.platform.store.users.changed()
    told = {"type": kind, "_id": role, "u": {"_id": user.id, "username": user.username}}
    call.platform.hub.emit(announce.NOTIFY_LOGGED, "roles-change", [told])
    announce.user_data(call.platform, user, {"roles": list(user.roles)})


@ROUTES.add("GET", "roles.list", section=SECTION)
def list_roles(call: Call) -> Reply:
    """List the server's roles."""
    return success(roles=[_shape(call, name) for name in sorted({*known_roles(), *IN_ROOMS})])


@ROUTES.add(
    "POST",
    "roles.addUserToRole",
    section=SECTION,
    any_of=("assign-roles",),
    body=closed({"username": TEXT}, {"roleId": TEXT, "roleName": TEXT, "roomId": maybe(TEXT)}),
)
def add(call: Call) -> Reply:
    """Give a user a role."""
    user, role = _target(call)
    if role in user.roles:
        raise MeteorError("error-user-already-in-role", "User already in role")
    user.roles = [*user.roles, role]
    _tell(call, user, role, "added")
    return success(role=_shape(call, role))


@ROUTES.add(
    "POST",
    "roles.removeUserFromRole",
    section=SECTION,
    any_of=("assign-roles",),
    body=closed({"username": TEXT}, {"roleId": TEXT, "roleName": TEXT, "roomId": maybe(TEXT), "scope": maybe(TEXT)}),
)
def remove(call: Call) -> Reply:
    """Remove a role from a user; the last administrator stays one."""
    user, role = _target(call)
    if role not in user.roles:
        raise MeteorError("error-user-not-in-role", "User is not in this role")
    if role == "admin" and sum("admin" in one.roles for one in call.platform.store.users) == 1:
        raise MeteorError("error-admin-required", "You need to have at least one admin")
    user.roles = [one for one in user.roles if one != role]
    _tell(call, user, role, "removed")
    return success(role=_shape(call, role))


@ROUTES.add(
    "GET",
    "roles.getUsersInRole",
    section=SECTION,
    any_of=("assign-roles",),
    query=closed(
        {"role": TEXT},
        {
            **dict.fromkeys(("roomId", "sort", "query"), maybe(TEXT)),
            **dict.fromkeys(("count", "offset"), maybe(NUMBER)),
        },
    ),
)
def users_in_role(call: Call) -> Reply:
    """List the users with a role."""
    users = [user for user in call.platform.store.users if call.query["role"] in user.roles]
    return call.listing("users", users, lambda user: user_for(call.user, user))
