"""Create, count and drop login tokens (docs/platforms/rocketchat.md#minting-tokens, #token-lifetime)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.sandbox.rocketchat import announce
from ethora_async.sandbox.rocketchat.ids import hash_token, new_token
from ethora_async.sandbox.rocketchat.records import LoginToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import User


@attrs.frozen
class Minted:
    """A fresh token: the token for the client, and the record on the server."""

    text: str = attrs.field(repr=False)
    token: LoginToken


def mint(platform: Platform, user: User, now: float) -> Minted:
    """Create a login token for a user; above the limit the oldest are dropped, which ends real sessions."""
    text = new_token()
    token = LoginToken(hash_token(text), now)
    platform.store.add_token(user, token)
    ages = sorted((other for other in user.tokens if not other.personal), key=lambda other: other.when)
    surplus = set(map(id, ages[: max(0, len(ages) - platform.token_cap)]))
    drop(platform, user, lambda other: id(other) in surplus)
    return Minted(text, token)


def mint_personal(platform: Platform, user: User, name: str, now: float, *, bypass_two_factor: bool) -> str:
    """Create a personal access token, which never expires, and return its value."""
    text = new_token()
    platform.store.add_token(user, LoginToken(hash_token(text), now, name, bypass_two_factor))
    announce.tokens(platform, user)
    return text


def drop(platform: Platform, user: User, doomed: Callable[[LoginToken], bool]) -> int:
    """Remove tokens of a user, and notify the connections that used them; return their number."""
    dead = [token for token in user.tokens if doomed(token)]
    for token in dead:
        platform.store.drop_token(user, token)
    if dead:
        announce.tokens(platform, user)
    for token in dead:
        platform.hub.token_died(token.hashed)
    return len(dead)


def expired(platform: Platform, token: LoginToken, now: float) -> bool:
    """Return whether a token has expired. The lifetime is a setting, applied to old tokens too."""
    return not token.personal and now >= token.when + platform.settings.token_lifetime


def expires_at(platform: Platform, token: LoginToken) -> float | None:
    """Return when a token expires; None for a personal access token."""
    return None if token.personal else token.when + platform.settings.token_lifetime


def sweep(platform: Platform, now: float) -> None:
    """Run the ten-minute job up to now: delete expired tokens."""
    dead = platform.store.sweep(now, platform.settings.token_lifetime)
    for user in {id(user): user for user, _ in dead}.values():
        announce.tokens(platform, user)
    for _, token in dead:
        platform.hub.token_died(token.hashed)
