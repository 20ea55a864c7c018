"""Every error of the package, in one place.

::

    ChatError
    ├── ConfigError                a setting is missing or cannot be used; nothing was sent
    │   └── SettingsUnavailableError   the secret store does not answer now
    ├── InvalidInputError          an argument or a row cannot be used; nothing was sent
    ├── InvalidTokenError          a token failed verification
    ├── WrongLoopError             a client was used from a second event loop
    ├── StoppedByGuardError        a guard refused to carry something out; nothing was sent
    ├── PrivilegedAccountError     a token was requested for an account with more rights than chat
    ├── TransportError             no complete reply arrived
    │   ├── NotSentError           the request never reached the platform
    │   └── ReplyLostError         it may have: the connection broke, the reply was incomplete, or time ran out
    │       └── ReplyTooLargeError the reply exceeds `Limits.reply_bytes`
    ├── ApiError                   the platform answered with an error status
    │   ├── UnauthorizedError      401, or 403 about the token
    │   ├── ForbiddenError         403, and 402: the plan does not include it
    │   ├── NotFoundError          404, and 422 whose body says "not found"
    │   ├── ConflictError          409, and 422 whose body says "already exists"
    │   ├── ValidationFailedError  400, 413, 422
    │   ├── RateLimitedError       429
    │   └── ServerFaultError       5xx
    ├── JobFailedError             a server-side job ended in failure
    └── JobTimeoutError            a server-side job did not end before its deadline

``effect`` says whether the failed operation may have happened: ``"none"`` (the request was not sent, or was refused) or
``"unknown"`` (the reply was lost, the platform answered 5xx, or time ran out).

Where a built-in exception means the same, the class is a subclass of it: `InvalidInputError` and `InvalidTokenError`
are `ValueError`, `WrongLoopError` is a `RuntimeError` and `JobTimeoutError` a `TimeoutError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from ethora_async.wording import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Effect = Literal["none", "unknown"]
"""Whether the failed operation may have taken effect on the platform."""


def _rebuild(cls: type[ChatError], message: str, state: Mapping[str, Any]) -> ChatError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ChatError(Exception):
    """The base of every error raised by this package.

    Attributes:
        effect: ``"none"`` when the operation certainly did not take effect, ``"unknown"`` when it may have.
        operation: the operation's name, e.g. ``"users.create_many"``, if one was running.
        status: the HTTP status of the last reply, if there was one.
        code: the platform's own error code, e.g. ``"USER_NOT_FOUND"``.
        request_id: the platform's correlation id, to quote to its support.
        attempts: how many times the request was tried.
        retry_after: seconds that the platform asked the client to wait, if any.

    Instances pickle and copy; they hold no secret, token or request body.
    """

    effect: Effect = "none"
    operation: str | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    attempts: int = 0
    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        effect: Effect | None = None,
        operation: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        attempts: int = 0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(bounded(message))
        if effect is not None:
            self.effect = effect
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.attempts = attempts
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        """The error in one sentence, without the details that `str()` adds."""
        return str(self.args[0])

    def __str__(self) -> str:
        notes = [self.operation] if self.operation else []
        notes += [f"HTTP {self.status}"] if self.status else []
        notes += [f"code {self.code}"] if self.code else []
        notes += [f"request {self.request_id}"] if self.request_id else []
        notes += [f"{self.attempts} attempts"] if self.attempts > 1 else []
        notes += ["it may have taken effect"] if self.effect == "unknown" else []
        return f"{self.message} [{', '.join(notes)}]" if notes else self.message

    def __reduce__(self) -> tuple[Callable[..., ChatError], tuple[type[Self], str, dict[str, Any]]]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


class ConfigError(ChatError):
    """A setting is missing, empty or invalid. The message names it and where it was looked for."""


class SettingsUnavailableError(ConfigError):
    """The secret store does not answer now, so that no setting could be read; a later call may succeed."""


class InvalidInputError(ChatError, ValueError):
    """An argument or an input row cannot be used; nothing was sent for it.

    Attributes:
        field: the argument, column or key at fault.
        file, row, column: its position, for input that comes from a file (`row` is the line number, from 1).
    """

    field: str | None = None
    file: str | None = None
    row: int | None = None
    column: str | None = None

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message)
        self.field = field if field is not None else column
        self.file = file
        self.row = row
        self.column = column


class InvalidTokenError(ChatError, ValueError):
    """A token failed verification: it is malformed or expired, or has the wrong algorithm, signature, app or type."""


class WrongLoopError(ChatError, RuntimeError):
    """A client bound to one event loop was used from another.

    A client belongs to the loop in which it sent its first request. Make one client per loop.
    """


class StoppedByGuardError(ChatError):
    """A guard refused to carry something out; nothing was sent."""


class PrivilegedAccountError(ChatError, PermissionError):
    """A token was requested for an account with more rights than chat; nothing was minted.

    Such accounts are administrators, bots, apps and the client's own account. Pass `allow_privileged=True` to allow
    them.
    """


class TransportError(ChatError):
    """No complete reply arrived."""


class NotSentError(TransportError):
    """The request never reached the platform: name lookup, connection, TLS or proxy failed, or no slot became free."""


class ReplyLostError(TransportError):
    """The request may have reached the platform, but no complete, valid reply arrived."""

    effect: Effect = "unknown"


class ReplyTooLargeError(ReplyLostError):
    """The reply exceeds `Limits.reply_bytes` and was not read to its end. The request is not retried."""


class ApiError(ChatError):
    """The platform answered with an error status."""


class UnauthorizedError(ApiError):
    """The platform refused the token."""


class ForbiddenError(ApiError):
    """The token is valid, but does not permit this call, or the plan does not include it."""


class NotFoundError(ApiError):
    """The record does not exist. A missing route raises a plain `ApiError`, since it says nothing about a record."""


class ConflictError(ApiError):
    """The resource already exists, or a unique value belongs to another resource."""


class ValidationFailedError(ApiError):
    """The platform rejected the request's content."""


class RateLimitedError(ApiError):
    """The platform rejected the request because of too many requests; `retry_after` is the requested wait, if any."""


class ServerFaultError(ApiError):
    """The platform failed while handling the request."""

    effect: Effect = "unknown"


class JobFailedError(ChatError):
    """A server-side job failed; parts of it may have been done."""

    effect: Effect = "unknown"


class JobTimeoutError(ChatError, TimeoutError):
    """A server-side job was still running at its deadline; it may still succeed."""

    effect: Effect = "unknown"
