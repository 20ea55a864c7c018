"""The SQL of triggers that write intents without a change to the application."""

from __future__ import annotations

import hashlib
import json
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

_NO_WORD = re.compile(r"\W+", re.ASCII)
_CONSTANT = re.compile(r"'(?:[^']|'')*'")
_NAME = r'(?:"(?:[^"]|"")+"(?=\.|$)|[^.]+)'
_ONE_NAME = re.compile(_NAME)
_NAMES = re.compile(rf"{_NAME}(?:\.{_NAME})*")

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
        for field, column in self.columns.items():
            if column.startswith("'") and not _CONSTANT.fullmatch(column):
                msg = f"{field}={column}: write a constant in single quotes, and a quote inside it twice: 'O''Lee'"
                raise InvalidInputError(msg, field="map")
        for field in _IDS[self.kind]:
            if self.columns.get(field, "").startswith("'"):
                msg = f"{field} must be a column: all rows would share the constant"
                raise InvalidInputError(msg, field="map")
        if len(self._names()) > 2:
            msg = f"table {self.table!r} has more than a schema and a name"
            raise InvalidInputError(msg, field="table")

    @property
    def name(self) -> str:
        """The name of the functions and triggers, which no other table or kind shares."""
        names = self._names()
        readable = _NO_WORD.sub("_", ".".join(names)).lower()[:24]
        if [readable] != names:  # another table may have the same readable name
            readable += "_" + hashlib.sha256(json.dumps(names).encode()).hexdigest()[:8]
        return f"ethora_follow_{self.kind}_{readable}"

    def _names(self) -> list[str]:
        """Return the schema, if there is one, and the table; a quoted name may contain dots."""
        if not _NAMES.fullmatch(self.table):
            msg = f"{self.table!r} is not the name of a table"
            raise InvalidInputError(msg, field="table")
        return [_unquoted(name, "table") for name in _ONE_NAME.findall(self.table)]

    def sql(self, dialect: Dialect = "postgresql") -> str:
        """Return the statements that create or replace the triggers."""
        return _postgres(self) if dialect == "postgresql" else _sqlite(self)

    def drop_sql(self, dialect: Dialect = "postgresql") -> str:
        """Return the statements that remove the triggers."""
        lines = _postgres_drop(self) if dialect == "postgresql" else _sqlite_drop(self)
        return "\n".join(lines) + "\n"

    def place(self) -> str:
        """Return the table's name, quoted."""
        return ".".join(_quoted_text(name) for name in self._names())

    def column(self, field: str, row: str, cast: str) -> str:
        """Return the SQL text of one field of a row."""
        source = self.columns.get(field, field)
        if source.startswith("'"):
            return source
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
        """Return the columns of the fields whose changes cause an intent, without those of the ids."""
        names = [self.columns.get(field, field) for field in self.stated()]
        return list(dict.fromkeys(name for name in names if not name.startswith("'")))


def _unquoted(name: str, field: str) -> str:
    text = name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name
    if not text or "\x00" in text or not text.isprintable():
        msg = f"{name!r} is not the name of a table or column"
        raise InvalidInputError(msg, field=field)
    return text


