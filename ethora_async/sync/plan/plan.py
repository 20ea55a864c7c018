"""A plan: everything that would make the platform agree with the sources, as data to read before it is carried out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from ethora_async.errors import InvalidInputError, StoppedByGuardError
from ethora_async.sync.plan import intake
from ethora_async.sync.plan.compare import CANNOT_CHANGE, EXTRA, Comparison, Kind
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.sync.sources.source import Source
from ethora_async.sync.store.journal import Entry, Journal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path
    from types import TracebackType

    from ethora_async.capabilities import ManagesUsers
    from ethora_async.records import NewChat, NewUser

Part = Literal["users", "chats", "access"]
PARTS: tuple[Part, ...] = ("users", "chats", "access")
_KIND_OF: Mapping[str, Kind] = {"users": "user", "chats": "chat", "access": "member"}

GUARD_SHARE = 0.1
"""Of what is there, deletions up to this share need no further word (docs/architecture.md#guards)."""

PLANNING, PLANNED = "planning", "planned"


@attrs.frozen
class Problem:
    """A row that cannot be used.

    Attributes:
        kind: ``user``, ``chat`` or ``member``.
        id: its id, as far as it has one; of a membership ``chat/user``.
        file, line, column: where it stands.
    """

    kind: Kind
    id: str
    file: str | None
    line: int | None
    column: str | None
    reason: str


@attrs.frozen
class Summary:
    """A plan in numbers.

    Attributes:
        changes: by kind (``user``, ``chat``, ``member``) and action (``create``, ``update``, ``delete``, ``grant``,
            ``revoke``): how many are to be carried out.
        cannot_change: by kind, how many records differ in fields that the platform does not let us change.
        extras: by kind, how many are there that no source wants, and stay.
        problems: by kind, how many rows cannot be used.
        left: how many changes `limit` or `only` leave for later.
    """

    changes: Mapping[tuple[str, str], int]
    cannot_change: Mapping[str, int]
    extras: Mapping[str, int]
    problems: Mapping[str, int]
    left: int = 0

    @property
    def total(self) -> int:
        """How many changes there are to carry out."""
        return sum(self.changes.values())

    @property
    def in_step(self) -> bool:
        """Whether nothing is to be done, and every row could be used."""
        return not self.total and not self.problems and not self.left


@attrs.define(eq=False)
class Plan:
    """What is to be done, in a journal; made by `make_plan` or `load_plan`, carried out by `apply_plan`.

    Attributes:
        journal: where it is kept.
        sources: what it was made of, by kind; asked again for passwords, which the journal does not hold.
        summary: the plan in numbers.
        guard: why it is not carried out as it stands, or None.
        platform: which client it was made for.
    """

    journal: Journal
    sources: Mapping[Kind, Source[Any]]
    summary: Summary
    guard: str | None
    platform: str

    async def changes(self) -> AsyncGenerator[Entry, None]:
        """Every change that is to be carried out, in its order."""
        async for entry in entries(self.journal, "step > 0"):
            yield entry

    async def cannot_change(self) -> AsyncGenerator[Entry, None]:
        """Every difference in fields that the platform does not let us change; it stays."""
        async for entry in entries(self.journal, "action = ?", CANNOT_CHANGE):
            yield entry

    async def extras(self) -> AsyncGenerator[Entry, None]:
        """Everything that is there and that no source wants; it stays, since `prune` was not asked for."""
        async for entry in entries(self.journal, "action = ?", EXTRA):
            yield entry

    async def problems(self) -> AsyncGenerator[Problem, None]:
        """Every row that cannot be used, in the order in which they were read."""
        after = 0
        while rows := await self.journal.transaction(partial(_problems_after, after=after)):
            for number, *row in rows:
                after = number
                yield Problem(*row)

    async def aclose(self) -> None:
        """Let go of the journal; one that was not given a place vanishes."""
        await self.journal.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def make_plan(
    client: ManagesUsers,
    *,
    users: Source[NewUser] | None = None,
    chats: Source[NewChat] | None = None,
    members: Source[tuple[str, str]] | None = None,
    prune: bool = False,
    allow_delete: int | None = None,
    only: Iterable[Part] | None = None,
    limit: int | None = None,
    journal: str | Path | None = None,
    recipe: Mapping[str, Any] | None = None,
    on_progress: OnProgress = silent,
) -> Plan:
    """Compare what the sources want with what the platform lists. Nothing is changed.

    Memory does not grow with either side. Compared are the kinds that have a source: users; chats; and who may enter
    the chats that `chats` or `members` name. The platform's own records are left out.

    Args:
        client: any client that manages users; for `chats` and `members`, one that manages chats as well.
        prune: delete (or revoke) what no source wants. More than a tenth of what is there, `allow_delete` or rows that
            cannot be used leave a `guard` on the plan.
        allow_delete: how many deletions of each kind are fine, whatever their share.
        only: carry out these parts alone; the other sources still tell who and what is known.
        limit: plan the first so many changes of each kind and action, to try them before the rest.
        journal: where to keep the plan, to be resumed from; None keeps it in a temporary file.
        recipe: what is needed to open the sources again, kept for `resume`; it must hold no secret.

    Raises:
        InvalidInputError: there is no source, one cannot be read, or an option cannot be meant.
        ChatError: the platform could not be listed.
    """
    _check(client, users, chats, members, limit)
    offered: dict[Kind, Source[Any] | None] = {"user": users, "chat": chats, "member": members}
    sources: dict[Kind, Source[Any]] = {kind: source for kind, source in offered.items() if source is not None}
    parts = frozenset(only) if only is not None else frozenset(PARTS)
    if unknown := parts - set(PARTS):
        msg = f"only takes {', '.join(PARTS)}, not {min(unknown)!r}"
        raise InvalidInputError(msg, field="only")
    options = {"prune": prune, "allow_delete": allow_delete, "only": sorted(parts), "limit": limit}
    meta = {"state": PLANNING, "options": options, "kinds": [*sources], "recipe": recipe, "made_at": time.time()}
    async with AsyncExitStack() as stack:
        created = await Journal.create(journal, tables=intake.TABLES, meta=meta)
        book = await stack.enter_async_context(created)
        plan = await plan_in(book, client, sources, on_progress)
        stack.pop_all()
    return plan


async def plan_in(
    book: Journal, client: ManagesUsers, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress
) -> Plan:
    """Make the plan in a journal that says with which options; what an earlier try left there is thrown away."""
    options = await book.meta("options")
    prune = options["prune"]
    kinds: frozenset[Kind] = frozenset(
        kind for part, kind in _KIND_OF.items() if part in options["only"] and kind in sources
    )
    await book.transaction(_clear)
    # Before they are read: what changes meanwhile must not pass for what was read.
    prints = {kind: {"name": one.name, "fingerprint": await one.fingerprint()} for kind, one in sources.items()}
    await take_in(client, book, sources, on_progress)
    comparison = Comparison(kinds, prune, _changeable(client, kinds))
    on_progress(Progress("comparing", 0))
    left = await book.transaction(partial(_compare, comparison=comparison, limit=options["limit"]))
    guard = await book.transaction(partial(guard_of, prune=prune, allow_delete=options["allow_delete"]))
    platform = identity(client)
    await book.set_meta(state=PLANNED, sources=prints, left=left, guard=guard, platform=platform)
    return Plan(book, sources, await summary_of(book), guard, platform)


async def take_in(client: Any, book: Journal, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress) -> None:
    """Fill the tables of both sides."""

    def told(step: str) -> Callable[[int], None]:
        return lambda done: on_progress(Progress(step, done))

    mine = await client.users.reserved()  # which makes the first call, so that ids can be told apart
    if "user" in sources:
        await intake.read_users(book, client.users, sources["user"], mine, told("reading users"))
    if "chat" in sources:
        await intake.read_chats(book, client.chats, sources["chat"], told("reading chats"))
    if "member" in sources:
        await intake.read_members(book, client.users, client.chats, sources["member"], told("reading members"))
    if "user" in sources or "member" in sources:
        await intake.list_users(book, client.users, mine, told("listing users"))
    if "chat" in sources or "member" in sources:
        await intake.list_chats(book, client.chats, await client.chats.reserved(), told("listing chats"))
    if "member" in sources:
        await intake.list_members(book, client.users, client.chats, mine, told("listing members"))


def identity(client: object) -> str:
    """What tells one platform, and one app there, from another: the client's text, or its type where it has none."""
    text = repr(client)
    return type(client).__name__ if " object at 0x" in text else text


async def entries(journal: Journal, where: str, *values: Any, limit: int = 500) -> AsyncGenerator[Entry, None]:
    """The journal's items that an SQL condition picks, read as they are needed."""
    after = 0
    while found := await journal.entries(where, values, after=after, limit=limit):
        for entry in found:
            yield entry
        after = found[-1].number


async def first_problems(journal: Journal, count: int) -> tuple[Problem, ...]:
    """The first rows that cannot be used, in the order in which they were read; at most 500."""
    rows = await journal.transaction(partial(_problems_after, after=0))
    return tuple(Problem(*row) for _, *row in rows[:count])


async def summary_of(journal: Journal) -> Summary:
    """The journal's plan in numbers."""
    changes: dict[tuple[str, str], int] = {}
    cannot: dict[str, int] = {}
    extras: dict[str, int] = {}
    for (kind, action, _), count in (await journal.counts()).items():
        if action == CANNOT_CHANGE:
            cannot[kind] = cannot.get(kind, 0) + count
        elif action == EXTRA:
            extras[kind] = extras.get(kind, 0) + count
        else:
            changes[kind, action] = changes.get((kind, action), 0) + count
    problems = await journal.transaction(
        lambda db: dict(db.execute("SELECT kind, COUNT(*) FROM bad GROUP BY kind").fetchall())
    )
    problems = problems or await journal.meta("problems", {})  # of a plan from a file only the numbers are known
    return Summary(changes, cannot, extras, problems, await journal.meta("left", 0))


def check_guard(plan: Plan) -> None:
    """Go on only with a plan that nothing speaks against.

    Raises:
        StoppedByGuardError: it deletes too much.
    """
    if plan.guard is not None:
        raise StoppedByGuardError(plan.guard)


async def check_platform(client: Any, plan: Plan) -> None:
    """Go on only with the client that the plan was made for.

    Raises:
        InvalidInputError: it was made for another one.
        ChatError: the platform cannot be reached.
    """
    await client.users.reserved()  # the first call: from here on ids can be told apart, and the client has its name
    if identity(client) != plan.platform:
        msg = f"the plan was made for {plan.platform}, and this is {identity(client)}"
        raise InvalidInputError(msg, field="plan")


def _check(client: Any, users: object, chats: object, members: object, limit: int | None) -> None:
    if users is None and chats is None and members is None:
        msg = "there is nothing to compare: pass users, chats or members"
        raise InvalidInputError(msg, field="users")
    if limit is not None and limit < 1:
        msg = f"limit must be at least 1, not {limit}"
        raise InvalidInputError(msg, field="limit")
    if (chats is not None or members is not None) and not hasattr(client, "chats"):
        msg = f"{type(client).__name__} manages no chats: leave chats and members out"
        raise InvalidInputError(msg, field="chats" if chats is not None else "members")


def _changeable(client: Any, kinds: frozenset[Kind]) -> dict[Kind, frozenset[str]]:
    found: dict[Kind, frozenset[str]] = {}
    if "user" in kinds:
        found["user"] = client.users.changeable
    if "chat" in kinds:
        found["chat"] = client.chats.changeable
    return found


def _compare(db: sqlite3.Connection, *, comparison: Comparison, limit: int | None) -> int:
    comparison.write(db)
    before = _to_do(db)
    if limit is not None:
        _keep_first(db, "kind <> 'member'", limit)
    # Who is not created now cannot enter a chat now, nor can anybody a chat that is not.
    for kind, column in (("user", "other"), ("chat", "key")):
        db.execute(
            f"DELETE FROM item WHERE action = 'grant' AND NOT EXISTS ("  # noqa: S608  words of ours
            f" SELECT 1 FROM actual AS a WHERE a.kind = '{kind}' AND a.key = item.{column}) AND NOT EXISTS ("
            f" SELECT 1 FROM item AS i WHERE i.kind = '{kind}' AND i.action = 'create' AND i.key = item.{column})"
        )
    if limit is not None:
        _keep_first(db, "kind = 'member'", limit)
    return before - _to_do(db)


def _keep_first(db: sqlite3.Connection, which: str, limit: int) -> None:
    db.execute(
        "DELETE FROM item WHERE number IN (SELECT number FROM ("  # noqa: S608  words of ours
        " SELECT number, ROW_NUMBER() OVER (PARTITION BY kind, action ORDER BY number) AS place"
        f" FROM item WHERE step > 0 AND {which}) WHERE place > ?)",
        (limit,),
    )


def _clear(db: sqlite3.Connection) -> None:
    for table in ("wanted", "actual", "bad", "item"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608  words of ours


def _to_do(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM item WHERE step > 0").fetchone()[0])


def guard_of(db: sqlite3.Connection, *, prune: bool, allow_delete: int | None) -> str | None:
    """Why deletions of this size are not carried out as they stand, or None."""
    if not prune:
        return None
    bad = db.execute("SELECT COUNT(*) FROM bad").fetchone()[0]
    for kind, action in (("user", "delete"), ("chat", "delete"), ("member", "revoke")):
        chosen = (kind, action)
        gone = db.execute("SELECT COUNT(*) FROM item WHERE kind = ? AND action = ?", chosen).fetchone()[0]
        if gone and bad:
            return (
                f"{bad} rows cannot be used, and who is meant by them must not be deleted: mend them, or plan without"
                " prune"
            )
        there = db.execute("SELECT COUNT(*) FROM actual WHERE kind = ? AND NOT own", (kind,)).fetchone()[0]
        if gone > max(GUARD_SHARE * there, allow_delete or 0):
            verb = "revoke" if action == "revoke" else "delete"
            what = {"user": "users", "chat": "chats", "member": "memberships"}[kind]
            return (
                f"it would {verb} {gone} of {there} {what}, more than {GUARD_SHARE:.0%}: allow {gone} deletions if"
                " that is meant"
            )
    return None


def _problems_after(db: sqlite3.Connection, *, after: int) -> list[tuple[Any, ...]]:
    return db.execute(
        "SELECT rowid, kind, id, file, line, field, reason FROM bad WHERE rowid > ? ORDER BY rowid LIMIT 500", (after,)
    ).fetchall()
