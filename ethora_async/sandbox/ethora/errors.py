"""Error replies of the local Ethora (docs/platforms/ethora.md#error-replies)."""

from __future__ import annotations

from typing import Any


class RefusedError(Exception):
    """A reply other than success: status, text, platform code and further keys of the body.

    `plain` sends the text alone as text/plain, as older servers did.
    """

    def __init__(
        self,
        status: int,
        error: str,
        code: str | None = None,
        *,
        plain: bool = False,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(status, error, code)
        self.status = status
        self.error = error
        self.code = code
        self.plain = plain
        self.extra: dict[str, Any] = extra or {}


def missing_token(*, b2b: bool) -> RefusedError:
    """Return the 401 for a request without a token; B2B routes name the flow they expect."""
    return RefusedError(401, "Missing token", extra={"authFlow": "b2b"} if b2b else None)


def bad_token() -> RefusedError:
    """Return the 401 for a token that is broken, expired, or not signed for this host."""
    return RefusedError(401, "authorization token verify error")


def wrong_token_type() -> RefusedError:
    """Return the 400 for a token of another family than the route takes, or with claims outside `data`."""
    return RefusedError(400, "Invalid token type", "INVALID_TOKEN_TYPE")


def app_not_found(status: int = 400) -> RefusedError:
    """Return the 400 for a token (or login) that names an unknown app; 404 when the path names it."""
    return RefusedError(status, "App not found", "APP_NOT_FOUND")


def app_archived() -> RefusedError:
    """Return the 403 for live use of an archived app."""
    return RefusedError(403, "App is archived", "APP_ARCHIVED")


def refresh_record_not_found() -> RefusedError:
    """Return the 401 for a refresh token or API key that was revoked, used up, or has expired."""
    return RefusedError(401, "!refreshRecord", "REFRESH_RECORD_NOT_FOUND")


def wrong_login() -> RefusedError:
    """Return the 401 for a wrong e-mail, password or code."""
    return RefusedError(401, "Wrong email or password", "AUTH_FAILED")


def not_found(what: str) -> RefusedError:
    """Return the 404 for an unknown record of another kind: `not_found("File")`."""
    return RefusedError(404, f"{what} not found", f"{what.upper().replace(' ', '_')}_NOT_FOUND")


def forbidden() -> RefusedError:
    """Return the 403 of the access rules."""
    return RefusedError(403, "Forbidden", "FORBIDDEN")


def user_not_found(status: int = 404) -> RefusedError:
    """Return the reply for an unknown user; the token exchange answers 401."""
    return RefusedError(status, "User not found", "USER_NOT_FOUND")


def chat_not_found() -> RefusedError:
    """Return the 404 for an unknown chat."""
    return RefusedError(404, "Chat not found", "CHAT_NOT_FOUND")


def job_not_found() -> RefusedError:
    """Return the 404 for a job that does not exist, or that other credentials made."""
    return RefusedError(404, "Job not found", "JOB_NOT_FOUND")


def user_exists(what: str, path: str) -> RefusedError:
    """Return the 422 for a v1 creation whose e-mail or uuid is taken; `path` points into the body."""
    return RefusedError(
        422, f"User with this {what} already exists", "USER_ALREADY_EXISTS", extra={"details": {"path": path}}
    )


def chat_exists() -> RefusedError:
    """Return the 422 for a chat whose name is taken."""
    return RefusedError(422, "Chat with this uuid already exists", "CHAT_ALREADY_EXISTS")


def invalid(message: str, path: str) -> RefusedError:
    """Return the 422 of the validator; `path` points into the body or names the query key."""
    return RefusedError(422, message, "VALIDATION_ERROR", extra={"details": {"path": path}})


def legacy_not_found(what: str) -> RefusedError:
    """Return the bare text with which older servers answered deletions of unknown records."""
    return RefusedError(422, f"{what} not found", plain=True)
