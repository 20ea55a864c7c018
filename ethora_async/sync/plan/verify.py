"""Verify that both sides agree, or wait until they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from ethora_async.clock import SystemClock
from ethora_async.config import Seconds, seconds
from ethora_async.errors import InvalidInputError
from ethora_async.sync.plan.plan import Summary, make_plan
from ethora_async.sync.plan.progress import OnProgress, silent
from ethora_async.sync.store.items import Entry, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ethora_async.capabilities import ManagesUsers
    from ethora_async.protocols import Clock
    from ethora_async.records import NewChat, NewUser
    from ethora_async.sync.plan.plan import Part, Plan
    from ethora_async.sync.sources.source import Source

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 10.0
SHOWN = 20
"""Maximum number of differences that a `Verification` lists."""


Verdict = Literal["in step", "cannot change", "not in step"]


@attrs.frozen
class Verification:
    """The result of a verification.

    Attributes:
        summary: the differences in numbers; `compared` is the number of wanted records of each kind.
        examples: the first differences, those that cannot be changed last.
        waited: seconds until this result.
        problems: the first invalid rows.
    """

    summary: Summary
    examples: tuple[Entry, ...]
    waited: float = 0.0
    problems: tuple[Problem, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether both sides agree, and no row is invalid."""
        return self.summary.in_step

    @property
    def verdict(self) -> Verdict:
        """``in step``; ``cannot change``: only fields differ that the platform cannot change; ``not in step``."""
        if self.summary.in_step:
            return "in step"
        return "cannot change" if self.summary.settled else "not in step"


async def verify(
    client: ManagesUsers,
    *,
    users: Source[NewUser] | None = None,
    chats: Source[NewChat] | None = None,
    members: Source[tuple[str, str]] | None = None,
    prune: bool = False,
    only: Iterable[Part] | None = None,
    part: tuple[int, int] | None = None,
    wait: Seconds = 0.0,
    clock: Clock | None = None,
    on_progress: OnProgress = silent,
) -> Verification:
    """Compare both sides, as `make_plan` does, and return whether they agree. Nothing is changed.

    Args:
        client: as for `make_plan`.
        users, chats, members: the wanted state.
        prune: count existing records that no source wants as differences.
        only: compare these parts alone.
        part: compare the users of one key range alone, as for `make_plan`.
        wait: seconds for which to repeat the comparison while they do not agree: listings lag behind deletions, on real
            servers for 10 to 60 s (docs/platforms/ethora.md#jobs-and-delays).
        clock: measures that time.
        on_progress: called with the progress of the comparison.

    Raises:
        InvalidInputError: as `make_plan`; or a source has no rows, so that it would agree with anything.
        ChatError: as `make_plan`.
    """
    budget = seconds(wait, "wait") if wait else 0.0
    parts = None if only is None else list(only)

    async def compare() -> Verification:
        plan = await make_plan(
            client,
            users=users,
            chats=chats,
            members=members,
            prune=prune,
            only=parts,
            part=part,
            on_progress=on_progress,
        )  # fmt: skip
        async with plan:
            _check_compared(plan)
            examples = await plan.journal.first_changes(SHOWN)
            examples += await plan.journal.first_unchangeable(SHOWN - len(examples))
            problems = await plan.journal.first_problems(SHOWN)
            return Verification(plan.summary, tuple(examples), problems=tuple(problems))

    return await repeated(compare, budget, clock or SystemClock())


async def repeated(compare: Callable[[], Awaitable[Verification]], budget: float, clock: Clock) -> Verification:
    """Repeat a comparison, with growing pauses, while waiting may settle its differences and `budget` seconds last."""
    started, pause = clock.monotonic(), _FIRST_WAIT
    while True:
        answer = await compare()
        waited = clock.monotonic() - started
        if answer.verdict != "not in step" or answer.summary.problems or waited >= budget:
            return attrs.evolve(answer, waited=waited)
        await clock.sleep(min(pause, budget - waited))
        pause = min(_LONGEST_WAIT, 2 * pause)


def _check_compared(plan: Plan) -> None:
    for kind, source in plan.sources.items():
        if plan.summary.compared.get(kind) == 0 and not plan.summary.problems.get(kind):
            msg = f"{source.name} has no rows, so nothing was compared: check that it is the right list"
            raise InvalidInputError(msg, field=f"{kind}s", file=source.name)
