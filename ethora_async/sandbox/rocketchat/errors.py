"""Error replies of the local Rocket.Chat (docs/platforms/rocketchat.md#error-replies).

Rules of the platform raise `MeteorError`, which REST and DDP each encode. `RestError` is for errors of REST only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.versions import Version

LOGGED_OUT = "You must be logged in to do this."
FORBIDDEN = "User does not have the permissions required for this action [error-unauthorized]"


class MeteorError(Exception):
    """A coded error. `code` is a word or a number; `details` may be any JSON value."""

    def __init__(self, code: str | int, reason: str = "", details: Any = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.details = details

    @property
    def text(self) -> str:
        """`Reason [code]`, or `[code]` when there is no reason."""
        return f"{self.reason} [{self.code}]" if self.reason else f"[{self.code}]"

    def frame(self) -> dict[str, Any]:
        """Return the error as DDP carries it (docs/platforms/rocketchat.md#methods)."""
        body: dict[str, Any] = {
            "isClientSafe": True,
            "error": self.code,
            "reason": self.reason,
            "message": self.text,
            "errorType": "Meteor.Error",
        }
        if self.details is not None:
            body["details"] = self.details
        return body


class RestError(Exception):
    """A REST reply other than success."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers: dict[str, str] = headers or {}


def failure(text: str, status: int = 400) -> RestError:
    """Return a plain failure: a text, and no `errorType`."""
    return RestError(status, {"success": False, "error": text})


def coded(error: MeteorError) -> RestError:
    """Return the REST form of a coded error."""
    body = {"success": False, "error": error.text, "errorType": str(error.code)}
    if error.details is not None:
        body["details"] = error.details
    return RestError(400, body)


def logged_out(version: Version) -> RestError:
    """Return the 401 for a missing, unknown or dead token."""
    if version.reduced_errors:
        return RestError(401, {"success": False, "error": LOGGED_OUT})
    body: dict[str, Any] = {"status": "error", "message": LOGGED_OUT}
    if version.since(7):
        body |= {"success": False, "error": LOGGED_OUT}
    return RestError(401, body)


def login_failed(version: Version, error: MeteorError) -> RestError:
    """Return the 401 of `login`: `error` holds the code, which may be a number.

    See docs/platforms/rocketchat.md#log-in.
    """
    if version.reduced_errors:
        return RestError(401, {"success": False, "error": "unauthorized"})
    code = error.code
    if code == 403 and error.reason == "Unauthorized" and version.since(7):
        code = "Unauthorized"
    body: dict[str, Any] = {"status": "error", "error": code, "message": error.reason}
    if version.since(7):
        body["success"] = False
    if error.details is not None:
        body["details"] = error.details
    return RestError(401, body)


def missing_permission() -> RestError:
    """Return the 403 of a route whose permissions the caller lacks."""
    return failure(FORBIDDEN, 403)


def forbidden(version: Version) -> RestError:
    """Return the 403 of a handler; its text changes with 9.0."""
    return failure("forbidden" if version.reduced_errors else "unauthorized", 403)


def user_not_found() -> RestError:
    """Return the 400 of `users.info` for an unknown user."""
    return failure("User not found.")


def invalid_user() -> MeteorError:
    """Return the coded error for an unknown user id."""
    return MeteorError("error-invalid-user", "Invalid user")


def not_allowed(reason: str = "Not allowed") -> MeteorError:
    """Return the coded error for a forbidden action."""
    return MeteorError("error-not-allowed", reason)


def room_not_found() -> MeteorError:
    """Return the coded error for an unknown room, and for one that is hidden from the caller."""
    return MeteorError(
        "error-room-not-found", 'The required "roomId" or "roomName" param provided does not match any room'
    )
