"""How the local Ethora says no (contract §1.2)."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
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
        self.extra = extra or {}


def missing_token(*, b2b: bool) -> Refusal:
    """Return the 401 for a request without a token; B2B routes name the flow they expect."""
    return Refusal(401, "Missing token", extra={"authFlow": "b2b"} if b2b else None)


def bad_token() -> Refusal:
    """Return the 401 for a token that is broken, expired, or not signed for this host."""
    return Refusal(401, "authorization token verify error")


def wrong_token_type() -> Refusal:
    """Return the 400 for a token of another family than the route takes, or with claims outside `data`."""
    return Refusal(400, "Invalid token type", "INVALID_TOKEN_TYPE")


def app_not_found(status: int = 400) -> Refusal:
    """Return the 400 for a token (or login) that names an unknown app; 404 when the path names it."""
    return Refusal(status, "App not found", "APP_NOT_FOUND")


def app_archived() -> Refusal:
    """Return the 403 for live use of an archived app."""
    return Refusal(403, "App is archived", "APP_ARCHIVED")


def refresh_record_not_found() -> Refusal:
    """Return the 401 for a refresh token or API key that was revoked, used up, or has expired."""
    return Refusal(401, "!refreshRecord", "REFRESH_RECORD_NOT_FOUND")


def wrong_login() -> Refusal:
    """Return the 401 for a wrong e-mail, password or code."""
    return Refusal(401, "Wrong email or password", "AUTH_FAILED")


def not_found(what: str) -> Refusal:
    """Return the 404 for an unknown record of another kind: `not_found("File")`."""
    return Refusal(404, f"{what} not found", f"{what.upper().replace(' ', '_')}_NOT_FOUND")


def forbidden() -> Refusal:
    """Return the 403 of the access rules."""
    return Refusal(403, "Forbidden", "FORBIDDEN")


def user_not_found(status: int = 404) -> Refusal:
    """Return the reply for an unknown user; the token exchange answers 401."""
    return Refusal(status, "User not found", "USER_NOT_FOUND")


def chat_not_found() -> Refusal:
    """Return the 404 for an unknown chat."""
    return Refusal(404, "Chat not found", "CHAT_NOT_FOUND")


def job_not_found() -> Refusal:
    """Return the 404 for a job that does not exist, or that other credentials made."""
    return Refusal(404, "Job not found", "JOB_NOT_FOUND")


def user_exists(what: str, path: str) -> Refusal:
    """Return the 422 for a v1 creation whose e-mail or uuid is taken; `path` points into the body."""
    return Refusal(
        422, f"User with this {what} already exists", "USER_ALREADY_EXISTS", extra={"details": {"path": path}}
    )


def chat_exists() -> Refusal:
    """Return the 422 for a chat whose name is taken."""
    return Refusal(422, "Chat with this uuid already exists", "CHAT_ALREADY_EXISTS")


def invalid(message: str, path: str) -> Refusal:
    """Return the 422 of the validator; `path` points into the body or names the query key."""
    return Refusal(422, message, "VALIDATION_ERROR", extra={"details": {"path": path}})


def legacy_not_found(what: str) -> Refusal:
    """Return the bare text with which older servers answered deletions of unknown records."""
    return Refusal(422, f"{what} not found", plain=True)
