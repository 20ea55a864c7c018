"""Limits on calls by connection, user and address (docs/platforms/rocketchat.md#methods)."""

from __future__ import annotations

import math

import attrs

from ethora_async.sandbox.rocketchat.errors import MeteorError

MINUTE = 60.0
BURST = 10.0
CODE = "too-many-requests"


@attrs.define
class _Window:
    ends: float
    used: int = 0


@attrs.define
class CallLimits:
    """Windows by subject. `enabled=False` switches the limits off."""

    enabled: bool = True
    _windows: dict[tuple[str, ...], _Window] = attrs.field(factory=dict[tuple[str, ...], _Window])

    def count(self, address: str, connection: str, user_id: str | None, method: str | None, now: float) -> None:
        """Count a call, or with `method=None` a subscription; raises `too-many-requests`."""
        if not self.enabled:
            return
        self._take(("address", address), 120_000, MINUTE, now)
        self._take(("connection", connection), 600, MINUTE, now)
        if user_id is not None:
            self._take(("user", user_id), 1200, MINUTE, now)
        if method is None:
            return
        self._take(("connection", connection, method), 10, BURST, now)
        if user_id is not None:
            self._take(("user", user_id, method), 20, BURST, now)

    def _take(self, subject: tuple[str, ...], limit: int, span: float, now: float) -> None:
        window = self._windows.get(subject)
        if window is None or now >= window.ends:
            window = self._windows[subject] = _Window(now + span)
        window.used += 1
        if window.used > limit:
            left = window.ends - now
            wait = f"You must wait {math.ceil(left)} seconds before trying again."
            raise MeteorError(
                CODE, f"Error, too many requests. Please slow down. {wait}", {"timeToReset": round(left * 1000)}
            )
