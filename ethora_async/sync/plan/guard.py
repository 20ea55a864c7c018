"""Stop a plan that deletes too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import StoppedByGuardError
from ethora_async.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sync.store.items import Deletions

GUARD_SHARE = 0.1
"""The share of existing records that may be deleted unless a number is allowed (docs/architecture.md#guards)."""

_NOUNS = {"user": "user", "chat": "chat", "member": "membership"}


def judged(deletions: Iterable[Deletions], *, unsafe: int, prune: bool, allow_delete: int | None) -> str | None:
    """Return why a plan deletes too much, or None.

    Args:
        deletions: the deletions of each kind.
        unsafe: number of invalid rows that may mean a record that would be deleted.
        prune: whether anything is deleted at all.
        allow_delete: number of deletions of each kind that is allowed; None allows a tenth of what exists.
    """
    if not prune:
        return None
    for one in deletions:
        if one.count and unsafe:
            invalid = counted(unsafe, "row is", "rows are")
            return f"{invalid} invalid, so pruning is unsafe: fix them, or plan without prune"
        tenth = GUARD_SHARE * one.listed
        if one.count > (tenth if allow_delete is None else allow_delete):
            share = f"{GUARD_SHARE:.0%}" if one.count > tenth else f"the {allow_delete:,} allowed"
            return (
                f"it would {one.action} {one.count:,} of {counted(one.listed, _NOUNS[one.kind])}, more than {share}:"
                f" allow {counted(one.count, 'deletion')} if that is intended"
            )
    return None


def check_guard(guard: str | None) -> None:
    """Check that no guard stops a plan.

    Raises:
        StoppedByGuardError: it deletes too much.
    """
    if guard is not None:
        raise StoppedByGuardError(guard)
