"""Track Rocket.Chat's rate limits, which apply per route.

See docs/platforms/rocketchat.md#rate-limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.platforms.rocketchat.dialect import until_reset
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.protocols import Clock
    from ethora_async.request import Operation

Route = tuple[str, Secret, bool]
"""The method, the path, and whether the caller is the admin, who often has no limit where users have one. A path may
hold a secret.
"""


class RouteLimits:
    """Remembers until when the server has closed routes, so that no request is wasted on them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closed_until: dict[Route, float] = {}

    @staticmethod
    def route(operation: Operation, *, admin: bool) -> Route:
        """Return the key that the limit is counted by, as far as one client can know."""
        return operation.method, operation.literal or Secret(operation.path), admin

    def wait(self, route: Route) -> float:
        """Return the seconds until the route is open again; 0 when it is."""
        until = self._closed_until.get(route)
        left = 0.0 if until is None else until - self._clock.monotonic()
        if until is not None and left <= 0:
            del self._closed_until[route]
        return max(0.0, left)

    def learn(self, route: Route, headers: Mapping[str, str]) -> None:
        """Learn from a reply's headers: no remaining calls close the route until its reset."""
        remaining = headers.get("x-ratelimit-remaining")
        if remaining is None:
            return
        left = until_reset(headers, self._clock.now())
        if remaining.strip() == "0" and left:
            self.close(route, left)

    def close(self, route: Route, seconds: float) -> None:
        """Learn from a rejection that says how long to wait."""
        self._closed_until[route] = max(self._closed_until.get(route, 0.0), self._clock.monotonic() + seconds)
