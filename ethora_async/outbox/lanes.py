"""Values that workers and stores exchange: lanes, verdicts, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import attrs

Kind = Literal["user", "chat", "member"]
KINDS: tuple[Kind, ...] = ("user", "chat", "member")


class LaneKey(NamedTuple):
    """What a lane is about: a user or a chat (`other` is empty), or a membership (`key` the chat, `other` the user)."""

    kind: Kind
    key: str
    other: str = ""

    @property
    def name(self) -> str:
        """The id, or ``chat/user``."""
        return f"{self.key}/{self.other}" if self.other else self.key


@attrs.frozen(eq=False)
class Lane:
    """The wanted state of one thing, claimed by a worker.

    Attributes:
        wanted: the fields, or None when it is wanted gone.
        version: the number of the newest intent.
        gone: the number of the newest intent that wanted it gone; 0 when there was none.
        done: the number of the intent that was carried out last; 0 when there was none.
        attempts: how often the platform has refused this version.
        age: seconds since it was first wanted and not carried out.
        traceparent: the trace context of the request that wrote the intent.
    """

    id: LaneKey
    wanted: Mapping[str, Any] | None = attrs.field(repr=False)
    version: int
    gone: int
    done: int
    attempts: int
    age: float
    traceparent: str | None = None

    @property
    def returns(self) -> bool:
        """Whether it was wanted gone in between, and is to be deleted before it is created."""
        return self.wanted is not None and self.gone > self.done


State = Literal["done", "again", "held", "dead"]


@attrs.frozen
class Verdict:
    """The result of a lane in one turn.

    Attributes:
        state: ``done``; ``again`` after `delay` seconds; ``held``, which is the same, but nobody touches it before: a
            request may still be on its way; ``dead``, with a `reason`.
        attempts: refusals so far.
    """

    lane: Lane
    state: State
    reason: str | None = None
    delay: float = 0.0
    attempts: int = 0


@attrs.frozen
class Turn:
    """What a worker took on: its claim, the lanes, and how many intents went from the inbox into lanes."""

    claim: str
    lanes: Sequence[Lane]
    folded: int


@attrs.frozen
class DeadLetter:
    """An intent that was given up, and why."""

    id: LaneKey
    reason: str
    attempts: int
    at: float


@attrs.frozen
class OutboxStatus:
    """An outbox in numbers.

    Attributes:
        inbox: intents that no worker has looked at.
        waiting: by kind, lanes that are to be carried out.
        claimed: how many of them a worker has in hand.
        dead: by kind, intents that were given up.
        oldest: seconds for which the oldest one has been waiting; 0 when none is.
        reconciled: what the last reconcile found, or None.
    """

    inbox: int
    waiting: Mapping[str, int]
    claimed: int
    dead: Mapping[str, int]
    oldest: float
    reconciled: Mapping[str, Any] | None = None


class Store(Protocol):
    """An outbox's database, as workers, the reconcile and the command line use it.

    Every method is one transaction. Each raises `OutboxDatabaseError` when the database cannot be reached, and may
    then be called again.
    """

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        ...

    async def init(self) -> bool:
        """Create the tables, or bring them up to date. Return whether there was anything to do."""
        ...

    async def check(self) -> None:
        """Pass when the tables are there and have this package's version.

        Raises:
            ConfigError: they are missing, foreign, older or newer.
        """
        ...

    async def take(self, limit: int, lease: float) -> Turn:
        """Move intents from the inbox into lanes, and claim up to `limit` lanes for `lease` seconds."""
        ...

    async def hold(self, claim: str, lease: float) -> frozenset[LaneKey]:
        """Extend a claim. Return what is still held."""
        ...

    async def note_deleted(self, claim: str, lanes: Sequence[Lane]) -> frozenset[LaneKey]:
        """Record that these were deleted and are to be created anew. Return those that are still held."""
        ...

    async def finish(self, claim: str, verdicts: Sequence[Verdict]) -> int:
        """Record what became of lanes, and let go of them. Return how many were still held."""
        ...

    async def wanted_addresses(self, addresses: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return, for each e-mail address, the ids of users whose open lanes want it."""
        ...

    async def purge(self, keep: float) -> int:
        """Remove lanes that were carried out longer than `keep` seconds ago."""
        ...

    async def status(self) -> OutboxStatus:
        """Count."""
        ...

    async def dead(self, limit: int = 1000) -> list[DeadLetter]:
        """Return the dead letters, the oldest first."""
        ...

    async def retry(self, id: LaneKey | None = None) -> int:
        """Open one dead letter again, or all. Return how many."""
        ...

    async def skip(self, id: LaneKey | None = None) -> int:
        """Forget one dead letter, or all. Return how many."""
        ...

    async def now(self) -> float:
        """Return the database's time, in seconds since the epoch."""
        ...

    async def unsettled(self, ids: Sequence[LaneKey], since: float) -> frozenset[LaneKey]:
        """Return those with an intent that is waiting, dead, or was changed or carried out since then."""
        ...

    async def reopen(self, wanted: Sequence[tuple[LaneKey, Mapping[str, Any] | None]], since: float) -> int:
        """Want these states again where nothing is unsettled. Return how many.

        They count as older than every intent, so that what the application writes next wins.
        """
        ...

    async def note(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name."""
        ...

    async def noted(self, name: str) -> Any:
        """Return the JSON value under a name; None when there is none."""
        ...

    async def wait(self, timeout: float) -> None:
        """Return when there is something new in the inbox, or after `timeout` seconds."""
        ...

    async def aclose(self) -> None:
        """Close connections. May be called again."""
        ...


__all__ = ["KINDS", "DeadLetter", "Kind", "Lane", "LaneKey", "OutboxStatus", "State", "Store", "Turn", "Verdict"]
