"""Sessions of users: token exchange, login, refresh, logout (contract §1.5)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.auth import identify
from ethora_async.sandbox.ethora.errors import (
    Refusal,
    app_not_found,
    missing_token,
    user_not_found,
    wrong_token_type,
)
from ethora_async.sandbox.ethora.forms import LOGIN, LOGOUT, REFRESH
from ethora_async.sandbox.ethora.routing import Auth, Routes, TokenKind
from ethora_async.sandbox.ethora.shapes import full_user
from ethora_async.sandbox.ethora.tokens import strip_scheme
from ethora_async.sandbox.wire import Answer, json_answer

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import App, User
    from ethora_async.sandbox.ethora.sessions import Session

ROUTES = Routes()


@ROUTES.add("POST", "/v1/users/client", auth=Auth.CLIENT, section="1.5")
def exchange(call: Call) -> Answer:
    """Exchange a client token for a session of its user, who has to exist already."""
    user = _user_of_claims(call)
    if user is None:
        raise user_not_found(401)
    return _session_reply(call, call.platform.sessions.open(user))


@ROUTES.add("POST", "/v1/users/login-with-email", "/v2/users/login-with-email", auth=Auth.APP_OR_ID, section="1.5")
def login(call: Call) -> Answer:
    """Log in with e-mail and password; the app comes from the app token, the body or `x-app-id`."""
    form = call.form(LOGIN)
    app = call.target or _named_app(call, form.get("appId"))
    user = app.users.with_email(form["email"])
    password = None if user is None else user.password
    if user is None or password is None or not hmac.compare_digest(password.encode(), form["password"].encode()):
        raise Refusal(401, "Wrong email or password", "AUTH_FAILED")
    return _session_reply(call, call.platform.sessions.open(user))


@ROUTES.add("POST", "/v1/users/login/refresh", "/v2/users/login/refresh", auth=Auth.REFRESH, section="1.5")
def refresh(call: Call) -> Answer:
    """Exchange a refresh token for new tokens; the old refresh token is used up."""
    session = _refreshed_session(call)
    call.platform.sessions.renew(session)
    return json_answer({"success": True, **call.platform.sessions.tokens(session, call.now)})


@ROUTES.add("GET", "/v1/users/me", "/v2/users/me", auth=Auth.USER, section="1.5")
def read_me(call: Call) -> Answer:
    """Tell who the user is, with fresh tokens of the same session."""
    return _session_reply(call, call.signed_in()[1], {"app": {"isUserDataEncrypted": False}})


@ROUTES.add("GET", "/v1/users/my", auth=Auth.USER, section="1.5")
def read_my(call: Call) -> Answer:
    """Tell who the user is."""
    return json_answer({"success": True, "user": full_user(call.signed_in()[0], call.platform.signer)})


@ROUTES.add("POST", "/v1/users/xmpp-token", auth=Auth.USER, section="1.5")
def xmpp_token(call: Call) -> Answer:
    """Hand out a fresh short-lived XMPP password."""
    password = call.platform.sessions.xmpp_password(call.signed_in()[0], call.now)
    return json_answer({"success": True, "xmppPassword": password})


@ROUTES.add("POST", "/v1/users/logout", auth=Auth.USER, section="1.5")
def logout(call: Call) -> Answer:
    """End this session, all others, or all sessions of the user."""
    which = call.asked(LOGOUT)["type"]
    user, current = call.signed_in()
    if which == "current":
        call.platform.sessions.end(lambda session: session is current)
    else:
        spare = current if which == "except-current" else None
        call.platform.sessions.end(lambda session: session.user is user and session is not spare)
    return json_answer({"ok": True, "success": True})


def _user_of_claims(call: Call) -> User | None:
    """Find the user whose uuid the client token names; a flat older token names an e-mail (§2.7)."""
    user_id, address = call.claims.get("userId"), call.claims.get("email")
    if isinstance(user_id, str):
        return call.app.users.with_uuid(user_id)
    if call.platform.legacy_tokens and isinstance(address, str):
        return call.app.users.with_email(address.strip().lower())
    return None


def _named_app(call: Call, app_id: str | None) -> App:
    named = app_id or call.headers.get("x-app-id")
    if not named:
        raise missing_token(b2b=False)
    app = call.platform.store.find_app(named)
    if app is None:
        raise app_not_found()
    return app


def _refreshed_session(call: Call) -> Session:
    """Find the session of a refresh token, sent as the token itself or in the body beside an app token."""
    if call.caller is not None and call.caller.kind is TokenKind.REFRESH:
        return call.signed_in()[1]
    token = strip_scheme(call.form(REFRESH).get("refreshToken", ""))
    if not token:
        raise missing_token(b2b=False)
    caller = identify(call.platform, token, call.now)
    if caller.kind is not TokenKind.REFRESH or caller.session is None:
        raise wrong_token_type()
    return caller.session


def _session_reply(call: Call, session: Session, extra: dict[str, Any] | None = None) -> Answer:
    platform, user = call.platform, session.user
    return json_answer(
        {
            "success": True,
            **platform.sessions.tokens(session, call.now),
            "user": full_user(user, platform.signer),
            "isAllowedNewAppCreate": user.manages(user.app),
            **(extra or {}),
        }
    )
