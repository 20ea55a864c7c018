"""``ethora resume``: going on from a journal after anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethora_async.cli import sync_options as say
from ethora_async.cli.apply_run import carry_out
from ethora_async.cli.output import JSON_OPTION
from ethora_async.cli.runtime import SyncClient, run_with_client
from ethora_async.cli.sources import reopen_lists
from ethora_async.errors import StoppedByGuardError
from ethora_async.sync.plan.plan import PLANNED
from ethora_async.sync.store.journal import Journal


def resume(
    context: typer.Context,
    journal: Annotated[Path, typer.Argument(help="What ethora apply kept.")],
    users: Annotated[str | None, say.WHERE_NOW] = None,
    chats: Annotated[str | None, say.WHERE_NOW] = None,
    members: Annotated[str | None, say.WHERE_NOW] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Go on with an apply that was cut off: what is left, and once more what failed or of which nothing is known.

    The lists are read from where they were, or beside the journal, after a move to another machine.
    """

    async def work(client: SyncClient) -> int:
        async with await Journal.open(journal) as book:
            recipe = await book.meta("recipe") or {}
            if recipe.get("confirmed") is False:
                msg = f"nobody has said yes to the plan in {journal}, and nothing of it was carried out: apply anew"
                raise StoppedByGuardError(msg)
            unplanned = await book.meta("state") != PLANNED
            moved = {"users": users, "chats": chats, "members": members}
            found = await reopen_lists(recipe.get("sources", {}), journal, moved, needed=unplanned)
            return await carry_out(client, book, found.by_kind, as_json=as_json, again=context.obj.command("resume"))

    run_with_client(context.obj, work)
