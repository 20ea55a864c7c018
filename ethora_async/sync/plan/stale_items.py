"""Find items of a saved plan that changed since the plan was made."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ethora_async.records import NewChat, NewUser
from ethora_async.sync.plan import guard, intake
from ethora_async.sync.plan.directories import chats_of, check_identity
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.sync.store.comparison import different
from ethora_async.sync.store.key_ranges import KeyRange

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from ethora_async.bulk.outcome import Status
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.records import User
    from ethora_async.sync.plan.plan import Plan
    from ethora_async.sync.store.items import Entry, Result
    from ethora_async.sync.store.journal import Journal

_CHANGED = "changed since the plan was made"
_UNTRUE = "the change does not match its record: make a new plan"
_OWN = "it is one of the platform's own, which are left alone"


async def check_plan(client: ManagesUsers, plan: Plan, *, on_progress: OnProgress = silent) -> int:
    """Compare a saved plan with the current state of the platform, item by item; `apply_plan` calls this itself.

    Changes that have been made in the meantime count as done. An item whose record changed since the plan was made
    becomes ``failed`` for good, with a reason that names the field, its old and its new value.

    Returns:
        The number of items that changed since the plan was made.

    Raises:
        InvalidInputError: the plan was made for another client.
        StoppedByGuardError: the plan deletes too much of what exists now.
        ChatError: the platform could not be listed.
    """
    mine = await check_identity(client, plan.platform)
    journal = plan.journal
    await _list_again(client, plan, mine, on_progress)
    options = await journal.meta("options") or {}
    # A plan without prune deletes nothing.
    allowed = options.get("allow_delete")
    plan.guard = guard.judged(await journal.deletions(), unsafe=0, prune=True, allow_delete=allowed) or plan.guard
    guard.check_guard(plan.guard)
    changed = 0
    async with aclosing(_judged(client, journal)) as parts:
        async for part in parts:
            results: list[Result] = []
            for entry, _, verdict in part:
                if verdict is not None:
                    changed += verdict[0] == "failed"
                    results.append((*verdict, 0, entry.number))
            if results:
                await journal.refuse(results)
    await journal.set_meta(checked=True)
    return changed


async def compare_with_plan(
    client: ManagesUsers, plan: Plan, *, on_progress: OnProgress = silent
) -> AsyncGenerator[tuple[Entry, str | None], None]:
    """Iterate over the items of a plan, each with what the platform says otherwise; None where it agrees.

    Raises:
        InvalidInputError: the plan was made for another client.
        ChatError: the platform could not be listed.
    """
    mine = await check_identity(client, plan.platform)
    await _list_again(client, plan, mine, on_progress)
    async with aclosing(_judged(client, plan.journal)) as parts:
        async for part in parts:
            for entry, now, verdict in part:
                if verdict is None or verdict[0] == "failed":
                    yield entry, (verdict and verdict[1]) or _otherwise(entry, now)
                else:
                    yield entry, None


def _otherwise(entry: Entry, now: Mapping[str, Any] | None) -> str:
    if now is None:
        return "it is not there"
    if entry.action != "update":
        return "it is still there"
    wanted = (entry.after or {}).get("fields", {})
    return ", ".join(
        f"{name} is {now.get(name)!r}, not {value!r}" for name, value in wanted.items() if now.get(name) != value
    )


async def _judged(
    client: ManagesUsers, journal: Journal
) -> AsyncGenerator[list[tuple[Entry, Mapping[str, Any] | None, tuple[Status, str | None] | None]], None]:
    """Iterate over the items to do, each with its record on the platform and with how it ends (see `_Judge`)."""
    judge = _Judge(client)
    async with aclosing(intake.chunks(journal.to_do())) as parts:
        async for part in parts:
            states = await journal.actual_of(part)
            spellings = await journal.other_spellings([judge.claim(entry) for entry in part])
            yield [
                (entry, None if now is None else now[1], judge.verdict(entry, now, spelled))
                for entry, now, spelled in zip(part, states, spellings, strict=True)
            ]


async def _list_again(client: ManagesUsers, plan: Plan, mine: Callable[[User], bool], on_progress: OnProgress) -> None:
    kinds = {kind for kind, _ in plan.summary.changes}
    journal, users = plan.journal, client.users
    await journal.forget_actual()
    part = (await journal.meta("options") or {}).get("part")
    if part is not None:
        await journal.keep_range(KeyRange(*part))
        async with aclosing(intake.chunks(journal.changes())) as parts:
            async for items in parts:
                named = [(one.other if one.kind == "member" else one.key) for one in items if one.kind != "chat"]
                await journal.adopt([users.key(id) for id in named])
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
    """Decides whether an item still has to be applied."""

    def __init__(self, client: ManagesUsers) -> None:
        self._client = client

    def claim(self, entry: Entry) -> tuple[str, str, str | None]:
        """Return kind, id and identity that a creation claims; no identity for other items."""
        if entry.action != "create":
            return entry.kind, entry.key, None
        id = (entry.after or {})["id"]
        return (
            entry.kind,
            entry.key,
            self._client.users.key(id) if entry.kind == "user" else chats_of(self._client).key(id),
        )

    def verdict(
        self,
        entry: Entry,
        found: tuple[bool, Mapping[str, Any]] | None,
        spelled: str | None,
    ) -> tuple[Status, str | None] | None:
        """Return the item's final status and reason, or None to apply it.

        Args:
            entry: the item.
            found: whether its record is the platform's own, and its state; None if it does not exist.
            spelled: an existing id that names the same record as the one to create.
        """
        there, (own, now) = found is not None, found or (False, {})
        if own and entry.kind != "member":
            return "failed", _OWN
        if entry.kind == "member":
            done = there == (entry.action == "grant")
            return ("existed" if entry.action == "grant" else "absent", None) if done else None
        if entry.action == "create":
            return self._created(entry, now) if there else _taken(entry, spelled)
        if not there:
            return (
                ("absent", None) if entry.action == "delete" else ("failed", f"{_CHANGED}: it does not exist any more")
            )
        before = dict(entry.before or {})
        if entry.action == "update":
            wanted = (entry.after or {}).get("fields", {})
            if all(now.get(name) == value for name, value in wanted.items()):
                return "unchanged", None
            if entry.kind == "user" and not self._means(entry, wanted):
                return "failed", _UNTRUE
        for name, then in before.items():
            if name != "id" and now.get(name) != then:
                return "failed", f"{_CHANGED}: {name} was {then!r}, and is {now.get(name)!r} now"
        return None

    def _means(self, entry: Entry, wanted: Mapping[str, Any]) -> bool:
        """Return whether the record to send agrees with the change; either may have been edited by hand."""
        user = NewUser(**(entry.after or {})["item"])
        state = self._client.users.comparable(user)
        plain = self._client.users.plain_id(user.id)
        told = all(state.get(name, "") == value for name, value in wanted.items() if name != "id")
        return told and plain == wanted.get("id", plain)

    def _created(self, entry: Entry, now: Mapping[str, Any]) -> tuple[Status, str | None]:
        item = dict(entry.after or {})
        if entry.kind == "user":
            wanted = self._client.users.comparable(NewUser(**item))
        else:
            wanted = chats_of(self._client).comparable(NewChat(**item))
        before, after = different(wanted, now)
        for name, value in after.items():
            return "failed", f"{_CHANGED}: it was created with {name} {before[name]!r}, not {value!r}"
        return "existed", None


def _taken(entry: Entry, spelled: str | None) -> tuple[Status, str | None] | None:
    if spelled is None:
        return None
    return "failed", f"{_CHANGED}: {spelled!r} was created, which names the same {entry.kind} on this platform"
