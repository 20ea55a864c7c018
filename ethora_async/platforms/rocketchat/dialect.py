"""Read Rocket.Chat's error replies, from 6.x to 9.0.

See docs/platforms/rocketchat.md#error-replies, #log-in, #second-factor, #rate-limits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async import codec
from ethora_async.engine.retry import read_retry_after
from ethora_async.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    ServerFaultError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.platforms.rocketchat.two_factor import REQUIRED_BY, TwoFactorRequiredError
from ethora_async.protocols import Failure
from ethora_async.redaction import request_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.protocols import Clock
    from ethora_async.request import Response

_TWO_FACTOR = frozenset({"totp-required", "totp-invalid", "totp-max-attempts"})
_NOT_FOUND = frozenset(
    {
        "error-invalid-user",
        "error-invalid-user-id",
        "error-room-not-found",
        "error-invalid-room",
        "error-user-not-found",
        "error-user-not-in-room",
        "error-token-does-not-exists",
        "error-message-not-found",
        "error-invalid-message",
        "error-invalid-subscription",
        "invalid-file",
        "invalid-channel",
    }
)
_FORBIDDEN = frozenset(
    {
        "error-not-allowed",
        "error-not-authorized",
        "not-authorized",
        "not-allowed",
        "error-action-not-allowed",
        "error-code-invalid",
        "error-endpoint-disabled",
        "error-unauthorized",
        "error-login-blocked-for-user",
        "error-login-blocked-for-ip",
        "error-user-is-not-activated",
    }
)
_CONFLICT = frozenset(
    {
        "error-field-unavailable",
        "error-duplicate-channel-name",
        "error-token-already-exists",
        "error-archived-duplicate-name",
        "error-room-archived",
        "error-remove-last-owner",
        "error-admin-required",
        "error-room-already-in-team",
        "error-you-are-last-owner",
        "user-last-owner",
    }
)
_TOO_MANY = frozenset({"error-too-many-requests", "too-many-requests"})
_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: ValidationFailedError,
    401: UnauthorizedError,
    403: ForbiddenError,
    413: ValidationFailedError,
    429: RateLimitedError,
}
_CODE_IN_TEXT = re.compile(r"\[([A-Za-z0-9_-]+)\]\s*$")
_MISSING = re.compile(
    r"(?:user|room|channel|group|message|resource) not found|no message found|does not exist", re.IGNORECASE
)
_SILENCED = re.compile(r"you[_ ]have[_ ]been[_ ]muted|because the room is readonly|room_is_blocked", re.IGNORECASE)
_TAKEN = re.compile(r"already (?:exists|in use)", re.IGNORECASE)
_BARE_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_WAIT = re.compile(r"wait (\d+(?:\.\d+)?) seconds?", re.IGNORECASE)
_WINDOW = 60.0
_NO_ENVELOPE = "the reply is not from Rocket.Chat: check the URL, and whether a proxy is in front of it"


class RocketChatDialect:
    """Reads `error`, `errorType`, `message` and `details`; each of them may be missing.

    Args:
        clock: measures the time until a rate limit ends.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def read_failure(self, response: Response) -> Failure:
        """Return the error class, message and code, whether another token may help, and how long a rate limit lasts."""
        try:
            data = codec.loads(response.body)
        except ValueError:
            data = None
        return self.read(response.status, data, response.headers)

    def read(self, status: int, data: Any, headers: Mapping[str, str]) -> Failure:
        """Read a decoded body, such as one with status 200 and ``success: false``."""
        body = data if isinstance(data, dict) else None
        details = body.get("details") if body is not None else None
        details = details if isinstance(details, dict) else {}
        message, code = _message(body), _code(body)
        kind = _kind(status, code, message, details, known=body is not None)
        silent = _NO_ENVELOPE if body is None else f"the platform answered HTTP {status} without a reason"
        return Failure(
            kind=kind,
            message=message or silent,
            code=code,
            request_id=request_id(headers.get("x-request-id")),
            token_rejected=status == 401 and kind is UnauthorizedError,
            retry_after=self._retry_after(message, details, headers) if issubclass(kind, RateLimitedError) else None,
        )

    def _retry_after(self, message: str, details: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
        if stated := _WAIT.search(message):
            return float(stated.group(1))
        milliseconds = details.get("timeToReset")
        if isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool) and milliseconds >= 0:
            return milliseconds / 1000
        stated_wait = read_retry_after(headers, self._clock.now())
        return stated_wait if stated_wait is not None else until_reset(headers, self._clock.now())


def until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until ``X-RateLimit-Reset``, which is in milliseconds since the epoch; None without it.

    A minute at most, the length of the server's windows: a wrong clock must not close a route for long.
    """
    value = headers.get("x-ratelimit-reset", "").strip()
    if not value.isascii() or not value.isdigit():
        return None
    return min(_WINDOW, max(0.0, int(value) / 1000 - now))


def _message(body: Mapping[str, Any] | None) -> str:
    # A number or bare code in place of a text comes with failed log-ins; the text is then under `message`.
    stated = [body.get(key) for key in ("error", "message")] if body is not None else []
    texts = [text.strip() for text in stated if isinstance(text, str) and text.strip()]
    return next((text for text in texts if not _is_code(text)), texts[0] if texts else "")


def _is_code(text: str) -> bool:
    return _BARE_CODE.fullmatch(text) is not None


def _code(body: Mapping[str, Any] | None) -> str | None:
    if body is None:
        return None
    stated = body.get("errorType")
    if isinstance(stated, str) and stated:
        # In some replies the text and the code are swapped: "Not Allowed".
        return stated.lower().replace(" ", "-") if " " in stated else stated
    error = body.get("error")
    if isinstance(error, str):
        if found := _CODE_IN_TEXT.search(error):
            return found.group(1)
        if _is_code(error):
            return error
    return None


def _kind(status: int, code: str | None, message: str, details: Mapping[str, Any], *, known: bool) -> type[ApiError]:
    if code in _TWO_FACTOR:
        return REQUIRED_BY.get(str(details.get("method")), TwoFactorRequiredError)
    if code in _TOO_MANY or status == 429:
        return RateLimitedError
    if status >= 500:
        return ServerFaultError
    if code in _FORBIDDEN:
        return ForbiddenError
    if status == 404:
        # Without the envelope it is a missing route, or a proxy's error: it says nothing about a record.
        return NotFoundError if known else ApiError
    if status in (200, 400, 403):
        if code in _NOT_FOUND or (code is None and _MISSING.search(message)):
            return NotFoundError
        if code is None and _SILENCED.search(message):
            return ForbiddenError
        if code in _CONFLICT or (code is None and _TAKEN.search(message)):
            return ConflictError
    return _BY_STATUS.get(status, ValidationFailedError if status == 200 else ApiError)
