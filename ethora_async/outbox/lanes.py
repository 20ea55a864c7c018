"""Values that workers and stores exchange: lanes, verdicts, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import attrs

from ethora_async import codec

Kind = Literal["user", "chat", "member"]
KINDS: tuple[Kind, ...] = ("user", "chat", "member")


class LaneKey(NamedTuple):
    """The record of a lane: a user or chat (`other` is empty), or a membership (`key`: the chat, `other`: the user)."""

    kind: Kind
    key: str
    other: str = ""

    @property
    def name(self) -> str:
        """The id, or ``chat/user``."""
        return f"{self.key}/{self.other}" if self.other else self.key


def key_or_any(id: LaneKey | None) -> dict[str, str | None]:
    """Return the fields of a key as parameters of a statement; all are None without a key, which selects any record."""
    return dict.fromkeys(LaneKey._fields) if id is None else id._asdict()


UNREADABLE: Mapping[str, Any] = {}
"""The wanted state, compared by identity, of an intent whose fields cannot be read. It becomes a dead letter."""


def wanted_fields(text: str | None) -> Mapping[str, Any] | None:
    """Return the wanted state that a database stores as JSON; None for a deletion."""
    if text is None:
        return None
    try:
        fields = codec.loads(text.encode())
    except ValueError:
        return UNREADABLE
    return fields if isinstance(fields, dict) else UNREADABLE


@attrs.frozen(eq=False)
class Lane:
    """The wanted state of one record, claimed by a worker.

    Attributes:
        wanted: the fields, or None for a deletion.
        version: the number of the newest intent.
        gone: the number of the newest intent to delete it; 0 when there was none.
        done: the number of the intent that was carried out last; 0 when there was none.
        attempts: number of times that the platform has rejected this version.
        age: age in seconds of the oldest intent that is not carried out.
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
        """Whether it must be deleted before it is created, because of an intent in between."""
        return self.wanted is not None and self.gone > self.done


State = Literal["done", "again", "held", "dead"]


@attrs.frozen
class Verdict:
    """The result of a lane in one turn.

    Attributes:
        state: ``done``; ``again`` after `delay` seconds; ``held``, the same without any other attempt before, since a
            request may still be in flight; ``dead``, with a `reason`.
        attempts: refusals so far.
    """

    lane: Lane
    state: State
    reason: str | None = None
    delay: float = 0.0
    attempts: int = 0


@attrs.frozen
class Turn:
    """A worker's turn: its claim, the lanes, and the number of intents that were moved from the inbox into lanes."""

    claim: str
    lanes: Sequence[Lane]
    folded: int


@attrs.frozen
class DeadLetter:
    """An intent that was given up, and the reason."""

    id: LaneKey
    reason: str
    attempts: int
    at: float


@attrs.frozen
class OutboxStatus:
    """An outbox in numbers.

    Attributes:
        inbox: number of intents that no worker has read yet.
        waiting: by kind, number of lanes to carry out.
        claimed: number of lanes that workers have claimed.
        dead: by kind, number of intents that were given up.
        oldest: age of the oldest waiting intent in seconds; 0 when there is none.
        reconciled: the result of the last reconcile, or None.
    """

    inbox: int
    waiting: Mapping[str, int]
    claimed: int
    dead: Mapping[str, int]
    oldest: float
    reconciled: Mapping[str, Any] | None = None


class Store(Protocol):
    """An outbox's database, for workers, the reconcile and the command line.

    Every method is one transaction. Each raises `OutboxDatabaseError` when the database cannot be reached, and may
    then be called again.
    """

    @property
    def name(self) -> str:
        """The database's address, without a password."""
        ...

    async def init(self) -> bool:
        """Create the tables, or migrate them. Return whether there was anything to do."""
        ...

    async def check(self) -> None:
        """Check that the tables exist and have this package's version.

        Raises:
            ConfigError: they are missing, foreign, older or newer.
        """
        ...

    async def take(self, limit: int, lease: float) -> Turn:
        """Move intents from the inbox into lanes, and claim up to `limit` lanes for `lease` seconds."""
        ...

    async def hold(self, claim: str, lease: float) -> frozenset[LaneKey]:
        """Extend a claim. Return the lanes that are still held."""
        ...

    async def note_deleted(self, claim: str, lanes: Sequence[Lane]) -> frozenset[LaneKey]:
        """Record that these were deleted and will be created again. Return those that are still held."""
        ...

    async def finish(self, claim: str, verdicts: Sequence[Verdict]) -> int:
        """Record the results of lanes, and release them. Return the number that were still held."""
        ...

    async def wanted_addresses(self, addresses: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return, for each e-mail address, the ids of users whose open lanes want it."""
        ...

    async def purge(self, keep: float) -> int:
        """Remove lanes that were carried out longer than `keep` seconds ago."""
        ...

    async def status(self) -> OutboxStatus:
        """Return the outbox's numbers."""
        ...

    async def dead(self, limit: int = 1000) -> list[DeadLetter]:
        """Return the dead letters, the oldest first."""
        ...

    async def retry(self, id: LaneKey | None = None) -> int:
        """Retry one dead letter, or all. Return their number."""
        ...

    async def skip(self, id: LaneKey | None = None) -> int:
        """Drop one dead letter, or all. Return their number."""
        ...

    async def now(self) -> float:
        """Return the database's time, in seconds since the epoch."""
        ...

    async def unsettled(self, ids: Sequence[LaneKey], since: float) -> frozenset[LaneKey]:
        """Return the records with an intent that is waiting, dead, or was changed or carried out since that time."""
        ...

    async def reopen(self, wanted: Sequence[tuple[LaneKey, Mapping[str, Any] | None]], since: float) -> int:
        """Write intents for these states where nothing is unsettled. Return their number.

        They count as older than every other intent, so that the application's next intent replaces them.
        """
        ...

    async def note(self, name: str, value: Any) -> None:
        """Store a JSON value under a name."""
        ...

    async def noted(self, name: str) -> Any:
        """Return the JSON value under a name; None when there is none."""
        ...

    async def wait(self, timeout: float) -> None:
        """Wait for a new intent in the inbox, at most `timeout` seconds."""
        ...

    async def aclose(self) -> None:
        """Close connections. Safe to call more than once."""
        ...


__all__ = [
    "KINDS",
    "UNREADABLE",
    "DeadLetter",
    "Kind",
    "Lane",
    "LaneKey",
    "OutboxStatus",
    "State",
    "Store",
    "Turn",
    "Verdict",
    "key_or_any",
    "wanted_fields",
]
