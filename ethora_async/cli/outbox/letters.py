"""``ethora outbox init``, ``status``, ``dead``, ``retry`` and ``skip``: manage an outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import attrs
import typer

from ethora_async.cli.outbox.database import OPTION, store_of
from ethora_async.cli.output import JSON_OPTION, print_json, shown
from ethora_async.cli.runtime import DONE, SOME_FAILED, run
from ethora_async.errors import InvalidInputError
from ethora_async.outbox.lanes import KINDS, LaneKey, Store

_KIND = typer.Argument(metavar="[KIND]", help="user, chat or member.")
_ID = typer.Argument(metavar="[ID]", help="The id; of a membership the chat's.")
_USER = typer.Argument(metavar="[USER]", help="Of a membership, the user's id.")
_ALL = typer.Option("--all", help="All dead letters.")


def init(
    context: typer.Context,
    database: Annotated[str | None, OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Create the outbox's tables, unless they exist."""

    async def work() -> int:
        async with store_of(context, database) as store:
            created = await store.init()
            if as_json:
                print_json({"created": created})
            else:
                typer.echo(f"{store.name}: " + ("created" if created else "the tables already exist"))
        return DONE

    run(work())


def status(
    context: typer.Context,
    database: Annotated[str | None, OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Print the number and age of waiting intents, dead letters (exit code 1), and the last reconcile's findings."""

    async def work() -> int:
        async with store_of(context, database) as store:
            await store.check()
            found = await store.status()
        if as_json:
            print_json(found)
        else:
            typer.echo(f"inbox: {found.inbox}")
            typer.echo(f"waiting: {_counts(found.waiting)}, {found.claimed} of them in hand")
            typer.echo(f"oldest: {found.oldest:.1f} s")
            typer.echo(f"dead: {_counts(found.dead)}")
            if found.reconciled is not None:
                typer.echo(f"drift: {_counts(found.reconciled.get('drift', {}))}")
        return SOME_FAILED if found.dead else DONE

    run(work())


def _counts(counts: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "0"


def dead(
    context: typer.Context,
    database: Annotated[str | None, OPTION] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, the oldest first.")] = 1000,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List the dead letters: intents that were given up, with their reasons."""

    async def work() -> int:
        async with store_of(context, database) as store:
            await store.check()
            letters = await store.dead(limit)
        if as_json:
            listed = [
                {**one.id._asdict(), **attrs.asdict(one, filter=lambda field, _: field.name != "id")} for one in letters
            ]
            print_json({"letters": listed})
        else:
            for one in letters:
                typer.echo(f"{one.id.kind} {shown(one.id.name)}: {shown(one.reason)}")
        return DONE

    run(work())


def retry(
    context: typer.Context,
    kind: Annotated[str | None, _KIND] = None,
    id: Annotated[str | None, _ID] = None,
    user: Annotated[str | None, _USER] = None,
    every: Annotated[bool, _ALL] = False,
    database: Annotated[str | None, OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Retry one dead letter, or all. Exit code 1 when there is none."""
    _change(context, database, as_json, "retry", lambda: _named(kind, id, user, every))


def skip(
    context: typer.Context,
    kind: Annotated[str | None, _KIND] = None,
    id: Annotated[str | None, _ID] = None,
    user: Annotated[str | None, _USER] = None,
    every: Annotated[bool, _ALL] = False,
    database: Annotated[str | None, OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Drop one dead letter, or all. Exit code 1 when there is none."""
    _change(context, database, as_json, "skip", lambda: _named(kind, id, user, every))


def _change(
    context: typer.Context,
    database: str | None,
    as_json: bool,
    action: Literal["retry", "skip"],
    which: Callable[[], LaneKey | None],
) -> None:
    async def work() -> int:
        id = which()
        async with store_of(context, database) as store:
            await store.check()
            count = await _method(store, action)(id)
        if as_json:
            print_json({"count": count})
        else:
            typer.echo(f"{count} {'retried' if action == 'retry' else 'skipped'}")
        return DONE if count or id is None else SOME_FAILED

    run(work())


def _method(store: Store, action: Literal["retry", "skip"]) -> Callable[[LaneKey | None], Awaitable[int]]:
    return store.retry if action == "retry" else store.skip


def _named(kind: str | None, id: str | None, user: str | None, every: bool) -> LaneKey | None:
    """Return the dead letter that the arguments name; None for all.

    Raises:
        InvalidInputError: They name none, or more than one.
    """
    if every:
        if kind is not None:
            msg = "name one dead letter, or pass --all: not both"
            raise InvalidInputError(msg, field="all")
        return None
    for known in KINDS:
        if kind == known and id is not None and (user is not None) == (known == "member"):
            return LaneKey(known, id, user or "")
    msg = "name the dead letter: user ID, chat ID or member CHAT USER; or pass --all"
    raise InvalidInputError(msg, field="kind")
