"""The events of an outbox: what a worker takes on, what becomes of it, and how much is waiting."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ethora_async.outbox.lanes import OutboxStatus


@attrs.frozen
class TurnStarted:
    """The event for a worker that takes intents on; emitted in the task that carries them out, as are the other two.

    Attributes:
        size: how many.
        traceparents: the trace contexts of the requests that wrote them, each once.
    """

    size: int
    traceparents: Sequence[str] = ()


@attrs.frozen
class IntentFinished:
    """The event for one intent that was carried out or given up.

    Attributes:
        kind, id: what it was about; of a membership ``chat/user``.
        state: ``done`` or ``dead``.
        reason: why it was given up.
        seconds: how long it had waited.
        traceparent: the trace context of the request that wrote it.
    """

    kind: str
    id: str
    state: str
    reason: str | None
    seconds: float
    traceparent: str | None = None


@attrs.frozen
class TurnFinished:
    """The event for one turn of a worker.

    Attributes:
        done, again, dead: how many intents ended how.
        lost: how many another worker had taken over.
        seconds: how long it took.
    """

    done: int
    again: int
    dead: int
    lost: int
    seconds: float


@attrs.frozen
class OutboxMeasured:
    """The event for how much was waiting, as a running worker measures it regularly."""

    status: OutboxStatus


__all__ = ["IntentFinished", "OutboxMeasured", "TurnFinished", "TurnStarted"]
