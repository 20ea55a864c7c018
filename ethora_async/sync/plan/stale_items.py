"""A saved plan held against what the platform has become since."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from ethora_async.records import NewChat, NewUser
from ethora_async.sync.plan import intake
from ethora_async.sync.plan.compare import different
from ethora_async.sync.plan.plan import check_guard, check_platform, entries, guard_of
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.sync.store.journal import KNOWN, Entry, state_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from ethora_async.bulk.outcome import Status
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.plan.plan import Plan

_UNTRUE = "the change and the record of it do not say the same: make the plan anew"
_OWN = "it is one of the platform's own, which are left alone"


async def check_plan(client: ManagesUsers, plan: Plan, *, on_progress: OnProgress = silent) -> int:
    """Hold a saved plan against the platform as it is now, item by item; `apply_plan` does so by itself.

    What has come about meanwhile is done with. What the platform has outrun (the record is not as it was when the plan
    was made) becomes ``failed`` for good, with a reason that names field, then and now.

    Returns:
        How many items were outrun.

    Raises:
        InvalidInputError: the plan was made for another client.
        StoppedByGuardError: the plan deletes too much of what is there now.
        ChatError: the platform could not be listed.
    """
    await check_platform(client, plan)
    kinds = {kind for kind, _ in plan.summary.changes}
    await _list_again(client, plan, kinds, on_progress)
    options = await plan.journal.meta("options") or {}
    judged = partial(guard_of, prune=True, allow_delete=options.get("allow_delete"))
    plan.guard = await plan.journal.transaction(judged) or plan.guard
    check_guard(plan)
    judge = _Judge(client)
    outrun = 0
    async with aclosing(intake.chunks(entries(plan.journal, f"step > 0 AND state < {KNOWN}"))) as parts:
        async for part in parts:
            now = await plan.journal.transaction(partial(_states, part=part))
            results: list[tuple[Status, str | None, int, int]] = []
            for entry, (there, own, state) in zip(part, now, strict=True):
                verdict = judge.verdict(entry, there=there, own=own, now=state)
                if verdict is not None:
                    outrun += verdict[0] == "failed"
                    results.append((*verdict, 0, entry.number))
            if results:
                await plan.journal.refuse(results)
    await plan.journal.set_meta(checked=True)
    return outrun


async def _list_again(client: Any, plan: Plan, kinds: set[str], on_progress: OnProgress) -> None:
    mine = await client.users.reserved()
    book = plan.journal
    await book.transaction(lambda db: db.execute("DELETE FROM actual"))
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


def _states(db: sqlite3.Connection, *, part: list[Entry]) -> list[tuple[bool, bool, dict[str, Any]]]:
    """For each: whether it is there, whether it is the platform's own, and how it is."""
    query = "SELECT own, state FROM actual WHERE kind = ? AND key = ? AND other = ?"
    found: list[tuple[bool, bool, dict[str, Any]]] = []
    for entry in part:
        row = db.execute(query, (entry.kind, entry.key, entry.other)).fetchone()
        own = row is not None and bool(row[0]) and entry.kind != "member"
        found.append((row is not None, own, (state_of(row[1]) if row else None) or {}))
    return found


class _Judge:
    """Says of an item whether it is still to be carried out."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def verdict(self, entry: Entry, *, there: bool, own: bool, now: dict[str, Any]) -> tuple[Status, str | None] | None:
        """None to go on; else how it ends, and why."""
        if own:
            return "failed", _OWN
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
            if entry.kind == "user" and not self._means(entry, wanted):
                return "failed", _UNTRUE
        for name, then in before.items():
            if now.get(name) != then:
                return "failed", f"outrun: {name} was {then!r} when the plan was made, and is {now.get(name)!r} now"
        return None

    def _means(self, entry: Entry, wanted: Mapping[str, Any]) -> bool:
        """Whether the record that is sent says what the change says; somebody may have edited one of them."""
        user = NewUser(**(entry.after or {})["item"])
        state = self._client.users.comparable(user)
        told = all(name in state and state[name] == value for name, value in wanted.items())
        return told and bool(self._client.users.key(user.id) == entry.key)

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
