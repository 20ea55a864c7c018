"""One contract for every adapter: an intent is part of the application's own transaction."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import psycopg
import pytest
from outbox_helpers import Stop, intents
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ethora_async import ConfigError, InvalidInputError, MongoId, NewChat, NewUser, outbox
from ethora_async.outbox import PasswordSeal
from ethora_async.outbox.postgres import schema as postgres_schema
from ethora_async.outbox.sqlite import schema

if TYPE_CHECKING:
    from outbox_helpers import Database


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[str] = mapped_column(primary_key=True)


ANN = NewUser(id="ann", email="ann@example.com", first_name="Ann", last_name="O'Lee %s :x \\ \N{SNOWMAN}")
WANTED_ANN = {"email": "ann@example.com", "first_name": "Ann", "last_name": "O'Lee %s :x \\ \N{SNOWMAN}"}


async def test_intents_commit_with_the_transaction_in_their_order(database: Database) -> None:
    async with database.transaction() as connection:
        await outbox.want_user(connection, ANN, traceparent="00-ab-cd-01")
        await outbox.want_no_user(connection, 7)
        await outbox.want_chat(connection, NewChat(id="c", title="T", members=["ann", "bob"]))
        await outbox.want_member(connection, "c", UUID(int=1))
        await outbox.want_no_member(connection, "c", "bob")
        await outbox.want_no_chat(connection, "d")
    assert await intents(database.store) == [
        ("user", "ann", "", WANTED_ANN, "00-ab-cd-01"),
        ("user", "7", "", None, None),
        ("chat", "c", "", {"title": "T", "access": "private"}, None),
        ("member", "c", "ann", {}, None),
        ("member", "c", "bob", {}, None),
        ("member", "c", str(UUID(int=1)), {}, None),
        ("member", "c", "bob", None, None),
        ("chat", "d", "", None, None),
    ]


async def test_intents_vanish_with_the_transaction(database: Database) -> None:
    with pytest.raises(Stop):  # noqa: PT012
        async with database.transaction() as connection:
            await outbox.want_user(connection, ANN)
            raise Stop
    assert await intents(database.store) == []


async def test_many_intents_keep_their_order(database: Database) -> None:
    people = [
        NewUser(id=f"u{number}", email=f"u{number}@example.com", first_name="Ann", last_name="Lee")
        for number in range(2100)
    ]
    async with database.transaction() as connection:
        await database.write(outbox.want_users, connection, people)
        await database.write(outbox.want_no_users, connection, [person.id for person in people])
        await database.write(outbox.want_users, connection, [])
    found = await intents(database.store)
    assert [row[1] for row in found] == 2 * [person.id for person in people]
    assert [row[3] is None for row in found] == 2100 * [False] + 2100 * [True]


async def test_missing_tables_are_told_by_the_command_that_makes_them(database: Database, postgres_url: str) -> None:
    store: Any = database.store
    if database.driver.postgres:
        await store._count("DROP TABLE ethora_wish", {})
    else:
        await store._count("DROP TABLE ethora_wish")
    with pytest.raises(ConfigError, match="ethora outbox init") as caught:
        async with database.transaction() as connection:
            await outbox.want_user(connection, ANN)
    assert caught.value.__context__ is None or "ann@" not in str(caught.value.__context__)


async def test_a_session_writes_the_row_before_the_intent(postgres_url: str) -> None:
    """Of two transactions that change a row, the later one must write the later intent."""
    store = outbox.open_store(postgres_url)
    await store.init()
    await store.aclose()
    engine = create_async_engine(postgres_url.replace("postgresql:", "postgresql+asyncpg:"))
    statements: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Person(id="ann"))
        await outbox.want_user(session, ANN)
    await engine.dispose()
    inserts = [statement.split("(")[0].split()[2] for statement in statements if statement.startswith("INSERT")]
    assert inserts == ["person", "ethora_wish"]


@pytest.mark.parametrize("connection", [None, "postgresql://", object()])
def test_an_unknown_connection_is_named(connection: object) -> None:
    with pytest.raises(InvalidInputError, match=f"through a builtins.{type(connection).__name__}") as caught:
        outbox.want_user(connection, ANN)  # type: ignore[unused-awaitable]
    assert caught.value.field == "connection"


def test_a_subclass_of_a_connection_is_one() -> None:
    import sqlite3

    class Mine(sqlite3.Connection):
        pass

    connection = sqlite3.connect(":memory:", factory=Mine)
    with pytest.raises(ConfigError, match="no table ethora_wish"):
        outbox.want_no_user(connection, "ann")  # type: ignore[unused-awaitable]
    connection.close()


def test_another_database_is_refused_by_name() -> None:
    class Connection:
        execute = None

        class dialect:  # noqa: N801
            name = "mysql"

    Connection.__module__ = "sqlalchemy.engine.base"
    with pytest.raises(InvalidInputError, match="PostgreSQL or SQLite, and this connection is to mysql"):
        outbox.want_user(Connection(), ANN)  # type: ignore[unused-awaitable]


async def test_a_refused_intent_writes_nothing_and_leaves_the_transaction_usable(database: Database) -> None:
    """With every adapter: an item that can never be valid is found before the first statement."""
    bad_person = attrs.evolve(ANN, first_name="A\x01")
    async with database.transaction() as connection:
        for want, items in (
            (outbox.want_users, [ANN, bad_person]),
            (outbox.want_chats, [NewChat(id="c", title="T"), NewChat(id="d", title="T\x1b[31m")]),
            (outbox.want_members, [("c", "ann"), ("c d", "ann")]),
            (outbox.want_no_members, [("c", "ann"), ("c", "a/b")]),
            (outbox.want_no_users, ["ann", ""]),
            (outbox.want_no_chats, ["c", MongoId("a" * 24)]),
        ):
            with pytest.raises(InvalidInputError):
                await want(connection, items)  # type: ignore[operator]
        await outbox.want_no_user(connection, "bob")
    assert await intents(database.store) == [("user", "bob", "", None, None)]


BAD_IDS = [
    "", " ", "a b", " a", "a\n", "a\x00", "a\x01b", "a\u200bb", "\ufeffa", "\ufffe", "a\ud800", "\u2028", ".", "..",
    "a/b", "a@b", "a:b", "a&b", 'a"b', "a'b", "<a>", "x" * 999, "\u00e9" * 600, MongoId("a" * 24), 10**5000, True, 1.5,
    None, b"a", ("a",),
]  # fmt: skip


@pytest.mark.parametrize("id", BAD_IDS, ids=lambda id: ascii(id)[:20] if not isinstance(id, int) else type(id).__name__)
def test_a_bad_id_is_refused_in_every_intent(id: Any) -> None:
    connection = sqlite3.connect(":memory:")
    for write in (
        lambda: outbox.want_no_user(connection, id),
        lambda: outbox.want_no_users(connection, ["ann", id]),
        lambda: outbox.want_no_chat(connection, id),
        lambda: outbox.want_no_chats(connection, ["c", id]),
        lambda: outbox.want_member(connection, id, "ann"),
        lambda: outbox.want_member(connection, "c", id),
        lambda: outbox.want_no_member(connection, id, "ann"),
        lambda: outbox.want_no_member(connection, "c", id),
        lambda: outbox.want_user(connection, NewUser(id=id, email="a@b.cd", first_name="A", last_name="B")),
        lambda: outbox.want_chat(connection, NewChat(id=id, title="T")),
        lambda: outbox.want_chat(connection, NewChat(id="c", title="T", members=[id])),
    ):
        with pytest.raises(InvalidInputError) as caught:
            write()
        assert caught.value.field in ("id", "chat", "user", "members")
    connection.close()


@pytest.mark.parametrize(
    "email",
    ["", "a", "a@", "@b", "a b@c.de", "a@b..c", "a@-b.de", "a@b\x00.c", "\u00e4@b.de", f"{'x' * 250}@b.de", None, 5],
)
def test_a_bad_address_is_refused(email: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        outbox.want_user(None, NewUser(id="a", email=email, first_name="A", last_name="B"))  # type: ignore[unused-awaitable]
    assert caught.value.field == "email"


@pytest.mark.parametrize(
    "text", ["a\x00", "a\x01b", "\x1b[31m", "a\x7f", "a\x85b", "a\ufffe", "a\ud800", 5, "x" * 100_000]
)
def test_a_text_that_cannot_be_sent_is_refused_in_every_field(text: Any) -> None:
    person = {"id": "a", "email": "a@b.cd", "first_name": "A", "last_name": "B"}
    seal = PasswordSeal("k" * 40)
    for field in ("first_name", "last_name", "profile_image"):
        with pytest.raises(InvalidInputError) as caught:
            outbox.want_user(None, NewUser(**{**person, field: text}))  # type: ignore[unused-awaitable]
        assert caught.value.field == field
    for field in ("title", "description"):
        with pytest.raises(InvalidInputError) as caught:
            outbox.want_chat(None, NewChat(**{"id": "c", "title": "T", field: text}))  # type: ignore[unused-awaitable]
        assert caught.value.field == field
    with pytest.raises(InvalidInputError) as caught:
        outbox.want_no_user(None, "a", traceparent=text)  # type: ignore[unused-awaitable]
    assert caught.value.field == "traceparent"
    if text in ("a\x00", "a\ud800", 5, "x" * 100_000):
        with pytest.raises(InvalidInputError) as caught:
            outbox.want_user(None, NewUser(**person, password=text), seal=seal)  # type: ignore[unused-awaitable]
        assert caught.value.field == "password"
        assert str(text)[:50] not in f"{caught.value!r}{caught.value.__context__!r}"


@pytest.mark.parametrize(
    "what", [None, "ann", 5, object(), {"id": 1}, [None], ["ann"], ANN, NewChat(id="c", title="T")],
    ids=lambda what: type(what).__name__,
)  # fmt: skip
def test_anything_else_is_refused_by_its_name(what: Any) -> None:
    want: Any
    for want in (outbox.want_users, outbox.want_chats, outbox.want_members, outbox.want_no_members):
        with pytest.raises(InvalidInputError, match=r"must be a|a membership is a pair"):
            want(None, what)
    for want in (outbox.want_user, outbox.want_chat):
        if type(what).__name__[3:].lower() != want.__name__[5:]:
            with pytest.raises(InvalidInputError, match=f"must be a .*, not {type(what).__name__}"):
                want(None, what)
    if not isinstance(what, (str, int, list)):
        for want in (outbox.want_no_users, outbox.want_no_chats):
            with pytest.raises(InvalidInputError, match="ids must be a list"):
                want(None, what)
    with pytest.raises(InvalidInputError, match="seal must be a PasswordSeal"):
        outbox.want_user(None, attrs.evolve(ANN, password="p"), seal="key")  # type: ignore[unused-awaitable,arg-type]


def test_line_breaks_and_signs_of_any_script_are_fine() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in schema.CREATE:
        connection.execute(statement)
    text = "one\ntwo\tthree \N{SNOWMAN} \N{ARABIC LETTER ALEF}"
    _ = outbox.want_chat(connection, NewChat(id="c", title=text, description=text))
    _ = outbox.want_user(connection, attrs.evolve(ANN, id=10**900, first_name=text))
    assert connection.execute("SELECT count(*) FROM ethora_wish").fetchone() == (2,)
    connection.close()


@pytest.mark.parametrize(
    ("write", "field"),
    [
        (lambda: outbox.want_no_user(None, "a b"), "id"),
        (lambda: outbox.want_no_user(None, ""), "id"),
        (lambda: outbox.want_member(None, "c", "a@b"), "user"),
        (lambda: outbox.want_member(None, "c/d", "a"), "chat"),
        (lambda: outbox.want_no_chat(None, "x\x00y"), "id"),
        (lambda: outbox.want_chat(None, NewChat(id="c", title="T", members=["a b"])), "members"),
        (lambda: outbox.want_members(None, ["ab"]), "members"),  # type: ignore[list-item]
        (lambda: outbox.want_user(None, "ann"), "user"),  # type: ignore[arg-type]
        (lambda: outbox.want_user(None, ANN.__class__(
            id="a", email="a@b.cd", first_name="A", last_name="B", password="canary-password")), "password"),
    ],
)  # fmt: skip
def test_what_can_never_be_valid_is_refused_when_it_is_written(write: Any, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        write()
    assert caught.value.field == field
    assert "canary" not in str(caught.value)


async def test_every_kind_of_psycopg_cursor_is_written_through(postgres_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
        for statement in postgres_schema.CREATE:
            await connection.execute(statement.encode())
        async with connection.cursor("on_the_server") as cursor:
            await outbox.want_no_user(cursor, "1")
        connection.cursor_factory = psycopg.AsyncRawCursor
        await outbox.want_no_user(connection, "2")
        await outbox.want_no_user(connection.cursor(), "3")
        connection.cursor_factory = psycopg.AsyncClientCursor
        await outbox.want_no_user(connection, "4")
        async with connection.pipeline():
            await outbox.want_no_user(connection, "5")
        found = await (await connection.execute("SELECT key FROM ethora_wish ORDER BY id")).fetchall()
        assert found == [("1",), ("2",), ("3",), ("4",), ("5",)]
        await connection.rollback()
