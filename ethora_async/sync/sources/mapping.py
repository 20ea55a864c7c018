"""Map a source's columns to fields, and derive values from others."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS
from ethora_async.sync.sources.template import Template
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.sync.sources.formats import RowFormat

DISPLAY_NAME = "display_name"
"""Mapping target for a column that `split_name` splits into first and last name."""

NAMES = ("first_name", "last_name")

_LARGEST = 1 << 20


@attrs.frozen
class ColumnMapping:
    """A mapping of a source's columns, with defaults and derived values.

    A column that is not mentioned keeps its own name. Case is ignored.

    Attributes:
        columns: Field → column. The column may be a path into nested values (``profile.email``, ``emails.0.address``),
            alternatives of which the first with a value is used (``mail | userPrincipalName``), or a template of other
            values of the row, by field or column: ``{email.local}``. For users, ``display_name`` may be a field: that
            column is split into first and last name by `split_name`.
        defaults: Field → the text, or template, for rows that have no value.
        full_name: A column as in `columns` that is split for rows that lack a first or last name.
    """

    columns: Mapping[str, str] = attrs.field(factory=dict)
    defaults: Mapping[str, str] = attrs.field(factory=dict)
    full_name: str | None = None

    def theirs(self, ours: str) -> str:
        """Return the source's column for a field."""
        return self.columns.get(ours, ours)

    def template(self, ours: str) -> Template | None:
        """Return the template of a derived field, if it is one.

        Raises:
            InvalidInputError: The template is invalid.
        """
        text = self.columns.get(ours)
        return Template.of(text) if text is not None else None

    def user_of(self, name: str) -> str | None:
        """Return the first field whose template, or default, uses a value; None if none does."""
        for ours, text in (*self.columns.items(), *self.defaults.items()):
            template = Template.of(text)
            if template is not None and name in template.names:
                return ours
        return None

    def names(self, format: RowFormat[Any]) -> set[str]:  # noqa: A002
        """Return the lower-case names by which a table's header is recognised."""
        found = {part.strip().lower() for ours in format.columns for part in self.theirs(ours).split("|")}
        found |= {part.strip().lower() for theirs in self.columns.values() for part in theirs.split("|")}
        return found | {part.strip().lower() for part in (self.full_name or "").split("|") if part.strip()}

    @classmethod
    def from_flags(cls, flags: Iterable[str]) -> ColumnMapping:
        """Build the mapping from texts such as ``email=mail_address``: field, equals sign, column.

        Raises:
            InvalidInputError: one has no equals sign or nothing on a side of it, or a field is mapped twice.
        """
        columns: dict[str, str] = {}
        for flag in flags:
            ours, equals, theirs = (part.strip() for part in flag.partition("="))
            if not (ours and equals and theirs):
                msg = f"{flag!r} maps no column: write OURS=THEIRS, for example email=mail_address"
                raise InvalidInputError(msg, field="mapping")
            if ours in columns:
                msg = f"{ours} is mapped twice: to {columns[ours]} and to {theirs}"
                raise InvalidInputError(msg, field="mapping")
            columns[ours] = theirs
        return cls(columns)

    def check(self, format: RowFormat[Any]) -> None:  # noqa: A002
        """Check the mapping against a format.

        Raises:
            InvalidInputError: an unknown field, a default for a field that must be unique, or a display name combined
                with a first or last name.
        """
        known = _known(format)
        for ours in (*self.columns, *self.defaults):
            if ours not in known:
                msg = f"{ours} is not a column of {format.name}: known columns are {', '.join(known)}"
                raise InvalidInputError(msg, field="mapping")
        templates = {ours: self.template(ours) for ours in self.columns}
        for ours, text in self.defaults.items():
            derived = Template.of(text)
            if derived is not None and ours != DISPLAY_NAME:
                continue
            if ours in format.own or ours == DISPLAY_NAME:
                msg = f"{ours} can have no default: every row needs its own"
                raise InvalidInputError(msg, field="mapping")
        _refuse_circles({ours: template for ours, template in templates.items() if template is not None})
        named = [name for name in NAMES if name in self.columns]
        if DISPLAY_NAME in self.columns and named:
            msg = f"{DISPLAY_NAME} and {named[0]} are both mapped: one is derived from the other, so map one only"
            raise InvalidInputError(msg, field="mapping")


