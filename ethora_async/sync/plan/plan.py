"""A plan: the changes that make the platform agree with the sources, for review before they are applied."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from ethora_async.capabilities import DoubtsShortNames, LeavesOut, RulesNames
from ethora_async.engine.patience import patience
from ethora_async.errors import InvalidInputError
from ethora_async.sync.plan import guard, intake
from ethora_async.sync.plan.directories import chats_of, identity
from ethora_async.sync.plan.progress import OnProgress, Progress, silent
from ethora_async.sync.sources.source import Source
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, Comparison, Entry, Kind, Problem
from ethora_async.sync.store.journal import Journal
from ethora_async.sync.store.key_ranges import KeyRange

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path
    from types import TracebackType

    from ethora_async.capabilities import ManagesUsers, NameRule
    from ethora_async.records import NewChat, NewUser

Part = Literal["users", "chats", "access"]
PARTS: tuple[Part, ...] = ("users", "chats", "access")
_NAMED: tuple[Kind, ...] = ("user", "chat")
_KIND_OF: Mapping[str, Kind] = {"users": "user", "chats": "chat", "access": "member"}

PLANNING, PLANNED = "planning", "planned"


@attrs.frozen
class Summary:
    """A plan in numbers.

    Attributes:
        changes: number of changes to apply, by kind (``user``, ``chat``, ``member``) and action (``create``,
            ``update``, ``delete``, ``grant``, ``revoke``).
        cannot_change: by kind, number of records that differ in fields that cannot be changed on the platform.
        extras: by kind, number of existing records that no source wants, and that stay.
        problems: by kind, number of invalid rows.
        left: number of changes left for later, because of `limit`, or because the user or chat that they need does not
            exist yet.
        compared: by kind, number of wanted records that were compared.
        warnings: what is to be applied, but may be refused by the platform.
    """

    changes: Mapping[tuple[str, str], int]
    cannot_change: Mapping[str, int]
    extras: Mapping[str, int]
    problems: Mapping[str, int]
    left: int = 0
    compared: Mapping[str, int] = attrs.field(factory=dict, eq=False)
    warnings: tuple[str, ...] = attrs.field(default=(), eq=False)

    @property
    def total(self) -> int:
        """The number of changes to apply."""
        return sum(self.changes.values())

    @property
    def in_step(self) -> bool:
        """Whether both sides agree: no difference, changeable or not, and no invalid row."""
        return self.settled and not self.cannot_change

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do: both sides agree except in fields that cannot be changed on the platform."""
        return not self.total and not self.problems and not self.left


@attrs.define(eq=False)
class Plan:
    """The changes to make, in a journal; created by `make_plan` or `load_plan`, applied by `apply_plan`.

    Attributes:
        journal: the path of the journal.
        sources: its sources, by kind; they are read again for passwords, which the journal does not hold.
        summary: the plan in numbers.
        guard: why the plan is not applied without changes, or None.
        platform: the client it was made for.
    """

    journal: Journal
    sources: Mapping[Kind, Source[Any]]
    summary: Summary
    guard: str | None
    platform: str

    def changes(self) -> AsyncGenerator[Entry, None]:
        """Iterate over every change to apply, in order."""
        return self.journal.changes()

    def cannot_change(self) -> AsyncGenerator[Entry, None]:
        """Iterate over the differences that cannot be changed on the platform; they stay."""
        return self.journal.cannot_change()

    def extras(self) -> AsyncGenerator[Entry, None]:
        """Iterate over existing records that no source wants; they stay, since the plan was made without `prune`."""
        return self.journal.extras()

    def problems(self) -> AsyncGenerator[Problem, None]:
        """Iterate over the invalid rows, in the order in which they were read."""
        return self.journal.problems()

    async def aclose(self) -> None:
        """Close the journal; a temporary one is deleted."""
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
    replace: bool = False,
    only: Iterable[Part] | None = None,
    limit: int | None = None,
    part: tuple[int, int] | None = None,
    journal: str | Path | None = None,
    recipe: Mapping[str, Any] | None = None,
    on_progress: OnProgress = silent,
) -> Plan:
    """Compare the sources with the platform and make a plan. Nothing is changed.

    Memory use does not grow with either side. The kinds that have a source are compared: users; chats; and the members
    of the chats that `chats` or `members` name. The platform's own records are left out.

    Args:
        client: any client that manages users; for `chats` and `members`, one that manages chats as well.
        prune: delete (or revoke) what no source wants. If that is more than a tenth of what exists, or more than
            `allow_delete`, or if there are invalid rows, the plan gets a `guard`.
        allow_delete: number of deletions of each kind that is allowed, in place of the tenth; 0 means none.
        replace: with `prune`, where the platform cannot rename users: delete and recreate a user whose id changed but
            whose e-mail address did not. The user's messages are lost. Without it such a user keeps the old id, and the
            plan reports it.
        only: plan changes to these parts alone; the other sources still say what exists.
        limit: plan only the first so many changes of each kind and action, to try them before the rest. Changes that
            depend on each other (a deletion that frees an e-mail address for a creation) are kept or left together. The
            guard still judges the whole plan.
        part: ``(3, 16)`` plans the third of sixteen parts, with a sixteenth of the disk. All parts together are the
            whole plan; each holds what is about the users of its key range, and its guard judges that alone. Both
            sides are read at least twice (docs/scale.md#plan-in-parts).
        journal: where to keep the plan so that it can be resumed; None keeps it in a temporary file.
        recipe: how to open the sources again, kept for `resume`; it must not contain a secret.

    Raises:
        InvalidInputError: there is no source, one cannot be read, an option is invalid, or `only` leaves nothing to
            compare.
        ChatError: the platform could not be listed.
    """
    _check(client, users, chats, members, limit, allow_delete)
    offered: dict[Kind, Source[Any] | None] = {"user": users, "chat": chats, "member": members}
    sources: dict[Kind, Source[Any]] = {kind: source for kind, source in offered.items() if source is not None}
    parts = frozenset(only) if only is not None else frozenset(PARTS)
    if unknown := parts - set(PARTS):
        msg = f"only takes {', '.join(PARTS)}, not {min(unknown)!r}"
        raise InvalidInputError(msg, field="only")
    if not any(_KIND_OF[part] in sources for part in parts):
        msg = f"only {', '.join(sorted(parts))} leaves nothing to compare: pass {_needed(parts)} as well"
        raise InvalidInputError(msg, field="only")
    if part is not None:
        KeyRange(*part)
        if limit is not None:
            msg = "limit and part cannot be combined: the parts would not be the whole plan any more"
            raise InvalidInputError(msg, field="limit")
    options = {
        "prune": prune, "allow_delete": allow_delete, "replace": replace, "only": sorted(parts), "limit": limit,
        "part": part,
    }  # fmt: skip
    meta = {"state": PLANNING, "options": options, "kinds": [*sources], "recipe": recipe, "made_at": time.time()}
    async with AsyncExitStack() as stack:
        created = await Journal.create(journal, meta=meta)
        opened = await stack.enter_async_context(created)
        plan = await plan_in(opened, client, sources, on_progress)
        stack.pop_all()
    return plan


