"""The state of one call in the attempt loop."""

from __future__ import annotations

import attrs

from ethora_async.errors import ChatError, Effect
from ethora_async.protocols import Credentials
from ethora_async.request import Operation, Upload


@attrs.define(eq=False, repr=False)
class Call:
    """The state of one call across its attempts.

    `bulk` says whether it belongs to a run, `patient` whether it waits as long as the platform asks, `told` whether
    anybody listens to its events. `tried` holds the keys that were rejected since the last pause, `resigned` those that
    were signed anew with the platform's time, `rounds` the number of such pauses.
    """

    operation: Operation
    url: str
    body: bytes | None
    budget: float
    deadline: float
    credentials: Credentials
    upload: Upload | None = None
    bulk: bool = False
    patient: bool = False
    told: bool = False
    attempts: int = 0
    failures: int = 0
    started: float = 0.0
    effect: Effect = "none"
    tried: frozenset[str] = frozenset()
    resigned: frozenset[str] = frozenset()
    rounds: int = 0
    last_error: ChatError | None = None

    @property
    def spent(self) -> bool:
        """Whether its body was read and cannot be read again."""
        return self.upload is not None and not self.upload.can_restart()
