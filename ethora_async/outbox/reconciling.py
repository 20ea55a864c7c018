"""Find differences between the platform and your database that no intent explains, and write intents for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.config import Seconds, seconds
from ethora_async.errors import ChatError, ConfigError, InvalidInputError
from ethora_async.outbox.lanes import LaneKey, Store
from ethora_async.outbox.opening import open_store
from ethora_async.sync.plan.plan import make_plan
from ethora_async.wording import counted

if TYPE_CHECKING:
    from ethora_async.capabilities import ManagesUsers
    from ethora_async.outbox.lanes import Kind
    from ethora_async.records import NewChat, NewUser
    from ethora_async.sync.plan.plan import Plan
    from ethora_async.sync.sources.source import Source

log: logging.Logger = logging.getLogger("ethora_async.outbox")

LAG = 60.0

_AT_ONCE = 500
_GUARD_SHARE = 0.1
_REMOVALS = ("delete", "revoke")
_NO_LIMIT = 2**62


@attrs.frozen
class Reconciliation:
    """The result of a reconcile.

    Attributes:
        drift: by kind and action (``user create``), number of differences for which intents were written.
        pending: number of differences with an intent that is waiting, was given up, or was carried out in the meantime.
        cannot_change, extras, problems: by kind, as in a plan: differences that stay, records in no list, and invalid
            rows.
        guard: why nothing was written, or None.
        at: its time, in seconds since the epoch.
        seconds: its duration.
    """

    drift: Mapping[str, int]
    pending: int
    cannot_change: Mapping[str, int]
    extras: Mapping[str, int]
    problems: Mapping[str, int]
    guard: str | None
    at: float
    seconds: float

    @property
    def in_step(self) -> bool:
        """Whether every difference is explained by an intent."""
        return not self.drift and self.guard is None and not self.problems


async def reconcile(
    client: ManagesUsers,
    database: str | Store,
    *,
    users: Source[NewUser] | None = None,
    chats: Source[NewChat] | None = None,
    members: Source[tuple[str, str]] | None = None,
    prune: bool = False,
    allow_delete: int | None = None,
    lag: float = LAG,
) -> Reconciliation:
    """Compare the platform with your database once, and write the differences as intents.

    The platform is listed first and your database is read afterwards, so that a user who signs up in between is not
    planned for deletion. A difference that an intent explains is not drift. Newer intents of the application replace
    those written here.

    Args:
        client: any client that manages users; for `chats` and `members`, one that manages chats as well.
        database: the outbox's URL, or a store, which stays open.
        users, chats, members: your database's rows, for example by `ethora_async.sync.open_source`. A source must not
            hold passwords.
        prune: also write intents to delete records in no list. More than a tenth of what exists is refused.
        allow_delete: number of deletions of each kind that is allowed, whatever their share.
        lag: seconds for which the platform's listings may show an old state (default 60): records that were changed
            since then are not compared.

    Raises:
        InvalidInputError: there is no source, one cannot be read, or one holds passwords.
        ConfigError: the database has no fitting tables.
        ChatError: the platform could not be listed, or the database could not be reached.
    """
    store = open_store(database)
    try:
        await store.check()
        return await _reconcile(client, store, users, chats, members, prune=prune, allow_delete=allow_delete, lag=lag)
    finally:
        if store is not database:
            await store.aclose()


async def reconcile_every(
    every: Seconds,
    client: ManagesUsers,
    database: str | Store,
    **options: Any,
) -> AsyncGenerator[Reconciliation, None]:
    """Reconcile at an interval of `every`; yield the result of each run.

    Errors of the platform or the database are logged, and that run is skipped. For the options see `reconcile`.

    Raises:
        ConfigError: `every` is not a duration, or as for `reconcile`.
        InvalidInputError: as for `reconcile`.
    """
    pause = seconds(every, "every")
    while True:
        started = time.monotonic()
        try:
            yield await reconcile(client, database, **options)
        except (ConfigError, InvalidInputError):
            raise
        except ChatError as error:
            log.warning("the platform could not be reconciled: %s", error)
        await asyncio.sleep(max(0.0, started + pause - time.monotonic()))


async def _reconcile(
    client: ManagesUsers,
    store: Store,
    users: Source[NewUser] | None,
    chats: Source[NewChat] | None,
    members: Source[tuple[str, str]] | None,
    *,
    prune: bool,
    allow_delete: int | None,
    lag: float,
) -> Reconciliation:
    started = time.monotonic()
    at = await store.now()
    since = at - lag
    # Lanes completed from here on must be kept until the sources have been read.
    await store.note("reconciling", {"since": since})
    try:
        # The guard is applied here, without the differences that intents explain.
        async with await make_plan(
            client, users=users, chats=chats, members=members, prune=prune, allow_delete=_NO_LIMIT if prune else None
        ) as plan:
            drift, pending = await _counted(store, plan, since)
            guard = await _guard(plan, drift, allow_delete)
            if guard is None:
                written, late = await _written(store, plan, since)
                pending += late
            else:
                written = drift
            summary = plan.summary
    finally:
        with suppress(ChatError):
            await store.note("reconciling", {"since": 0})
    found = Reconciliation(
        drift={f"{kind} {action}": count for (kind, action), count in sorted(written.items())},
        pending=pending,
        cannot_change=dict(summary.cannot_change),
        extras=dict(summary.extras),
        problems=dict(summary.problems),
        guard=guard,
        at=at,
        seconds=time.monotonic() - started,
    )
    await store.note("reconciled", attrs.asdict(found))
    return found


async def _chunks(plan: Plan) -> AsyncGenerator[list[Any], None]:
    chunk: list[Any] = []
    async for entry in plan.changes():
        if entry.needs_source:
            msg = (
                f"user {entry.key!r} has a password in the source, which a reconcile cannot pass on: leave the password"
                " column out"
            )
            raise InvalidInputError(msg, field="password")
        chunk.append(entry)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _id(entry: Any) -> LaneKey:
    kind: Kind = entry.kind
    return LaneKey(kind, entry.key, entry.other)


async def _counted(store: Store, plan: Plan, since: float) -> tuple[Counter[tuple[str, str]], int]:
    """Count the differences that no intent explains, by kind and action, and the others in total."""
    drift: Counter[tuple[str, str]] = Counter()
    pending = 0
    async for chunk in _chunks(plan):
        busy = await _busy(store, chunk, since)
        pending += sum(_id(entry) in busy for entry in chunk)
        drift.update((entry.kind, entry.action) for entry in chunk if _id(entry) not in busy)
    return drift, pending


async def _busy(store: Store, chunk: list[Any], since: float) -> frozenset[LaneKey]:
    """Return the ids that an intent explains; for a membership also an intent of its user or its chat."""
    ids = {_id(entry) for entry in chunk}
    for entry in chunk:
        if entry.kind == "member":
            ids |= {LaneKey("chat", entry.key), LaneKey("user", entry.other)}
    busy = await store.unsettled(sorted(ids), since)
    parts = {
        _id(entry)
        for entry in chunk
        if entry.kind == "member" and {LaneKey("chat", entry.key), LaneKey("user", entry.other)} & busy
    }
    return busy | parts


async def _guard(plan: Plan, drift: Mapping[tuple[str, str], int], allow_delete: int | None) -> str | None:
    bad = sum(plan.summary.problems.values())
    for one in await plan.journal.deletions():
        count = drift.get((one.kind, one.action), 0)
        if count and bad:
            unsafe = f"removing {count:,} would be unsafe: fix them, or leave prune out"
            return f"{counted(bad, 'row')} cannot be used, so that {unsafe}"
        if count > max(_GUARD_SHARE * one.listed, allow_delete or 0):
            return (
                f"it would {one.action} {count} of {one.listed} {one.kind}s, more than {_GUARD_SHARE:.0%}:"
                f" allow {counted(count, 'deletion')} if that is intended"
            )
    return None


async def _written(store: Store, plan: Plan, since: float) -> tuple[Counter[tuple[str, str]], int]:
    written: Counter[tuple[str, str]] = Counter()
    late = 0
    async for chunk in _chunks(plan):
        busy = await _busy(store, chunk, since)
        by_action: dict[tuple[str, str], list[tuple[LaneKey, Mapping[str, Any] | None]]] = {}
        for entry in chunk:
            if _id(entry) not in busy:
                by_action.setdefault((entry.kind, entry.action), []).append((_id(entry), _wanted(entry)))
        for what, rows in by_action.items():
            count = await store.reopen(rows, since)
            written[what] += count
            late += len(rows) - count
    return +written, late


def _wanted(entry: Any) -> Mapping[str, Any] | None:
    if entry.action in _REMOVALS:
        return None
    item = dict(entry.after or {})
    item = dict(item.get("item", {})) if entry.action == "update" else item
    item.pop("id", None)
    return item


__all__ = ["Reconciliation", "reconcile", "reconcile_every"]
