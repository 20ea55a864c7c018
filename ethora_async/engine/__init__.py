"""The platform-independent attempt loop: sign → limit → send → decide.

The classes of the events load on first use: a client to which nobody listens never needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.engine.emitter import Listener as Listener
    from ethora_async.engine.engine import Engine as Engine
    from ethora_async.engine.events import AttemptFinished as AttemptFinished
    from ethora_async.engine.events import ClockCorrected as ClockCorrected
    from ethora_async.engine.events import ConcurrencyChanged as ConcurrencyChanged
    from ethora_async.engine.events import Event as Event
    from ethora_async.engine.events import PaceChanged as PaceChanged
    from ethora_async.engine.events import Paused as Paused
    from ethora_async.engine.events import RequestFinished as RequestFinished
    from ethora_async.engine.events import RequestStarted as RequestStarted
    from ethora_async.engine.events import RetryScheduled as RetryScheduled
    from ethora_async.engine.events import SecretRead as SecretRead
    from ethora_async.engine.events import SecretRotated as SecretRotated
    from ethora_async.engine.events import TokenRefreshed as TokenRefreshed

_HOMES = {
    "emitter": ("Listener",),
    "engine": ("Engine",),
    "events": (
        "AttemptFinished",
        "ClockCorrected",
        "ConcurrencyChanged",
        "Event",
        "PaceChanged",
        "Paused",
        "RequestFinished",
        "RequestStarted",
        "RetryScheduled",
        "SecretRead",
        "SecretRotated",
        "TokenRefreshed",
    ),
}
__all__ = [
    "AttemptFinished",
    "ClockCorrected",
    "ConcurrencyChanged",
    "Engine",
    "Event",
    "Listener",
    "PaceChanged",
    "Paused",
    "RequestFinished",
    "RequestStarted",
    "RetryScheduled",
    "SecretRead",
    "SecretRotated",
    "TokenRefreshed",
]

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
