"""Human-readable plans and results: coloured on a terminal, plain elsewhere."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Mapping
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ethora_async.bulk.outcome import STATUSES
from ethora_async.cli.output import shown
from ethora_async.redaction import scrub
from ethora_async.sync.store.items import CANNOT_CHANGE, EXTRA, STEPS
from ethora_async.wording import counted

if TYPE_CHECKING:
    from ethora_async.sync.plan.apply import Applied
    from ethora_async.sync.plan.plan import Plan, Summary
    from ethora_async.sync.store.items import Entry, Problem

EXAMPLES = 4
SHOWN_FAILURES = 20
_LONGEST = 60

NAMES = {"user": "users", "chat": "chats", "member": "access"}
_NOUNS = {"user": "user", "chat": "chat", "member": "membership"}
_MARKS = {
    "create": ("+", "green"),
    "grant": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "revoke": ("-", "red"),
    CANNOT_CHANGE: ("!", "magenta"),
    EXTRA: ("?", "blue"),
}
_GOOD = ("created", "existed", "updated", "unchanged", "deleted", "absent")


class LinePrinter:
    """Prints human-readable lines on stdout or stderr."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        self._terminal = stream.isatty()
        # A file has no width at which to break lines.
        self._console = Console(stderr=stderr, highlight=False, width=None if self._terminal else 10_000)
        self._arrow = "->" if self._console.options.ascii_only else "→"
        self._dots = "..." if self._console.options.ascii_only else "…"

    def line(self, text: str | Text = "", style: str = "") -> None:
        """Print a line, wrapped at words to the terminal's width."""
        self._console.print(Text(text) if isinstance(text, str) else text, style=style)

    def _cut(self, *parts: tuple[str, str]) -> None:
        """Print a line, truncated to the terminal's width."""
        line = Text.assemble(*parts)
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=self._terminal)

    async def plan(self, plan: Plan) -> None:
        """Print the changes of a plan, with the first few of each kind."""
        summary = plan.summary
        self.line(Text.assemble(("Plan", "bold"), f" for {plan.platform}"))
        for kind, name in NAMES.items():
            here = {action: summary.changes[key, action] for key, action in STEPS if (key, action) in summary.changes
                    and key == kind}  # fmt: skip
            if here:
                await self._kind(plan, kind, name, here)
        await self._set_aside(plan)
        await self._problems(plan.problems(), sum(summary.problems.values()))
        self.warnings(summary)
        self.total(summary, limited=bool((await plan.journal.meta("options") or {}).get("limit")))

    async def _kind(self, plan: Plan, kind: str, name: str, here: Mapping[str, int]) -> None:
        counts = [part for action, number in here.items() for part in (_counted(action, number), ("   ", ""))]
        self.line(Text.assemble((f"\n  {name:<8}", "bold"), *counts[:-1]))
        for action, number in here.items():
            await self._examples(plan, kind, action, number)

    async def _examples(self, plan: Plan, kind: str, action: str, number: int) -> None:
        found = await plan.journal.examples(kind, action, EXAMPLES)
        for entry in found:
            self.change(entry)
        if number > len(found):
            self._cut((f"      {self._dots} and {number - len(found):,} more", "dim"))

    def change(self, entry: Entry) -> None:
        """Print one change in a line: the fields before and after."""
        mark, style = _MARKS[entry.action]
        self._cut((f"    {mark} {shown(entry.name)}", style), (f"  {self._detail(entry)}".rstrip(), ""))

    def _detail(self, entry: Entry) -> str:
        after = dict(entry.after or {})
        before = dict(entry.before or {})
        if entry.action in ("update", CANNOT_CHANGE):
            fields = after.get("fields", {})
            pairs = [f"{name}: {_quoted(before.get(name))} {self._arrow} {_quoted(value)}" for name, value in
                     fields.items()]  # fmt: skip
            return ", ".join(pairs) + (f"  ({shown(entry.reason)})" if entry.reason and not entry.status else "")
        record = after or before
        return ", ".join(_quoted(value) for name, value in record.items() if name != "id" and value is not None)

    async def _set_aside(self, plan: Plan) -> None:
        for kind, number in plan.summary.cannot_change.items():
            text = f"{_number(number, kind)} cannot be changed: the platform does not allow it; they stay as they are"
            self.line(Text(f"\n  {text}", "magenta"))
            await self._examples(plan, kind, CANNOT_CHANGE, number)
        for kind, number in plan.summary.extras.items():
            text = f"{_number(number, kind)} there and in no list; they stay (--prune deletes them)"
            self.line(Text(f"\n  {text}", "blue"))
            await self._examples(plan, kind, EXTRA, number)

    async def _problems(self, problems: AsyncIterable[Problem], number: int) -> None:
        if not number:
            return
        self.line(Text(f"\n  {counted(number, 'row')} cannot be used", "red"))
        left = count(1)
        async with aclosing(problems) as rows:  # type: ignore[type-var]
            async for row in rows:
                if next(left) > SHOWN_FAILURES:
                    self.line(f"      {self._dots} and {number - SHOWN_FAILURES:,} more; --json or --reject has all")
                    return
                self.line(f"    {problem_line(row)}")

    def warnings(self, summary: Summary) -> None:
        """Print what the platform may refuse."""
        if summary.warnings:
            self.line(Text("\n  may be refused", "yellow"))
        for text in summary.warnings:
            self.line(f"    {scrub(text)}")

    def total(self, summary: Summary, *, limited: bool) -> None:
        """Print the plan in one sentence."""
        why = "by --limit" if limited else "since the users or chats that they need do not exist yet"
        later = f"; {summary.left:,} more are left for later {why}" if summary.left else ""
        if summary.total:
            self.line(Text.assemble((f"\n{counted(summary.total, 'change')}", "bold"), f" to make{later}."))
        elif summary.left:
            self.line(f"\nNothing to do now{later}.", "bold")
        elif summary.in_step and summary.compared and not any(summary.compared.values()):
            self.line("\nThere is nothing to do: no list has a row, so nothing was compared.", "bold")
        elif summary.in_step:
            self.line("\nBoth sides agree: there is nothing to do.", "bold green")
        elif summary.settled:
            self.line("\nNothing to do: what differs cannot be changed.", "bold")
        else:
            self.line("\nNothing to do, except for the rows that cannot be used.", "bold")

    def differences(self, summary: Summary) -> None:
        """Print in one sentence whether both sides agree, and how much was compared."""
        rows, waiting = sum(summary.problems.values()), summary.left
        found = [
            counted(summary.total, "difference") if summary.total else "",
            f"{counted(waiting, 'more waits', 'more wait')} for users or chats to exist" if waiting else "",
            f"{counted(rows, 'row')} cannot be used" if rows else "",
        ]
        compared = ", ".join(_number(number, kind) for kind, number in summary.compared.items())
        if summary.in_step:
            self.line(f"In step: both sides agree ({compared} compared).", "bold green")
        elif summary.settled:
            self.line(f"Not in step: what differs cannot be changed ({compared} compared).", "bold magenta")
        else:
            self.line(f"Not in step: {' and '.join(filter(None, found))} ({compared} compared).", "bold red")
        for kind, number in summary.cannot_change.items():
            verb = "differs" if number == 1 else "differ"
            self.line(f"  {_number(number, kind)} {verb} in what the platform does not let us change", "magenta")
        for kind, number in summary.extras.items():
            self.line(f"  {_number(number, kind)} there and in no list (--prune counts them)", "blue")

    def guard(self, reason: str) -> None:
        """Print why the plan is not applied."""
        how = " (--allow-delete N)" if "allow" in reason else ""
        self.line(f"Stopped by a guard: {shown(reason)}{how}.", "bold red")

    def applied(self, applied: Applied) -> None:
        """Print the closing table, and the first failures."""
        statuses = [status for status in STATUSES if any(found == status for _, _, found in applied.counts)]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("")
        for status in statuses:
            table.add_column(status, justify="right")
        for kind, name in NAMES.items():
            counts = [_sum(applied.counts, kind, status) for status in statuses]
            if any(counts):
                table.add_row(name, *(_cell(number, status) for number, status in zip(counts, statuses, strict=True)))
        if statuses:
            self.line()
            self._console.print(table)
        for failure in applied.failures[:SHOWN_FAILURES]:
            self.line(f"  {failure_line(failure)}")
        if applied.failed > SHOWN_FAILURES:
            self.line(f"  {self._dots} and {applied.failed - SHOWN_FAILURES:,} more; --json lists them")


