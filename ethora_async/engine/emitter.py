"""Passes events to those who listen: to the log, to metrics, to a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ethora_async import engine

logger: logging.Logger = logging.getLogger("ethora_async")

EVENT = "ethora_event"
"""The attribute of a log record that holds its event."""

Listener = Callable[[object], None]
"""Called with each event, in the event loop: it must be quick and must not raise."""


def log_event(event: object) -> None:
    """Log an event as one debug line on the logger ``ethora_async``; every client has this listener.

    Rotated secrets, corrected clocks and requested pauses are logged at a higher level, since operators look for them.
    """
    if isinstance(event, engine.SecretRotated):
        logger.info(
            "the secret changed from version %s to version %s",
            event.old_version,
            event.new_version,
            extra={EVENT: event},
        )
    elif isinstance(event, engine.ClockCorrected):
        logger.warning(
            "this machine's clock differs from the platform's by %g s, and a token was rejected: tokens carry the"
            " platform's time from now on; set the clock",
            event.seconds,
            extra={EVENT: event},
        )
    elif isinstance(event, engine.Paused):
        logger.info(
            "the platform asked for a pause of %g s (%s): runs wait",
            event.seconds,
            event.reason,
            extra={EVENT: event},
        )
    elif logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s", event, extra={EVENT: event})


class Emitter:
    """Passes events to listeners, and keeps their failures away from the call."""

    __slots__ = ("_complained", "_listeners")

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        self._listeners = (*listeners, log_event)
        self._complained: set[int] = set()

    @property
    def wanted(self) -> bool:
        """Whether anybody listens; if not, no event need be created."""
        return len(self._listeners) > 1 or logger.isEnabledFor(logging.DEBUG)

    def emit(self, event: object) -> None:
        """Call every listener. The first failure of a listener is logged; it still receives later events."""
        for place, listener in enumerate(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001  a listener must not break the call that it observes
                if place not in self._complained:
                    self._complained.add(place)
                    # No traceback: it would show the listener's own values, which may be secret.
                    logger.error("an event listener failed with %s; it is not reported again", type(error).__name__)
