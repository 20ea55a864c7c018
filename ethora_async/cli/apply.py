"""``ethora apply``: show the plan, ask, and apply it from a journal."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.apply_run import apply_journal, finish_journal, report
from ethora_async.cli.journal_path import clear_journal, journal_of, remove, unfinished
from ethora_async.cli.json_reply import complain
from ethora_async.cli.observing import span
from ethora_async.cli.output import JSON_OPTION, errors, shown
from ethora_async.cli.plan import planned, show, verdict
from ethora_async.cli.plan_view import LinePrinter
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.reject_option import Rejects, rejects_for
from ethora_async.cli.report_page.run_report import ReportOption, RunReport
from ethora_async.cli.runtime import INTERRUPTED, SOME_FAILED, STOPPED, USAGE, Options, SyncClient, run, value_of
from ethora_async.cli.shared_options import takes
from ethora_async.cli.sources import OpenLists, open_lists, reopen_lists
from ethora_async.cli.sync_options import PlanOptions, SourceOptions, usage
from ethora_async.cli.workers.apply import Together
from ethora_async.cli.workers.database import workers_url
from ethora_async.cli.workers.rate import RATE, limited_client
from ethora_async.errors import ConfigError, InvalidInputError, StoppedByGuardError
from ethora_async.sync.plan.apply import result_of
from ethora_async.sync.plan.plan import Plan
from ethora_async.sync.plan.plan_file import load_plan
from ethora_async.sync.plan.stale_items import check_plan
from ethora_async.sync.store.journal import Journal
from ethora_async.workers.database import Database


@takes(wanted=say.list_options)
def apply(
    context: typer.Context,
    wanted: SourceOptions,
    plan: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="A plan that ethora plan --out has saved.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(help="The journal; by default beside the plan, or here."),
    ] = None,
    yes: Annotated[bool, say.YES] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")] = False,
    prune: Annotated[bool, say.PRUNE] = False,
    allow_delete: Annotated[int | None, say.ALLOW_DELETE] = None,
    replace_renamed: Annotated[bool, say.REPLACE] = False,
    only: Annotated[list[say.Part] | None, say.ONLY] = None,
    limit: Annotated[int | None, say.LIMIT] = None,
    part: Annotated[str | None, say.PART] = None,
    reject: Annotated[Path | None, say.REJECT] = None,
    report: ReportOption = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Apply the plan together with every `ethora work` on this PostgreSQL database.",
        ),
    ] = None,
    rate: Annotated[float | None, RATE] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Make the platform agree with your lists, after showing the plan and asking.

    With PLAN, that plan is applied, except for items that changed since it was made; --users, --chats and --members
    then only say where those lists are now. After an interruption run it again: it continues from what was done, or
    finishes PLAN. ethora resume JOURNAL does the same without a new plan.
    """
    with usage():
        how = PlanOptions.of(prune, allow_delete, replace_renamed, only, limit, part)
        if plan is not None and (how != PlanOptions() or wanted.has_reading_options):
            msg = "a plan is applied as it was made: leave out the other options, or make a new plan with them"
            raise InvalidInputError(msg, field="plan")
        if plan is None and not wanted.given:
            msg = "there is nothing to apply: name a plan, or lists with --users, --chats, --members"
            raise InvalidInputError(msg, field="users")
    if not (yes or dry_run or sys.stdin.isatty()):
        complain("stopped: stdin is not a terminal; pass --yes to skip the confirmation; nothing was changed")
        raise typer.Exit(STOPPED)
    options: Options = context.obj
    place = None if dry_run else journal_of(journal, plan)
    secret = options.asked_secret()
    page = RunReport(options.command("apply"), report)
    if plan is not None and place is not None and value_of(unfinished(place, plan)):
        errors.print(f"finishing what an earlier run left in {shown(str(place))}", markup=False)
        run(finish_journal(options, secret, place, page, moved=wanted.places, as_json=as_json))
    job = _Job(
        options, secret, plan, wanted, how, place, reject, page, yes, as_json, _workers(context, workers, rate), rate
    )
    prepared = value_of(job.prepare())
    if prepared.code is not None or place is None:
        raise typer.Exit(prepared.code or 0)
    if not yes and not _agreed(place, page):
        raise typer.Exit(STOPPED)
    run(job.finish(place, prepared))


@attrs.frozen
class _Prepared:
    """A plan that waits for confirmation in its journal; `code` is set when there is nothing to confirm."""

    code: int | None
    found: OpenLists = attrs.field(factory=lambda: OpenLists({}, {}))
    rejects: Rejects | None = None


