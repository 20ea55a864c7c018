"""``ethora plan``: show what would make the platform agree with the lists. Changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.observing import span
from ethora_async.cli.output import JSON_OPTION, errors, print_document, shown
from ethora_async.cli.plan_view import LinePrinter
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.reject_option import Rejects, rejects_for
from ethora_async.cli.report_page.run_report import ReportOption, RunReport
from ethora_async.cli.runtime import DONE, SOME_FAILED, STOPPED, SyncClient, run_with_client
from ethora_async.cli.shared_options import takes
from ethora_async.cli.sources import OpenLists, open_lists
from ethora_async.cli.sync_json import change_fields, problem_fields, summary_fields
from ethora_async.cli.sync_options import PlanOptions, SourceOptions, usage
from ethora_async.sync.plan.plan import Plan, make_plan
from ethora_async.sync.plan.plan_file import check_target, save_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sync.plan.plan import Part


@takes(wanted=say.list_options)
def plan(
    context: typer.Context,
    wanted: SourceOptions,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PLAN.json", help="Save the plan for ethora apply.")
    ] = None,
    prune: Annotated[bool, say.PRUNE] = False,
    allow_delete: Annotated[int | None, say.ALLOW_DELETE] = None,
    replace_renamed: Annotated[bool, say.REPLACE] = False,
    only: Annotated[list[say.Part] | None, say.ONLY] = None,
    limit: Annotated[int | None, say.LIMIT] = None,
    part: Annotated[str | None, say.PART] = None,
    reject: Annotated[Path | None, say.REJECT] = None,
    report: ReportOption = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show what would make the platform agree with your lists. Changes nothing."""
    with usage():
        how = PlanOptions.of(prune, allow_delete, replace_renamed, only, limit, part)
    page = RunReport(context.obj.command("plan"), report)

    async def work(client: SyncClient) -> int:
        async with page.running():
            return await reported(client)

    async def reported(client: SyncClient) -> int:
        if out is not None:
            await check_target(out)
        found = await open_lists(wanted)
        rejects = await rejects_for(reject, found.sources) if reject is not None else None
        async with await planned(client, found, how, page) as made:
            await page.take_plan(made)
            page.conclude_plan()
            if out is not None:
                await save_plan(made, out)
            await show(made, client, as_json=as_json, rejects=rejects, more={"plan": out and str(out)})
            if out is not None:
                errors.print(f"to carry it out: {context.obj.command('apply')} {shown(str(out))}", markup=False)
            return verdict(made)

    run_with_client(context.obj, MANAGING, work)


async def planned(
    client: SyncClient,
    found: OpenLists,
    how: PlanOptions,
    page: RunReport,
    *,
    journal: Path | None = None,
    confirmed: bool = False,
) -> Plan:
    """Make the plan, with progress on stderr. Its journal records whether it was confirmed."""
    with span("plan"), page.following() as on_progress:
        return await make_plan(
            client,
            users=found.sources.get("users"),
            chats=found.sources.get("chats"),
            members=found.sources.get("members"),
            prune=how.prune,
            allow_delete=how.allow_delete,
            replace=how.replace,
            only=cast("tuple[Part, ...] | None", how.only),
            limit=how.limit,
            part=how.part,
            journal=journal,
            recipe={"sources": found.recipe, "confirmed": confirmed},
            on_progress=on_progress,
        )


async def show(
    made: Plan, client: SyncClient, *, as_json: bool, rejects: Rejects | None, more: Mapping[str, Any]
) -> None:
    """Print the plan on stdout, and write its rejected rows to the reject file, if any."""
    if rejects is not None:
        await rejects.collect(client, made.journal)
    if as_json:
        await print_document(
            {"platform": made.platform, "summary": summary_fields(made.summary), "guard": made.guard, **more},
            changes=(made.changes(), change_fields),
            cannot_change=(made.cannot_change(), change_fields),
            extras=(made.extras(), change_fields),
            problems=(made.problems(), problem_fields),
        )
    else:
        await LinePrinter().plan(made)
    if made.guard is not None:
        LinePrinter(stderr=True).guard(made.guard)


def verdict(made: Plan) -> int:
    """Return the exit code of a plan that is not applied."""
    if made.guard is not None:
        return STOPPED
    return SOME_FAILED if made.summary.problems else DONE
