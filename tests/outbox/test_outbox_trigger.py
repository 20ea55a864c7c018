"""Triggers see every change of a table, from any program."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from outbox_helpers import intents

from ethora_async import InvalidInputError
from ethora_async.outbox import Trigger
from ethora_async.outbox.postgres import schema as postgres_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.outbox.lanes import Store

PEOPLE = Trigger(
    "person",
    columns={"id": "number", "email": 'E "mail"', "first_name": "name", "last_name": "'O''Lee'"},
    deleted="left_at",
)
TABLE = 'CREATE TABLE person (number bigint PRIMARY KEY, "E ""mail""" text, name text, left_at text, colour text)'


def dialect_of(store: Any) -> Any:
    return "postgresql" if hasattr(store, "_server") else "sqlite"


def run(store: Any, *statements: str) -> None:
    """Statements of a program that knows nothing of the outbox."""
    if dialect_of(store) == "postgresql":
        with psycopg.connect(store._server.url.reveal(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return
    with closing(sqlite3.connect(store._path, timeout=10)) as file, file:
        for statement in statements:
            file.executescript(statement)


async def seen(store: Any) -> list[tuple[Any, ...]]:
    """What was written since the last look."""
    found = [(kind, key, other, wanted) for kind, key, other, wanted, _ in await intents(store)]
    run(store, "DELETE FROM ethora_wish")
    return found


def person(email: str | None, name: str) -> dict[str, str | None]:
    return {"email": email, "first_name": name, "last_name": "O'Lee"}


@pytest.fixture
def people(store: Any) -> Store:
    run(store, TABLE, PEOPLE.sql(dialect_of(store)))
    return store


def rows(*values: tuple[int, str, str]) -> str:
    listed = ", ".join(f"({number}, '{email}', '{name}')" for number, email, name in values)
    return f'INSERT INTO person (number, "E ""mail""", name) VALUES {listed}'


async def test_rows_that_come_change_and_go_are_seen(people: Any) -> None:
    run(people, rows((1, "a@b.cd", "Ann"), (2, "b@b.cd", "Bob")))
    assert await seen(people) == [
        ("user", "1", "", person("a@b.cd", "Ann")),
        ("user", "2", "", person("b@b.cd", "Bob")),
    ]
    run(people, "UPDATE person SET name = upper(name)")
    assert sorted(await seen(people), key=str) == [
        ("user", "1", "", person("a@b.cd", "ANN")),
        ("user", "2", "", person("b@b.cd", "BOB")),
    ]
    run(people, "DELETE FROM person WHERE number = 2")
    assert await seen(people) == [("user", "2", "", None)]


async def test_what_no_field_is_made_of_may_change_unseen(people: Any) -> None:
    run(people, rows((1, "a@b.cd", "Ann")))
    await seen(people)
    run(people, "UPDATE person SET colour = 'red'", "UPDATE person SET name = 'Ann'")
    assert await seen(people) == []


async def test_another_id_is_somebody_else(people: Any) -> None:
    run(people, rows((1, "a@b.cd", "Ann")))
    await seen(people)
    run(people, "UPDATE person SET number = 9")
    assert await seen(people) == [("user", "1", "", None), ("user", "9", "", person("a@b.cd", "Ann"))]


async def test_a_row_marked_as_deleted_is_wanted_no_more(people: Any) -> None:
    run(people, rows((1, "a@b.cd", "Ann")))
    await seen(people)
    run(people, "UPDATE person SET left_at = '2026-01-01'")
    assert await seen(people) == [("user", "1", "", None)]
    run(people, "UPDATE person SET name = 'Anna'", "DELETE FROM person", rows((1, "a@b.cd", "Ann")))
    assert await seen(people) == [("user", "1", "", person("a@b.cd", "Ann"))]


async def test_a_trigger_is_made_anew_and_removed(people: Any) -> None:
    run(people, PEOPLE.sql(dialect_of(people)), rows((1, "a@b.cd", "Ann")))
    assert len(await seen(people)) == 1
    run(people, PEOPLE.drop_sql(dialect_of(people)), "DELETE FROM person")
    assert await seen(people) == []


async def test_truncate_is_seen(people: Any) -> None:
    if dialect_of(people) == "sqlite":
        return  # it has no TRUNCATE
    run(people, rows((1, "a@b.cd", "Ann"), (2, "b@b.cd", "Bob")))
    await seen(people)
    run(people, "TRUNCATE person")
    assert sorted(key for _, key, _, wanted in await seen(people) if wanted is None) == ["1", "2"]


async def test_memberships_and_chats(store: Any) -> None:
    members = Trigger("seat", kind="member", columns={"chat": "room", "user": "person"}, active="taken")
    rooms = Trigger("room", kind="chat", columns={"description": "topic"})
    boolean = "boolean" if dialect_of(store) == "postgresql" else "integer"
    true = "true" if dialect_of(store) == "postgresql" else "1"
    run(
        store,
        f"CREATE TABLE seat (room text, person integer, taken {boolean})",
        "CREATE TABLE room (id integer, title text, topic text)",
        members.sql(dialect_of(store)),
        rooms.sql(dialect_of(store)),
        "INSERT INTO room VALUES (7, 'Seven', 'x')",
        f"INSERT INTO seat VALUES ('7', 1, {true}), ('7', 2, NULL)",
        "DELETE FROM seat",
    )
    assert await seen(store) == [
        ("chat", "7", "", {"title": "Seven", "description": "x"}),
        ("member", "7", "1", {}),
        ("member", "7", "1", None),
    ]
    run(store, "DROP TABLE seat", "DROP TABLE room")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"columns": {"password": "secret"}}, "map"),
        ({"columns": {"colour": "x"}}, "map"),
        ({"columns": {"id": "'constant'"}}, "map"),
        ({"columns": {"last_name": "'"}}, "map"),
        ({"columns": {"last_name": "'O'Lee'"}}, "map"),
        ({"table": "a."}, "table"),
        ({"table": "a.b.c"}, "table"),
        ({"table": ""}, "table"),
        ({"kind": "animal"}, "kind"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Trigger(**{"table": "person", **options})
    assert caught.value.field == field


@pytest.mark.parametrize("name", ['x"; DROP TABLE person; --', "x'y", "ünï", "select"])
async def test_names_are_taken_literally(store: Any, name: str) -> None:
    trigger = Trigger(name, columns={"id": name})
    quoted = '"' + name.replace('"', '""') + '"'
    columns: Sequence[str] = [f"{quoted} text", "email text", "first_name text", "last_name text"]
    run(
        store,
        f"CREATE TABLE {quoted} ({', '.join(columns)})",
        trigger.sql(dialect_of(store)),
        f"INSERT INTO {quoted} VALUES ('1', 'a@b.cd', 'A', 'B')",
        f"DROP TABLE {quoted}",
    )
    assert [row[:2] for row in await seen(store)] == [("user", "1")]


async def test_a_change_of_letter_case_is_a_change(store: Any) -> None:
    """The equality of citext, and of a NOCASE column, ignores letter case; json has no equality at all."""
    postgres = dialect_of(store) == "postgresql"
    text, document = ("citext", "json") if postgres else ("text COLLATE NOCASE", "text")
    if postgres:
        run(store, "CREATE EXTENSION IF NOT EXISTS citext")
    trigger = Trigger("person", columns={"profile_image": "picture"})
    run(
        store,
        f"CREATE TABLE person (id {text} PRIMARY KEY, email {text}, first_name text, last_name text,"
        f" picture {document})",
        trigger.sql(dialect_of(store)),
        "INSERT INTO person VALUES ('Ann', 'a@b.cd', 'Ann', 'Lee', '{}')",
    )
    await seen(store)
    there = {"email": "A@b.cd", "first_name": "Ann", "last_name": "Lee", "profile_image": "{}"}
    run(store, "UPDATE person SET email = 'A@b.cd'")
    assert await seen(store) == [("user", "Ann", "", there)]
    run(store, "UPDATE person SET id = 'ann'")
    assert await seen(store) == [("user", "Ann", "", None), ("user", "ann", "", there)]


async def test_a_row_without_an_id_stops_no_statement(store: Any) -> None:
    trigger = Trigger("seat", kind="member", columns={"chat": "room", "user": "person"})
    run(store, "CREATE TABLE seat (room text, person integer)", trigger.sql(dialect_of(store)))
    run(store, "INSERT INTO seat VALUES ('7', NULL), (NULL, 1), ('7', 2)")
    assert await seen(store) == [("member", "7", "2", {})]
    run(store, "UPDATE seat SET person = NULL WHERE person = 2")
    assert await seen(store) == [("member", "7", "2", None)]
    run(store, "UPDATE seat SET person = 3 WHERE room IS NULL", "DELETE FROM seat", "DROP TABLE seat")
    assert await seen(store) == []


def test_no_two_tables_share_a_trigger() -> None:
    triggers = [
        *map(Trigger, ("seat", "Seat", "s.seat", "s_seat", '"s.seat"', "seat_member", "ä", "ö", "x" * 60, "x" * 61)),
        Trigger("seat", kind="member", columns={"chat": "a", "user": "b"}),
        Trigger("seat", kind="chat"),
    ]
    names = [trigger.name for trigger in triggers]
    assert len({*names}) == len(names)
    longest = max(len(f"{name}_truncate".encode()) for name in names)
    assert longest <= 63, "PostgreSQL would cut it"
    assert Trigger('"seat"').name == Trigger("seat").name


async def test_a_quoted_name_may_contain_a_dot(store: Any) -> None:
    name = '"odd.table"' if dialect_of(store) == "sqlite" else 'public."odd.table"'
    run(
        store,
        f"CREATE TABLE {name} (id text, email text, first_name text, last_name text)",
        Trigger(name).sql(dialect_of(store)),
        f"INSERT INTO {name} VALUES ('1', 'a@b.cd', 'A', 'B')",
        f"DROP TABLE {name}",
    )
    assert [row[:2] for row in await seen(store)] == [("user", "1")]


async def test_a_wrong_column_is_found_before_the_application_meets_it(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(TABLE.encode())
        for statement in postgres_schema.CREATE:
            connection.execute(statement.encode())
        connection.execute(PEOPLE.sql().encode())
        wrong = Trigger("person", columns={**PEOPLE.columns, "first_name": "nmae"})
        with pytest.raises(psycopg.errors.UndefinedColumn, match="nmae"):
            connection.execute(wrong.sql().encode())
        connection.execute("ROLLBACK")
        connection.execute(rows((1, "a@b.cd", "Ann")).encode())
        assert connection.execute("SELECT count(*) FROM ethora_wish").fetchone() == (1,), "the old trigger is there"


async def test_the_application_may_have_another_search_path(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.person (id int, email text, first_name text, last_name text)")
        for statement in postgres_schema.CREATE:
            connection.execute(statement.encode())
        trigger = Trigger("shop.person", columns={"last_name": "'$ethora$'"})
        connection.execute(trigger.sql().encode())
        connection.execute("SET search_path TO shop")
        connection.execute("INSERT INTO person VALUES (1, 'a@b.cd', 'Ann', 'Lee')")
        found = connection.execute("SELECT key, wanted ->> 'last_name' FROM public.ethora_wish").fetchall()
        assert found == [("1", "$ethora$")]
        connection.execute("DROP SCHEMA shop CASCADE")