@attrs.frozen
class _Job:
    """One ``apply`` with its options, in two halves; the confirmation prompt comes between them."""

    options: Options
    secret: str | None = attrs.field(repr=False)
    plan: Path | None
    wanted: SourceOptions
    how: PlanOptions
    journal: Path | None
    reject: Path | None
    page: RunReport
    yes: bool
    as_json: bool
    workers: str | None = attrs.field(default=None, repr=False)
    rate: float | None = None

    async def prepare(self) -> _Prepared:
        """Make or read the plan, and show it. The journal is kept only if there is something to apply."""
        async with self.page.running(more=True):
            return await self._prepared()

    async def _prepared(self) -> _Prepared:
        if self.journal is not None:
            await clear_journal(self.journal)
        stays = False
        try:
            async with self.options.client(MANAGING, self.secret) as client:
                made, found = await (self._planned(client) if self.plan is None else self._loaded(client, self.plan))
                async with made:
                    rejects = await rejects_for(self.reject, found.sources) if self.reject is not None else None
                    code = await self._judged(client, made, rejects)
            stays = code is None
        except InvalidInputError as error:
            stays = error.field == "journal"  # another process created it in the meantime
            raise
        finally:
            if self.journal is not None and not stays:
                await remove(self.journal)
        return _Prepared(code, found, rejects)

    async def _planned(self, client: SyncClient) -> tuple[Plan, OpenLists]:
        found = await open_lists(self.wanted)
        made = await planned(client, found, self.how, self.page, journal=self.journal, confirmed=self.yes)
        return made, found

    async def _loaded(self, client: SyncClient, file: Path) -> tuple[Plan, OpenLists]:
        made = await load_plan(file, journal=self.journal)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(made)
            recipe = (await made.journal.meta("recipe") or {}).get("sources", {})
            await made.journal.set_meta(recipe={"sources": recipe, "confirmed": self.yes})
            # Without the lists, only users with a password cannot be created.
            found = await reopen_lists(recipe, file, self.wanted.places, needed=self.reject is not None)
            made.sources = found.by_kind
            if made.guard is None:
                with self.page.following() as on_progress:
                    try:
                        await check_plan(client, made, on_progress=on_progress)
                    except StoppedByGuardError as stopped:
                        made.guard = str(stopped)
            stack.pop_all()
        return made, found

    async def _judged(self, client: SyncClient, made: Plan, rejects: Rejects | None) -> int | None:
        """Show the plan; return the exit code if nothing is to be applied, else None."""
        left = await made.journal.remaining()
        await self.page.take_plan(made)
        if self.journal is not None and made.guard is None and left:
            if not self.as_json or not self.yes:
                await LinePrinter(stderr=self.as_json).plan(made)
            return None
        if self.journal is not None and made.guard is None:
            return await self._nothing_left(client, made, rejects)
        self.page.conclude_plan()
        await show(made, client, as_json=self.as_json, rejects=rejects, more={"applied": False})
        return verdict(made)

    async def _nothing_left(self, client: SyncClient, made: Plan, rejects: Rejects | None) -> int:
        done = await result_of(made.journal)
        await self.page.take_result(made.journal, done, kept=False)
        if not self.as_json:
            await LinePrinter().plan(made)
        code = await report(client, made.journal, done, as_json=self.as_json, rejects=rejects, kept=False)
        if done.failed and done.failed == made.summary.total:
            errors.print("stopped: everything in the plan has changed since it was made: make a new plan", markup=False)
            return STOPPED
        return code

    async def finish(self, place: Path, prepared: _Prepared) -> int:
        """Apply the confirmed plan."""
        if self.workers is not None:
            return await self._with_workers(place, prepared, self.workers)
        async with (
            self.page.running(),
            self.options.client(MANAGING, self.secret) as client,
            await Journal.open(place) as journal,
        ):
            recipe = {"sources": prepared.found.recipe, "confirmed": True}
            await journal.set_meta(recipe=recipe)
            errors.print(f"journal: {shown(str(place))}", markup=False)
            return await apply_journal(
                client,
                journal,
                prepared.found.by_kind,
                self.page,
                as_json=self.as_json,
                rejects=prepared.rejects,
                again=self.options.command("resume"),
            )

    async def _with_workers(self, place: Path, prepared: _Prepared, url: str) -> int:
        connected = limited_client(self.options, self.secret, url, self.rate)
        async with self.page.running(), connected as client, await Journal.open(place) as journal:
            recipe = {"sources": prepared.found.recipe, "confirmed": True}
            await journal.set_meta(recipe=recipe)
            errors.print(f"journal: {shown(str(place))}", markup=False)
            together = Together(client, url, self.page, self.as_json)
            with span("apply"):
                code = await together.apply(journal, prepared.found.by_kind, prepared.rejects)
            problems = await journal.problem_counts()
        await remove(place)  # the ledger has the whole plan
        return SOME_FAILED if problems else code


def _workers(context: typer.Context, url: str | None, rate: float | None) -> str | None:
    """Return the workers' database, checked before anything is planned."""
    if url is None:
        with usage():
            if rate is not None:
                msg = "--rate needs --workers: a single process finds its rate by itself"
                raise InvalidInputError(msg, field="rate")
        return None
    try:
        Database(workers_url(context, url, "workers"))
    except (ConfigError, InvalidInputError) as error:
        complain(f"error: {error}", error)
        raise typer.Exit(USAGE) from None
    return url


def _agreed(place: Path, page: RunReport) -> bool:
    try:
        errors.print("\nCarry it out? [y/N] ", end="", markup=False)
        # Not input(): its prompt would go to stdout.
        answer = sys.stdin.readline().strip().lower()
    except KeyboardInterrupt:
        value_of(_dropped(place, page))
        complain("\ninterrupted; nothing was changed")
        raise typer.Exit(INTERRUPTED) from None
    if answer in ("y", "yes"):
        return True
    value_of(_dropped(place, page))
    complain("stopped: nothing was changed")
    return False


async def _dropped(place: Path, page: RunReport) -> None:
    await remove(place)
    page.conclude_unconfirmed()
    await page.write()
