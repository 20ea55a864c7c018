"""Bans in rooms, and the users whom a user has blocked (docs/platforms/ethora.md#realtime)."""

from __future__ import annotations

from typing import Final

import attrs

from ethora_async.sandbox.ethora.records import Chat, User

BANNED: Final = "You are banned in this room!"


@attrs.frozen
class Ban:
    """A ban of a user in a room, until a moment in seconds since 1970; None for ever."""

    until: float | None
    comment: str


@attrs.define
class Moderation:
    """Who is banned where, and whom each user has blocked. Blocking hides nothing: front ends filter by the list."""

    bans: dict[Chat, dict[User, Ban]] = attrs.field(factory=dict[Chat, dict[User, Ban]])
    blocked: dict[User, dict[User, float]] = attrs.field(factory=dict[User, dict[User, float]])

    def is_banned(self, chat: Chat, user: User, now: float) -> bool:
        """Return whether a user may not write in a room. A ban that is over is forgotten."""
        bans = self.bans.get(chat)
        ban = None if bans is None else bans.get(user)
        if bans is None or ban is None:
            return False
        if ban.until is None or now < ban.until:
            return True
        del bans[user]
        return False
