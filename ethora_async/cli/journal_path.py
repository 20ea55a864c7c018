"""The journal of ``apply``: find it, and handle the one of an earlier run."""

from __future__ import annotations

from pathlib import Path

from ethora_async.cli.output import errors, shown
from ethora_async.sync.plan.plan_file import made_at_of
from ethora_async.sync.store.journal import Journal
from ethora_async.wording import counted
from ethora_async_secrets.concurrency import run_blocking

DEFAULT = "ethora-apply.journal"
"""The default journal, in the working directory, when neither a journal nor a plan file is named."""


def journal_of(journal: Path | None, plan: Path | None) -> Path:
    """Return the named journal, else the one beside the plan, or in the working directory."""
    if journal is not None:
        return journal
    if plan is None:
        return Path(DEFAULT)
    return plan.with_name(f"{plan.name}.journal" if plan.suffix == ".journal" else f"{plan.stem}.journal")


async def unfinished(path: Path, plan: Path) -> bool:
    """Return whether the journal of a saved plan was interrupted, so that it must be finished rather than begun again.

    Raises:
        InvalidInputError: the file is not a journal, or another process has it open.
    """
    if not await run_blocking(path.exists):
        return False
    made_at = await made_at_of(plan)
    async with await Journal.open(path) as journal:
        begun, left = await journal.was_begun(), await journal.remaining()
        return begun and left > 0 and made_at is not None and await journal.meta("made_at") == made_at


async def clear_journal(path: Path) -> None:
    """Remove the journal of an earlier run.

    An interrupted run is superseded: the new plan starts from the platform's current state, and so includes whatever
    that run has done.

    Raises:
        InvalidInputError: the file is not a journal, or another process has it open.
    """
    if not await run_blocking(path.exists):
        return
    async with await Journal.open(path) as journal:
        begun, left = await journal.was_begun(), await journal.remaining()
    await remove(path)
    what = f", which was cut off with {counted(left, 'change')} to go: making a new plan" if begun and left else ""
    errors.print(f"replacing the journal of an earlier run, {shown(str(path))}{what}", markup=False)


async def remove(path: Path) -> None:
    """Delete a closed journal."""

    def work() -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)

    await run_blocking(work)
