"""The options of ``plan``, ``apply``, ``resume``, ``verify`` and ``users import``: the lists, and how far to go."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import attrs
import typer

from ethora_async.cli.json_reply import complain
from ethora_async.cli.runtime import USAGE
from ethora_async.errors import InvalidInputError


class Part(StrEnum):
    """What can be carried out on its own."""

    users = "users"
    chats = "chats"
    access = "access"


_PLACE = "a CSV, JSON Lines or Parquet file, a quoted pattern of them, or an SQLAlchemy URL without a password"

USERS = typer.Option(metavar="SOURCE", help=f"Who ought to be there: {_PLACE}.")
CHATS = typer.Option(metavar="SOURCE", help="Which chats ought to be there; likewise.")
MEMBERS = typer.Option(metavar="SOURCE", help="Who ought to be able to enter which chat; likewise.")
USERS_QUERY = typer.Option(
    "--users-query",
    "--query",
    metavar="SQL",
    help="The SELECT, when the users are in a database. Its password comes from ETHORA_SOURCE_PASSWORD or PGPASSWORD.",
)
CHATS_QUERY = typer.Option(metavar="SQL", help="The SELECT, when --chats is a database.")
MEMBERS_QUERY = typer.Option(metavar="SQL", help="The SELECT, when --members is a database.")
MAP = typer.Option(
    "--map",
    metavar="OURS=THEIRS",
    help="What a column is called there, e.g. email=mail_address, or users.id=uid. May be given again.",
)
MAPPING = typer.Option("--mapping", metavar="FILE", help="The same, in a TOML file.")
PRUNE = typer.Option("--prune", help="Delete (or revoke) what exists and is in no list.")
REPLACE = typer.Option(
    "--replace-renamed",
    help="With --prune: delete and create again a user whose id changed but not the e-mail address, where the platform"
    " cannot rename. What they wrote is lost.",
)
ALLOW_DELETE = typer.Option(
    "--allow-delete",
    min=0,
    metavar="N",
    help="With --prune: at most N deletions of each kind, in place of a tenth of what exists; 0 means none.",
)
ONLY = typer.Option("--only", help="These alone. May be given again.")
LIMIT = typer.Option("--limit", min=1, metavar="N", help="At most N changes of each kind, to try them before the rest.")
REJECT = typer.Option(
    "--reject",
    metavar="FILE",
    help="Collect the refused rows there, with reasons, for repair; with several sources FILE.users.csv and so on.",
)
YES = typer.Option("--yes", "-y", help="Do not ask before anything is changed.")
WHERE_NOW = typer.Option(metavar="SOURCE", help="Where the list is now, if it has moved.")

KINDS = ("users", "chats", "members")


@attrs.frozen
class SourceOptions:
    """Where the lists are.

    Attributes:
        places, queries: by ``users``, ``chats``, ``members``; None for what was not given.
        maps: texts of ``--map``.
        mapping: the TOML file.
    """

    places: dict[str, str | None]
    queries: dict[str, str | None] = attrs.field(factory=dict, repr=False)
    maps: list[str] = attrs.field(factory=list)
    mapping: str | None = None

    def __attrs_post_init__(self) -> None:
        for kind, query in self.queries.items():
            if query is not None and self.places.get(kind) is None:
                msg = f"--{kind}-query goes with --{kind} DATABASE-URL, which is missing"
                raise InvalidInputError(msg, field=kind)

    @property
    def has_reading_options(self) -> bool:
        """Whether anything was said about how to read the lists."""
        return bool(self.maps or self.mapping or any(self.queries.values()))

    @property
    def given(self) -> list[str]:
        """The kinds of which there is a list."""
        return [kind for kind in KINDS if self.places.get(kind) is not None]


def list_options(
    users: Annotated[str | None, USERS] = None,
    chats: Annotated[str | None, CHATS] = None,
    members: Annotated[str | None, MEMBERS] = None,
    users_query: Annotated[str | None, USERS_QUERY] = None,
    chats_query: Annotated[str | None, CHATS_QUERY] = None,
    members_query: Annotated[str | None, MEMBERS_QUERY] = None,
    map_: Annotated[list[str] | None, MAP] = None,
    mapping: Annotated[str | None, MAPPING] = None,
) -> SourceOptions:
    """Return the lists that a sync command was given.

    Raises:
        InvalidInputError: A query was given without its list.
    """
    places = {"users": users, "chats": chats, "members": members}
    queries = {"users": users_query, "chats": chats_query, "members": members_query}
    return SourceOptions(places, queries, map_ or [], mapping)


def import_options(
    file: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Rows of id, email, first_name, last_name and optionally password, profile_image: a CSV, JSON Lines"
            " or Parquet file, a quoted pattern of them, or an SQLAlchemy URL without a password.",
        ),
    ],
    chats: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Chats to create: id, title and optionally access, description."),
    ] = None,
    members: Annotated[str | None, typer.Option(metavar="SOURCE", help="Members of chats: chat, user.")] = None,
    users_query: Annotated[str | None, USERS_QUERY] = None,
    chats_query: Annotated[str | None, CHATS_QUERY] = None,
    members_query: Annotated[str | None, MEMBERS_QUERY] = None,
    map_: Annotated[list[str] | None, MAP] = None,
    mapping: Annotated[str | None, MAPPING] = None,
) -> SourceOptions:
    """Return the lists that ``users import`` was given; otherwise as `list_options`."""
    return list_options(file, chats, members, users_query, chats_query, members_query, map_, mapping)


@attrs.frozen
class PlanOptions:
    """How far to go."""

    prune: bool = False
    allow_delete: int | None = None
    replace: bool = False
    only: tuple[str, ...] | None = None
    limit: int | None = None

    @classmethod
    def of(
        cls,
        prune: bool,
        allow_delete: int | None,
        replace: bool,
        only: Iterable[Part] | None,
        limit: int | None,
    ) -> PlanOptions:
        """Return the options as they were given.

        Raises:
            InvalidInputError: an option is about deletions, and nothing is to be deleted.
        """
        for given, name in ((allow_delete is not None, "--allow-delete"), (replace, "--replace-renamed")):
            if given and not prune:
                msg = f"{name} goes with --prune: without it nothing is deleted"
                raise InvalidInputError(msg, field=name.removeprefix("--").replace("-", "_"))
        return cls(prune, allow_delete, replace, tuple(part.value for part in only or ()) or None, limit)


@contextmanager
def usage() -> Generator[None, None, None]:
    """End the command with exit code 2 on options that cannot be meant, before anything is done."""
    try:
        yield
    except InvalidInputError as error:
        complain(f"error: {error}", error)
        raise typer.Exit(USAGE) from None