async def plan_in(
    journal: Journal, client: ManagesUsers, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress
) -> Plan:
    """Make the plan in a journal that holds its options, replacing what an earlier attempt left there."""
    options = await journal.meta("options")
    prune = options["prune"]
    kinds: frozenset[Kind] = frozenset(
        kind for part, kind in _KIND_OF.items() if part in options["only"] and kind in sources
    )
    await journal.clear()
    with patience():
        if options.get("part") is not None:
            await journal.keep_range(KeyRange(*options["part"]))
            read = await read_a_part(client, journal, sources, on_progress)
        else:
            read = await read_both_sides(client, journal, sources, on_progress)
        names = await _name_rules(client, kinds)
    prints = {kind: {"name": one.name, "fingerprint": read[kind]} for kind, one in sources.items()}
    on_progress(Progress("comparing", 0))
    found = await journal.compare(
        Comparison(
            kinds,
            prune,
            _changeable(client, kinds),
            sources=frozenset(sources),
            replace=options.get("replace", False),
            limit=options["limit"],
            names=names,
            short_names=client.users.short_names if isinstance(client.users, DoubtsShortNames) else None,
            left_out=client.users.left_out if isinstance(client.users, LeavesOut) else {},
        )
    )
    unsafe = await journal.unsafe_rows()
    verdict = guard.judged(found.deletions, unsafe=unsafe, prune=prune, allow_delete=options["allow_delete"])
    platform = identity(client)
    await journal.set_meta(
        state=PLANNED, sources=prints, left=found.left, compared=dict(found.counts), guard=verdict, platform=platform,
        warnings=list(found.warnings),
    )  # fmt: skip
    return Plan(journal, sources, await summary_of(journal), verdict, platform)


async def _name_rules(client: ManagesUsers, kinds: frozenset[Kind]) -> dict[Kind, NameRule]:
    found: dict[Kind, NameRule] = {}
    for kind in _NAMED:
        if kind not in kinds:
            continue
        directory: object = client.users if kind == "user" else chats_of(client)
        if isinstance(directory, RulesNames) and (rule := await directory.name_rule()) is not None:
            found[kind] = rule
    return found


async def read_both_sides(
    client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress
) -> dict[Kind, str]:
    """Fill the journal with both sides; return the fingerprints of what was read from the sources.

    The platform is listed first: a user who signs up in the meantime is then at most missing from the listing, and is
    not planned for deletion because the sources were read too early.
    """

    mine = await client.users.reserved()  # the first call: afterwards ids can be compared
    if "user" in sources or "member" in sources:
        await _list_users(client, journal, mine, on_progress)
    await _list_chats(client, journal, sources, mine, on_progress)
    prints: dict[Kind, str] = {}
    if "user" in sources:
        prints["user"] = await _read_users(client, journal, sources, mine, on_progress)
    return prints | await _read_chats(client, journal, sources, on_progress)


