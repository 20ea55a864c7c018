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
"""What a column is mapped to that `split_name` makes first and last name of."""

NAMES = ("first_name", "last_name")

_LARGEST = 1 << 20


@attrs.frozen
class ColumnMapping:
    """A mapping of a source's columns, with defaults and derived values.

    A column that is not mentioned goes by its own name. Upper and lower case are the same.

    Attributes:
        columns: Our name → theirs. Theirs may be a path into nested values (``profile.email``, ``emails.0.address``),
            several columns of which the first with a value counts (``mail | userPrincipalName``), or a template that
            makes the value of others of the row, by our names or theirs: ``{email.local}``. For users,
            ``display_name`` may be one of ours: that column is split into first and last name by `split_name`.
        defaults: Our name → the text, or template, for rows that have none.
        full_name: A column as in `columns` that is split for rows that lack a first or last name.
    """

    columns: Mapping[str, str] = attrs.field(factory=dict)
    defaults: Mapping[str, str] = attrs.field(factory=dict)
    full_name: str | None = None

    def theirs(self, ours: str) -> str:
        """Return the source's name for a column of ours."""
        return self.columns.get(ours, ours)

    def template(self, ours: str) -> Template | None:
        """Return the template by which a column is derived, if it is.

        Raises:
            InvalidInputError: It is not a template that can be meant.
        """
        text = self.columns.get(ours)
        return Template.of(text) if text is not None else None

    def names(self, format: RowFormat[Any]) -> set[str]:  # noqa: A002
        """Return the names in lower case by which a table's header is recognised."""
        found = {part.strip().lower() for ours in format.columns for part in self.theirs(ours).split("|")}
        found |= {part.strip().lower() for theirs in self.columns.values() for part in theirs.split("|")}
        return found | {part.strip().lower() for part in (self.full_name or "").split("|") if part.strip()}

    @classmethod
    def from_flags(cls, flags: Iterable[str]) -> ColumnMapping:
        """Return the mapping of texts such as ``email=mail_address``: ours, an equals sign, theirs.

        Raises:
            InvalidInputError: one has no equals sign or nothing on a side of it, or one of ours comes twice.
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
        """Refuse what cannot be meant for such rows.

        Raises:
            InvalidInputError: an unknown column, a default that all rows would share where each needs its own, or a
            display name beside a first or last name.
        """
        known = _known(format)
        for ours in (*self.columns, *self.defaults):
            if ours not in known:
                msg = f"{ours} is no column of {format.name}: known are {', '.join(known)}"
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
            msg = f"{DISPLAY_NAME} and {named[0]} are both mapped: the one is split into the other, so map one of them"
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
    """Return the mappings in a TOML file, by what the rows are: ``users``, ``chats``, ``members``.

    ::

        [users]                      # ours = "theirs"
        id = "uid"
        email = "mail_address"
        display_name = "full_name"   # split into first_name and last_name
        # or made of other values of the row: id = "{email.local}"

        [users.defaults]             # for rows that have none
        profile_image = "https://example.com/nobody.png"
        last_name = "{first_name}"

        [members]
        chat = "room"

    Raises:
        InvalidInputError: it cannot be read, is not TOML, or holds a key that is not known; the known ones are listed.
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
                msg = f"{path}: {ours} in [{part}] must be a text that is not empty"
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
            msg = f"{path}: {name!r} is no known {what}: known are {', '.join(known)}"
            raise InvalidInputError(msg, file=path, column=name)
