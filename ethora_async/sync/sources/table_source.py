"""Sources from tables: rows are read and checked, and every error names its position."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from unicodedata import category

import attrs

from ethora_async._distinct import Distinct
from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.binding import PASSWORD, Binding, seal
from ethora_async.sync.sources.checked_text import SUSPICIOUS
from ethora_async.sync.sources.fingerprint import RowDigest
from ethora_async.sync.sources.formats import RowFormat
from ethora_async.sync.sources.mapping import ColumnMapping
from ethora_async.sync.sources.plain_users import PlainUsers
from ethora_async.sync.sources.source import BadRow, Row
from ethora_async.sync.sources.table import RawBlock, RawRow, Table, reading
from ethora_async.sync.sources.template import PARTS
from ethora_async.sync.sources.where import Condition
from ethora_async.wording import counted
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

ROWS_AT_ONCE = 500
"""Rows read at once, in a thread: a file may be on a slow disk, a database far away."""

_PLACE_BITS = 40


@attrs.define
class TableSource(Generic[T]):
    """Users, chats or members in one or several files, or in a database; created by `open_source`.

    Attributes:
        name: the name in messages, without a database's password.
        format: the kind of rows.
        files: the names of its parts, in the order in which they are read.
        columns: the columns' original names, from all parts; None when every row has its own.
        fields: the fields that a column, a template or a default may fill, as far as the first row tells.
        unused: the columns that nothing is read from; if every row has its own columns, those of the first row.
        notes: how parts with an unusual format are read: their delimiter, encoding, sheet.
    """

    name: str
    format: RowFormat[T]
    mapping: ColumnMapping = attrs.field(repr=False)
    columns: tuple[str, ...] | None
    fields: frozenset[str]
    unused: tuple[str, ...]
    _tables: tuple[Table, ...] = attrs.field(repr=False)
    _bindings: tuple[Binding[T] | None, ...] = attrs.field(repr=False)
    notes: tuple[str, ...] = ()
    _where: tuple[Condition, ...] = ()
    _on_warning: Callable[[str], None] | None = attrs.field(default=None, repr=False)
    _on_selected: Callable[[str], None] | None = attrs.field(default=None, repr=False)
    _warned: set[tuple[str, str]] = attrs.field(factory=set, repr=False)

    @classmethod
    async def of(
        cls,
        name: str,
        tables: Sequence[Table],
        format: RowFormat[T],  # noqa: A002
        mapping: ColumnMapping,
        *,
        where: Sequence[Condition] = (),
        on_warning: Callable[[str], None] | None = None,
        on_selected: Callable[[str], None] | None = None,
    ) -> Self:
        """Check that every table can be read and has the columns, before any row is processed.

        Args:
            name: The source's name in messages.
            tables: Its parts.
            format: The kind of rows.
            mapping: The columns' names in the tables.
            where: Conditions that rows must satisfy; other rows are left out.
            on_warning: Called for values that look like a tool's placeholder for a missing value, once for each column
                and value; and when no row satisfies the conditions.
            on_selected: Called after the first reading with the number of rows that satisfy the conditions.

        Raises:
            InvalidInputError: A table cannot be read, or lacks a column.
        """
        mapping.check(format)
        bindings: list[Binding[T] | None] = []
        fields: frozenset[str] = frozenset()
        unused: dict[str, None] = {}
        headers: list[tuple[str, ...] | None] = []
        notes: list[str] = []
        for table in tables:
            async with reading(table) as opened:
                header = await opened.columns()
                first = await opened.read(1) if header is None else []
                notes += await opened.notes()
            headers.append(header)
            bindings.append(None if header is None else _bound(table, header, format, mapping, where))
            if (bound := bindings[-1]) is not None:
                _check_conditions(table, bound, header or ())
            seen = bindings[-1] or _binding_of(first, format, mapping, where)
            if header is None and seen is not None:
                notes += _notes_on(seen, first[0], table)
            if seen is not None:
                fields |= seen.fields
                unused |= dict.fromkeys(seen.unused)
        return cls(
            name, format, mapping, _union(headers), fields, tuple(unused), tuple(tables), tuple(bindings),
            tuple(notes), tuple(where), on_warning, on_selected,
        )  # fmt: skip

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its parts, in the order in which they are read."""
        return tuple(table.name for table in self._tables)

    async def fingerprint(self) -> str:
        """Return a text that changes whenever the rows do; `RowDigest` explains how passwords count without being
        revealed.

        It is the same for a copy of the files elsewhere.

        Raises:
            InvalidInputError: the rows can no longer be read.
        """
        digest = RowDigest()
        async with aclosing(self.chunks(digest)) as chunks:
            async for _ in chunks:
                pass
        return await run_blocking(digest.text)

    async def rows(self) -> AsyncGenerator[Row[T] | BadRow, None]:
        """Yield every row, valid or not, in order. Blank lines are skipped. Memory use does not grow with the source.

        Raises:
            InvalidInputError: the rows can no longer be read; the message names the last one that was read.
        """
        async with aclosing(self.chunks()) as chunks:
            async for rows in chunks:
                for row in rows:
                    yield row

    async def chunks(self, digest: RowDigest | None = None) -> AsyncGenerator[Sequence[Row[T] | BadRow], None]:
        """Yield the rows as `rows` does, many at once.

        Args:
            digest: every row is added to it; its text is then the fingerprint of exactly these rows.

        Raises:
            InvalidInputError: as `rows`.
        """
        selected = rows = 0
        async with Distinct() as seen:
            for number, (table, binding) in enumerate(zip(self._tables, self._bindings, strict=True)):
                binder = _Binder(self.format, self.mapping, binding, self._where)
                async with reading(table) as opened:
                    while raws := await opened.read(ROWS_AT_ONCE):
                        if (plain := self._plain(raws, table, number, binding, digest)) is not None:
                            yield await self._without_repeats(plain, number, seen)
                            continue
                        read = [self._row(raw, table, number, binder, digest) for raw in raws]
                        if self._where:
                            usable = [row for raw, row in zip(raws, read, strict=True) if raw.problem is None]
                            rows, selected = rows + len(usable), selected + len(usable) - usable.count(None)
                        yield await self._without_repeats([row for row in read if row is not None], number, seen)

        self._tell_selected(selected, rows)

    def _tell_selected(self, selected: int, rows: int) -> None:
        """Report once how many rows the conditions select."""
        tell = self._on_selected if selected else self._on_warning
        if not self._where or not rows or tell is None or ("", "where") in self._warned:
            return
        self._warned.add(("", "where"))
        conditions = " and ".join(condition.text.strip() for condition in self._where)
        found = f"{selected:,}" if selected else "none"
        tell(f"{self.name}: {found} of {counted(rows, 'row satisfies', 'rows satisfy')} {conditions}")

    def _plain(
        self,
        raws: Sequence[RawRow],
        table: Table,
        number: int,
        binding: Binding[T] | None,
        digest: RowDigest | None,
    ) -> PlainUsers[T] | None:
        """Return rows of users that need no closer look, as most do; None for any other.

        `_row` gives the same, row by row.
        """
        check = self.format.plain
        if not isinstance(raws, RawBlock) or check is None or binding is None or not table.ordered:
            return None
        columns = binding.plain_columns(raws)
        if columns is None or not check(columns):
            return None
        if self._on_warning is not None and not all(map(SUSPICIOUS.isdisjoint, columns.values())):
            return None
        users = PlainUsers(raws, columns, table.name, binding)
        if digest is not None:
            digest.add_encoded(users.encoded, _place(number, raws.first))
        return users

    def _row(
        self, raw: RawRow, table: Table, number: int, binder: _Binder[T], digest: RowDigest | None
    ) -> Row[T] | BadRow | None:
        """Return the row, valid or not; None when a condition excludes it."""
        binding, problem, field = None, raw.problem, None
        texts: Mapping[str, str] | None = None
        place = _place(number, raw.line) if table.ordered else None
        try:
            binding = binder.of(raw)
            if problem is None:
                if binding.selects and not binding.taken(raw.values):
                    return None
                texts = binding.texts(raw.values)
                if digest is not None:
                    digest.add(texts, place)
                if self._on_warning is not None and not SUSPICIOUS.isdisjoint(texts.values()):
                    self._warn(raw, table, texts)
                item, values = binding.format.make(texts), binding.sealed(raw.values)
                return Row(item, raw.line, table.name, values, binding.column_of)
        except InvalidInputError as error:
            problem = error.message if binding is not None else f"the row {error.message}"
            field = error.field
        if digest is not None and texts is None:
            fields = (f"{name}={value!r}" for name, value in raw.values.items())
            digest.add_unreadable((*(part.reveal() for part in raw.broken), *fields), place)
        column = field if binding is None else binding.column_of(field)
        complaint = InvalidInputError(problem or "", field=field, file=table.name, row=raw.line, column=column)
        if binding is None:
            # Any of them might be the password.
            return BadRow("", complaint, seal(raw.values, raw.values))
        values = {} if raw.problem is not None else binding.sealed(raw.values)
        return BadRow(binding.id_of(raw.values), complaint, values, raw.broken)

    def _warn(self, raw: RawRow, table: Table, texts: Mapping[str, str]) -> None:
        for ours, text in texts.items():
            if text in SUSPICIOUS and ours != PASSWORD and (ours, text) not in self._warned:
                self._warned.add((ours, text))
                if self._on_warning is not None:
                    place = f"{table.name} {table.counted} {raw.line}"
                    self._on_warning(f"{place}: {ours} is {text!r}; if this means no value, empty the cell")

    async def _without_repeats(
        self, rows: Sequence[Row[T] | BadRow], number: int, seen: Distinct
    ) -> Sequence[Row[T] | BadRow]:
        key = self.format.key
        if key is None:
            return rows
        if isinstance(rows, PlainUsers):
            good = list(zip(rows.ids, itertools.count(_place(number, rows.lines.start)), strict=False))
        else:
            good = [(key(row.item), _place(number, row.line)) for row in rows if isinstance(row, Row)]
        places = await seen.add(good)
        if places.count(None) == len(places):
            return rows
        earlier = iter(places)
        return [
            self._repeat(row, key(row.item), number, first)
            if isinstance(row, Row) and (first := next(earlier)) is not None
            else row
            for row in rows
        ]

    def _repeat(self, row: Row[T], id: str, number: int, first: int) -> BadRow:
        part, line = divmod(first, 1 << _PLACE_BITS)
        table = self._tables[part]
        where = f"on {table.counted} {line}" if part == number else f"in {table.name}, {table.counted} {line}"
        reason = f"id {id!r} was already used {where}"
        binding = self._bindings[number]
        column = binding.column_of("id") if binding is not None else self.mapping.columns.get("id", "id")
        return BadRow(id, InvalidInputError(reason, field="id", file=row.file, row=row.line, column=column), row.raw)


