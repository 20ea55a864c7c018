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
    """A fresh token: the text that the client gets, and what the server keeps."""

    text: str = attrs.field(repr=False)
    token: LoginToken


def mint(platform: Platform, user: User, now: float) -> Minted:
    """Give a user a login token; the oldest go when there are too many, which logs real sessions out."""
    text = new_token()
    token = LoginToken(hash_token(text), now)
    platform.store.add_token(user, token)
    ages = sorted((other for other in user.tokens if not other.personal), key=lambda other: other.when)
    surplus = set(map(id, ages[: max(0, len(ages) - platform.token_cap)]))
    drop(platform, user, lambda other: id(other) in surplus)
    return Minted(text, token)


def mint_personal(platform: Platform, user: User, name: str, now: float, *, bypass_two_factor: bool) -> str:
    """Give a user a personal access token, which never expires, and return its text."""
    text = new_token()
    platform.store.add_token(user, LoginToken(hash_token(text), now, name, bypass_two_factor))
    announce.tokens(platform, user)
    return text


def drop(platform: Platform, user: User, doomed: Callable[[LoginToken], bool]) -> int:
    """Take tokens of a user away, and tell the connections that lived on them; return how many there were."""
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
    """Do what the job of every ten minutes did by now: delete expired tokens."""
    dead = platform.store.sweep(now, platform.settings.token_lifetime)
    for user in {id(user): user for user, _ in dead}.values():
        announce.tokens(platform, user)
    for _, token in dead:
        platform.hub.token_died(token.hashed)
