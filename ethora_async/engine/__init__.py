"""One platform-blind loop that sends: sign → limit → send → decide."""

from __future__ import annotations

from ethora_async.engine.engine import Engine
from ethora_async.engine.events import (
    AttemptFinished,
    Event,
    Listener,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    SecretRotated,
    TokenRefreshed,
)

__all__ = [
    "AttemptFinished",
    "Engine",
    "Event",
    "Listener",
    "RequestFinished",
    "RequestStarted",
    "RetryScheduled",
    "SecretRotated",
    "TokenRefreshed",
]
