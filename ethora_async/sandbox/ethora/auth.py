"""Authentication and authorization (docs/platforms/ethora.md#which-token-opens-which-route, #tokens).

Clients see the order of the checks: a missing token, then claims outside `data`, an unknown app, a bad or expired
signature, a token of the wrong family, and last the app in the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ethora_async.sandbox.ethora.call import Call, Caller
from ethora_async.sandbox.ethora.errors import (
    app_archived,
    app_not_found,
    bad_token,
    forbidden,
    missing_token,
    refresh_record_not_found,
    wrong_token_type,
)
from ethora_async.sandbox.ethora.records import AppToken
from ethora_async.sandbox.ethora.routing import OPENED_BY, Auth, Route, TokenKind
from ethora_async.sandbox.ethora.tokens import peek, strip_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import App


def token_of(headers: Mapping[str, str]) -> str:
    """Return the token without its scheme words, or ""; `x-custom-token` comes before `Authorization`."""
    return strip_scheme(headers.get("x-custom-token", "")) or strip_scheme(headers.get("Authorization", ""))


def authenticate(platform: Platform, route: Route, headers: Mapping[str, str], now: float) -> Caller | None:
    """Return the caller, or None if the route needs no token. Raises the 400 or 401."""
    if route.auth is Auth.NONE:
        return None
    token = token_of(headers)
    if not token:
        if route.auth is Auth.APP_OR_ID:
            return None
        raise missing_token(b2b=route.auth.b2b)
    caller = identify(platform, token, now)
    if caller.kind not in OPENED_BY[route.auth]:
        raise wrong_token_type()
    return caller


def target_app(platform: Platform, route: Route, params: Mapping[str, str], caller: Caller | None) -> App | None:
    """Return the app of the call, if the caller may use it: its own, or a child of its own.

    Raises 404 `APP_NOT_FOUND`, 403, and 403 `APP_ARCHIVED` where the call needs a live app.
    """
    if caller is None:
        return None
    target = caller.app
    if "appId" in params:
        named = platform.store.find_app(params["appId"])
        if named is None:
            raise app_not_found(404)
        if caller.app not in (named, named.parent):
            raise forbidden()
        target = named
    if caller.user is not None and (route.admin or target is not caller.app) and not caller.user.manages(target):
        raise forbidden()
    if target.archived and not route.archived:
        raise app_archived()
    return target


def named_app(call: Call, app_id: str | None) -> App:
    """Return the app of a login or sign-up: the app token's, or the one in the body or `x-app-id` name.

    Raises 401, 400 `APP_NOT_FOUND` and 403 `APP_ARCHIVED`.
    """
    if call.target is not None:
        return call.target
    named = app_id or call.headers.get("x-app-id")
    if not named:
        raise missing_token(b2b=False)
    app = call.platform.store.find_app(named)
    if app is None:
        raise app_not_found()
    if app.archived:
        raise app_archived()
    return app


def identify(platform: Platform, token: str, now: float) -> Caller:
    """Verify a token of any family and return its owner. Raises the 400 or 401."""
    payload = peek(token)
    if payload is None:
        return _opaque(platform, token, now)
    data = payload.get("data")
    if type(data) is not dict:
        if platform.legacy_tokens and payload.get("type") == "client":
            return _customer(platform, token, payload, payload, "client", now)
        raise wrong_token_type()
    claims = cast("dict[str, Any]", data)
    purpose = claims.get("type", "client")
    if "appId" in claims and purpose in ("server", "client"):
        return _customer(platform, token, payload, claims, purpose, now)
    return _own(platform, token, payload, claims, now)


def _customer(
    platform: Platform, token: str, payload: dict[str, Any], claims: dict[str, Any], purpose: str, now: float
) -> Caller:
    """Verify a token that a customer's backend signed."""
    app = platform.store.find_app(claims.get("appId"))
    if app is None:
        raise app_not_found()
    if "type" not in claims and not platform.lenient:
        raise bad_token()
    if not app.keys.accepts(token, purpose) or expired(payload, now):
        raise bad_token()
    return Caller(TokenKind(purpose), app, claims)


def _own(platform: Platform, token: str, payload: dict[str, Any], claims: dict[str, Any], now: float) -> Caller:
    """Verify a token that this sandbox signed."""
    if not platform.signer.keys.accepts(token):
        raise bad_token()
    kind = claims.get("type")
    if kind not in ("app", "user", "refresh"):
        raise wrong_token_type()
    app = platform.store.find_app(claims.get("appId"))
    if app is None:
        raise app_not_found()
    if kind == "app":
        if claims.get("version") != app.token_version:
            raise bad_token()
        return Caller(TokenKind.APP, app, claims)
    session = platform.sessions.of(claims)
    if session is not None and (expired(payload, now) or not session.user.exists):
        session = None
    if kind == "refresh":
        if session is None or not platform.sessions.takes_refresh(session, claims.get("refreshId"), now):
            raise refresh_record_not_found()
        return Caller(TokenKind.REFRESH, app, claims, session.user, session)
    if session is None:
        raise bad_token()
    return Caller(TokenKind.USER, app, claims, session.user, session)


def _opaque(platform: Platform, token: str, now: float) -> Caller:
    """Verify an opaque token: an app token or an API key."""
    holder = platform.credentials.holder_of(token)
    if holder is None or (isinstance(holder, AppToken) and not holder.active):
        raise bad_token()
    if isinstance(holder, AppToken):
        if platform.store.find_app(holder.app.id) is not holder.app:
            raise app_not_found()
        return Caller(TokenKind.APP, holder.app, {})
    user = holder.session.user
    if holder.revoked or now >= holder.expires_at or not user.exists:
        raise refresh_record_not_found()
    return Caller(TokenKind.USER, user.app, {}, user, holder.session)


def expired(payload: dict[str, Any], now: float) -> bool:
    """Return whether `exp` is past, or not a number; tokens without one never expire.

    See docs/platforms/ethora.md#times-in-tokens.
    """
    end = payload.get("exp", now + 1)
    return not isinstance(end, int | float) or isinstance(end, bool) or end <= now
