"""The default bodies of injected failures, in this server's own words.

See docs/platforms/rocketchat.md#error-replies.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ethora_async.sandbox.rocketchat.call import answer
from ethora_async.sandbox.rocketchat.encoding import milliseconds
from ethora_async.sandbox.rocketchat.errors import logged_out
from ethora_async.sandbox.rocketchat.limiter import too_many

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.wire import Reply

DEFAULT_WAIT = 60.0


def wording(platform: Platform, *, legacy_rate_limit: bool) -> Callable[[int, float | str | None], Reply]:
    """Return the function that writes the body for a status. A 429 has its seconds in the text and the reset header."""

    def word(status: int, retry_after: float | str | None) -> Reply:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = float(retry_after) if isinstance(retry_after, int | float) else DEFAULT_WAIT
            reset = str(milliseconds(platform.now() + wait))
            headers = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            refusal = too_many(wait, headers, legacy=legacy_rate_limit)
            return answer(refusal.body, refusal.status, refusal.headers)
        if status == HTTPStatus.UNAUTHORIZED:
            return answer(logged_out(platform.version).body, status)
        known = status in {member.value for member in HTTPStatus}
        text = HTTPStatus(status).phrase if known else f"Status {status}"
        given = answer({"success": False, "error": text}, status)
        if retry_after is not None:
            given.headers["Retry-After"] = retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
        return given

    return word
