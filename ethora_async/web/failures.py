"""Replies for visitors while the chat platform fails: they say only when to try again."""

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
"""Default in seconds, if the platform did not say."""
_LONGEST_WAIT = 3600.0
_OURS = (InvalidInputError, WrongLoopError)
_FOR_A_WHILE = (RateLimitedError, TransportError, JobTimeoutError, ConfigError)
"""A secret store that is down also raises `ConfigError`; a wrong setting fails at the start."""


BAD_IDENTITY = "bad_identity", "The chat cannot be used under the name that you are logged in with."
_NO_USER = "user_not_found", "No chat user has the name that you are logged in with."
_PRIVILEGED = "privileged_account", "The chat cannot be used here with an account that administers it."
_LOOK_UP = "users.get"
"""The operation by which platforms look up the user for a token."""


def refused_identity(error: ChatError) -> HTTPError | None:
    """Return the refusal if no token can be created for this user; None for every other failure.

    It needs an administrator's attention, but is not an emergency: it is logged as a warning.
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
    """Return the reply for a request that failed with this error; the reason is logged.

    500 for an error in this site's own code, 503 if a retry may succeed, 502 if the platform rejected the client.
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
    """Return the Retry-After header: whole seconds, at least 1 and at most an hour."""
    patience = min(max(seconds, 1.0), _LONGEST_WAIT)
    return {"Retry-After": str(ceil(patience))}