class _Binder(Generic[T]):
    """Returns the binding for each row: the table's, or the row's own if every row has its own columns."""

    def __init__(
        self,
        format: RowFormat[T],  # noqa: A002
        mapping: ColumnMapping,
        binding: Binding[T] | None,
        where: Sequence[Condition],
    ) -> None:
        self._format = format
        self._mapping = mapping
        self._where = where
        self._fixed = binding
        self._last: tuple[tuple[str, ...], Binding[T]] | None = None

    def of(self, raw: RawRow) -> Binding[T]:
        """Return the binding for a row.

        Raises:
            InvalidInputError: two of the row's columns have the same name.
        """
        if self._fixed is not None:
            return self._fixed
        columns = tuple(raw.values)
        # Most rows have the same columns as the row before.
        if self._last is None or self._last[0] != columns:
            self._last = (columns, Binding.of(columns, self._format, self._mapping, self._where))
        return self._last[1]


def _bound(
    table: Table,
    header: tuple[str, ...],
    format: RowFormat[T],  # noqa: A002
    mapping: ColumnMapping,
    where: Sequence[Condition],
) -> Binding[T]:
    try:
        binding = Binding.of(header, format, mapping, where, nested=table.nested)
    except InvalidInputError as error:
        msg = f"{table.name} {error.message}"
        raise InvalidInputError(msg, file=table.name, row=1, column=error.column) from None
    _check_parts(table, binding, {})
    missing = binding.missing()
    if missing is not None:
        raise _lacking(table, header, missing, format, mapping)
    return binding


