"""Resume a plan from its journal, after a crash or on another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.errors import InvalidInputError
from ethora_async.sync.plan.apply import Applied, apply_plan
from ethora_async.sync.plan.plan import PLANNED, Plan, plan_in, summary_of
from ethora_async.sync.plan.progress import OnProgress, silent
from ethora_async.sync.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ethora_async.capabilities import ManagesUsers
    from ethora_async.sync.sources.source import Source
    from ethora_async.sync.store.items import Kind


async def recipe_of(path: str | Path) -> Mapping[str, Any] | None:
    """Return the `recipe` that `make_plan` received, to open the sources again.

    Raises:
        InvalidInputError: there is no such journal.
    """
    async with await Journal.open(path) as journal:
        found: Mapping[str, Any] | None = await journal.meta("recipe")
        return found


async def resume(
    client: ManagesUsers,
    path: str | Path,
    *,
    sources: Mapping[Kind, Source[Any]] | None = None,
    on_progress: OnProgress = silent,
) -> Applied:
    """Apply what is left in a journal, and retry items that failed or are unknown.

    The end state is the same as after a run that was never interrupted. If the plan in the journal was not finished, it
    is made again from the sources.

    Args:
        sources: the sources of the plan, by ``user``, ``chat`` and ``member``. They are needed for passwords, which no
            journal holds, and for a plan that was not finished. Their location may have changed; a user with a password
            fails if the user's row has changed.

    Raises:
        InvalidInputError: there is no such journal, another process has it open, it was made for another client, or the
            sources are needed to finish its plan.
        StoppedByGuardError, ChatError: as `apply_plan`.
    """
    async with await Journal.open(path) as journal:
        return await resume_journal(client, journal, sources=sources, on_progress=on_progress)


async def resume_journal(
    client: ManagesUsers,
    journal: Journal,
    *,
    sources: Mapping[Kind, Source[Any]] | None = None,
    on_progress: OnProgress = silent,
) -> Applied:
    """Resume with an open journal, which stays open."""
    given, path = sources or {}, journal.path
    if await journal.meta("state") == PLANNED:
        guard, platform = await journal.meta("guard"), await journal.meta("platform")
        plan = Plan(journal, given, await summary_of(journal), guard, platform)
        return await apply_plan(client, plan, on_progress=on_progress)
    if await journal.meta("loaded"):
        msg = f"the plan in {path} was not read to its end, and nothing of it was carried out: apply its file again"
        raise InvalidInputError(msg, field="journal", file=str(path))
    if missing := [kind for kind in await journal.meta("kinds") if kind not in given]:
        which = "the sources" if not given else f"its sources of {', '.join(f'{kind}s' for kind in missing)}"
        msg = f"the plan in {path} was not finished, and nothing of it was carried out: pass {which} again"
        raise InvalidInputError(msg, field="sources", file=str(path))
    plan = await plan_in(journal, client, given, on_progress)
    return await apply_plan(client, plan, on_progress=on_progress)
