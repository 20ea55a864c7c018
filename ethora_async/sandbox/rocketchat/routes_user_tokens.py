"""Tokens: for other users, personal access tokens, and the caller's own sessions.

See docs/platforms/rocketchat.md#users, #minting-tokens.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, FLAG, TEXT, closed, loose
from ethora_async.sandbox.rocketchat.tokens import drop, expires_at, mint, mint_personal

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import LoginToken, User
    from ethora_async.sandbox.rocketchat.schema import Schema
    from ethora_async.sandbox.rocketchat.versions import Version
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
PERSONAL = "create-personal-access-tokens"
FRESH_BUG = "Cannot read properties of undefined (reading 'tokens')"


def _create_token_body(version: Version) -> Schema:
    """Return the form of `users.createToken`: from 8.0 on an id and the secret only."""
    if version.gate == "switch":
        return loose(dict.fromkeys(("userId", "username", "user"), TEXT))
    return closed({"userId": FILLED, "secret": FILLED})


@ROUTES.add("POST", "users.createToken", section="minting-tokens", creation=True, body=_create_token_body)
def create_token(call: Call) -> Reply:
    """Create a login token for a user; the reply does not say when it expires."""
    platform = call.platform
    user = _token_user(call)
    if user.bug_left and user.last_login is None and not user.tokens:
        # Issue 40598: the token is stored, but the check that follows does not see it yet.
        user.bug_left -= 1
        minted = mint(platform, user, call.now)
        if user.bug_left:
            drop(platform, user, lambda token: token is minted.token)
        raise failure(FRESH_BUG)
    minted = mint(platform, user, call.now)
    return success(data={"userId": user.id, "authToken": minted.text})


def _token_user(call: Call) -> User:
    """Return the user to create a token for; all refusals have the same text."""
    platform = call.platform
    refusal = MeteorError("error-not-authorized", "Not authorized")
    gate = platform.version.gate
    if gate == "switch":
        if not platform.create_tokens:
            raise refusal
        user = call.user_of(call.body)
        if user is not call.user and not may(call.user, "user-generate-access-token"):
            raise refusal
        return user
    sent = call.body["secret"].encode("utf-8", "surrogatepass")
    if not platform.create_tokens or not hmac.compare_digest(sent, platform.secret.encode()):
        raise refusal
    own = call.body["userId"] == call.user.id
    if gate == "secret and permission" and not own and not may(call.user, "user-generate-access-token"):
        raise refusal
    return call.find_user(call.body["userId"])


@ROUTES.add(
    "POST",
    "users.generatePersonalAccessToken",
    section="users",
    any_of=(PERSONAL,),
    two_factor=True,
    body=closed({"tokenName": TEXT}, {"bypassTwoFactor": FLAG}),
)
def generate(call: Call) -> Reply:
    """Create a personal access token for the caller."""
    name = call.body["tokenName"]
    if _personal(call.user, name) is not None:
        raise MeteorError("error-token-already-exists", "A token with this name already exists")
    bypass = bool(call.body.get("bypassTwoFactor"))
    return success(token=mint_personal(call.platform, call.user, name, call.now, bypass_two_factor=bypass))


@ROUTES.add(
    "POST",
    "users.regeneratePersonalAccessToken",
    section="second-factor",
    any_of=(PERSONAL,),
    two_factor=True,
    body=closed({"tokenName": TEXT}),
)
def regenerate(call: Call) -> Reply:
    """Replace a personal access token by a new one."""
    old = _existing(call)
    drop(call.platform, call.user, lambda token: token is old)
    name, bypass = str(old.name), old.bypass_two_factor
    return success(token=mint_personal(call.platform, call.user, name, call.now, bypass_two_factor=bypass))


@ROUTES.add(
    "POST",
    "users.removePersonalAccessToken",
    section="second-factor",
    any_of=(PERSONAL,),
    two_factor=True,
    body=closed({"tokenName": TEXT}),
)
def remove(call: Call) -> Reply:
    """Remove a personal access token."""
    old = _existing(call)
    drop(call.platform, call.user, lambda token: token is old)
    return success()


@ROUTES.add("GET", "users.getPersonalAccessTokens", section="users", any_of=(PERSONAL,))
def list_personal(call: Call) -> Reply:
    """List the caller's personal access tokens; the last six characters of the hash identify them."""
    tokens = [
        {
            "name": token.name,
            "createdAt": moment(token.when),
            "lastTokenPart": token.hashed[-6:],
            "bypassTwoFactor": token.bypass_two_factor,
        }
        for token in call.user.tokens
        if token.personal
    ]
    return success(tokens=tokens)


@ROUTES.add("POST", "users.logoutOtherClients", section="users")
def logout_other_clients(call: Call) -> Reply:
    """End all other sessions of the caller, and return when this one expires, or an empty string if never."""
    user, presented = call.session()
    drop(call.platform, user, lambda token: token is not presented and not token.personal)
    expires = expires_at(call.platform, presented)
    token = call.headers["X-Auth-Token"]
    return success(token=token, tokenExpires="" if expires is None else moment(expires))


@ROUTES.add("POST", "users.removeOtherTokens", section="users")
def remove_other_tokens(call: Call) -> Reply:
    """End all other sessions of the caller."""
    user, presented = call.session()
    drop(call.platform, user, lambda token: token is not presented and not token.personal)
    return success()


def _personal(user: User, name: str) -> LoginToken | None:
    return next((token for token in user.tokens if token.name == name), None)


def _existing(call: Call) -> LoginToken:
    token = _personal(call.user, call.body["tokenName"])
    if token is None:
        raise MeteorError("error-token-does-not-exists", "Token does not exist")
    return token
