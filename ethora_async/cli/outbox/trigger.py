"""``ethora outbox trigger``: the SQL of triggers that write the intents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ethora_async.cli.output import JSON_OPTION, print_json
from ethora_async.cli.runtime import DONE, run
from ethora_async.errors import InvalidInputError
from ethora_async.outbox.trigger import Trigger


class Kind(StrEnum):
    """The kind of record that a row describes."""

    user = "user"
    chat = "chat"
    member = "member"


class OutboxDatabase(StrEnum):
    """The databases that support an outbox."""

    postgresql = "postgresql"
    sqlite = "sqlite"


def trigger(
    table: Annotated[str, typer.Option("--table", metavar="NAME", help="Your table: users or app.users.")],
    kind: Annotated[Kind, typer.Option(help="What a row of the table describes.")] = Kind.user,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="The column of a field, e.g. email=mail, or a constant text: last_name=\"'-'\". May be given again.",
        ),
    ] = None,
    active: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A boolean column that says whether the row is wanted.")
    ] = None,
    deleted: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A column that is NULL or false while the row is wanted.")
    ] = None,
    dialect: Annotated[
        OutboxDatabase, typer.Option(help="The database that the SQL is for.")
    ] = OutboxDatabase.postgresql,
    drop: Annotated[bool, typer.Option("--drop", help="Print the SQL that removes the triggers.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Print the SQL of triggers that write an intent for every change of a table: pipe it into psql.

    Triggers also see bulk statements, other programs and psql. They do not see existing rows: run `ethora outbox
    reconcile` afterwards.
    """

    async def work() -> int:
        made = Trigger(table, kind.value, _mapping(map_ or []), active, deleted)
        text = made.drop_sql(dialect.value) if drop else made.sql(dialect.value)
        if as_json:
            print_json({"name": made.name, "sql": text})
        else:
            typer.echo(text, nl=False)
        return DONE

    run(work())


def _mapping(texts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        field, equals, column = (part.strip() for part in text.partition("="))
        if not (field and equals and column):
            msg = f"--map {text!r} maps nothing: write FIELD=COLUMN, for example email=mail_address"
            raise InvalidInputError(msg, field="map")
        if field in found:
            msg = f"--map: {field} is mapped twice"
            raise InvalidInputError(msg, field="map")
        found[field] = column
    return found
