"""What stops a plan that deletes too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import StoppedByGuardError

if TYPE_CHECKING:
    from ethora_async.sync.store.journal import Journal

GUARD_SHARE = 0.1
"""The share of what exists that may be deleted unless a number is allowed (docs/architecture.md#guards)."""

_NOUNS = {"user": "users", "chat": "chats", "member": "memberships"}


async def judged(journal: Journal, *, prune: bool, allow_delete: int | None) -> str | None:
    """Return why the plan in a journal deletes too much, or None."""
    if not prune:
        return None
    bad = sum((await journal.problem_counts()).values())
    for one in await journal.deletions():
        if one.count and bad:
            rows = "row is" if bad == 1 else "rows are"
            return f"{bad} {rows} invalid, so pruning is unsafe: fix them, or plan without prune"
        if one.count > max(GUARD_SHARE * one.listed, allow_delete or 0):
            return (
                f"it would {one.action} {one.count} of {one.listed} {_NOUNS[one.kind]}, more than {GUARD_SHARE:.0%}:"
                f" allow {one.count} deletions if that is meant"
            )
    return None


def check_guard(guard: str | None) -> None:
    """Check that nothing stops a plan.

    Raises:
        StoppedByGuardError: it deletes too much.
    """
    if guard is not None:
        raise StoppedByGuardError(guard)
