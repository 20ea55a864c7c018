"""Rate limits of REST, by client address, route and method (docs/platforms/rocketchat.md#rate-limits)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from ethora_async.sandbox.rocketchat.errors import RestError
from ethora_async.sandbox.rocketchat.routing import RateLimit, Route

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.versions import Version

CODE = "error-too-many-requests"


@attrs.define
class _Window:
    ends: float
    used: int = 0


@attrs.define
class RateLimiter:
    """Counts calls in windows that begin with their first call.

    default: the limit of routes without their own; None switches the limiter off.
    legacy: answer 400 with an `errorType`, as very old servers did, instead of 429.
    """

    default: RateLimit | None
    legacy: bool = False
    _windows: dict[tuple[str, str], _Window] = attrs.field(factory=dict[tuple[str, str], _Window])

    def count(self, route: Route, address: str, version: Version, now: float) -> dict[str, str]:
        """Count one call and return the headers of its reply; raises the refusal if the limit is exceeded."""
        if self.default is None:
            return {}
        own = route.limit is not None and version.since(*route.limit_since)
        limit = route.limit if own and route.limit is not None else self.default
        window = self._windows.get((address, route.operation))
        if window is None or now >= window.ends:
            window = self._windows[address, route.operation] = _Window(now + limit.milliseconds / 1000)
        window.used += 1
        headers = {
            "X-RateLimit-Limit": str(limit.calls),
            "X-RateLimit-Remaining": str(max(0, limit.calls - window.used)),
            "X-RateLimit-Reset": str(math.ceil(window.ends * 1000)),
        }
        if window.used > limit.calls:
            raise too_many(window.ends - now, headers, legacy=self.legacy)
        return headers


def too_many(seconds: float, headers: dict[str, str], *, legacy: bool = False) -> RestError:
    """Return the refusal with the time to wait: in whole seconds in its text, as a time in its headers."""
    text = (
        "Error, too many requests. Please slow down. You must wait "
        f"{math.ceil(seconds)} seconds before trying this endpoint again. [{CODE}]"
    )
    body: dict[str, object] = {"success": False, "error": text}
    if legacy:
        return RestError(400, {**body, "errorType": CODE}, headers)
    return RestError(429, body, headers)
