"""Logging in and out (docs/platforms/rocketchat.md#log-in, #users)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat.call import answer
from ethora_async.sandbox.rocketchat.errors import MeteorError, login_failed
from ethora_async.sandbox.rocketchat.logins import Client, log_in, rest_options
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.shapes import own_user
from ethora_async.sandbox.rocketchat.tokens import drop

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()


@ROUTES.add("POST", "login", section="log-in", anonymous=True)
def login(call: Call) -> Reply:
    """Log in by password or token; a token is returned unchanged."""
    headers = call.headers
    code = call.body.get("code") or headers.get("X-2fa-code")
    client = Client(call.address, code if isinstance(code, str) else None, headers.get("X-2fa-method"), call.agent)
    try:
        session = log_in(call.platform, rest_options(call.body), client, call.now)
    except MeteorError as error:
        raise login_failed(call.platform.version, error) from None
    data = {"userId": session.user.id, "authToken": session.text, "me": own_user(session.user, call.origin)}
    more = {"success": True} if call.platform.version.since(7) else {}
    return answer({"status": "success", "data": data, **more})


@ROUTES.add("POST", "logout", section="users")
@ROUTES.add("GET", "logout", section="users")
def logout(call: Call) -> Reply:
    """End the session of the request's token only."""
    user, presented = call.session()
    drop(call.platform, user, lambda token: token is presented)
    return answer({"status": "success", "data": {"message": "You've been logged out!"}})


@ROUTES.add("GET", "me", section="users")
def me(call: Call) -> Reply:
    """Return the caller's account, at the top level of the reply."""
    return answer({**own_user(call.user, call.origin), "success": True})
