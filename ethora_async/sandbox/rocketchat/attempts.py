"""Failed logins, which block users and addresses for a while (docs/platforms/rocketchat.md#log-in)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat.errors import MeteorError

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.settings import Settings

MINUTE = 60.0
BLOCK = "Block_Multiple_Failed_Logins"


class Attempts:
    """Failed logins, by user and by address."""

    def __init__(self) -> None:
        self._by_user: defaultdict[str, list[float]] = defaultdict(list)
        self._by_ip: defaultdict[str, list[float]] = defaultdict(list)

    def check(self, settings: Settings, user_id: str | None, ip: str, now: float) -> None:
        """Raise the coded error when this address, or this user, is blocked."""
        span = settings[f"{BLOCK}_Time_To_Unblock_By_Ip_In_Minutes"] * MINUTE
        if _recent(self._by_ip[ip], now, span) >= settings[f"{BLOCK}_Attempts_Until_Block_By_Ip"]:
            raise MeteorError("error-login-blocked-for-ip", "Login has been temporarily blocked For IP")
        if user_id is None:
            return
        span = settings[f"{BLOCK}_Time_To_Unblock_By_User_In_Minutes"] * MINUTE
        if _recent(self._by_user[user_id], now, span) >= settings[f"{BLOCK}_Attempts_Until_Block_by_User"]:
            raise MeteorError("error-login-blocked-for-user", "Login has been temporarily blocked For User")

    def failed(self, user_id: str | None, ip: str, now: float) -> None:
        """Count one failure."""
        self._by_ip[ip].append(now)
        if user_id is not None:
            self._by_user[user_id].append(now)

    def succeeded(self, user_id: str, ip: str) -> None:
        """Forget the failures that came before a success."""
        self._by_ip.pop(ip, None)
        self._by_user.pop(user_id, None)


def _recent(times: list[float], now: float, span: float) -> int:
    """Count the failures of the last `span` seconds, and drop older ones."""
    times[:] = [when for when in times if now - when < span]
    return len(times)
