"""The lists a command was pointed at, opened; and opened again, later or elsewhere, from a recipe without secrets."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.cli.output import errors, shown
from ethora_async.cli.sync_options import SourceOptions
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.sources.csv_file import CsvFile
from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS, RowFormat
from ethora_async.sync.sources.mapping import ColumnMapping, read_mapping
from ethora_async.sync.sources.opening import ENDINGS, is_database, open_source
from ethora_async.sync.sources.sql import shareable_url
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from ethora_async.sync.sources.table_source import TableSource
    from ethora_async.sync.store.items import Kind

FORMATS: Mapping[str, RowFormat[Any]] = {"users": USERS, "chats": CHATS, "members": MEMBERS}
KIND_OF: Mapping[str, Kind] = {"users": "user", "chats": "chat", "members": "member"}

Recipe = dict[str, Any]
"""By ``users``, ``chats``, ``members``: ``location``, ``query``, ``columns`` and ``defaults``; kept in journals."""


@attrs.frozen
class OpenLists:
    """Sources, and the recipe to open them again."""

    sources: dict[str, TableSource[Any]]
    recipe: Recipe

    @property
    def by_kind(self) -> dict[Kind, TableSource[Any]]:
        """The sources as the library names them: ``user``, ``chat``, ``member``."""
        return {KIND_OF[name]: source for name, source in self.sources.items()}


async def open_lists(options: SourceOptions, *, csv_by_default: bool = False) -> OpenLists:
    """Every list that was given, each checked as far as it goes without its rows.

    Args:
        csv_by_default: whether a file with an unknown ending, or none, is read as CSV.

    Raises:
        ConfigError: a library that is needed is not installed.
        InvalidInputError: there is none, one cannot be read, lacks a column or is a URL with a password, or a mapping
            cannot be meant.
    """
    if not options.given:
        msg = "there is nothing to compare: name a list with --users, --chats or --members"
        raise InvalidInputError(msg, field="users")
    mappings = await _mappings(options)
    recipe: Recipe = {}
    for name in options.given:
        mapping = mappings.get(name, ColumnMapping())
        recipe[name] = {
            "location": await run_blocking(_in_full, options.places[name] or "", name),
            "query": options.queries.get(name),
            "columns": dict(mapping.columns),
            "defaults": dict(mapping.defaults),
        }
    # By the names that were typed, which messages repeat.
    sources: dict[str, TableSource[Any]] = {}
    for name in options.given:
        place = options.places[name] or ""
        if csv_by_default and not recipe[name]["query"] and await run_blocking(_is_odd_file, place):
            sources[name] = await CsvFile.open(place, FORMATS[name], mappings.get(name))
        else:
            sources[name] = await _open(name, recipe[name], place)
    for source in sources.values():
        for column in source.unused:
            errors.print(f"{source.name}: the column {column!r} is not used", markup=False)
    return OpenLists(sources, recipe)


async def reopen_lists(recipe: Recipe, beside: Path, moved: Mapping[str, str | None], *, needed: bool) -> OpenLists:
    """The lists of a recipe; one that is not where it was is looked for beside a file, as after a move.

    Args:
        moved: where lists are now, by name, as far as that was said.
        needed: whether to fail when one cannot be opened, rather than to go on without it and warn.

    Raises:
        InvalidInputError: one is needed and cannot be opened, or one that `moved` names is not in the recipe.
    """
    if unknown := [name for name, place in moved.items() if place is not None and name not in recipe]:
        msg = f"--{unknown[0]} was no part of it when it was planned: leave it out"
        raise InvalidInputError(msg, field=unknown[0])
    sources: dict[str, TableSource[Any]] = {}
    for name, one in recipe.items():
        said = moved.get(name)
        if said is not None:
            await run_blocking(_in_full, said, name)
        place = said or await run_blocking(_found, one["location"], beside)
        try:
            sources[name] = await _open(name, one, place)
        except ChatError as error:
            if needed or said is not None:
                raise
            errors.print(f"warning: going on without the {name} list: {error}", markup=False)
    return OpenLists(sources, recipe)


async def _open(name: str, one: Mapping[str, Any], place: str | None) -> TableSource[Any]:
    mapping = ColumnMapping(one["columns"], one["defaults"])
    return await open_source(place or one["location"], FORMATS[name], mapping=mapping, query=one["query"])


def _is_odd_file(location: str) -> bool:
    if is_database(location) or Path(location).suffix.lower() in ENDINGS:
        return False
    return not glob.has_magic(location) or Path(location).exists()


async def _mappings(options: SourceOptions) -> dict[str, ColumnMapping]:
    found = await read_mapping(options.mapping) if options.mapping is not None else {}
    flags: dict[str, list[str]] = {}
    for text in options.maps:
        name, flag = _meant(text, options.given)
        flags.setdefault(name, []).append(flag)
    for name, texts in flags.items():
        before, said = found.get(name, ColumnMapping()), ColumnMapping.from_flags(texts)
        found[name] = ColumnMapping({**before.columns, **said.columns}, before.defaults)
    return found


def _meant(flag: str, given: list[str]) -> tuple[str, str]:
    """Which list a ``--map`` is about: the one it names, or the only one that has such a column."""
    ours = flag.partition("=")[0].strip()
    prefix, dot, _ = ours.partition(".")
    if dot and prefix in FORMATS:
        if prefix not in given:
            msg = f"--map {flag}: there is no --{prefix} that it could be about"
            raise InvalidInputError(msg, field="mapping")
        return prefix, flag.strip().removeprefix(f"{prefix}.")
    having = [name for name in given if ours in FORMATS[name].columns]
    if len(having) > 1:
        msg = f"--map {flag}: {' and '.join(having)} both have a column {ours}: write {having[0]}.{flag}"
        raise InvalidInputError(msg, field="mapping")
    # What none of them has is refused, with what it has, by the first.
    return having[0] if having else given[0], flag


def _in_full(location: str, name: str) -> str:
    if is_database(location):
        try:
            return shareable_url(location)
        except InvalidInputError as error:
            msg = f"--{name}: {error.message}"
            raise InvalidInputError(msg, field=name) from None
    path = Path(location)
    if path.is_absolute():
        return location
    if glob.has_magic(location) and not path.exists():
        return os.path.join(glob.escape(os.getcwd()), location)
    return os.path.abspath(location)


def _found(location: str, beside: Path) -> str:
    if is_database(location):
        return location
    if Path(location).exists() or (glob.has_magic(location) and glob.glob(location, recursive=True)):
        return location
    name, folder = os.path.basename(location), str(beside.parent)
    if glob.has_magic(name):
        pattern = os.path.join(glob.escape(folder), name)
        return pattern if glob.glob(pattern) else location
    here = os.path.join(folder, name)
    if Path(here).exists():
        errors.print(f"{shown(location)} is gone: reading {shown(here)}", markup=False)
        return here
    return location
