"""Bind the columns of one table to fields, by the names that a format and a mapping give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.checked_text import are_plain_ids, check_line, plain_id
from ethora_async.sync.sources.formats import RowFormat
from ethora_async.sync.sources.mapping import DISPLAY_NAME, NAMES, ColumnMapping
from ethora_async.sync.sources.split_name import split_name
from ethora_async.sync.sources.template import Template
from ethora_async.sync.sources.values import text_of
from ethora_async.sync.sources.where import Condition, lookup

if TYPE_CHECKING:
    from ethora_async.sync.sources.table import RawBlock

T = TypeVar("T")

REJECT_COLUMNS = ("reject_file", "reject_line", "reject_reason", "reject_text")
"""Columns that a `RejectFile` adds to a row: never read, and never reported as unused."""

PASSWORD = "password"  # noqa: S105  the name of a column

_Read = Callable[[Mapping[str, Any]], Any]


@attrs.frozen
class _Column:
    """The origin of a field's value: a column by its written name, or a function that computes it."""

    ours: str
    written: str
    read: _Read | None
    used: tuple[str, ...]


@attrs.frozen
class Binding(Generic[T]):
    """Reads the rows of one table.

    Attributes:
        unused: The table's columns that nothing is read from.
    """

    format: RowFormat[T]
    mapping: ColumnMapping
    unused: tuple[str, ...]
    _columns: tuple[_Column, ...]
    _all: tuple[str, ...]
    _derived: Mapping[str, Template]
    _defaults: Mapping[str, Template | str]
    _full_name: _Read | None
    _where: tuple[tuple[Condition, _Read | None], ...]
    _passwords: frozenset[str]
    _nested: bool
    _cells: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = attrs.field(init=False, eq=False)
    """Takes the values of the columns out of a row, where nothing is made of them but trimmed texts."""
    _names: tuple[str, ...] = attrs.field(init=False)
    _ids: tuple[str, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        names = tuple(one.ours for one in self._columns)
        made = self._derived or self._defaults or self._full_name is not None or DISPLAY_NAME in names
        plain = not made and set(self.format.required) <= set(names) and all(one.read is None for one in self._columns)
        cells = itemgetter(*(one.written for one in self._columns)) if plain and len(names) > 1 else None
        object.__setattr__(self, "_cells", cells)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_ids", tuple(name for name in names if name in self.format.ids))

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        format: RowFormat[T],  # noqa: A002
        mapping: ColumnMapping,
        where: Sequence[Condition] = (),
        *,
        nested: bool = True,
    ) -> Binding[T]:
        """Find the columns; `missing` reports the missing ones.

        Raises:
            InvalidInputError: Two columns that are read have the same name except for case. `column` is set, and the
                message continues after the table's name.
        """
        names = tuple(columns)
        counts = Counter(name for column in names if (name := column.strip().lower()))
        derived = {ours: template for ours in mapping.columns if (template := mapping.template(ours)) is not None}
        bound = [found for ours in _wanted(format, mapping) if ours not in derived
                 and (found := _bound(ours, mapping.theirs(ours), names, nested=nested))]  # fmt: skip
        full = _bound("", mapping.full_name, names, nested=nested) if mapping.full_name is not None else None
        conditions = tuple((one, lookup(names, one.column, nested=nested)) for one in where)
        used = {name for column in (*bound, *((full,) if full else ())) for name in column.used}
        for one in (*derived.values(), *filter(None, map(Template.of, mapping.defaults.values()))):
            used |= {column for name in one.names for column in _written(names, name)}
        used |= {column for condition in where for column in _written(names, condition.column)}
        for column in used:
            if counts[column.strip().lower()] > 1:
                name = column.strip().lower()
                msg = f"has the column {name} more than once"
                raise InvalidInputError(msg, column=name)
        unused = dict.fromkeys(
            column.strip() for column in names
            if column.strip() and column not in used and column.strip().lower() not in REJECT_COLUMNS
        )  # fmt: skip
        passwords = frozenset(column for column in names if column.strip().lower() == PASSWORD) | {
            column for one in bound if one.ours == PASSWORD for column in one.used
        }
        defaults = {ours: Template.of(text) or text for ours, text in mapping.defaults.items()}
        read = None if full is None else full.read or partial(_get, full.written)
        return cls(
            format, mapping, tuple(unused), tuple(bound), names, derived, defaults, read, conditions, passwords, nested
        )

    @property
    def fields(self) -> frozenset[str]:
        """The fields that a column, a template or a default may fill."""
        return frozenset({*self._names, *self._derived, *self._defaults})

    def missing(self) -> str | None:
        """Return the first missing column without which no row can be read, as the table would name it."""
        there = {one.ours for one in self._columns} | set(self._derived)
        if self._full_name is not None:
            there |= set(NAMES)
        for ours in _wanted(self.format, self.mapping):
            mapped = ours in self.mapping.columns and self.mapping.full_name is None
            needed = mapped or (ours in self.format.required and ours not in self.mapping.defaults)
            if needed and ours not in there:
                return self.mapping.theirs(ours)
        if DISPLAY_NAME in there:
            there |= set(NAMES)
        names = self._template_names()
        return next(
            (name for name in names if name not in there and lookup(self._all, name, nested=self._nested) is None), None
        )

    def wrong_part(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the first template value that names an unknown part of a text, as ``email.foo`` does, and its field.

        Args:
            values: A row, to tell a part of a text from a value inside an object.
        """
        for name in self._template_names():
            base = name.rpartition(".")[0]
            if not base or lookup(self._all, name, nested=False) is not None:
                continue
            read = lookup(self._all, base)
            value = None if read is None else read(values)
            ours = base in (self.mapping.columns if self._nested else self.format.columns)
            known = value is not None or (ours if read is None else not self._nested)
            if known and not isinstance(value, (Mapping, list)):
                return name, self.mapping.user_of(name) or name
        return None

    def unfound(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each required field that is mapped to something of which a row has nothing, with its column."""
        for ours, theirs in self.mapping.columns.items():
            if ours not in self.format.required or ours in self._derived:
                continue
            reads = [lookup(self._all, part) for part in theirs.split("|")]
            if all(read is None or read(values) is None for read in reads):
                yield ours, theirs

    def _template_names(self) -> Iterator[str]:
        """Yield the values that templates use and that no other template makes."""
        made = set(self._derived) | set(self._defaults)
        for template in (*self._derived.values(), *self._defaults.values()):
            if isinstance(template, Template):
                yield from (name for name in template.names if name not in made)

    def missing_condition(self) -> Condition | None:
        """Return the first condition on a column that the table lacks."""
        return next((one for one, read in self._where if read is None and not one.optional), None)

    def taken(self, values: Mapping[str, Any]) -> bool:
        """Return whether a row satisfies all conditions. A missing column counts as empty."""
        return all(condition.holds(None if read is None else read(values)) for condition, read in self._where)

    @property
    def selects(self) -> bool:
        """Whether there are conditions."""
        return bool(self._where)

    def texts(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return a row's values as texts, by field.

        Raises:
            InvalidInputError: A value has the wrong type, cannot be decoded, contains a line break or control character
                where that is not allowed, or is missing; `field` is the field.
        """
        texts = self._trimmed(values)
        return self._read(values) if texts is None else texts

    def _trimmed(self, values: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the texts of a row that only has to be trimmed, as most have; None for any other.

        `_read` gives the same.
        """
        if self._cells is None:
            return None
        try:
            cells = self._cells(values)
            if not "".join(cells).isprintable():
                return None
        except (KeyError, TypeError):
            return None
        texts = dict(zip(self._names, map(str.strip, cells), strict=True))
        for ours in self._ids:
            if not texts[ours].isalnum():
                texts[ours] = plain_id(texts[ours], ours)
        return texts

    def plain_columns(self, block: RawBlock) -> dict[str, list[str]] | None:
        """Return the `texts` of all rows of a block, by field; None if a row needs a closer look or has a password."""
        if self._cells is None or self._passwords or self._where:
            return None
        places = [block.columns.index(one.written) for one in self._columns]
        columns = list(zip(*block.fields, strict=True))
        cells = [columns[place] for place in places]
        if not "".join(map("".join, cells)).isprintable():
            return None
        texts = {name: list(map(str.strip, column)) for name, column in zip(self._names, cells, strict=True)}
        return texts if all(are_plain_ids(texts[ours]) for ours in self._ids) else None

    def _read(self, values: Mapping[str, Any]) -> dict[str, str]:
        texts: dict[str, str] = {}
        form = self.format
        for one in self._columns:
            ours = one.ours
            value = values.get(one.written) if one.read is None else one.read(values)
            if value is not None:
                text = text_of(value, ours, is_id=ours in form.ids)
                if not text.isprintable():
                    check_line(text, ours, multiline=ours in form.multiline)
            elif one.read is None and one.written in values and ours in form.optional:
                text = ""  # an empty cell clears the value; an absent one leaves it unchanged
            else:
                continue
            texts[ours] = text if text.isalnum() or ours not in form.ids else plain_id(text, ours)
        self._complete(texts, values)
        for ours in form.required:
            if ours not in texts:
                msg = f"{ours} is missing"
                raise InvalidInputError(msg, field=ours)
        return texts

    def _complete(self, texts: dict[str, str], values: Mapping[str, Any]) -> None:
        if DISPLAY_NAME in texts:
            texts["first_name"], texts["last_name"] = split_name(texts.pop(DISPLAY_NAME))
        if self._full_name is not None and not all(texts.get(name) for name in NAMES):
            full = text_of(self._full_name(values), "first_name", is_id=False)
            if full:
                check_line(full, "first_name")
                for name, part in zip(NAMES, split_name(full), strict=True):
                    texts[name] = texts.get(name) or part
        # Defaults first: derived values may use them.
        for ours, default in self._defaults.items():
            if not texts.get(ours) and isinstance(default, str):
                texts[ours] = default
        for ours in self._derived:
            self._derive(ours, self._derived[ours], texts, values)
        for ours, default in self._defaults.items():
            if not texts.get(ours) and isinstance(default, Template):
                texts[ours] = self._filled(default, texts, values)

    def _derive(self, ours: str, template: Template, texts: dict[str, str], values: Mapping[str, Any]) -> None:
        if ours in texts:
            return
        for name in template.names:
            if name in self._derived:
                self._derive(name, self._derived[name], texts, values)
        texts[ours] = self._filled(template, texts, values)

    def _filled(self, template: Template, texts: Mapping[str, str], values: Mapping[str, Any]) -> str:
        def value(name: str) -> str:
            if name in texts:
                return texts[name]
            read = lookup(tuple(values), name)
            text = "" if read is None else text_of(read(values), name, is_id=True)
            check_line(text, name)
            return text

        return template.filled(value)

    def column_of(self, ours: str | None) -> str | None:
        """Return the table's column for a field, or None."""
        there = {one.ours: one.written for one in self._columns}
        if ours in NAMES and DISPLAY_NAME in there:
            ours = DISPLAY_NAME
        if ours is None:
            return None
        return (there.get(ours) or self.mapping.theirs(ours)).strip()

    def id_of(self, values: Mapping[str, Any]) -> str:
        """Return the row's id, as far as it can be read; empty when it cannot."""
        column = next((one for one in self._columns if one.ours == "id"), None)
        if column is None:
            return ""
        try:
            return text_of(values.get(column.written) if column.read is None else column.read(values), "id", is_id=True)
        except InvalidInputError:
            return ""

    def sealed(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the row unchanged, but with its password wrapped."""
        return seal(values, self._passwords) if self._passwords else values


def seal(values: Mapping[str, Any], columns: Collection[str]) -> Mapping[str, Any]:
    """Return the values with those of some columns wrapped as secrets, as text."""
    return {
        column: Secret(str(value)) if column in columns and value is not None else value
        for column, value in values.items()
    }


def _bound(ours: str, theirs: str, columns: tuple[str, ...], *, nested: bool) -> _Column | None:
    """Find a column by its name, by a path, or as alternatives of which the first with a value is used."""
    written = _written(columns, theirs)
    if written and written[0].strip().lower() == theirs.strip().lower():
        return _Column(ours, written[0], None, written)
    parts = [part.strip() for part in theirs.split("|") if part.strip()]
    found = [(part, read) for part in parts if (read := lookup(columns, part, nested=nested)) is not None]
    if not found:
        return None
    used = tuple(column for part, _ in found for column in _written(columns, part))
    reads = [read for _, read in found]
    return _Column(ours, found[0][0], reads[0] if len(reads) == 1 else partial(_first_with_value, reads), used)


def _written(columns: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the column, as it is written, for a name or the beginning of a path."""
    wanted = name.strip().lower()
    names = {column.strip().lower(): column for column in columns}
    found = names.get(wanted) or names.get(wanted.replace("[", ".").partition(".")[0])
    return (found,) if found else ()


def _first_with_value(reads: Sequence[_Read], values: Mapping[str, Any]) -> Any:
    value = None
    for read in reads:
        value = read(values)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return value
    return value


def _get(column: str, values: Mapping[str, Any]) -> Any:
    return values.get(column)


def _wanted(format: RowFormat[Any], mapping: ColumnMapping) -> tuple[str, ...]:  # noqa: A002
    if DISPLAY_NAME not in mapping.columns:
        return format.columns
    return (*(name for name in format.columns if name not in NAMES), DISPLAY_NAME)
