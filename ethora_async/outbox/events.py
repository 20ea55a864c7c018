"""The events of an outbox: turns, finished intents, and the backlog."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ethora_async.outbox.lanes import OutboxStatus


@attrs.frozen
class TurnStarted:
    """The event for the start of a turn; emitted in the task that carries it out, as are the other two.

    Attributes:
        size: number of intents.
        traceparents: the trace contexts of the requests that wrote them, without duplicates.
    """

    size: int
    traceparents: Sequence[str] = ()


@attrs.frozen
class IntentFinished:
    """The event for one intent that was carried out or given up.

    Attributes:
        kind, id: of the record; for a membership ``chat/user``.
        state: ``done`` or ``dead``.
        reason: why it was given up.
        seconds: its age.
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
        done, again, dead: number of intents by result.
        lost: number of intents that another worker had taken over.
        seconds: its duration.
    """

    done: int
    again: int
    dead: int
    lost: int
    seconds: float


@attrs.frozen
class OutboxMeasured:
    """The event for the backlog, which a running worker measures regularly."""

    status: OutboxStatus


__all__ = ["IntentFinished", "OutboxMeasured", "TurnFinished", "TurnStarted"]
