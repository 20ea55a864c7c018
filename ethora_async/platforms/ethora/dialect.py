"""Read Ethora's error replies in all their forms (docs/platforms/ethora.md#error-replies)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async import codec
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
from ethora_async.protocols import Failure
from ethora_async.redaction import request_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.request import Response

# 401s that are not about the token that the request carried (docs/architecture.md#sending).
_OTHER_MEANING = frozenset({"USER_NOT_FOUND", "AUTH_FAILED", "REFRESH_RECORD_NOT_FOUND", "INVALID_TOKEN_TYPE"})
_NOT_LET_IN = _OTHER_MEANING - {"USER_NOT_FOUND"}
_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: ValidationFailedError,
    401: UnauthorizedError,
    402: ForbiddenError,  # over plan (docs/platforms/ethora.md#error-replies)
    403: ForbiddenError,
    409: ConflictError,
    413: ValidationFailedError,
    422: ValidationFailedError,
    429: RateLimitedError,
}
_MESSAGE_KEYS = ("error", "message", "msg", "reason")
_ABOUT_TOKEN = re.compile(r"\b(?:token|jwt|signature)\b", re.IGNORECASE)
_TITLE = re.compile(r"<(?:title|pre|h1)\b[^<>]*+>\s*+([^<]++)", re.IGNORECASE)
_PAGE = "an HTML page came instead of JSON"
_TITLE_WITHIN = 8_192
"""In characters: a title is near the top of a page."""
_RETRY_KEYS = ("retryAfter", "retry_after")


class EthoraDialect:
    """Reads an object with `error` and `code`, a bare JSON string, plain text, an HTML page or an empty body."""

    def read_failure(self, response: Response) -> Failure:
        """Return the error class, message, code and request id; and whether another token may help.

        A 404 or 422 that says "not found", by code or in words, is `NotFoundError`; any other 404 is a missing route,
        and a plain `ApiError`, since it says nothing about a record.
        """
        data = _decoded(response)
        code, message = _code(data), _message(data)
        rejected = _token_rejected(response.status, code, message)
        return Failure(
            kind=UnauthorizedError if rejected else _kind(response.status, code, message),
            message=message or f"the platform answered HTTP {response.status} without saying why",
            code=code,
            request_id=_request_id(response, data),
            token_rejected=rejected,
            retry_after=_retry_after(data),
        )


def _decoded(response: Response) -> Any:
    try:
        return codec.loads(response.body)
    except ValueError:
        return response.body.decode("utf-8", "replace")


def _code(data: Any) -> str | None:
    code = data.get("code") if isinstance(data, dict) else None
    return code if isinstance(code, str) and code else None


def _message(data: Any) -> str:
    if isinstance(data, str):
        if (page := data.lstrip()).startswith("<"):
            title = _TITLE.search(page, 0, _TITLE_WITHIN)
            return f"{_PAGE}: {title[1].strip()}" if title else _PAGE
        return data.strip()
    if not isinstance(data, dict):
        return ""
    for key in _MESSAGE_KEYS:
        text = data.get(key)
        if isinstance(text, dict):
            text = text.get("message")
        if isinstance(text, str) and text.strip():
            return text.strip()
    return ""


def _token_rejected(status: int, code: str | None, message: str) -> bool:
    if code in _OTHER_MEANING:
        return False
    return status == 401 or (status == 403 and bool(_ABOUT_TOKEN.search(f"{code or ''} {message}".replace("_", " "))))


def _kind(status: int, code: str | None, message: str) -> type[ApiError]:
    # A page comes from a web server or a proxy on the way, which knows nothing about records.
    words = "" if message.startswith(_PAGE) else message.lower()
    if status >= 500:
        return ServerFaultError
    if code in _NOT_LET_IN:
        return UnauthorizedError
    if (code or "").endswith("_NOT_FOUND") or (status in (404, 422) and "not found" in words):
        return NotFoundError
    if status == 422 and ((code or "").endswith("_EXISTS") or "already exist" in words):
        return ConflictError
    return _BY_STATUS.get(status, ApiError)


def _request_id(response: Response, data: Any) -> str | None:
    stated = data.get("requestId") if isinstance(data, dict) else None
    for candidate in (
        stated,
        *(response.headers.get(name) for name in ("x-request-id", "x-requestid", "x-correlation-id")),
    ):
        if found := request_id(candidate):
            return found
    return None


def _retry_after(data: Any) -> float | None:
    if isinstance(data, dict):
        for key in _RETRY_KEYS:
            value = data.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
                return float(value)
    return None
