"""The platform-independent attempt loop: sign → limit → send → decide."""

from __future__ import annotations

from ethora_async.engine.engine import Engine
from ethora_async.engine.events import (
    AttemptFinished,
    ConcurrencyChanged,
    Event,
    Listener,
    PaceChanged,
    Paused,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    SecretRead,
    SecretRotated,
    TokenRefreshed,
)

__all__ = [
    "AttemptFinished",
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
