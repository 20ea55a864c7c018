"""Logins by password or token, for REST and DDP (docs/platforms/rocketchat.md#log-in, #methods)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs

from ethora_async.sandbox.rocketchat import two_factor
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.ids import digest
from ethora_async.sandbox.rocketchat.records import LoginToken, User
from ethora_async.sandbox.rocketchat.tokens import expired, mint

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform


@attrs.frozen
class Login:
    """A successful login. `kind` is `password` or `resume`; `resume` returns the token that was sent."""

    user: User
    text: str = attrs.field(repr=False)
    token: LoginToken
    kind: str


@attrs.frozen
class Client:
    """The client of a login, and its second factor."""

    address: str
    code: str | None = attrs.field(default=None, repr=False)
    method: str | None = None
    agent: str = ""


def log_in(platform: Platform, options: dict[str, Any], client: Client, now: float) -> Login:
    """Log in with the options of Meteor's `login` method; raises MeteorError.

    `{resume}`, `{user, password}`, or either of them wrapped as `{totp: {login, code}}`.
    """
    wrapped: Any = options.get("totp")
    if isinstance(wrapped, dict):
        inner = cast("dict[str, Any]", wrapped)
        client = attrs.evolve(client, code=str(inner.get("code", "")))
        options = cast("dict[str, Any]", inner.get("login") or {})
    if isinstance(options.get("resume"), str):
        return _resume(platform, options["resume"], now)
    if "password" in options:
        return _by_password(platform, options, client, now)
    raise MeteorError(400, "Unrecognized options for login request")


def _resume(platform: Platform, text: str, now: float) -> Login:
    """Log in with a token, which stays the same and is not extended."""
    found = platform.store.token_owner(text)
    if found is None:
        raise MeteorError(403, "You've been logged out by the server. Please log in again.")
    user, token = found
    if expired(platform, token, now):
        raise MeteorError(403, "Your session has expired. Please log in again.")
    _admit(user)
    return Login(user, text, token, "resume")


def _by_password(platform: Platform, options: dict[str, Any], client: Client, now: float) -> Login:
    user = _named(platform, options.get("user"))
    attempts, user_id = platform.attempts, None if user is None else user.id
    attempts.check(platform.settings, user_id, client.address, now)
    sent = _sent_digest(options["password"])
    if user is None or user.password is None or sent is None or digest(sent) != user.password:
        attempts.failed(user_id, client.address, now)
        raise MeteorError(403, "Unauthorized")
    _admit(user)
    two_factor.check(platform, user, client.code, client.method, now, fallback=False)
    attempts.succeeded(user.id, client.address)
    minted = mint(platform, user, now)
    if client.code:
        two_factor.trust(platform, minted.token, two_factor.fingerprint(client.agent, client.address), now)
    user.last_login = now
    return Login(user, minted.text, minted.token, "password")


def _admit(user: User) -> None:
    if not user.active:
        raise MeteorError("error-user-is-not-activated", "User is not activated")


def _named(platform: Platform, named: Any) -> User | None:
    """Find the user of `{username}`, `{email}` or `{id}`."""
    if not isinstance(named, dict):
        return None
    fields = cast("dict[str, Any]", named)
    users = platform.store.users
    if isinstance(fields.get("username"), str):
        return users.with_username(fields["username"])
    if isinstance(fields.get("email"), str):
        return users.with_email(fields["email"])
    return None


def _sent_digest(password: Any) -> str | None:
    """Return the sha256 of a password that was sent in clear or hashed."""
    if isinstance(password, str):
        return digest(password)
    if isinstance(password, dict):
        hashed = cast("dict[str, Any]", password)
        sent = hashed.get("digest")
        if hashed.get("algorithm") == "sha-256" and isinstance(sent, str):
            return sent
    return None


def rest_options(body: dict[str, Any]) -> dict[str, Any]:
    """Turn the body of `POST login` into the options of the `login` method (docs/platforms/rocketchat.md#log-in)."""
    password = body.get("password")
    if not password:
        return body
    user = body.get("user", body.get("username", body.get("email")))
    if isinstance(user, str):
        user = {"email": user} if "@" in user else {"username": user}
    return {"user": user, "password": password}