def _check_parts(table: Table, binding: Binding[Any], values: Mapping[str, Any]) -> None:
    if (wrong := binding.wrong_part(values)) is not None:
        name, ours = wrong
        base, _, part = name.rpartition(".")
        msg = f"{table.name}: {ours} is made of {{{name}}}, but {base} is a text without a part {part}: its parts are"
        msg = f"{msg} {', '.join(PARTS)}"
        raise InvalidInputError(msg, field="mapping", file=table.name, column=ours)


def _notes_on(binding: Binding[Any], first: RawRow, table: Table) -> Iterator[str]:
    """Yield what the first row lacks, in a table whose rows have columns of their own.

    Raises:
        InvalidInputError: A template names an unknown part of a text.
    """
    if first.problem is None:
        _check_parts(table, binding, first.values)
    lacking = binding.missing_condition()
    if lacking is not None:
        yield f"{table.name}: its first row has no {lacking.column}, which --where is about: is that its name?"
    if first.problem is None:
        for ours, theirs in binding.unfound(first.values):
            yield f"{table.name}: its first row has no {theirs}, to which {ours} is mapped: is that its name?"


def _lacking(
    table: Table,
    header: tuple[str, ...],
    missing: str,
    format: RowFormat[Any],  # noqa: A002
    mapping: ColumnMapping,
) -> InvalidInputError:
    ours = next((ours for ours, theirs in mapping.columns.items() if theirs == missing), None)
    has = ", ".join(name.strip() for name in header if name.strip())
    if derived := mapping.user_of(missing):
        msg = f"{table.name} lacks the column {missing}, which {derived} is made of: it has {has}"
    elif ours is not None:
        msg = f"{table.name} lacks the column {missing}, to which {ours} is mapped: it has {has}"
    elif table.counted == "line":
        msg = f"{table.name} lacks the column {missing}: its header (line 1) must hold {', '.join(format.required)}"
    else:
        msg = f"{table.name} lacks the column {missing}: it must have {', '.join(format.required)}"
    if hidden := next((name for name in header if any(category(one) == "Cf" for one in name)), None):
        msg += f"; its column {hidden!r} holds an invisible character"
    return InvalidInputError(msg, file=table.name, row=1, column=missing)


def _check_conditions(table: Table, binding: Binding[Any], header: tuple[str, ...]) -> None:
    condition = binding.missing_condition()
    if condition is not None:
        has = ", ".join(name.strip() for name in header if name.strip())
        msg = f"{table.name} has no column {condition.column}, which --where {condition.text!r} is about: it has {has}"
        raise InvalidInputError(msg, field="where", file=table.name, column=condition.column)


def _binding_of(
    rows: Sequence[RawRow],
    format: RowFormat[T],  # noqa: A002
    mapping: ColumnMapping,
    where: Sequence[Condition],
) -> Binding[T] | None:
    for raw in rows:
        # A first row with repeated columns is an invalid row, reported when it is read.
        with suppress(InvalidInputError):
            return Binding.of(tuple(raw.values), format, mapping, where)
    return None


def _union(headers: Iterable[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    names: dict[str, None] = {}
    for header in headers:
        if header is None:
            return None
        names |= dict.fromkeys(name for name in header if name.strip())
    return tuple(names)


def _place(number: int, line: int) -> int:
    return (number << _PLACE_BITS) | line
