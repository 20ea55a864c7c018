"""A saved plan held against what the platform has become since."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ethora_async.records import NewChat, NewUser
from ethora_async.sync.plan import guard, intake
from ethora_async.sync.plan.directories import chats_of, check_identity
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.sync.store.comparison import different

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.bulk.outcome import Status
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.records import User
    from ethora_async.sync.plan.plan import Plan
    from ethora_async.sync.store.items import Entry, Result

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
    mine = await check_identity(client, plan.platform)
    journal = plan.journal
    await _list_again(client, plan, mine, on_progress)
    options = await journal.meta("options") or {}
    # A plan without prune deletes nothing.
    plan.guard = await guard.judged(journal, prune=True, allow_delete=options.get("allow_delete")) or plan.guard
    guard.check_guard(plan.guard)
    judge = _Judge(client)
    changed = 0
    async with aclosing(intake.chunks(journal.to_do())) as parts:
        async for part in parts:
            results: list[Result] = []
            for entry, now in zip(part, await journal.actual_of(part), strict=True):
                verdict = judge.verdict(entry, now)
                if verdict is not None:
                    changed += verdict[0] == "failed"
                    results.append((*verdict, 0, entry.number))
            if results:
                await journal.refuse(results)
    await journal.set_meta(checked=True)
    return changed


async def _list_again(client: ManagesUsers, plan: Plan, mine: Callable[[User], bool], on_progress: OnProgress) -> None:
    kinds = {kind for kind, _ in plan.summary.changes}
    journal, users = plan.journal, client.users
    await journal.forget_actual()
    if "user" in kinds:
        await intake.list_users(journal, users, mine, lambda done: on_progress(Progress("listing users", done)))
    if "chat" in kinds or "member" in kinds:
        chats = chats_of(client)
        own = await chats.reserved()
        await intake.list_chats(journal, chats, own, lambda done: on_progress(Progress("listing chats", done)))
        if "member" in kinds:
            await intake.list_members(
                journal, users, chats, mine, lambda done: on_progress(Progress("listing members", done))
            )


class _Judge:
    """Says of an item whether it is still to be carried out."""

    def __init__(self, client: ManagesUsers) -> None:
        self._client = client

    def verdict(self, entry: Entry, found: tuple[bool, Mapping[str, Any]] | None) -> tuple[Status, str | None] | None:
        """Return how the item ends and why, or None to carry it out.

        Args:
            entry: the item.
            found: of its record, whether it is the platform's own, and its state; None if it does not exist.
        """
        there, (own, now) = found is not None, found or (False, {})
        if own and entry.kind != "member":
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

    def _created(self, entry: Entry, now: Mapping[str, Any]) -> tuple[Status, str | None]:
        item = dict(entry.after or {})
        if entry.kind == "user":
            wanted = self._client.users.comparable(NewUser(**item))
        else:
            wanted = chats_of(self._client).comparable(NewChat(**item))
        before, after = different(wanted, now)
        for name, value in after.items():
            return "failed", f"outrun: it was created meanwhile with {name} {before[name]!r}, not {value!r}"
        return "existed", None