def _quoted_text(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted(name: str, field: str) -> str:
    return _quoted_text(_unquoted(name, field))


def _present(trigger: Trigger, row: str) -> list[str]:
    """Return the conditions that a row has ids: a membership of nobody is none."""
    columns = [_quoted(trigger.columns.get(field, field), "map") for field in _IDS[trigger.kind]]
    return [f"{row}.{column} IS NOT NULL" for column in columns]


def _wanted(trigger: Trigger, row: str) -> str:
    conditions = _present(trigger, row)
    if trigger.active is not None:
        conditions.append(f"coalesce({row}.{_quoted(trigger.active, 'active')}, false)")
    if trigger.deleted is not None:
        conditions.append(
            f"coalesce(to_jsonb({row}.{_quoted(trigger.deleted, 'deleted')}), 'null') IN ('null', 'false')"
        )
    return " AND ".join(conditions)


# Values are compared as the platform would see them, byte by byte: the equality of their own type may ignore letter
# case (citext), or be missing (json).
_POSTGRES_TEXT = '{}::text COLLATE "C"'


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
    return "\n".join(["BEGIN;", *_postgres_drop(trigger), *_postgres_functions(trigger), *created, "COMMIT;", ""])


def _postgres_functions(trigger: Trigger) -> list[str]:
    key, other = trigger.ids("new_row", _POSTGRES_TEXT)
    old_key, old_other = trigger.ids("old_row", _POSTGRES_TEXT)
    fields = ", ".join(f"'{field}', {trigger.column(field, 'new_row', '{}::text')}" for field in trigger.stated())
    body = f"jsonb_strip_nulls(jsonb_build_object({fields}))"
    wanted, was_wanted = _wanted(trigger, "new_row"), _wanted(trigger, "old_row")
    # The equality of ids first: only an equality can be hashed, and a bulk UPDATE changes many rows.
    same_id = f"{key} = {old_key}" + (f" AND {other} = {old_other}" if trigger.kind == "member" else "")
    same = f"{same_id} AND ({was_wanted}) = ({wanted})"
    for name in trigger.watched():
        old, new = (_POSTGRES_TEXT.format(f"{row}.{_quoted(name, 'map')}") for row in ("old_row", "new_row"))
        same += f" AND {old} IS NOT DISTINCT FROM {new}"
    wish = "INSERT INTO ethora_wish (kind, key, other, wanted) SELECT"
    gone = f"{wish} '{trigger.kind}', {old_key}, {old_other}, NULL FROM {{}} AS old_row WHERE {was_wanted}"
    there = f"{wish} '{trigger.kind}', {key}, {other}, {body} FROM new_rows AS new_row WHERE {wanted}"
    lines = [
        "BEGIN",
        f"    IF TG_OP = 'INSERT' THEN {there};",
        f"    ELSIF TG_OP = 'DELETE' THEN {gone.format('old_rows')};",
        f"    ELSIF TG_OP = 'TRUNCATE' THEN {gone.format(trigger.place())};",
        "    ELSE",
        f"        {gone.format('old_rows')}",
        f"            AND NOT EXISTS (SELECT 1 FROM new_rows AS new_row WHERE {same_id} AND {wanted});",
        f"        {there}",
        f"            AND NOT EXISTS (SELECT 1 FROM old_rows AS old_row WHERE {same});",
        "    END IF;",
        "    RETURN NULL;",
        "END",
    ]
    tag = _unused_tag("\n".join(lines))
    return [
        # PL/pgSQL looks names up when a statement runs. A wrong column must be found here, not by the application.
        f"DO {tag} BEGIN",
        f"    PERFORM {key}, {other}, {body} FROM {trigger.place()} AS new_row WHERE {wanted} LIMIT 0;",
        "    PERFORM kind, key, other, wanted FROM ethora_wish LIMIT 0;",
        f"END {tag};",
        # The application's search path need not contain the outbox's schema.
        f'CREATE FUNCTION "{trigger.name}"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS {tag}',
        *lines,
        f"{tag};",
    ]


def _unused_tag(text: str) -> str:
    """Return a quote that is not part of a text, which names and constants of the caller may contain."""
    tag, number = "$ethora$", 0
    while tag in text:
        number += 1
        tag = f"$ethora{number}$"
    return tag


def _postgres_drop(trigger: Trigger) -> list[str]:
    return [f'DROP FUNCTION IF EXISTS "{trigger.name}"() CASCADE;']


def _sqlite(trigger: Trigger) -> str:
    cast = "CAST({} AS TEXT)"
    conditions = {}
    for row in ("OLD", "NEW"):
        parts = _present(trigger, row)
        if trigger.active is not None:
            parts.append(f"coalesce({row}.{_quoted(trigger.active, 'active')}, 0)")
        if trigger.deleted is not None:
            deleted = f"{row}.{_quoted(trigger.deleted, 'deleted')}"
            parts.append(f"({deleted} IS NULL OR {deleted} = 0)")
        conditions[row] = " AND ".join(parts)
    fields = ", ".join(f"'{field}', {trigger.column(field, 'NEW', cast)}" for field in trigger.stated())
    key, other = trigger.ids("NEW", cast)
    old_key, old_other = trigger.ids("OLD", cast)
    wish = "INSERT INTO ethora_wish (kind, key, other, wanted) SELECT"
    gone = f"{wish} '{trigger.kind}', {old_key}, {old_other}, NULL WHERE {conditions['OLD']}"
    there = f"{wish} '{trigger.kind}', {key}, {other}, json_object({fields}) WHERE {conditions['NEW']};"
    # A column's own collation may ignore letter case, which the platform would not.
    exact = "{} COLLATE BINARY IS NOT {}"
    other_id = f"({exact.format(old_key, key)} OR {exact.format(old_other, other)})"
    changed = " OR ".join(
        [other_id, f"({conditions['OLD']}) <> ({conditions['NEW']})"]
        + [exact.format(f"OLD.{_quoted(name, 'map')}", f"NEW.{_quoted(name, 'map')}") for name in trigger.watched()]
    )
    left = f"({other_id} OR NOT ({conditions['NEW']}))"
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
