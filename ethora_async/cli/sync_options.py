"""The options of ``plan``, ``apply``, ``resume``, ``verify`` and ``users import``: the lists, and limits on the
changes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from typing import Annotated

import attrs
import typer

from ethora_async.cli.json_reply import complain
from ethora_async.cli.runtime import USAGE
from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.presets import PRESETS, named_preset
from ethora_async.sync.store.key_ranges import KeyRange


class Part(StrEnum):
    """A part of a plan that can be applied alone."""

    users = "users"
    chats = "chats"
    access = "access"


_PLACE = (
    "a CSV, JSON, Parquet or Excel file (text also as .gz), a quoted pattern of them, - for stdin, or an SQLAlchemy URL"
    " without a password"
)

USERS = typer.Option(metavar="SOURCE", help=f"The users that should exist: {_PLACE}. Several are read as one list.")
CHATS = typer.Option(metavar="SOURCE", help="The chats that should exist, in the same formats.")
MEMBERS = typer.Option(metavar="SOURCE", help="The members that chats should have, in the same formats.")
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
    help="A column's name in the list: email=mail_address, users.id=uid, email=profile.email for nested JSON; or a"
    " value made of others: 'id={email.local}'. Repeatable.",
)
MAPPING = typer.Option("--mapping", metavar="FILE", help="Column names in a TOML file.")
PRESET = typer.Option("--preset", metavar="NAME", help=f"Read the user export of a product: {', '.join(PRESETS)}.")
WHERE = typer.Option(
    "--where",
    metavar="CONDITION",
    help="Only rows that satisfy it: status=active, role!=guest, 'team in sales,support'; with several lists"
    " users.status=active. Repeatable; all must hold.",
)
DELIMITER = typer.Option(
    "--delimiter", metavar="CHAR", help="CSV: comma, semicolon, tab or a character. Default: detected."
)
ENCODING = typer.Option("--encoding", metavar="NAME", help="CSV: utf-8, utf-16, windows-1252, … Default: detected.")
PRUNE = typer.Option("--prune", help="Delete items, and revoke memberships, that are in no list.")
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
ONLY = typer.Option("--only", help="Only this part. Repeatable.")
LIMIT = typer.Option(
    "--limit", min=1, metavar="N", help="Make at most N changes of each kind, to try them before the rest."
)
PART = typer.Option(
    "--part",
    metavar="K/N",
    help="Only the K-th of N parts, by key range; each part needs 1/N of the disk. Together they make the whole plan.",
)
REJECT = typer.Option(
    "--reject",
    metavar="FILE",
    help="Write refused rows there, with reasons, for repair; with several lists FILE.users.csv and so on. That of an"
    " earlier run is kept as FILE.previous.csv.",
)
YES = typer.Option("--yes", "-y", help="Do not ask for confirmation.")
WHERE_NOW = typer.Option(metavar="SOURCE", help="The list's new place, if it has moved.")

KINDS = ("users", "chats", "members")

STDIN = "-"
"""The location that means standard input."""


@attrs.frozen
class SourceOptions:
    """Options that name the lists and how to read them.

    Attributes:
        places: By ``users``, ``chats``, ``members``; empty or None for what was not given.
        queries: Likewise, for databases.
        maps: Texts of ``--map``.
        mapping: The TOML file.
        preset: Whose export the users are.
        where: Texts of ``--where``.
        delimiter: What separates the fields of CSV.
        encoding: The encoding of CSV.
    """

    places: dict[str, list[str] | None]
    queries: dict[str, str | None] = attrs.field(factory=dict, repr=False)
    maps: list[str] = attrs.field(factory=list)
    mapping: str | None = None
    preset: str | None = None
    where: list[str] = attrs.field(factory=list)
    delimiter: str | None = None
    encoding: str | None = None

    def __attrs_post_init__(self) -> None:
        for kind, query in self.queries.items():
            if query is not None and not self.places.get(kind):
                msg = f"--{kind}-query needs --{kind} DATABASE-URL, which is missing"
                raise InvalidInputError(msg, field=kind)
        for kind, places in self.places.items():
            if any(not place.strip() for place in places or ()):
                msg = f"--{kind} is empty: name a file, a pattern, a database or - for stdin"
                raise InvalidInputError(msg, field=kind)
        if [*chain.from_iterable(places or () for places in self.places.values())].count(STDIN) > 1:
            msg = "only one list can be read from stdin: name files for the others"
            raise InvalidInputError(msg, field="users")
        if self.preset is not None:
            named_preset(self.preset)
            if not self.places.get("users"):
                msg = "--preset needs --users, which is missing"
                raise InvalidInputError(msg, field="preset")

    @property
    def has_reading_options(self) -> bool:
        """Whether anything was said about how to read the lists."""
        queries = any(self.queries.values())
        return bool(
            self.maps or self.mapping or queries or self.preset or self.where or self.delimiter or self.encoding
        )

    @property
    def given(self) -> list[str]:
        """The kinds of which there is a list."""
        return [kind for kind in KINDS if self.places.get(kind)]


def list_options(
    users: Annotated[list[str] | None, USERS] = None,
    chats: Annotated[list[str] | None, CHATS] = None,
    members: Annotated[list[str] | None, MEMBERS] = None,
    users_query: Annotated[str | None, USERS_QUERY] = None,
    chats_query: Annotated[str | None, CHATS_QUERY] = None,
    members_query: Annotated[str | None, MEMBERS_QUERY] = None,
    preset: Annotated[str | None, PRESET] = None,
    map_: Annotated[list[str] | None, MAP] = None,
    mapping: Annotated[str | None, MAPPING] = None,
    where: Annotated[list[str] | None, WHERE] = None,
    delimiter: Annotated[str | None, DELIMITER] = None,
    encoding: Annotated[str | None, ENCODING] = None,
) -> SourceOptions:
    """Return the lists that a sync command was given.

    Raises:
        InvalidInputError: An option was given without its list, or cannot be meant.
    """
    places = {"users": users, "chats": chats, "members": members}
    queries = {"users": users_query, "chats": chats_query, "members": members_query}
    return SourceOptions(places, queries, map_ or [], mapping, preset, where or [], delimiter, encoding)


def import_options(
    file: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help=f"Rows of id, email, first_name, last_name and optionally password, profile_image: {_PLACE}.",
        ),
    ],
    chats: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Chats to create: id, title and optionally access, description."),
    ] = None,
    members: Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="Members of chats: chat, user.")] = None,
    users_query: Annotated[str | None, USERS_QUERY] = None,
    chats_query: Annotated[str | None, CHATS_QUERY] = None,
    members_query: Annotated[str | None, MEMBERS_QUERY] = None,
    preset: Annotated[str | None, PRESET] = None,
    map_: Annotated[list[str] | None, MAP] = None,
    mapping: Annotated[str | None, MAPPING] = None,
    where: Annotated[list[str] | None, WHERE] = None,
    delimiter: Annotated[str | None, DELIMITER] = None,
    encoding: Annotated[str | None, ENCODING] = None,
) -> SourceOptions:
    """Return the lists that ``users import`` was given; otherwise as `list_options`."""
    return list_options(
        file, chats, members, users_query, chats_query, members_query, preset, map_, mapping, where, delimiter, encoding
    )


@attrs.frozen
class PlanOptions:
    """Options that limit what a plan changes."""

    prune: bool = False
    allow_delete: int | None = None
    replace: bool = False
    only: tuple[str, ...] | None = None
    limit: int | None = None
    part: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        prune: bool,
        allow_delete: int | None,
        replace: bool,
        only: Iterable[Part] | None,
        limit: int | None,
        part: str | None = None,
    ) -> PlanOptions:
        """Return the options as they were given.

        Raises:
            InvalidInputError: an option is about deletions, and nothing is to be deleted.
        """
        for given, name in ((allow_delete is not None, "--allow-delete"), (replace, "--replace-renamed")):
            if given and not prune:
                msg = f"{name} needs --prune: without it nothing is deleted"
                raise InvalidInputError(msg, field=name.removeprefix("--").replace("-", "_"))
        if limit is not None and part is not None:
            msg = "--limit and --part cannot be combined: the parts would not be the whole plan any more"
            raise InvalidInputError(msg, field="limit")
        return cls(prune, allow_delete, replace, tuple(one.value for one in only or ()) or None, limit, part_of(part))


def part_of(text: str | None) -> tuple[int, int] | None:
    """Return which part of how many ``--part`` names.

    Raises:
        InvalidInputError: it names none.
    """
    if text is None:
        return None
    found = KeyRange.parse(text)
    return found.part, found.parts


@contextmanager
def usage() -> Generator[None, None, None]:
    """End the command with exit code 2 on options that cannot be meant, before anything is done."""
    try:
        yield
    except InvalidInputError as error:
        complain(f"error: {error}", error)
        raise typer.Exit(USAGE) from None