def _refuse_circles(templates: Mapping[str, Template]) -> None:
    done: set[str] = set()

    def walk(ours: str, above: tuple[str, ...]) -> None:
        if ours in above:
            msg = f"{' and '.join(sorted(set(above)))} are each made of the other: derive one of them from a column"
            raise InvalidInputError(msg, field="mapping")
        if ours not in done:
            for name in templates[ours].names:
                if name in templates:
                    walk(name, (*above, ours))
            done.add(ours)

    for ours in templates:
        walk(ours, ())


async def read_mapping(path: str | Path) -> dict[str, ColumnMapping]:
    """Read the mappings in a TOML file, by kind of rows: ``users``, ``chats``, ``members``.

    ::

        [users]                      # field = "column"
        id = "uid"
        email = "mail_address"
        display_name = "full_name"   # split into first_name and last_name
        # or derived from other values of the row: id = "{email.local}"

        [users.defaults]             # for rows without a value
        profile_image = "https://example.com/nobody.png"
        last_name = "{first_name}"

        [members]
        chat = "room"

    Raises:
        InvalidInputError: it cannot be read, is not TOML, or contains an unknown key; the known ones are listed.
    """
    return await run_blocking(_read, Path(path))


def _read(path: Path) -> dict[str, ColumnMapping]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            msg = f"{path} is too large to be a mapping"
            raise InvalidInputError(msg, file=str(path))
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        msg = f"{path} is not UTF-8: save it as UTF-8"
        raise InvalidInputError(msg, file=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise InvalidInputError(msg, file=str(path)) from None
    except InvalidInputError:
        raise
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InvalidInputError(msg, file=str(path)) from None
    formats = {one.name: one for one in (USERS, CHATS, MEMBERS)}
    _refuse_unknown(tables, tuple(formats), "table", str(path))
    return {name: _mapping(name, table, formats[name], str(path)) for name, table in tables.items()}


def _mapping(name: str, table: Any, format: RowFormat[Any], path: str) -> ColumnMapping:  # noqa: A002
    if not isinstance(table, dict):
        msg = f"{path}: {name} must be a table: write [{name}] and the columns below it"
        raise InvalidInputError(msg, file=path, column=name)
    columns = dict(table)
    defaults = columns.pop("defaults", {})
    if not isinstance(defaults, dict):
        msg = f"{path}: defaults must be a table: write [{name}.defaults] and the values below it"
        raise InvalidInputError(msg, file=path, column="defaults")
    for part, entries in ((name, columns), (f"{name}.defaults", defaults)):
        _refuse_unknown(entries, _known(format), f"column of [{part}]", path)
        for ours, text in entries.items():
            if not isinstance(text, str) or not text.strip():
                msg = f"{path}: {ours} in [{part}] must be a non-empty string"
                raise InvalidInputError(msg, file=path, column=ours)
    mapping = ColumnMapping(columns, defaults)
    try:
        mapping.check(format)
    except InvalidInputError as error:
        msg = f"{path}: {error.message}"
        raise InvalidInputError(msg, file=path, field=error.field) from None
    return mapping


def _known(format: RowFormat[Any]) -> tuple[str, ...]:  # noqa: A002
    return (*format.columns, DISPLAY_NAME) if set(NAMES) <= set(format.columns) else format.columns


def _refuse_unknown(found: Iterable[str], known: Sequence[str], what: str, path: str) -> None:
    for name in found:
        if name not in known:
            msg = f"{path}: {name!r} is not a known {what}: use one of {', '.join(known)}"
            raise InvalidInputError(msg, file=path, column=name)
