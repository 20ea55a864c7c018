"""``ethora verify``: whether both sides agree. Changes nothing."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.output import JSON_OPTION, print_json
from ethora_async.cli.plan_view import View, problem_line
from ethora_async.cli.progress import following
from ethora_async.cli.runtime import DONE, NOT_IN_STEP, SyncClient, run_in_step
from ethora_async.cli.sources import opened
from ethora_async.cli.sync_json import change_fields, problem_fields, summary_fields
from ethora_async.cli.sync_options import SourceOptions, usage
from ethora_async.sync.plan.verify import Verification
from ethora_async.sync.plan.verify import verify as compare


def verify(
    context: typer.Context,
    users: Annotated[str | None, say.USERS] = None,
    chats: Annotated[str | None, say.CHATS] = None,
    members: Annotated[str | None, say.MEMBERS] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Ask again for so long: listings lag behind deletions.")
    ] = 0.0,
    prune: Annotated[bool, typer.Option("--prune", help="Count what is there and in no list.")] = False,
    only: Annotated[list[say.Part] | None, say.ONLY] = None,
    users_query: Annotated[str | None, say.USERS_QUERY] = None,
    chats_query: Annotated[str | None, say.CHATS_QUERY] = None,
    members_query: Annotated[str | None, say.MEMBERS_QUERY] = None,
    map_: Annotated[list[str] | None, say.MAP] = None,
    mapping: Annotated[str | None, say.MAPPING] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Tell whether the platform agrees with your lists (exit code 0) or not (4). Changes nothing."""
    places = {"users": users, "chats": chats, "members": members}
    queries = {"users": users_query, "chats": chats_query, "members": members_query}
    with usage():
        wanted = SourceOptions(places, queries, map_ or [], mapping)
    parts: Any = [part.value for part in only] if only else None

    async def work(client: SyncClient) -> int:
        found = await opened(wanted)
        with following() as on_progress:
            answer = await compare(
                client,
                users=found.sources.get("users"),
                chats=found.sources.get("chats"),
                members=found.sources.get("members"),
                prune=prune,
                only=parts,
                wait=wait,
                on_progress=on_progress,
            )
        if as_json:
            print_json(_fields(answer))
        else:
            _show(answer)
        return DONE if answer.in_step else NOT_IN_STEP

    run_in_step(context.obj, work)


def _fields(answer: Verification) -> dict[str, Any]:
    return {
        "in_step": answer.in_step,
        "waited": round(answer.waited, 1),
        "summary": summary_fields(answer.summary),
        "examples": [change_fields(entry) for entry in answer.examples],
        "problems": [problem_fields(row) for row in answer.problems],
    }


def _show(answer: Verification) -> None:
    view = View()
    summary = answer.summary
    view.differences(summary)
    for entry in answer.examples:
        view.change(entry)
    if summary.total > len(answer.examples):
        view.line(f"      … and {summary.total - len(answer.examples):,} more; ethora plan --json lists all")
    for row in answer.problems:
        view.line(f"    {problem_line(row)}", "red")
