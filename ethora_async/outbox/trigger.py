"""The SQL of triggers that write intents without a change to the application."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.outbox.lanes import KINDS, Kind

Dialect = Literal["postgresql", "sqlite"]

_FIELDS: Mapping[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "user": (("id", "email", "first_name", "last_name"), ("profile_image",)),
    "chat": (("id", "title"), ("access", "description")),
    "member": (("chat", "user"), ()),
}
"""The required and the optional fields of each kind."""

_NO_WORD = re.compile(r"\W+")

_IDS = {"user": ("id",), "chat": ("id",), "member": ("chat", "user")}


@attrs.frozen
class Trigger:
    """Triggers on one table that write an intent for each row that changes.

    They see every INSERT, UPDATE and DELETE, including those of other programs, bulk statements and psql, and on
    PostgreSQL TRUNCATE. They do not see existing rows: run ``ethora outbox reconcile`` for those.

    Attributes:
        table: the table, optionally with its schema: ``users`` or ``app.users``.
        kind: the kind of record that a row describes: ``user``, ``chat`` or ``member``.
        columns: field to column. A column's name, or a constant text in single quotes. An unmapped required field is
            the column with its name.
        active: a boolean column that says whether the row is wanted.
        deleted: a column that is NULL or false while the row is wanted, such as ``deleted_at``.

    Raises:
        InvalidInputError: an option cannot be meant.
    """

    table: str
    kind: Kind = "user"
    columns: Mapping[str, str] = attrs.field(factory=dict)
    active: str | None = None
    deleted: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}"
            raise InvalidInputError(msg, field="kind")
        required, optional = _FIELDS[self.kind]
        for field in self.columns:
            if field == "password":
                msg = "a trigger cannot encrypt passwords: leave the password out, or write intents in the application"
                raise InvalidInputError(msg, field="map")
            if field not in (*required, *optional):
                msg = f"a {self.kind} has no field {field!r}: known fields are {', '.join((*required, *optional))}"
                raise InvalidInputError(msg, field="map")
        for field in _IDS[self.kind]:
            if self.columns.get(field, "").startswith("'"):
                msg = f"{field} must be a column: all rows would share the constant"
                raise InvalidInputError(msg, field="map")
        for part in self.table.split("."):
            _quoted(part, "table")
        if self.table.count(".") > 1:
            msg = f"table {self.table!r} has more than a schema and a name"
            raise InvalidInputError(msg, field="table")

    @property
    def name(self) -> str:
        """The name of the functions and triggers."""
        return (
            "ethora_follow_"
            + _NO_WORD.sub("_", self.table).lower()[:40]
            + ("" if self.kind == "user" else f"_{self.kind}")
        )

    def sql(self, dialect: Dialect = "postgresql") -> str:
        """Return the statements that create or replace the triggers."""
        return _postgres(self) if dialect == "postgresql" else _sqlite(self)

    def drop_sql(self, dialect: Dialect = "postgresql") -> str:
        """Return the statements that remove the triggers."""
        lines = _postgres_drop(self) if dialect == "postgresql" else _sqlite_drop(self)
        return "\n".join(lines) + "\n"

    def place(self) -> str:
        """Return the table's name, quoted."""
        return ".".join(_quoted(part, "table") for part in self.table.split("."))

    def column(self, field: str, row: str, cast: str) -> str:
        """Return the SQL text of one field of a row."""
        source = self.columns.get(field, field)
        if source.startswith("'"):
            return "'" + source.strip("'").replace("''", "'").replace("'", "''") + "'"
        return cast.format(f"{row}.{_quoted(source, 'map')}")

    def stated(self) -> list[str]:
        """Return the fields of an intent, without its ids."""
        required, optional = _FIELDS[self.kind]
        mapped = [field for field in optional if field in self.columns]
        return [field for field in (*required, *mapped) if field not in _IDS[self.kind]]

    def ids(self, row: str, cast: str) -> tuple[str, str]:
        """Return the SQL of a row's `key` and `other`."""
        first, *second = (self.column(field, row, cast) for field in _IDS[self.kind])
        return first, second[0] if second else "''"

    def watched(self) -> list[str]:
        """Return the columns whose changes cause an intent."""
        fields = [*_IDS[self.kind], *self.stated()]
        names = [self.columns.get(field, field) for field in fields]
        names += [name for name in (self.active, self.deleted) if name is not None]
        return list(dict.fromkeys(name for name in names if not name.startswith("'")))


def _quoted(name: str, field: str) -> str:
    text = name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name
    if not text or "\x00" in text or not text.isprintable():
        msg = f"{name!r} is not the name of a table or column"
        raise InvalidInputError(msg, field=field)
    return '"' + text.replace('"', '""') + '"'


def _wanted(trigger: Trigger, row: str) -> str:
    conditions = []
    if trigger.active is not None:
        conditions.append(f"coalesce({row}.{_quoted(trigger.active, 'active')}, false)")
    if trigger.deleted is not None:
        conditions.append(
            f"coalesce(to_jsonb({row}.{_quoted(trigger.deleted, 'deleted')}), 'null') IN ('null', 'false')"
        )
    return " AND ".join(conditions) or "true"


