"""The JSON documents of ``plan``, ``apply``, ``resume`` and ``verify``: one streamed object each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.redaction import scrub

if TYPE_CHECKING:
    from ethora_async.sync.plan.apply import Applied
    from ethora_async.sync.plan.plan import Summary
    from ethora_async.sync.store.items import Entry, Problem


def summary_fields(summary: Summary) -> dict[str, Any]:
    """Return a plan in numbers."""
    return {
        "total": summary.total,
        "changes": {f"{kind} {action}": number for (kind, action), number in sorted(summary.changes.items())},
        "cannot_change": dict(summary.cannot_change),
        "extras": dict(summary.extras),
        "problems": dict(summary.problems),
        "left": summary.left,
        "compared": dict(summary.compared),
        "warnings": [scrub(text) for text in summary.warnings],
        "in_step": summary.in_step,
    }


def change_fields(entry: Entry) -> dict[str, Any]:
    """Return one difference: the current and the wanted state."""
    after = entry.after
    change: dict[str, Any] = {"kind": entry.kind, "action": entry.action, "id": entry.key}
    if entry.other:
        change["user"] = entry.other
    return change | {
        "before": entry.before,
        "after": after.get("fields", after) if after is not None else None,
        "file": entry.file,
        "line": entry.line,
        **({"reason": scrub(entry.reason)} if entry.reason is not None else {}),
    }


def failure_fields(entry: Entry) -> dict[str, Any]:
    """Return one item that failed or is unknown."""
    place = {"file": entry.file, "line": entry.line}
    what: dict[str, Any] = {"kind": entry.kind, "action": entry.action, "id": entry.key}
    if entry.other:
        what["user"] = entry.other
    return what | {"status": entry.status, "reason": scrub(entry.reason or ""), **place}


def problem_fields(row: Problem) -> dict[str, Any]:
    """Return one invalid row."""
    place = {"file": row.file, "line": row.line, "column": row.column}
    return {"kind": row.kind, "id": row.id, "reason": scrub(row.reason), **place}


def result_fields(applied: Applied) -> dict[str, dict[str, int]]:
    """Return the number of items by kind, action and status."""
    results: dict[str, dict[str, int]] = {}
    for (kind, action, status), number in sorted(applied.counts.items()):
        results.setdefault(f"{kind} {action}", {})[status] = number
    return results
