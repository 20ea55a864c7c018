"""Open a command's lists, and reopen them later or elsewhere from a recipe without secrets."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import attrs

from ethora_async.cli.output import errors, shown
from ethora_async.cli.stdin_copy import stdin_copy
from ethora_async.cli.sync_options import STDIN, SourceOptions
from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS, RowFormat
from ethora_async.sync.sources.mapping import DISPLAY_NAME, NAMES, ColumnMapping, read_mapping
from ethora_async.sync.sources.opening import ReadOptions, form_of, is_database, open_source
from ethora_async.sync.sources.presets import named_preset
from ethora_async.sync.sources.sql import shareable_url
from ethora_async.sync.sources.where import Condition
from ethora_async.wording import printable
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from ethora_async.sync.sources.table_source import TableSource
    from ethora_async.sync.store.items import Kind

FORMATS: Mapping[str, RowFormat[Any]] = {"users": USERS, "chats": CHATS, "members": MEMBERS}
KIND_OF: Mapping[str, Kind] = {"users": "user", "chats": "chat", "members": "member"}

Recipe = dict[str, Any]
"""The locations and reading options by ``users``, ``chats``, ``members``, without any secret; kept in journals."""


@attrs.frozen
class OpenLists:
    """Sources, and the recipe for reopening them."""

    sources: dict[str, TableSource[Any]]
    recipe: Recipe

    @property
    def by_kind(self) -> dict[Kind, TableSource[Any]]:
        """The sources as the library names them: ``user``, ``chat``, ``member``."""
        return {KIND_OF[name]: source for name, source in self.sources.items()}


async def open_lists(options: SourceOptions, *, any_ending: bool = False) -> OpenLists:
    """Open every given list, and check what can be checked without reading all rows.

    Args:
        options: The lists and their reading options.
        any_ending: Whether to detect the format of a file with an unknown ending from its content.

    Raises:
        ConfigError: A library that is needed is not installed.
        InvalidInputError: There is no list, one cannot be read, lacks a column or is a URL with a password, or an
            option is invalid.
    """
    if not options.given:
        msg = "there is nothing to compare: name a list with --users, --chats or --members"
        raise InvalidInputError(msg, field="users")
    mappings = await _mappings(options)
    conditions = _conditions(options)
    recipe: Recipe = {}
    sources: dict[str, TableSource[Any]] = {}
    for name in options.given:
        places = options.places[name] or []
        mapping = mappings.get(name, ColumnMapping())
        preset = named_preset(options.preset) if options.preset is not None and name == "users" else None
        is_csv = len(options.given) == 1 or any(_is_csv(place) for place in places)
        recipe[name] = {
            "location": [await run_blocking(_in_full, place, name) for place in places],
            "query": options.queries.get(name),
            "columns": dict(mapping.columns),
            "defaults": dict(mapping.defaults),
            "full_name": mapping.full_name,
            "where": conditions.get(name, []),
            "optional_where": [] if preset is None else list(preset.where),
            "lists": [] if preset is None else list(preset.lists),
            "delimiter": options.delimiter if is_csv else None,
            "encoding": options.encoding if is_csv else None,
            "any_ending": any_ending,
        }
        # By the names as typed, which messages repeat.
        sources[name] = await _open(name, recipe[name], places)
    for source in sources.values():
        for note in source.notes:
            errors.print(shown(note), markup=False)
        if source.unused:
            unused = ", ".join(map(repr, source.unused))
            columns = f"the column {unused} is" if len(source.unused) == 1 else f"the columns {unused} are"
            errors.print(f"{source.name}: {columns} not used", markup=False)
    return OpenLists(sources, recipe)


async def reopen_lists(
    recipe: Recipe, beside: Path, moved: Mapping[str, Sequence[str] | None], *, needed: bool
) -> OpenLists:
    """Open the lists of a recipe; a missing one is looked for beside a file, as after a move.

    Args:
        recipe: What `open_lists` returned earlier.
        beside: The file.
        moved: New locations of lists, by name.
        needed: Whether to fail when one cannot be opened, instead of warning and continuing without it.

    Raises:
        InvalidInputError: One is needed and cannot be opened, or one that `moved` names is not in the recipe.
    """
    if unknown := [name for name, places in moved.items() if places and name not in recipe]:
        msg = f"--{unknown[0]} was not part of the plan: leave it out"
        raise InvalidInputError(msg, field=unknown[0])
    sources: dict[str, TableSource[Any]] = {}
    for name, one in recipe.items():
        said = moved.get(name)
        for place in said or ():
            await run_blocking(_in_full, place, name)
        try:
            kept = [one["location"]] if isinstance(one["location"], str) else one["location"]
            if not said and STDIN in kept:
                msg = f"the {name} list came from stdin: pipe it in again with --{name} -, or name a file with --{name}"
                raise InvalidInputError(msg, field=name)
            places = said or [await run_blocking(_found, _decoded(place), beside) for place in kept]
            sources[name] = await _open(name, one, places)
        except ChatError as error:
            if needed or said:
                raise
            errors.print(f"warning: going on without the {name} list: {error}", markup=False)
    return OpenLists(sources, recipe)


async def _open(name: str, one: Mapping[str, Any], places: Sequence[str]) -> TableSource[Any]:
    mapping = ColumnMapping(one["columns"], one["defaults"], one.get("full_name"))
    piped = STDIN in places
    if piped and len(places) > 1:
        msg = f"--{name} - is stdin, which is a list of its own: leave out the other --{name}"
        raise InvalidInputError(msg, field=name)
    options = ReadOptions(
        delimiter=one.get("delimiter"),
        encoding=one.get("encoding"),
        where=tuple(one.get("where", ())),
        optional_where=tuple(one.get("optional_where", ())),
        lists=tuple(one.get("lists", ())),
        default_form="told" if piped or one.get("any_ending") else None,
    )
    location: Any = places[0] if len(places) == 1 else list(places)
    return await open_source(
        await stdin_copy() if piped else location,
        FORMATS[name],
        mapping=mapping,
        query=one["query"],
        options=options,
        name="stdin" if piped else None,
        on_warning=lambda text: errors.print(f"warning: {shown(text)}", markup=False),
        on_selected=lambda text: errors.print(shown(text), markup=False),
    )


def _is_csv(location: str) -> bool:
    return location == STDIN or (not is_database(location) and form_of(Path(location)) in ("csv", None))


def _conditions(options: SourceOptions) -> dict[str, list[str]]:
    """Return the texts of ``--where`` by the list that each refers to."""
    found: dict[str, list[str]] = {}
    for text in options.where:
        prefix, dot, rest = text.strip().partition(".")
        if dot and prefix in FORMATS and prefix in options.given:
            found.setdefault(prefix, []).append(rest)
        elif len(options.given) == 1:
            found.setdefault(options.given[0], []).append(text)
        else:
            msg = f"--where {text!r} does not say which list it is about: write {options.given[0]}.{text.strip()}"
            raise InvalidInputError(msg, field="where")
        Condition.of(found[next(reversed(found))][-1])
    return found


async def _mappings(options: SourceOptions) -> dict[str, ColumnMapping]:
    found: dict[str, ColumnMapping] = {}
    if options.preset is not None:
        found["users"] = named_preset(options.preset).mapping
    if options.mapping is not None:
        for name, said in (await read_mapping(options.mapping)).items():
            found[name] = _over(found.get(name, ColumnMapping()), said)
    flags: dict[str, list[str]] = {}
    for text in options.maps:
        name, flag = _meant(text, options.given)
        flags.setdefault(name, []).append(flag)
    for name, texts in flags.items():
        found[name] = _over(found.get(name, ColumnMapping()), ColumnMapping.from_flags(texts))
    return found


def _over(before: ColumnMapping, said: ColumnMapping) -> ColumnMapping:
    """Merge mappings; later ones take precedence."""
    columns = {**before.columns, **said.columns}
    if DISPLAY_NAME in said.columns:
        columns = {name: theirs for name, theirs in columns.items() if name not in NAMES or name in said.columns}
    return ColumnMapping(columns, {**before.defaults, **said.defaults}, before.full_name)


def _meant(flag: str, given: list[str]) -> tuple[str, str]:
    """Return the list that a ``--map`` refers to: the one it names, or the only one with such a field."""
    ours = flag.partition("=")[0].strip()
    prefix, dot, _ = ours.partition(".")
    if dot and prefix in FORMATS:
        if prefix not in given:
            msg = f"--map {flag} needs --{prefix}"
            raise InvalidInputError(msg, field="mapping")
        return prefix, flag.strip().removeprefix(f"{prefix}.")
    having = [name for name in given if ours in FORMATS[name].columns]
    if len(having) > 1:
        msg = f"--map {flag}: {' and '.join(having)} both have a column {ours}: write {having[0]}.{flag}"
        raise InvalidInputError(msg, field="mapping")
    # If no list has the field, the first one reports the error and its own fields.
    return having[0] if having else given[0], flag


def _in_full(location: str, name: str) -> str:
    """Return a location as an absolute path or URL, as text that JSON can hold."""
    if location == STDIN:
        return location
    if is_database(location):
        try:
            return shareable_url(location)
        except InvalidInputError as error:
            msg = f"--{name}: {error.message}"
            raise InvalidInputError(msg, field=name) from None
    path = Path(location)
    if path.is_absolute():
        return _encoded(location)
    if glob.has_magic(location) and not os.path.lexists(location):
        return _encoded(os.path.join(glob.escape(os.getcwd()), location))
    return _encoded(os.path.abspath(location))


_BYTES = "path-bytes:"


def _encoded(path: str) -> str:
    # A file's name need not be UTF-8, but JSON must be.
    return path if printable(path) == path else _BYTES + quote_from_bytes(os.fsencode(path))


def _decoded(location: str) -> str:
    if not location.startswith(_BYTES):
        return location
    return os.fsdecode(unquote_to_bytes(location.removeprefix(_BYTES)))


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
