"""Where ``apply`` keeps its journal, and what it does about one that is there already."""

from __future__ import annotations

from pathlib import Path

from ethora_async.cli.output import errors, shown
from ethora_async.errors import InvalidInputError
from ethora_async.sync.store.journal import Journal
from ethora_async_secrets.concurrency import run_blocking

DEFAULT = "ethora-apply.journal"
"""In the working directory, when neither a journal nor a plan file is named."""


def journal_of(journal: Path | None, plan: Path | None) -> Path:
    """The journal that was named; else the one beside the plan, or in the working directory."""
    if journal is not None:
        return journal
    if plan is None:
        return Path(DEFAULT)
    return plan.with_name(f"{plan.name}.journal" if plan.suffix == ".journal" else f"{plan.stem}.journal")


async def make_room(path: Path, again: str = "ethora resume") -> None:
    """Clear away a journal of an earlier run that came to its end, or carried out nothing; `again` goes on with others.

    Raises:
        InvalidInputError: what is there is no journal, is in use, or is of a run that was cut off and can be resumed.
    """
    if not await run_blocking(path.exists):
        return
    async with await Journal.open(path) as journal:
        begun, left = await journal.was_begun(), await journal.remaining()
    if begun and left:
        name = shown(str(path))
        msg = f"{name} is of a run that was cut off with {left} changes to go: {again} {name}, or name another"
        msg += " file with --journal"
        raise InvalidInputError(msg, field="journal", file=str(path))
    await remove(path)
    errors.print(f"replacing the journal of an earlier run, {shown(str(path))}", markup=False)


async def remove(path: Path) -> None:
    """Delete a closed journal."""

    def work() -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)

    await run_blocking(work)
