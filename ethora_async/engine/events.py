"""Events for logging, metrics and progress."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import attrs

from ethora_async.errors import Effect

logger: logging.Logger = logging.getLogger("ethora_async")

EVENT = "ethora_event"
"""The attribute of a log record that holds the event it tells of."""


@attrs.frozen
class RequestStarted:
    """A call begins; one for any number of attempts.

    Attributes:
        operation: its name in the platform's table, for example ``users.create_many``.
        method: the HTTP method.
        path: the path as a template, without the values of its parts.
        origin: scheme, host and port that it goes to.
    """

    operation: str
    method: str
    path: str = attrs.field(default="", eq=False, repr=False)
    origin: str = attrs.field(default="", eq=False, repr=False)


@attrs.frozen
class AttemptFinished:
    """One attempt ended: with a `status`, or without a reply and then with the name of an `error`.

    `seconds` is how long it took; `effect` whether it may have taken effect, None when it succeeded. `method`, `path`
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
    """A call ended, after `attempts` attempts: well, or with the name of an `error`. `seconds` is how long it took."""

    operation: str
    attempts: int
    seconds: float
    error: str | None = None


@attrs.frozen
class RetryScheduled:
    """The call will be tried again in `wait` seconds, for the reason named."""

    operation: str
    attempt: int
    wait: float
    reason: str


@attrs.frozen
class TokenRefreshed:
    """A new token was made. `purpose` is "server", "client", …; `version` is the secret's, and no secret."""

    purpose: str
    version: str


@attrs.frozen
class SecretRotated:
    """The secret store answered another version than before."""

    old_version: str | None
    new_version: str


@attrs.frozen
class SecretRead:
    """The secret store answered. `version` is what it answered, and no secret."""

    version: str


@attrs.frozen
class ClockCorrected:
    """The platform rejected a token, and its clock is `seconds` ahead of this machine's (behind, when negative).

    Tokens carry the platform's time from now on. Set this machine's clock.
    """

    seconds: float


@attrs.frozen
class ConcurrencyChanged:
    """From now on `limit` requests may be in flight, for the reason named (``"HTTP 429"``, ``"slow replies"``, …)."""

    limit: int
    reason: str


@attrs.frozen
class PaceChanged:
    """From now on runs start `pace` requests a second, for the reason named; the pace grows again as replies come
    well.
    """

    pace: float | None
    reason: str


@attrs.frozen
class Paused:
    """The platform asked to wait: no run sends anything for `seconds`. Told once for all whom it refused together."""

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
"""Everything the engine and the tokens tell. `ethora_async.bulk` adds `ItemFinished`."""

Listener = Callable[[object], None]
"""Called with each event, in the event loop: it must be quick and must not raise."""


def log_event(event: object) -> None:
    """The listener that every client has: one debug line an event, on the logger ``ethora_async``.

    A rotated secret and a pause that the platform asked for are told at level INFO: an operator looks for them.
    """
    if isinstance(event, SecretRotated):
        logger.info(
            "the secret changed from version %s to version %s",
            event.old_version,
            event.new_version,
            extra={EVENT: event},
        )
    elif isinstance(event, ClockCorrected):
        logger.warning(
            "this machine's clock differs from the platform's by %g s, and a token was rejected: tokens carry the"
            " platform's time from now on; set the clock",
            event.seconds,
            extra={EVENT: event},
        )
    elif isinstance(event, Paused):
        logger.info(
            "the platform asked for a pause of %g s (%s): runs wait",
            event.seconds,
            event.reason,
            extra={EVENT: event},
        )
    elif logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s", event, extra={EVENT: event})


class Emitter:
    """Passes events on, and lets no listener's failure reach a call."""

    __slots__ = ("_complained", "_listeners")

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        self._listeners = (*listeners, log_event)
        self._complained: set[int] = set()

    @property
    def wanted(self) -> bool:
        """Whether anybody would see an event; when not, none need be made."""
        return len(self._listeners) > 1 or logger.isEnabledFor(logging.DEBUG)

    def emit(self, event: object) -> None:
        """Tell every listener. One that raises is logged once and still told of the next."""
        for place, listener in enumerate(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001  a listener must not break the call it watches
                if place not in self._complained:
                    self._complained.add(place)
                    # No traceback: it would show the listener's own values, which we cannot vouch for.
                    logger.error("an event listener failed with %s; it is not reported again", type(error).__name__)
