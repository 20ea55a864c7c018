"""Users: their presence, and their second factor (docs/platforms/rocketchat.md#second-factor, #rate-limits)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat import announce, two_factor
from ethora_async.sandbox.rocketchat.announce import STATES
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import MeteorError, forbidden
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import RateLimit, Routes
from ethora_async.sandbox.rocketchat.schema import TEXT, closed
from ethora_async.sandbox.rocketchat.tokens import drop

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import User
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
MINUTE = 60_000
LONGEST_STATUS = 120
"""Characters of a status text; the rest is cut off."""


@ROUTES.add(
    "POST",
    "users.setStatus",
    section="rate-limits",
    limit=RateLimit(5, MINUTE),
    body=closed({}, dict.fromkeys(("status", "message", "userId", "username", "user"), TEXT)),
)
def set_status(call: Call) -> Reply:
    """Change the caller's presence or status text, or with `edit-other-user-info` another user's."""
    user = _meant(call)
    status = call.body.get("status", user.status)
    if status not in STATES:
        raise MeteorError("error-invalid-status", "Valid status types include online, away, offline, and busy.")
    user.status = status
    user.status_text = call.body.get("message", user.status_text).strip()[:LONGEST_STATUS]
    announce.status(call.platform, user)
    return success()


def _meant(call: Call) -> User:
    named = {name: call.body[name] for name in ("userId", "username", "user") if call.body.get(name)}
    if set(named.values()) <= {call.user.id, call.user.username}:
        return call.user
    if not may(call.user, "edit-other-user-info"):
        raise forbidden(call.platform.version)
    return call.user_of(named)


@ROUTES.add(
    "POST", "users.2fa.sendEmailCode", section="second-factor", anonymous=True, body=closed({"emailOrUsername": TEXT})
)
def send_email_code(call: Call) -> Reply:
    """Mail a code; the reply does not reveal whether the user exists."""
    user = call.platform.store.users.find(call.body["emailOrUsername"])
    if user is not None and "email" in two_factor.available(call.platform, user):
        two_factor.send_code(call.platform, user, call.now, again=True)
    return success()


@ROUTES.add("POST", "users.2fa.enableEmail", section="second-factor")
def enable_email(call: Call) -> Reply:
    """Enable the caller's second factor by mail."""
    call.user.email_two_factor = True
    return success()


@ROUTES.add("POST", "users.2fa.disableEmail", section="second-factor", two_factor=True)
def disable_email(call: Call) -> Reply:
    """Disable the caller's second factor by mail."""
    call.user.email_two_factor = False
    return success()


@ROUTES.add(
    "POST",
    "users.resetTOTP",
    section="second-factor",
    any_of=("edit-other-user-totp",),
    two_factor=True,
    body=closed({}, {"userId": TEXT, "username": TEXT, "user": TEXT}),
)
def reset_totp(call: Call) -> Reply:
    """Remove a user's authenticator, and end their sessions."""
    user = call.user_of(call.body)
    user.totp_secret = None
    drop(call.platform, user, lambda token: not token.personal)
    return success()