def problem_line(row: Problem) -> str:
    """Return an invalid row in one line."""
    column = f", {shown(row.column)}" if row.column else ""
    return f"{_place(row.file, row.line)}{column}: {scrub(row.reason)}"


def failure_line(entry: Entry) -> str:
    """Return a failed item in one line."""
    place = f" ({_place(entry.file, entry.line)})" if entry.file else ""
    what = NAMES[entry.kind] if entry.kind == "member" else entry.kind
    return f"{entry.action} {what} {shown(entry.name)}{place}: {scrub(entry.reason or entry.status or '')}"


def _place(file: str | None, line: int | None) -> str:
    name = "" if file is None else shown(file if "://" in file else Path(file).name)
    return f"{name} line {line}" if line is not None else name


def _counted(action: str, number: int) -> tuple[str, str]:
    mark, style = _MARKS[action]
    return f"{mark} {number:,} to {action}", style


def _number(number: int, kind: str) -> str:
    return counted(number, _NOUNS[kind])


def _quoted(value: Any) -> str:
    if value is None:
        return "nothing"
    text = shown(str(value))
    return f"'{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}'"


def _sum(counts: Mapping[tuple[str, str, str], int], kind: str, status: str) -> int:
    return sum(number for (one, _, found), number in counts.items() if one == kind and found == status)


def _cell(number: int, status: str) -> Text:
    style = "dim" if not number else "green" if status in _GOOD else "bold red"
    return Text(f"{number:,}" if number else "-", style)
