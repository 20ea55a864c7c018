"""Events for logging, metrics and progress."""

from __future__ import annotations

import attrs

from ethora_async.errors import Effect


@attrs.frozen
class RequestStarted:
    """A call begins; emitted once for any number of attempts.

    Attributes:
        operation: its name in the platform's table, for example ``users.create_many``.
        method: the HTTP method.
        path: the path as a template, without the values of its parts.
        origin: scheme, host and port of the URL.
    """

    operation: str
    method: str
    path: str = attrs.field(default="", eq=False, repr=False)
    origin: str = attrs.field(default="", eq=False, repr=False)


@attrs.frozen
class AttemptFinished:
    """One attempt ended, with a `status`, or without a reply and with the name of an `error`.

    `seconds` is its duration; `effect` says whether it may have taken effect, None when it succeeded. `method`, `path`
    and `origin` are those of `RequestStarted`.
    """

    operation: str
    attempt: int
    seconds: float
    status: int | None
    error: str | None = None
    effect: Effect | None = None
    request_id: str | None = None
    method: str = attrs.field(default="", eq=False, repr=False)
    path: str = attrs.field(default="", eq=False, repr=False)
    origin: str = attrs.field(default="", eq=False, repr=False)


@attrs.frozen
class RequestFinished:
    """A call ended after `attempts` attempts and `seconds`; `error` is the name of its error, if it failed."""

    operation: str
    attempts: int
    seconds: float
    error: str | None = None


@attrs.frozen
class RetryScheduled:
    """The call will be retried in `wait` seconds, for `reason`."""

    operation: str
    attempt: int
    wait: float
    reason: str


@attrs.frozen
class TokenRefreshed:
    """A new token was made. `purpose` is "server", "client", …; `version` identifies the secret, and is not secret."""

    purpose: str
    version: str


@attrs.frozen
class SecretRotated:
    """The secret store answered with another version than before."""

    old_version: str | None
    new_version: str


@attrs.frozen
class SecretRead:
    """The secret store answered. `version` is the version in its answer, and not secret."""

    version: str


@attrs.frozen
class ClockCorrected:
    """The platform rejected a token, and its clock is `seconds` ahead of this machine's (behind, when negative).

    From now on, tokens carry the platform's time. Set this machine's clock.
    """

    seconds: float


@attrs.frozen
class ConcurrencyChanged:
    """The concurrency limit changed to `limit` requests, for `reason` (``"HTTP 429"``, ``"slow replies"``, …)."""

    limit: int
    reason: str


@attrs.frozen
class PaceChanged:
    """The request rate of bulk runs changed to `pace` per second, for `reason`; it may grow again."""

    pace: float | None
    reason: str


@attrs.frozen
class Paused:
    """The platform asked to wait: no run sends anything for `seconds`. Emitted once for all requests."""

    seconds: float
    reason: str


Event = (
    RequestStarted
    | AttemptFinished
    | RequestFinished
    | RetryScheduled
    | TokenRefreshed
    | SecretRotated
    | SecretRead
    | ClockCorrected
    | ConcurrencyChanged
    | PaceChanged
    | Paused
)
"""Every event of the engine and the tokens. `ethora_async.bulk` adds `ItemFinished`."""