def _postgres(trigger: Trigger) -> str:
    """Return statement-level triggers: one INSERT and at most one NOTIFY for each statement."""
    place = trigger.place()
    created = [
        f'CREATE TRIGGER "{trigger.name}_{event.lower()}" {moment} {event} ON {place}'
        f' {tables}FOR EACH STATEMENT EXECUTE FUNCTION "{trigger.name}"();'
        for event, moment, tables in (
            ("INSERT", "AFTER", "REFERENCING NEW TABLE AS new_rows "),
            ("UPDATE", "AFTER", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows "),
            ("DELETE", "AFTER", "REFERENCING OLD TABLE AS old_rows "),
            ("TRUNCATE", "BEFORE", ""),
        )
    ]
    return "\n".join(["BEGIN;", *_postgres_drop(trigger), *_postgres_function(trigger), *created, "COMMIT;", ""])


def _postgres_function(trigger: Trigger) -> list[str]:
    kind, cast = trigger.kind, "{}::text"
    key, other = trigger.ids("new_row", cast)
    old_key, old_other = trigger.ids("old_row", cast)
    fields = ", ".join(f"'{field}', {trigger.column(field, 'new_row', cast)}" for field in trigger.stated())
    body = f"jsonb_strip_nulls(jsonb_build_object({fields}))"
    # The equality of ids first: only an equality can be hashed, and a bulk UPDATE changes many rows.
    ids = [trigger.columns.get(field, field) for field in _IDS[kind]]
    same = " AND ".join(
        f"old_row.{_quoted(name, 'map')} {'=' if name in ids else 'IS NOT DISTINCT FROM'}"
        f" new_row.{_quoted(name, 'map')}"
        for name in trigger.watched()
    )
    still = f"{key} = {old_key} AND {other} = {old_other} AND {_wanted(trigger, 'new_row')}"
    wish = "INSERT INTO ethora_wish (kind, key, other, wanted) SELECT"
    gone = f"{wish} '{kind}', {old_key}, {old_other}, NULL FROM {{}} AS old_row WHERE {_wanted(trigger, 'old_row')}"
    there = f"{wish} '{kind}', {key}, {other}, {body} FROM new_rows AS new_row WHERE {_wanted(trigger, 'new_row')}"
    return [
        f'CREATE FUNCTION "{trigger.name}"() RETURNS trigger LANGUAGE plpgsql AS $ethora$',
        "BEGIN",
        "    IF TG_OP = 'INSERT' THEN",
        f"        {there};",
        "    ELSIF TG_OP = 'DELETE' THEN",
        f"        {gone.format('old_rows')};",
        "    ELSIF TG_OP = 'TRUNCATE' THEN",
        f"        {gone.format(trigger.place())};",
        "    ELSE",
        f"        {gone.format('old_rows')}",
        f"            AND NOT EXISTS (SELECT 1 FROM new_rows AS new_row WHERE {still});",
        f"        {there}",
        f"            AND NOT EXISTS (SELECT 1 FROM old_rows AS old_row WHERE {same});",
        "    END IF;",
        "    RETURN NULL;",
        "END",
        "$ethora$;",
    ]


def _postgres_drop(trigger: Trigger) -> list[str]:
    return [f'DROP FUNCTION IF EXISTS "{trigger.name}"() CASCADE;']


def _sqlite(trigger: Trigger) -> str:
    cast = "CAST({} AS TEXT)"
    conditions = {}
    for row in ("OLD", "NEW"):
        parts = []
        if trigger.active is not None:
            parts.append(f"coalesce({row}.{_quoted(trigger.active, 'active')}, 0)")
        if trigger.deleted is not None:
            parts.append(f"NOT coalesce({row}.{_quoted(trigger.deleted, 'deleted')}, 0)")
        conditions[row] = " AND ".join(parts) or "1"
    fields = ", ".join(f"'{field}', {trigger.column(field, 'NEW', cast)}" for field in trigger.stated())
    key, other = trigger.ids("NEW", cast)
    old_key, old_other = trigger.ids("OLD", cast)
    wish = "INSERT INTO ethora_wish (kind, key, other, wanted) SELECT"
    gone = f"{wish} '{trigger.kind}', {old_key}, {old_other}, NULL WHERE {conditions['OLD']}"
    there = f"{wish} '{trigger.kind}', {key}, {other}, json_object({fields}) WHERE {conditions['NEW']};"
    changed = " OR ".join(f"OLD.{_quoted(name, 'map')} IS NOT NEW.{_quoted(name, 'map')}" for name in trigger.watched())
    left = f"({old_key} <> {key} OR {old_other} <> {other} OR NOT ({conditions['NEW']}))"
    place = trigger.place()
    created = [f'CREATE TRIGGER "{trigger.name}_{event}" AFTER {event.upper()} ON {place}' for event in _EVENTS]
    return "\n".join(
        [
            "BEGIN;",
            *_sqlite_drop(trigger),
            f"{created[0]} BEGIN {there} END;",
            f"{created[1]} WHEN {changed} BEGIN {gone} AND {left}; {there} END;",
            f"{created[2]} BEGIN {gone}; END;",
            "COMMIT;",
            "",
        ]
    )


_EVENTS = ("insert", "update", "delete")


def _sqlite_drop(trigger: Trigger) -> list[str]:
    return [f'DROP TRIGGER IF EXISTS "{trigger.name}_{event}";' for event in _EVENTS]


__all__ = ["Dialect", "Trigger"]
