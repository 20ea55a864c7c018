"""``--report`` for a command: record its progress and findings, and write the page however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ethora_async.cli.output import errors, shown
from ethora_async.cli.progress import following
from ethora_async.cli.report_page.findings import findings_of, findings_of_verification
from ethora_async.cli.report_page.page import Headline, RunSummary, page_of
from ethora_async.cli.report_page.report_file import check_target, write_report
from ethora_async.cli.report_page.timeline import Timeline
from ethora_async.errors import ChatError
from ethora_async.sync.plan.apply import result_of
from ethora_async.wording import counted
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from ethora_async.cli.report_page.findings import Findings
    from ethora_async.sync.plan.apply import Applied
    from ethora_async.sync.plan.plan import Plan
    from ethora_async.sync.plan.progress import OnProgress
    from ethora_async.sync.plan.verify import Verification
    from ethora_async.sync.store.journal import Journal

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write a report of the run as an HTML page."),
]


class RunReport:
    """The report of one run of a command; without a `path` it does nothing.

    Enter `running` around the command, or around each half of one that asks a question in between.
    """

    def __init__(self, command: str, path: Path | None) -> None:
        self._command = command
        self._path = path
        self._timeline = Timeline()
        self._platform: str | None = None
        self._findings: Findings | None = None
        self._headline: Headline | None = None
        self._facts: dict[str, str] = {}

    @property
    def wanted(self) -> bool:
        """Whether there is a page to write."""
        return self._path is not None

    @asynccontextmanager
    async def running(self, *, more: bool = False) -> AsyncGenerator[None, None]:
        """Check the file first, and write it when the command ends, even with an error or Ctrl-C.

        Args:
            more: Whether the command may go on later: the page is then written if it `concluded`, or at an error.

        Raises:
            InvalidInputError: The file is not a report, or cannot be created.
            OSError: It cannot be written.
        """
        if self._path is not None:
            await run_blocking(check_target, self._path)
        try:
            yield
        except asyncio.CancelledError:
            await self._end_early(Headline("Interrupted", "bad"), "Ctrl-C or SIGTERM ended the run.")
            raise
        except (ChatError, OSError) as error:
            await self._end_early(Headline("Ended by an error", "bad"), str(error))
            raise
        if self._headline is not None or not more:
            await self._write(self._headline or Headline("Done", "good"))

    @contextmanager
    def following(self) -> Generator[OnProgress, None, None]:
        """Show progress on stderr, and record it."""
        with following() as on_progress, self._timeline.watching(on_progress) as watched:
            yield watched

    async def take_plan(self, plan: Plan) -> None:
        """Record a plan that is not applied, or not yet."""
        if self._path is not None:
            self._platform = plan.platform
            self._findings = await findings_of(plan.journal, guard=plan.guard)

    def conclude_plan(self) -> None:
        """Conclude a run that only made the plan."""
        if self._findings is None:
            return
        summary = self._findings.summary
        if self._findings.guard is not None:
            self._headline = Headline("Stopped by a guard", "bad")
        elif summary.problems:
            self._headline = Headline(f"{_changes(summary.total)}, and rows that cannot be used", "warn")
        elif summary.in_step:
            self._headline = Headline("Both sides agree", "good")
        elif summary.total:
            self._headline = Headline(_changes(summary.total))
        else:
            self._headline = Headline("Nothing to do now")

    def conclude_unconfirmed(self) -> None:
        """Conclude a run whose plan was not confirmed."""
        self._headline = Headline("Not confirmed; nothing was changed", "warn")

    async def take_result(self, journal: Journal, done: Applied, *, kept: bool = True) -> None:
        """Record the result of applying a plan. `kept` says whether the journal stays."""
        if self._path is None:
            return
        self._platform = await journal.meta("platform")
        self._findings = await findings_of(journal, done)
        if kept:
            self._facts["Journal"] = journal.path.name
        summary = self._findings.summary
        if done.failed:
            text = f"{done.failed:,} of {_changes(done.total)} failed"
            self._headline = Headline(text, "bad")
        elif summary.problems:
            self._headline = Headline(f"{_changes(done.total)} made, and rows that cannot be used", "warn")
        else:
            self._headline = Headline(f"{_changes(done.total)} made" if done.total else "Nothing to do", "good")

    async def take_interrupted(self, journal: Journal) -> None:
        """Record the progress of an interrupted run."""
        await self.take_result(journal, await result_of(journal))

    async def take_verification(self, answer: Verification, platform: str) -> None:
        """Record the result of a comparison."""
        if self._path is None:
            return
        self._platform = platform
        self._findings = await findings_of_verification(answer)
        if answer.waited >= 1:
            self._facts["Waited"] = f"{answer.waited:.0f} s"
        self._headline = {
            "in step": Headline("In step: both sides agree", "good"),
            "cannot change": Headline("Not in step: what differs cannot be changed", "warn"),
            "not in step": Headline("Not in step", "bad"),
        }[answer.verdict]

    async def write(self) -> None:
        """Write the page of a run that ended outside of `running`."""
        if self._headline is not None:
            await self._write(self._headline)

    async def _end_early(self, headline: Headline, error: str) -> None:
        try:
            await self._write(headline, error)
        except (ChatError, OSError) as problem:  # the run's own error takes precedence
            errors.print(f"the report cannot be written: {shown(str(problem))}", markup=False)

    async def _write(self, headline: Headline, error: str | None = None) -> None:
        if self._path is None:
            return
        run = RunSummary(
            self._command,
            self._platform,
            datetime.now(UTC),
            self._timeline.seconds,
            self._timeline.laps,
            headline,
            error,
            self._findings,
            self._facts,
        )
        await run_blocking(lambda path: write_report(path, page_of(run)), self._path)
        errors.print(f"report: {shown(str(self._path))}", markup=False)


def _changes(number: int) -> str:
    return counted(number, "change")
