"""The tokens that this process has created: current ones, and replaced ones that must be revoked."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import attrs

from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async.protocols import Clock

MOST_REPLACED = 20
"""Maximum number of a user's replaced tokens that wait for revocation: the server keeps only fifty.

See docs/platforms/rocketchat.md#minting-tokens.
"""


@attrs.define(eq=False)
class Minted:
    """One token of a user.

    Attributes:
        user_id: the record id of the user.
        secret: the token.
        asked_at, asked_monotonic: when it was asked for, on both clocks.
        privileged: whether the user can do more than chat.
        request_id: of the reply that brought it.
        checked_at, checked_monotonic: when name and roles were last compared with the server's, on both clocks.
    """

    user_id: str
    secret: Secret
    asked_at: float
    asked_monotonic: float
    privileged: bool = attrs.field(default=False, kw_only=True)
    request_id: str | None = attrs.field(default=None, kw_only=True)
    checked_at: float = attrs.field(init=False)
    checked_monotonic: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.checked_at, self.checked_monotonic = self.asked_at, self.asked_monotonic

    def check(self, clock: Clock) -> None:
        """Note that name and roles are as the server has them now."""
        self.checked_at, self.checked_monotonic = clock.now(), clock.monotonic()

    def unchecked_for(self, clock: Clock) -> float:
        """Return the seconds since `check`."""
        return max(clock.now() - self.checked_at, clock.monotonic() - self.checked_monotonic)

    def age(self, clock: Clock) -> float:
        """Return its age in seconds: one clock notices a suspended machine, the other ignores clock changes."""
        return max(clock.now() - self.asked_at, clock.monotonic() - self.asked_monotonic)


class TokenStore:
    """One current token for each user, the least recently used dropped first, and a queue of replaced ones.

    Args:
        size: maximum number of users.
        grace: seconds before a replaced token is revoked, for front ends that have not yet requested the new one.
    """

    def __init__(self, clock: Clock, size: int, grace: float) -> None:
        self._clock = clock
        self._size = size
        self._grace = grace
        self._in_use: OrderedDict[str, Minted] = OrderedDict()
        self._replaced: deque[tuple[float, Minted]] = deque()

    def get(self, key: str) -> Minted | None:
        """Return the current token under this name."""
        token = self._in_use.get(key)
        if token is not None:
            self._in_use.move_to_end(key)
        return token

    def put(self, key: str, token: Minted) -> None:
        """Make this the current token; the one before is revoked after its grace period."""
        self.retire(key)
        self._in_use[key] = token
        if len(self._in_use) > self._size:
            self._in_use.popitem(last=False)

    def retire(self, key: str) -> None:
        """Stop handing this token out, and revoke it after the grace period."""
        before = self._in_use.pop(key, None)
        if before is not None:
            self._replaced.append((self._clock.monotonic() + self._grace, before))

    def drop_user(self, user_id: str) -> None:
        """Remove a user's tokens: they have ended by other means."""
        for key in [key for key, token in self._in_use.items() if token.user_id == user_id]:
            del self._in_use[key]
        self._replaced = deque(entry for entry in self._replaced if entry[1].user_id != user_id)

    def drop(self, secret: Secret) -> None:
        """Remove one token: it has ended by other means."""
        for key in [key for key, token in self._in_use.items() if token.secret == secret]:
            del self._in_use[key]
        self._replaced = deque(entry for entry in self._replaced if entry[1].secret != secret)

    def due(self) -> list[Minted]:
        """Return and remove the replaced tokens whose grace period is over, or that are too many for one user."""
        now = self._clock.monotonic()
        waiting: dict[str, int] = {}
        for _, token in self._replaced:
            waiting[token.user_id] = waiting.get(token.user_id, 0) + 1
        over: list[Minted] = []
        kept: deque[tuple[float, Minted]] = deque()
        for until, token in self._replaced:
            if now >= until or waiting[token.user_id] > MOST_REPLACED:
                waiting[token.user_id] -= 1
                over.append(token)
            else:
                kept.append((until, token))
        self._replaced = kept
        return over

    def any_due(self) -> bool:
        """Return whether `due` might return anything, by a cheap check."""
        replaced = self._replaced
        return bool(replaced) and (replaced[0][0] <= self._clock.monotonic() or len(replaced) > MOST_REPLACED)
