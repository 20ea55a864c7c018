"""Change, deactivate, log out and delete users (docs/platforms/rocketchat.md#users)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import accounts
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, forbidden
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, MAP, TEXT, TEXTS, closed, loose, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import full_user
from ethora_async.sandbox.rocketchat.tokens import drop

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
CHANGES = closed(
    {},
    {
        **dict.fromkeys(("email", "name", "password", "username", "bio", "nickname", "statusText"), maybe(TEXT)),
        **dict.fromkeys(("status", "freeSwitchExtension"), maybe(TEXT)),
        **dict.fromkeys(("active", "requirePasswordChange", "setRandomPassword"), maybe(FLAG)),
        **dict.fromkeys(("sendWelcomeEmail", "verified"), maybe(FLAG)),
        "roles": maybe(TEXTS),
        "customFields": maybe(MAP),
    },
)


@ROUTES.add(
    "POST",
    "users.update",
    section="users",
    two_factor=True,
    body=closed({"userId": FILLED, "data": CHANGES}, {"confirmRelinquish": FLAG}),
)
def update(call: Call) -> Reply:
    """Change an account; refuse an unknown id."""
    user = call.find_user(call.body["userId"])
    data = call.body["data"]
    accounts.update(call.platform, user, data, call.user, call.now)
    if data.get("active") is not None and data["active"] != user.active:
        confirmed = bool(call.body.get("confirmRelinquish"))
        accounts.set_active(call.platform, user, active=data["active"], confirmed=confirmed, now=call.now)
    return success(user=full_user(user))


def _doomed(way: str) -> dict[str, object]:
    return closed({way: TEXT}, {"confirmRelinquish": FLAG})


@ROUTES.add(
    "POST",
    "users.delete",
    section="users",
    any_of=("delete-user",),
    body=one_of(_doomed("userId"), _doomed("username"), _doomed("user")),
)
def delete(call: Call) -> Reply:
    """Delete an account; from 7.0 on the reply lists the rooms deleted with it."""
    user = call.user_of(call.body)
    if user is call.caller:
        raise MeteorError("error-not-allowed", "Not allowed")
    confirmed = bool(call.body.get("confirmRelinquish"))
    deleted = accounts.delete(call.platform, user, confirmed=confirmed, now=call.now)
    return success(deletedRooms=deleted) if call.platform.version.since(7) else success()


@ROUTES.add(
    "POST",
    "users.setActiveStatus",
    section="users",
    any_of=("edit-other-user-active-status",),
    body=closed({"userId": TEXT, "activeStatus": FLAG}, {"confirmRelinquish": maybe(FLAG)}),
)
def set_active_status(call: Call) -> Reply:
    """Activate or deactivate an account."""
    user = call.find_user(call.body["userId"])
    active, confirmed = call.body["activeStatus"], bool(call.body.get("confirmRelinquish"))
    accounts.set_active(call.platform, user, active=active, confirmed=confirmed, now=call.now)
    return success(user={"_id": user.id, "active": user.active})


@ROUTES.add(
    "POST",
    "users.logout",
    section="users",
    body=loose({"userId": maybe(TEXT)}),
)
def logout(call: Call) -> Reply:
    """End all sessions of a user, personal access tokens included; without a `userId`, the caller's own."""
    user_id = call.body.get("userId") or call.user.id
    if user_id != call.user.id and not may(call.user, "logout-other-user"):
        raise forbidden(call.platform.version)
    user = call.platform.store.users.with_id(user_id)
    if user is None:
        raise MeteorError("error-invalid-user-id", "Invalid user id")
    drop(call.platform, user, lambda _: True)
    return success(message=f"User {user_id} has been logged out!")
