"""Sessions of users: token exchange, login, refresh, logout (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.answers import session_reply
from ethora_async.sandbox.ethora.auth import expired, identify, named_app
from ethora_async.sandbox.ethora.errors import (
    bad_token,
    missing_token,
    user_not_found,
    wrong_login,
    wrong_token_type,
)
from ethora_async.sandbox.ethora.forms_users import LOGIN, LOGIN_CODE, LOGOUT, REFRESH
from ethora_async.sandbox.ethora.replies import FLAG, SESSION, TEXT, TOKENS, closed, ref, success
from ethora_async.sandbox.ethora.routing import Auth, Routes, TokenKind
from ethora_async.sandbox.ethora.shapes import full_user
from ethora_async.sandbox.ethora.tokens import peek, strip_scheme
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import User
    from ethora_async.sandbox.ethora.sessions import Session

ROUTES: Routes[Call] = Routes()
OPENED = success(SESSION)
CHALLENGED = success({"mfaRequired": FLAG, "mfaToken": TEXT})


@ROUTES.add("POST", "/v1/users/client", auth=Auth.CLIENT, section="sessions", replies={200: OPENED})
def exchange(call: Call) -> Reply:
    """Exchange a client token for a session of its user, who must already exist."""
    user = _user_of_claims(call)
    if user is None:
        raise user_not_found(401)
    return session_reply(call, call.platform.sessions.open(user))


@ROUTES.add(
    "POST",
    "/v1/users/login-with-email",
    "/v2/users/login-with-email",
    auth=Auth.APP_OR_ID,
    section="sessions",
    body=LOGIN,
    replies={200: {"anyOf": [OPENED, CHALLENGED]}},
)
def login(call: Call) -> Reply:
    """Log in with e-mail and password; the app comes from the app token, the body or `x-app-id`."""
    form = call.form()
    user = named_app(call, form.get("appId")).users.with_email(form["email"])
    password = None if user is None else user.password
    if user is None or password is None or not _same(password, form["password"]):
        raise wrong_login()
    if user.profile.mfa_code is not None:
        token = call.platform.sessions.challenge(user, call.now)
        return json_reply({"success": True, "mfaRequired": True, "mfaToken": token})
    return session_reply(call, call.platform.sessions.open(user))


@ROUTES.add(
    "POST", "/v2/users/login/mfa", auth=Auth.APP_OR_ID, section="sessions", body=LOGIN_CODE, replies={200: OPENED}
)
def login_with_code(call: Call) -> Reply:
    """Complete a login that requires a code. After a wrong code it can be retried for five minutes."""
    form, platform = call.form(), call.platform
    app = named_app(call, form.get("appId"))
    token = strip_scheme(form["mfaToken"])
    payload = peek(token)
    if payload is None or not platform.signer.keys.accepts(token) or expired(payload, call.now):
        raise bad_token()
    user = platform.sessions.challenged(payload["data"])
    if user is None or user.app is not app or not user.exists:
        raise bad_token()
    if not _same(user.profile.mfa_code or "", form["code"]):
        raise wrong_login()
    platform.sessions.met(payload["data"])
    return session_reply(call, platform.sessions.open(user))


@ROUTES.add(
    "POST",
    "/v1/users/login/refresh",
    "/v2/users/login/refresh",
    auth=Auth.REFRESH,
    section="sessions",
    body=REFRESH,
    replies={200: success(TOKENS)},
)
def refresh(call: Call) -> Reply:
    """Exchange a refresh token for new tokens; a replaced one returns the current tokens."""
    session, refresh_id = _refreshed_session(call)
    call.platform.sessions.renew(session, refresh_id, call.now)
    return json_reply({"success": True, **call.platform.sessions.tokens(session, call.now)})


@ROUTES.add(
    "GET",
    "/v1/users/me",
    "/v2/users/me",
    auth=Auth.USER,
    section="sessions",
    replies={200: success({**SESSION, "app": closed({"isUserDataEncrypted": FLAG})})},
)
def read_me(call: Call) -> Reply:
    """Return the user, with fresh tokens of the same session."""
    return session_reply(call, call.signed_in()[1], {"app": {"isUserDataEncrypted": False}})


@ROUTES.add("GET", "/v1/users/my", auth=Auth.USER, section="sessions", replies={200: success({"user": ref("OwnUser")})})
def read_my(call: Call) -> Reply:
    """Return the user."""
    return json_reply({"success": True, "user": full_user(call.signed_in()[0], call.platform.signer)})


@ROUTES.add(
    "POST", "/v1/users/xmpp-token", auth=Auth.USER, section="sessions", replies={200: success({"xmppPassword": TEXT})}
)
def xmpp_token(call: Call) -> Reply:
    """Issue a short-lived XMPP password."""
    password = call.platform.sessions.xmpp_password(call.signed_in()[0], call.now)
    return json_reply({"success": True, "xmppPassword": password})


@ROUTES.add("POST", "/v1/users/logout", auth=Auth.USER, section="sessions", query=LOGOUT)
def logout(call: Call) -> Reply:
    """End this session, all others, or all sessions of the user; API keys stay valid."""
    which = call.asked()["type"]
    user, current = call.signed_in()
    if which == "current":
        call.platform.sessions.end(lambda session: session is current)
    else:
        spare = current if which == "except-current" else None
        call.platform.sessions.end(lambda session: session.user is user and session is not spare)
    return json_reply({"ok": True, "success": True})


def _same(known: str, sent: str) -> bool:
    """Compare in constant time. Accepts lone surrogates, which JSON allows."""
    return hmac.compare_digest(known.encode("utf-8", "surrogatepass"), sent.encode("utf-8", "surrogatepass"))


def _user_of_claims(call: Call) -> User | None:
    """Find the user whose uuid the client token names; a flat older token names an e-mail.

    See docs/platforms/ethora.md#tokens-by-e-mail-address.
    """
    user_id, address = call.claims.get("userId"), call.claims.get("email")
    if isinstance(user_id, str):
        return call.app.users.with_uuid(user_id)
    if call.platform.legacy_tokens and isinstance(address, str):
        return call.app.users.with_email(address.strip().lower())
    return None


def _refreshed_session(call: Call) -> tuple[Session, object]:
    """Return the session and the id of a refresh token, sent as the token or in the body beside an app token."""
    if call.caller is not None and call.caller.kind is TokenKind.REFRESH:
        return call.signed_in()[1], call.claims.get("refreshId")
    token = strip_scheme(call.form().get("refreshToken", ""))
    if not token:
        raise missing_token(b2b=False)
    caller = identify(call.platform, token, call.now)
    if caller.kind is not TokenKind.REFRESH or caller.session is None:
        raise wrong_token_type()
    return caller.session, caller.claims.get("refreshId")