async def read_a_part(
    client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress
) -> dict[Kind, str]:
    """Fill the journal with its range of both sides, as `read_both_sides` does.

    Users are read again until a pass finds nobody else on whom those of the range depend: with two passes, but for
    chains of users who hand their addresses on.
    """
    mine = await client.users.reserved()
    prints: dict[Kind, str] = {}
    if "user" in sources or "member" in sources:
        before, again = -1, True
        while again:
            await journal.forget_users()
            await _list_users(client, journal, mine, on_progress)
            if "user" in sources:
                prints["user"] = await _read_users(client, journal, sources, mine, on_progress)
            now = await journal.found_in_range()
            before, again = now, now != before
        await journal.settle_range()
    await _list_chats(client, journal, sources, mine, on_progress)
    return prints | await _read_chats(client, journal, sources, on_progress)


async def _list_users(client: ManagesUsers, journal: Journal, mine: Any, on_progress: OnProgress) -> None:
    await intake.list_users(journal, client.users, mine, _told(on_progress, "listing users"))


async def _list_chats(
    client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], mine: Any, on_progress: OnProgress
) -> None:
    if "chat" not in sources and "member" not in sources:
        return
    chats = chats_of(client)
    await intake.list_chats(journal, chats, await chats.reserved(), _told(on_progress, "listing chats"))
    if "member" in sources:
        told = _told(on_progress, "finding chats")
        await intake.name_chats(journal, chats, sources.get("chat"), sources["member"], told)
        await intake.list_members(journal, client.users, chats, mine, _told(on_progress, "listing members"))


async def _read_users(
    client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], mine: Any, on_progress: OnProgress
) -> str:
    return await intake.read_users(journal, client.users, sources["user"], mine, _told(on_progress, "reading users"))


async def _read_chats(
    client: ManagesUsers, journal: Journal, sources: Mapping[Kind, Source[Any]], on_progress: OnProgress
) -> dict[Kind, str]:
    prints: dict[Kind, str] = {}
    if "chat" in sources:
        told = _told(on_progress, "reading chats")
        prints["chat"] = await intake.read_chats(journal, chats_of(client), sources["chat"], told)
    if "member" in sources:
        chats, members, told = chats_of(client), sources["member"], _told(on_progress, "reading members")
        prints["member"] = await intake.read_members(journal, client.users, chats, members, told)
    return prints


def _told(on_progress: OnProgress, step: str) -> Callable[[int], None]:
    return lambda done: on_progress(Progress(step, done))


async def summary_of(journal: Journal) -> Summary:
    """Return the journal's plan in numbers."""
    changes: dict[tuple[str, str], int] = {}
    cannot: dict[str, int] = {}
    extras: dict[str, int] = {}
    for (kind, action), count in (await journal.planned_counts()).items():
        if action == CANNOT_CHANGE:
            cannot[kind] = cannot.get(kind, 0) + count
        elif action == EXTRA:
            extras[kind] = extras.get(kind, 0) + count
        else:
            changes[kind, action] = changes.get((kind, action), 0) + count
    problems = await journal.problem_counts() or await journal.meta(
        "problems", {}
    )  # of a plan from a file, only the numbers are known
    return Summary(
        changes,
        cannot,
        extras,
        problems,
        left=await journal.meta("left", 0),
        compared=await journal.meta("compared", {}),
        warnings=tuple(await journal.meta("warnings", [])),
    )


def _check(
    client: ManagesUsers, users: object, chats: object, members: object, limit: int | None, allow_delete: int | None
) -> None:
    if users is None and chats is None and members is None:
        msg = "there is nothing to compare: pass users, chats or members"
        raise InvalidInputError(msg, field="users")
    if limit is not None and limit < 1:
        msg = f"limit must be at least 1, not {limit}"
        raise InvalidInputError(msg, field="limit")
    if allow_delete is not None and allow_delete < 0:
        msg = f"allow_delete must be at least 0, not {allow_delete}"
        raise InvalidInputError(msg, field="allow_delete")
    if chats is not None or members is not None:
        chats_of(client, field="chats" if chats is not None else "members")


def _needed(parts: Iterable[Part]) -> str:
    return " or ".join("members" if part == "access" else part for part in sorted(parts))


def _changeable(client: ManagesUsers, kinds: frozenset[Kind]) -> dict[Kind, frozenset[str]]:
    found: dict[Kind, frozenset[str]] = {}
    if "user" in kinds:
        found["user"] = client.users.changeable
    if "chat" in kinds:
        found["chat"] = chats_of(client).changeable
    return found
