"""The columns of one table, found under the names that a format and a mapping give them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret
from ethora_async.sync.sources.formats import RowFormat
from ethora_async.sync.sources.mapping import DISPLAY_NAME, NAMES, ColumnMapping
from ethora_async.sync.sources.split_name import split_name
from ethora_async.sync.sources.values import text_of

T = TypeVar("T")

REJECT_COLUMNS = ("reject_file", "reject_line", "reject_reason", "reject_text")
"""What a `RejectFile` writes beside a row's own columns: never read, and never complained about."""

PASSWORD = "password"  # noqa: S105  the name of a column


@attrs.frozen
class Binding(Generic[T]):
    """How the rows of a table with these columns are read.

    Attributes:
        unused: the table's columns that nothing is read from.
    """

    format: RowFormat[T]
    mapping: ColumnMapping
    unused: tuple[str, ...]
    _pairs: tuple[tuple[str, str], ...]
    _theirs: Mapping[str, str]
    _passwords: frozenset[str]

    @classmethod
    def of(cls, columns: Sequence[str], format: RowFormat[T], mapping: ColumnMapping) -> Binding[T]:  # noqa: A002
        """Find the columns; which are missing is told by `missing`.

        Raises:
            InvalidInputError: two columns have the same name but for case; `column` is set, and the text goes on from
            the table's name.
        """
        written: dict[str, str] = {}
        for column in columns:
            name = column.strip().lower()
            if name and written.setdefault(name, column) is not column:
                msg = f"has the column {name} more than once"
                raise InvalidInputError(msg, column=name)
        pairs = []
        for ours in _wanted(format, mapping):
            column = written.get(mapping.columns.get(ours, ours).strip().lower(), "")
            if column:
                pairs.append((ours, column))
        used = {column for _, column in pairs}
        unused = tuple(
            column.strip() for name, column in written.items() if column not in used and name not in REJECT_COLUMNS
        )
        passwords = frozenset(column for name, column in written.items() if name == PASSWORD) | {
            column for ours, column in pairs if ours == PASSWORD
        }
        return cls(format, mapping, unused, tuple(pairs), dict(pairs), passwords)

    def missing(self) -> str | None:
        """The first column, in the table's own words, without which no row can be read."""
        for ours in _wanted(self.format, self.mapping):
            mapped = ours in self.mapping.columns
            needed = mapped or (ours in self.format.required and ours not in self.mapping.defaults)
            if needed and ours not in self._theirs:
                return self.mapping.columns.get(ours, ours)
        return None

    def texts(self, values: Mapping[str, Any]) -> dict[str, str]:
        """A row's texts under our names.

        Raises:
            InvalidInputError: a value has the wrong type, is not UTF-8 or is missing; `field` is our column.
        """
        texts: dict[str, str] = {}
        for ours, theirs in self._pairs:
            value = values.get(theirs)
            # The usual case first: this runs for every field of a million rows.
            if type(value) is str and value.isascii():
                texts[ours] = value.strip()
            elif value is not None:
                texts[ours] = text_of(value, ours, is_id=ours in self.format.ids)
            elif theirs in values and ours in self.format.optional:
                texts[ours] = ""  # an emptied cell clears what was there; one that is absent leaves it alone
        if DISPLAY_NAME in texts:
            texts["first_name"], texts["last_name"] = split_name(texts.pop(DISPLAY_NAME))
        for ours, text in self.mapping.defaults.items():
            texts[ours] = texts.get(ours) or text
        for ours in self.format.required:
            if ours not in texts:
                msg = f"{ours} is missing"
                raise InvalidInputError(msg, field=ours)
        return texts

    def column_of(self, ours: str | None) -> str | None:
        """The table's name for a column of ours, where it has one."""
        if ours in NAMES and DISPLAY_NAME in self._theirs:
            ours = DISPLAY_NAME
        if ours is None:
            return None
        return (self._theirs.get(ours) or self.mapping.columns.get(ours, ours)).strip()

    def id_of(self, values: Mapping[str, Any]) -> str:
        """The row's id, as far as it can be read; empty when it cannot."""
        value = values.get(self._theirs.get("id", ""))
        try:
            return text_of(value, "id", is_id=True)
        except InvalidInputError:
            return ""

    def sealed(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row as it stands, its password wrapped."""
        return seal(values, self._passwords) if self._passwords else values


def seal(values: Mapping[str, Any], columns: Collection[str]) -> Mapping[str, Any]:
    """The values with those of some columns wrapped as secrets, as text."""
    return {
        column: Secret(str(value)) if column in columns and value is not None else value
        for column, value in values.items()
    }


def _wanted(format: RowFormat[Any], mapping: ColumnMapping) -> tuple[str, ...]:  # noqa: A002
    if DISPLAY_NAME not in mapping.columns:
        return format.columns
    return (*(name for name in format.columns if name not in NAMES), DISPLAY_NAME)
