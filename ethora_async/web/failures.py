"""Replies for visitors while the chat platform fails: nothing but when to come back."""

from __future__ import annotations

import logging
from math import ceil
from typing import TYPE_CHECKING

from ethora_async.errors import (
    ConfigError,
    InvalidInputError,
    JobTimeoutError,
    NotFoundError,
    PrivilegedAccountError,
    RateLimitedError,
    TransportError,
    WrongLoopError,
)
from ethora_async.web.request import HTTPError
from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from ethora_async.errors import ChatError

log: logging.Logger = logging.getLogger("ethora_async.web")

_RETRY_AFTER = 5.0
"""Seconds, where the platform did not say."""
_LONGEST_WAIT = 3600.0
_OURS = (InvalidInputError, WrongLoopError)
_FOR_A_WHILE = (RateLimitedError, TransportError, JobTimeoutError, ConfigError)
"""A secret store that is down is a `ConfigError` too; a setting that was never right has shown at the start."""


BAD_IDENTITY = "bad_identity", "The chat cannot be used under the name that you are logged in with."
_NO_USER = "user_not_found", "The chat knows nobody under the name that you are logged in with."
_PRIVILEGED = "privileged_account", "The chat cannot be used here with an account that administers it."
_LOOK_UP = "users.get"
"""The operation by which platforms find the user for whom a token is to be made."""


def refused_identity(error: ChatError) -> HTTPError | None:
    """Return the refusal, if it is who asks that no token can be made for; None for every other failure.

    That is for whoever administers this site to know of, not to be woken by: the log has a warning.
    """
    refusal: HTTPError | None = None
    if isinstance(error, PrivilegedAccountError):
        refusal = HTTPError(403, *_PRIVILEGED)
    elif isinstance(error, InvalidInputError) and error.field == "id":
        refusal = HTTPError(400, *BAD_IDENTITY)
    elif isinstance(error, NotFoundError) and error.operation == _LOOK_UP:
        refusal = HTTPError(404, *_NO_USER)
    if refusal is not None:
        log.warning("no chat token was made, %s: %s", type(error).__name__, error)
    return refusal


def answer_to(error: ChatError) -> WebResponse:
    """Return the reply to somebody whose request failed on this; the log has the reason.

    500 where this site's own code is wrong, 503 where it is worth coming back, 502 where the platform refused us.
    """
    kind = type(error).__name__
    if isinstance(error, _OURS):
        log.error("chat request failed, %s: %s", kind, error)
        return WebResponse.refusal(500, "server_error", "Something is wrong on this site.")
    log.warning("chat request failed, %s: %s", kind, error)
    wait = retry_after(error.retry_after or _RETRY_AFTER)
    if isinstance(error, _FOR_A_WHILE):
        return WebResponse.refusal(503, "chat_unavailable", "The chat cannot be reached now. Try again later.", wait)
    return WebResponse.refusal(502, "chat_failed", "The chat did not answer as expected. Try again later.", wait)


def retry_after(seconds: float) -> dict[str, str]:
    """Return the header that asks for patience: whole seconds, at least 1 and at most an hour."""
    patience = min(max(seconds, 1.0), _LONGEST_WAIT)
    return {"Retry-After": str(ceil(patience))}
