"""Whether both sides agree, and waiting until they do; a saved plan held against what the platform has become."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.bulk.journal import KNOWN, Entry, state_of
from ethora_async.clock import SystemClock
from ethora_async.config import Seconds, seconds
from ethora_async.records import NewChat, NewUser
from ethora_async.sync import intake
from ethora_async.sync.compare import different
from ethora_async.sync.plan import Summary, entries, make_plan
from ethora_async.sync.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from ethora_async.bulk.outcome import Status
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.protocols import Clock
    from ethora_async.sync.plan import Part, Plan
    from ethora_async.sync.source import Source

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 10.0
SHOWN = 20
"""Differences of which a `Verification` keeps the details."""


@attrs.frozen
class Verification:
    """Whether the platform agrees with the sources.

    Attributes:
        summary: the differences in numbers. `cannot_change` does not count against agreement: nothing can be done.
        examples: the first differences.
        waited: seconds until this answer.
    """

    summary: Summary
    examples: tuple[Entry, ...]
    waited: float = 0.0

    @property
    def in_step(self) -> bool:
        """Whether both sides agree, and every row could be used."""
        return self.summary.in_step


async def verify(
    client: ManagesUsers,
    *,
    users: Source[NewUser] | None = None,
    chats: Source[NewChat] | None = None,
    members: Source[tuple[str, str]] | None = None,
    prune: bool = False,
    only: Iterable[Part] | None = None,
    wait: Seconds = 0.0,
    clock: Clock | None = None,
    on_progress: OnProgress = silent,
) -> Verification:
    """Compare both sides, as `make_plan` does, and say whether they agree. Nothing is changed.

    Args:
        prune: count what is there and no source wants as a difference.
        wait: seconds for which to ask again while they do not: listings lag behind deletions, on real servers for 10
            to 60 s (contract §1.8).

    Raises:
        InvalidInput, ChatError: as `make_plan`.
    """
    time = clock or SystemClock()
    started, budget, pause = time.monotonic(), seconds(wait, "wait") if wait else 0.0, _FIRST_WAIT
    parts = None if only is None else list(only)
    while True:
        plan = await make_plan(
            client, users=users, chats=chats, members=members, prune=prune, only=parts, on_progress=on_progress
        )
        async with plan:
            examples = await plan.journal.entries("step > 0", limit=SHOWN)
            waited = time.monotonic() - started
            answer = Verification(plan.summary, tuple(examples), waited)
        if answer.in_step or plan.summary.problems or waited + pause > budget:
            return answer
        await time.sleep(pause)
        pause = min(_LONGEST_WAIT, 2 * pause)


async def check_plan(client: ManagesUsers, plan: Plan, *, on_progress: OnProgress = silent) -> int:
    """Hold a saved plan against the platform as it is now, item by item.

    What has come about meanwhile is done with. What the platform has outrun (the record is not as it was when the plan
    was made) becomes ``failed``, with a reason that names field, then and now; it is not carried out.

    Returns:
        How many items were outrun.

    Raises:
        ChatError: the platform could not be listed.
    """
    kinds = {kind for kind, _ in plan.summary.changes}
    await _list_again(client, plan, kinds, on_progress)
    judge = _Judge(client)
    outrun = 0
    async for part in intake.chunks(entries(plan.journal, f"step > 0 AND state < {KNOWN}")):
        now = await plan.journal.transaction(partial(_states, part=part))
        results: list[tuple[Status, str | None, int, int]] = []
        for entry, (there, state) in zip(part, now, strict=True):
            verdict = judge.verdict(entry, there=there, now=state)
            if verdict is not None:
                outrun += verdict[0] == "failed"
                results.append((*verdict, 0, entry.number))
        if results:
            await plan.journal.mark_known(results)
    return outrun


async def _list_again(client: Any, plan: Plan, kinds: set[str], on_progress: OnProgress) -> None:
    mine = await client.users.reserved()
    book = plan.journal
    if "user" in kinds:
        await intake.list_users(book, client.users, mine, lambda done: on_progress(Progress("listing users", done)))
    if "chat" in kinds or "member" in kinds:
        others = await client.chats.reserved()
        await intake.list_chats(book, client.chats, others, lambda done: on_progress(Progress("listing chats", done)))
    if "member" in kinds:
        await book.transaction(_want_members)
        await intake.list_members(
            book, client.users, client.chats, mine, lambda done: on_progress(Progress("listing members", done))
        )


def _want_members(db: sqlite3.Connection) -> None:
    # The chats whose members matter are those of the plan's memberships.
    db.execute(
        "INSERT OR IGNORE INTO wanted (kind, key, other) SELECT kind, key, other FROM item WHERE kind = 'member'"
    )


def _states(db: sqlite3.Connection, *, part: list[Entry]) -> list[tuple[bool, dict[str, Any]]]:
    query = "SELECT state FROM actual WHERE kind = ? AND key = ? AND other = ?"
    found = [db.execute(query, (entry.kind, entry.key, entry.other)).fetchone() for entry in part]
    return [(row is not None, (state_of(row[0]) if row else None) or {}) for row in found]


class _Judge:
    """Says of an item whether it is still to be carried out."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def verdict(self, entry: Entry, *, there: bool, now: dict[str, Any]) -> tuple[Status, str | None] | None:
        """None to go on; else how it ends, and why."""
        if entry.kind == "member":
            done = there == (entry.action == "grant")
            return ("existed" if entry.action == "grant" else "absent", None) if done else None
        if entry.action == "create":
            return self._created(entry, now) if there else None
        if not there:
            return ("absent", None) if entry.action == "delete" else ("failed", "outrun: it is not there any more")
        before = dict(entry.before or {})
        if entry.action == "update":
            wanted = (entry.after or {}).get("fields", {})
            if all(now.get(name) == value for name, value in wanted.items()):
                return "unchanged", None
        for name, then in before.items():
            if now.get(name) != then:
                return "failed", f"outrun: {name} was {then!r} when the plan was made, and is {now.get(name)!r} now"
        return None

    def _created(self, entry: Entry, now: dict[str, Any]) -> tuple[Status, str | None]:
        item = dict(entry.after or {})
        if entry.kind == "user":
            wanted = self._client.users.comparable(NewUser(**item))
        else:
            wanted = self._client.chats.comparable(NewChat(**item))
        before, after = different(wanted, now)
        for name, value in after.items():
            return "failed", f"outrun: it was created meanwhile with {name} {before[name]!r}, not {value!r}"
        return "existed", None
