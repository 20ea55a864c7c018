"""Carry out the items of one chunk, and record the result of each."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ethora_async.bulk.outcome import Outcomes
from ethora_async.bulk.run import Batched
from ethora_async.errors import (
    ChatError,
    ConfigError,
    ForbiddenError,
    RateLimitedError,
    ServerFaultError,
    SettingsUnavailableError,
    TransportError,
    UnauthorizedError,
)
from ethora_async.sync.plan.ways import way
from ethora_async.workers.ledger import MAYBE_DONE, STATUSES, Chunk, Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from ethora_async.bulk.outcome import Outcome, Status
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.store.items import ToSend

_AT_ONCE = 100
"""Items that are passed to the client together: about one request's worth."""

TROUBLE = (TransportError, ServerFaultError, RateLimitedError, SettingsUnavailableError)
"""Errors after which a chunk is tried again."""

_REFUSED = (UnauthorizedError, ForbiddenError, ConfigError)


def is_refusal(error: BaseException | None) -> bool:
    """Return whether every further item would meet the same error."""
    return isinstance(error, _REFUSED) and not isinstance(error, SettingsUnavailableError)


class Round:
    """The results of one worker for a chunk.

    Attributes:
        results: the known results.
        maybe_done: numbers of items that were sent, but whose result is unknown.
        left: the remaining items, by number, each with whether it may have taken effect in an earlier round.
    """

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self._under_way: dict[int, tuple[Any, ToSend]] = {}
        self.results: list[Result] = []
        self.left: dict[int, tuple[ToSend, bool]] = {
            entry.number: (entry, letter == MAYBE_DONE)
            for entry, letter in zip(chunk.entries, chunk.outcomes, strict=True)
            if letter not in STATUSES
        }
        self.maybe_done: frozenset[int] = frozenset([number for number, (_, maybe) in self.left.items() if maybe])
        self._begun_before = bool(self.maybe_done)

    def begin(self, pairs: list[tuple[Any, ToSend]]) -> list[Any]:
        """Mark items as in progress, and return the values to send."""
        # By identity: the platform may return an item under another name, and two items may be equal.
        self._under_way.update({id(pair[0]): pair for pair in pairs})
        return [item for item, _ in pairs]

    def note(self, outcomes: Sequence[Outcome[Any]]) -> ChatError | None:
        """Record the results of a batch; return the platform's error that prevented some of it, if any.

        Raises:
            UnauthorizedError, ForbiddenError, ConfigError: every further item would meet the same.
        """
        if isinstance(outcomes, Outcomes):  # no item failed
            entries = [self._under_way.pop(id(item))[1] for item in outcomes.items]
            pairs = zip(entries, outcomes.statuses, strict=True)
            if self._begun_before:
                for entry, status in pairs:
                    self._settle(entry, status, None)
                return None
            self.results += [Result(entry.number, entry.name, status) for entry, status in pairs]
            for entry in entries:
                del self.left[entry.number]
            return None
        trouble: ChatError | None = None
        for outcome in outcomes:
            _, entry = self._under_way.pop(id(outcome.item))
            error = outcome.error
            if not isinstance(error, (*_REFUSED, *TROUBLE)):
                self._settle(entry, outcome.status, error)
                continue
            if outcome.status == "unknown":
                self.maybe_done |= {entry.number}
            if is_refusal(error):
                raise error
            trouble = error
        return trouble

    def cut_off(self) -> None:
        """Mark the items in progress as possibly done."""
        self.maybe_done |= {entry.number for _, entry in self._under_way.values()}
        self._under_way.clear()

    def _settle(self, entry: ToSend, status: Status, error: ChatError | None) -> None:
        self.known(self._result(entry, status, error, again=self.left[entry.number][1]))

    def _result(self, entry: ToSend, status: Status, error: ChatError | None, *, again: bool) -> Result:
        """Return the result of an item. If it was possibly sent before and now exists, that attempt created it."""
        if again and status == "existed" and self.chunk.action in ("create", "grant"):
            status = "created"
        if again and status == "absent" and self.chunk.action in ("delete", "revoke"):
            status = "deleted"
        return Result(entry.number, entry.name, status, None if error is None else str(error))

    def known(self, result: Result) -> None:
        """Record the result of an item."""
        del self.left[result.item]
        self.results.append(result)

    def give_up(self, trouble: ChatError | None) -> None:
        """Count remaining items as failed, or as unknown if they may have taken effect."""
        reason = None if trouble is None else str(trouble)
        for entry, _ in [*self.left.values()]:
            status: Status = "unknown" if entry.number in self.maybe_done else "failed"
            self.known(Result(entry.number, entry.name, status, reason))


async def carry_out(client: ManagesUsers, done: Round) -> ChatError | None:
    """Carry out the remaining items of a chunk.

    Returns:
        The platform's error that prevented some items, which stay in `done.left`.

    Raises:
        UnauthorizedError, ForbiddenError, ConfigError: every further item would meet the same.
    """
    chunk = done.chunk
    for number, reason in chunk.uncreated.items():
        if number in done.left:
            done.known(Result(number, done.left[number][0].name, "failed", reason))
    make, start = way(client, chunk.kind, chunk.action)
    waiting = [entry for entry, _ in done.left.values()]

    async def feed() -> AsyncGenerator[list[Any], None]:
        for first in range(0, len(waiting), _AT_ONCE):
            some = waiting[first : first + _AT_ONCE]
            yield done.begin(list(zip(make(some), some, strict=True)))

    trouble: ChatError | None = None
    try:
        async with aclosing(start(Batched(feed())).by_batch(records=False)) as batches:
            async for outcomes in batches:
                trouble = done.note(outcomes) or trouble
    except TROUBLE as error:
        trouble = error
    finally:
        done.cut_off()
    return trouble


__all__ = ["TROUBLE", "Round", "carry_out", "is_refusal"]
