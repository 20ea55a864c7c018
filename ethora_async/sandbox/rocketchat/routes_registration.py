"""Self-registration and account recovery (docs/platforms/rocketchat.md#registration)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import accounts
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure
from ethora_async.sandbox.rocketchat.ids import new_token
from ethora_async.sandbox.rocketchat.platform import Mail
from ethora_async.sandbox.rocketchat.routing import RateLimit, Routes
from ethora_async.sandbox.rocketchat.schema import MAP, NUMBER, TEXT, closed, maybe
from ethora_async.sandbox.rocketchat.shapes import full_user

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "registration"
DAY = 86_400.0
MINUTE = 60_000


@ROUTES.add(
    "POST",
    "users.register",
    section=SECTION,
    anonymous=True,
    limit=RateLimit(1, MINUTE),
    body=closed(
        {"username": TEXT, "email": TEXT, "pass": TEXT},
        {**dict.fromkeys(("name", "secret", "reason"), maybe(TEXT)), "customFields": MAP},
    ),
)
def register(call: Call) -> Reply:
    """Register an account, if the server allows self-registration."""
    body = call.body
    if call.caller is not None:
        raise failure("Logged in users can not register again.")
    if call.platform.settings["Accounts_RegistrationForm"] != "Public":
        raise MeteorError("error-user-registration-disabled", "User registration is disabled")
    if not body["pass"].strip():
        raise MeteorError("error-password-policy-not-met", "The password does not meet the server's password policy")
    data = {**body, "name": body.get("name") or body["username"], "password": body["pass"]}
    return success(user=full_user(accounts.register(call.platform, data, call.now)))


@ROUTES.add("POST", "users.forgotPassword", section=SECTION, anonymous=True, body=closed({"email": TEXT}))
def forgot_password(call: Call) -> Reply:
    """Mail a link to set a new password; the reply does not reveal whether the user exists."""
    if not call.body["email"]:
        raise failure("The 'email' param is required")
    user = call.platform.store.users.with_email(call.body["email"])
    if user is not None and user.email is not None:
        call.platform.outbox.append(Mail(user.email, "password", new_token()))
    return success()


@ROUTES.add("GET", "users.checkUsernameAvailability", section=SECTION, query=closed({"username": TEXT}))
def available(call: Call) -> Reply:
    """Return whether a user name is free."""
    if not call.platform.settings.fits("UTF8_User_Names_Validation", call.query["username"]):
        raise MeteorError("username-invalid", f"{call.query['username']} is not a valid username")
    return success(result=call.platform.store.users.with_username(call.query["username"]) is None)


@ROUTES.add(
    "POST",
    "users.deactivateIdle",
    section=SECTION,
    any_of=("edit-other-user-active-status",),
    body=closed({"daysIdle": NUMBER}, {"role": TEXT}),
)
def deactivate_idle(call: Call) -> Reply:
    """Deactivate users who have not logged in for the given number of days."""
    role = call.body.get("role", "user")
    line = call.now - call.body["daysIdle"] * DAY
    idle = [
        user
        for user in call.platform.store.users
        if user.active and role in user.roles and user.last_login is not None and user.last_login < line
    ]
    for user in idle:
        accounts.set_active(call.platform, user, active=False, confirmed=True, now=call.now)
    return success(count=len(idle))
