"""A user's own account: sign-up, password, profile, API keys (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.auth import expired, named_app
from ethora_async.sandbox.ethora.credentials import ApiKey
from ethora_async.sandbox.ethora.errors import bad_token, not_found, user_exists
from ethora_async.sandbox.ethora.forms_users import FORGOT, NEW_API_KEY, PROFILE, RESET, SIGN_UP_V1, SIGN_UP_V2
from ethora_async.sandbox.ethora.platform import Mail
from ethora_async.sandbox.ethora.profiles import change_profile
from ethora_async.sandbox.ethora.replies import FLAG, RECORDS, TEXT, many, ref, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import full_user
from ethora_async.sandbox.ethora.shapes_apps import api_key_record
from ethora_async.sandbox.ethora.store import UserData
from ethora_async.sandbox.ethora.tokens import peek
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call

ROUTES: Routes[Call] = Routes()
KEYS = "/v2/users/me/api-keys"
DAY = 24 * 3600.0
RESET_TTL = 3600.0


@ROUTES.add("POST", "/v1/users/sign-up-with-email", auth=Auth.APP_OR_ID, section="sessions", body=SIGN_UP_V1)
def sign_up(call: Call) -> Reply:
    """Create an account and mail its password; see the sandbox's outbox."""
    form, password = call.form(), secrets.token_urlsafe(9)
    answer = _sign_up(call, form, password)
    call.platform.outbox.append(Mail(form["email"], "password", password))
    return answer


@ROUTES.add("POST", "/v2/users/sign-up-with-email", auth=Auth.APP_OR_ID, section="sessions", body=SIGN_UP_V2)
def sign_up_with_password(call: Call) -> Reply:
    """Create an account with the given password; it can log in at once."""
    form = call.form()
    return _sign_up(call, form, form["password"])


@ROUTES.add("POST", "/v1/users/forgot", auth=Auth.APP_OR_ID, section="sessions", body=FORGOT)
def forgot(call: Call) -> Reply:
    """Mail a token that sets a new password. Unknown addresses get the same answer, and no mail."""
    form, platform = call.form(), call.platform
    user = named_app(call, form.get("appId")).users.with_email(form["email"])
    if user is not None:
        data = {"type": "reset", "userId": user.id, "appId": user.app.id}
        token = platform.signer.sign(data, now=call.now, ttl=RESET_TTL).removeprefix("JWT ")
        platform.outbox.append(Mail(form["email"], "reset", token))
    return json_reply({"ok": True, "success": True})


@ROUTES.add("POST", "/v1/users/reset", auth=Auth.NONE, section="sessions", body=RESET)
def reset(call: Call) -> Reply:
    """Set a new password with a mailed token; all sessions of the user end."""
    form, platform = call.form(), call.platform
    payload = peek(form["token"])
    if payload is None or not platform.signer.keys.accepts(form["token"]) or expired(payload, call.now):
        raise bad_token()
    claims = payload["data"]
    app = platform.store.find_app(claims.get("appId"))
    user = None if app is None or claims.get("type") != "reset" else app.users.with_id(claims["userId"])
    if user is None:
        raise bad_token()
    user.password = form["password"]
    platform.sessions.end(lambda session: session.user is user)
    return json_reply({"ok": True, "success": True})


@ROUTES.add(
    "GET",
    "/v1/users/checkEmail/{email}",
    auth=Auth.APP_OR_ID,
    section="sessions",
    replies={200: success({"msg": TEXT, "exists": FLAG})},
)
def check_email(call: Call) -> Reply:
    """Return whether an e-mail address is free: in the app of the token or of `x-app-id`, else in the base app."""
    named = call.target is not None or "x-app-id" in call.headers
    app = named_app(call, None) if named else call.platform.store.apps[0]
    known = app.users.with_email(call.params["email"].strip().lower()) is not None
    return json_reply({"success": not known, "exists": known, "msg": "Email exists" if known else "Email is free"})


@ROUTES.add(
    "PUT",
    "/v1/users",
    auth=Auth.USER,
    section="sessions",
    body=PROFILE,
    uploads=(0, 1),
    replies={200: success({"user": ref("OwnUser")})},
)
def change_own_profile(call: Call) -> Reply:
    """Change one's own profile; a file in a multipart body becomes the picture."""
    user, form = call.signed_in()[0], call.form()
    change_profile(call, user, form)
    return json_reply({"ok": True, "success": True, "user": full_user(user, call.platform.signer)})


@ROUTES.add(
    "GET",
    KEYS,
    auth=Auth.USER,
    section="sessions",
    replies={200: success({"items": many(ref("ApiKey")), "results": many(ref("ApiKey"))})},
)
def list_api_keys(call: Call) -> Reply:
    """List the API keys of the user, without their values."""
    rows = [api_key_record(key) for key in call.platform.credentials.keys_of(call.signed_in()[0])]
    return json_reply({"ok": True, "success": True, "items": rows, "results": rows})


@ROUTES.add(
    "POST",
    KEYS,
    auth=Auth.USER,
    section="sessions",
    body=NEW_API_KEY,
    replies={201: success(RECORDS["NewApiKey"]["properties"])},
)
def create_api_key(call: Call) -> Reply:
    """Create an API key with the rights of a user token; its value is returned once."""
    form, platform = call.form(), call.platform
    session = platform.sessions.open(call.signed_in()[0], api_key=True)
    ids = platform.store.ids
    key = ApiKey(ids.text(ids.next()), session, form["name"], call.now, call.now + form["ttlDays"] * DAY)
    value = platform.credentials.hand_out(key)
    body = {"ok": True, "success": True, **api_key_record(key), "apiKey": value, "token": value}
    return json_reply(body, 201)


@ROUTES.add("DELETE", KEYS + "/{keyId}", auth=Auth.USER, section="sessions")
def revoke_api_key(call: Call) -> Reply:
    """Revoke an API key."""
    keys = call.platform.credentials.keys_of(call.signed_in()[0])
    key = next((key for key in keys if key.id == call.params["keyId"]), None)
    if key is None:
        raise not_found("API key")
    key.revoked = True
    call.platform.sessions.close(key.session)
    return json_reply({"ok": True, "success": True})


def _sign_up(call: Call, form: dict[str, Any], password: str) -> Reply:
    app = named_app(call, form.get("appId"))
    if app.users.with_email(form["email"]) is not None:
        raise user_exists("email", "email")
    data = UserData(
        first_name=form["firstName"],
        last_name=form.get("lastName", ""),
        email=form["email"],
        password=password,
    )
    call.platform.store.create_user(app, data, call.now)
    return json_reply({"ok": True, "success": True})
