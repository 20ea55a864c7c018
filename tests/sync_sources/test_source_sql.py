from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import pytest
from postgres_server import PASSWORD, USER
from source_helpers import bad, fingerprint, items, refused, rows

from ethora_async.errors import ChatError, ConfigError, InvalidInputError
from ethora_async.sync.sources.formats import MEMBERS, USERS
from ethora_async.sync.sources.opening import open_source
from ethora_async.sync.sources.source import BadRow, Row
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from postgres_server import Postgres

EVERYBODY = "SELECT * FROM people ORDER BY id"


def sqlite(folder: Path, *statements: str) -> str:
    path = folder / "people.db"
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()
    return f"sqlite:///{path}"


def people(folder: Path, count: int = 2) -> str:
    return sqlite(
        folder,
        "CREATE TABLE people (id INTEGER, email TEXT, first_name TEXT, last_name TEXT, password TEXT)",
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        " INSERT INTO people SELECT i, 'u' || i || '@example.com', 'Ann', 'Lee', 'canary-user-' || i FROM n",
    )


@pytest.fixture
def with_people(postgres: Postgres) -> Postgres:
    postgres.run(
        "DROP TABLE IF EXISTS people",
        "CREATE TABLE people (id uuid, email text, first_name text, last_name text, password text)",
        "INSERT INTO people SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid,"
        " 'u' || i || '@example.com', 'Ann', 'Lee', 'canary-user-' || i FROM generate_series(1, 3000) AS i",
    )
    return postgres


# What is read


async def test_sqlite_gives_the_rows_of_the_query_numbered_from_one(tmp_path: Path) -> None:
    url = people(tmp_path)
    found = await rows(url, query=f"{EVERYBODY};")
    assert [(row.item.id, row.line, row.file) for row in found if isinstance(row, Row)] == [
        ("1", 1, url),
        ("2", 2, url),
    ]


@pytest.mark.parametrize("driver", ["postgresql", "postgres", "postgresql+psycopg"])
async def test_postgresql_is_reached_by_psycopg_with_the_password_of_the_url(
    with_people: Postgres, driver: str
) -> None:
    url = with_people.url(driver, password=quote(PASSWORD, safe=""))
    users = await items(url, query=EVERYBODY)
    assert len(users) == 3000
    assert users[0].id == str(UUID(int=1))
    assert users[0].password.reveal() == "canary-user-1"


@pytest.mark.parametrize("variable", ["ETHORA_SOURCE_PASSWORD", "PGPASSWORD"])
async def test_the_password_may_come_from_the_environment(
    with_people: Postgres, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, PASSWORD)
    source = await open_source(with_people.url(), USERS, query=EVERYBODY)
    assert len([row async for row in source.rows()]) == 3000
    assert PASSWORD not in source.name


async def test_a_query_may_hold_percent_signs_and_colons(
    with_people: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    query = (
        "SELECT 'team:1' AS chat, 'a'::text AS \"user\" FROM people WHERE email LIKE 'u1%' AND '%s' <> ':name' LIMIT 1"
    )
    assert await items(with_people.url(), MEMBERS, query=query) == [("team:1", "a")]
    query = "SELECT 'team:1' AS chat, id AS user FROM people WHERE email LIKE 'u1%' AND '?%s' <> ':name'"
    assert await items(people(tmp_path), MEMBERS, query=query) == [("team:1", "1")]


async def test_columns_are_found_by_the_mapping(tmp_path: Path) -> None:
    url = sqlite(
        tmp_path, "CREATE TABLE t (uid INTEGER, mail TEXT, name TEXT)", "INSERT INTO t VALUES (7, 'a@b.c', 'A B')"
    )
    mapping = {"id": "UID", "email": "mail", "display_name": "name"}
    (user,) = await items(url, mapping=mapping, query="SELECT * FROM t")
    assert (user.id, user.email, user.first_name, user.last_name) == ("7", "a@b.c", "A", "B")


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("1.5::float8", "a decimal number"),
        ("1.5::numeric", "a decimal number"),
        ("true", "true or false"),
        ("now()", "a date or time"),
        ("current_date", "a date or time"),
        ("'\\x00'::bytea", "binary data"),
        ("ARRAY[1]", "a list"),
        ("'{}'::jsonb", "an object"),
    ],
)
async def test_an_id_of_another_type_is_refused_with_its_row_and_type(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, expression: str, kind: str
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    query = "SELECT 'a' AS chat, 'b' AS \"user\" UNION ALL SELECT 'a', 'c'"
    query = f'SELECT n AS chat, {expression} AS "user" FROM generate_series(1, 1) AS n'
    error = (await bad(postgres.url(), MEMBERS, query=query)).error
    assert (error.row, error.column) == (1, "user")
    assert error.message == f"user must be text, an integer or a UUID, not {kind}"


async def test_sqlite_text_that_is_not_utf8_costs_its_own_row_alone(tmp_path: Path) -> None:
    url = sqlite(
        tmp_path, "CREATE TABLE t (chat, user)", "INSERT INTO t VALUES ('a', CAST(x'ff' AS TEXT)), ('a', 'ann')"
    )
    wrong, good = await rows(url, MEMBERS, query="SELECT * FROM t")
    assert isinstance(wrong, BadRow)
    assert "user is not UTF-8" in wrong.error.message
    assert isinstance(good, Row)


# How it is read


async def test_rows_are_streamed_by_a_cursor_of_the_server_in_a_read_only_transaction(
    with_people: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    query = (
        "SELECT id, email, first_name, current_setting('transaction_read_only') AS last_name,"
        " (SELECT count(*) FROM pg_cursors WHERE statement LIKE '%people%')::text AS profile_image FROM people"
    )
    users = await items(with_people.url(), query=query)
    assert {(user.last_name, user.profile_image) for user in users} == {("on", "1")}


async def test_nothing_can_be_written_through_a_query(
    with_people: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with_people.run(
        "CREATE OR REPLACE FUNCTION wipe() RETURNS text LANGUAGE sql AS 'DELETE FROM people RETURNING email'"
    )
    error = await _failure(with_people.url(), "SELECT wipe() AS chat, 'x' AS \"user\"")
    assert "read-only transaction" in error.message
    assert with_people.run("SELECT count(*) FROM people") == [(3000,)]
    url = people(tmp_path)
    error = await _failure(url, "DELETE FROM people RETURNING id AS chat, email AS user")
    assert "readonly" in error.message
    assert len(await items(url, query=EVERYBODY)) == 2


async def _failure(url: str, query: str) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        await rows(url, MEMBERS, query=query)
    return caught.value


async def test_all_of_one_reading_happens_in_one_thread_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ethora_async.sync.sources.sql import _SqlReader

    threads: set[str] = set()
    for name in ("read", "close"):
        real = getattr(_SqlReader, name)

        def noted(reader: Any, *args: Any, real: Any = real) -> Any:
            threads.add(threading.current_thread().name)
            return real(reader, *args)

        monkeypatch.setattr(_SqlReader, name, noted)
    source = await open_source(people(tmp_path, 2000), USERS, query=EVERYBODY)
    threads.clear()
    assert len([row async for row in source.rows()]) == 2000
    assert threads == {"ethora-source-1"}


async def test_a_reading_left_early_or_cancelled_keeps_no_connection(
    with_people: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGAPPNAME", "left-early")
    source = await open_source(with_people.url(), USERS, query=EVERYBODY)
    async with aclosing(source.rows()) as reading:
        await anext(reading)
        await _until(with_people, 1)
    await _until(with_people, 0)

    # The first rows come at once, the others take a minute each.
    nap = "pg_sleep(CASE WHEN n > 1500 THEN 60 ELSE 0 END)::text"
    source = await open_source(
        with_people.url(), MEMBERS, query=f'SELECT n AS chat, n || {nap} AS "user" FROM generate_series(1, 9999) AS n'
    )
    await _cancelled(_read(source), with_people)
    slow = 'SELECT 1 AS chat, pg_sleep(60)::text AS "user"'
    await _cancelled(open_source(with_people.url(), MEMBERS, query=slow), with_people)


async def _read(source: Any) -> None:
    async for _ in source.rows():
        pass


async def _cancelled(work: Coroutine[Any, Any, object], server: Postgres) -> None:
    """Cancel it while it is at it: it ends at once, and its connection soon."""
    task = asyncio.create_task(work)
    await _until(server, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(server, 0)


def _connections(server: Postgres) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'left-early' AND pid <> pg_backend_pid()"
    ((count,),) = server.run(query)
    return int(count)


async def _until(server: Postgres, count: int) -> None:
    async with asyncio.timeout(30):
        while await asyncio.to_thread(_connections, server) != count:  # noqa: ASYNC110  another process's doing
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("close", ["break", "cancel"])
async def test_a_sqlite_query_that_never_ends_is_interrupted(tmp_path: Path, close: str) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT 'a' AS chat, i AS user FROM n WHERE i <= 600 OR i < 0"
    )
    source = await open_source(people(tmp_path), MEMBERS, query=endless)
    before = set(threading.enumerate())
    reading = source.rows()
    if close == "break":
        await anext(reading)
        await reading.aclose()
    else:
        task = asyncio.create_task(_read(source))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(30):
        while any(one.name.startswith("ethora-source") for one in set(threading.enumerate()) - before):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# What is refused


async def test_a_query_is_needed_for_a_database_and_makes_no_sense_for_a_file(tmp_path: Path) -> None:
    error = await refused(people(tmp_path))
    assert error.field == "query"
    (tmp_path / "people.csv").write_text("chat,user\n")
    error = await refused(tmp_path / "people.csv", MEMBERS, query="SELECT 1")
    assert error.field == "query"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT id FROM people", ["lacks the column email", "it must have id, email"]),
        ("SELECT id, * FROM people", ["the column id more than once"]),
        ("SELEC 1", ["syntax error"]),
        ("SELECT * FROM nobody", ["no such table: nobody"]),
        ("CREATE TABLE more (id)", ["readonly"]),
        ("PRAGMA foreign_keys = ON", ["gives no rows"]),
    ],
)
async def test_a_query_that_cannot_be_used_is_refused_before_any_row(
    tmp_path: Path, query: str, words: list[str]
) -> None:
    url = people(tmp_path)
    error = await refused(url, query=query)
    assert error.file == url
    for word in words:
        assert word in error.message


async def test_a_database_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    error = await refused(f"sqlite:///{tmp_path}/nothing.db", query="SELECT 1")
    assert "no such file" in error.message
    assert not os.listdir(tmp_path)


async def test_a_failure_in_the_middle_names_the_row_after_which_it_came(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    query = 'SELECT (1 / (1700 - n))::text AS chat, n AS "user" FROM generate_series(1, 3000) AS n'
    error = await _failure(postgres.url(), query)
    assert "division by zero" in error.message
    assert error.row == 1500
    assert "after row 1500" in error.message


async def test_what_is_not_installed_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def message(url: str) -> str:
        with pytest.raises(ConfigError) as caught:
            await open_source(url, USERS, query="SELECT 1")
        return caught.value.message

    monkeypatch.setitem(sys.modules, "pg8000", None)
    assert "pip install 'pg8000'" in await message("postgresql+pg8000://h/d")
    assert "does not know the database nonsense" in await message("nonsense://h/d")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'psycopg[binary]'" in await message("postgresql://h/d")
    monkeypatch.setitem(sys.modules, "sqlalchemy.engine", None)
    assert "pip install 'ethora-async[sync]'" in await message("postgresql://h/d")


# Secrets


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url,
        lambda url: url.replace("@127", "x@127"),
        lambda url: url.replace("/postgres", "/nowhere"),
        lambda url: url.replace("127.0.0.1:", "127.0.0.1:1"),
        lambda url: url.replace("//", "/", 1),
        lambda url: url + "?nonsense=canary-option",
        lambda url: url.replace("127.0.0.1", "127.0.0.1:x:y"),
        lambda url: url.replace(quote(PASSWORD, safe=""), PASSWORD),
        lambda url: url.replace("://", ":"),
        lambda url: url.replace(quote(PASSWORD, safe=""), PASSWORD).replace("@127.0.0.1", ""),
    ],
    ids=[
        "good",
        "wrong password",
        "no such database",
        "no such port",
        "no URL",
        "wrong option",
        "no port",
        "not encoded",
        "no slashes",
        "no host",
    ],
)
async def test_no_password_of_the_database_or_of_a_user_gets_out(with_people: Postgres, spoil: Any) -> None:
    url = spoil(with_people.url(password=quote(PASSWORD, safe="")))
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
    shown: list[object] = []
    try:
        with Canary(PASSWORD, PASSWORD[-11:], quote(PASSWORD, safe=""), "canary-user-", "canary-option") as canary:
            try:
                source = await open_source(url, USERS, query=f"{EVERYBODY} LIMIT 100")
                shown += [source, source.name, source.files, await source.fingerprint()]
                shown += [row async for row in source.rows()][:50]
            except ChatError as error:
                shown.append(error)
    finally:
        logging.getLogger("sqlalchemy").setLevel(logging.NOTSET)
    assert shown
    canary.check(*shown)


async def test_a_password_with_a_bare_at_sign_is_not_shown_as_the_host() -> None:
    error = await refused("postgresql://reader:pass@canary-rest@127.0.0.1/postgres", query="SELECT 1")
    assert "percent-encoded" in error.message
    assert "canary" not in f"{error!r} {vars(error)}"


async def test_a_failing_read_keeps_no_row_in_what_it_raises(
    with_people: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    import traceback

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    query = "SELECT id, email, first_name, (1 / (1700 - row_number() OVER ()))::text AS last_name, password FROM people"
    source = await open_source(with_people.url(), USERS, query=query)
    with pytest.raises(InvalidInputError) as caught:
        async for _ in source.rows():
            pass
    error = caught.value
    assert error.__context__ is None
    text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "canary-user" not in text
    assert PASSWORD not in text


async def test_the_name_shows_the_user_and_not_the_password(with_people: Postgres) -> None:
    source = await open_source(with_people.url(password=quote(PASSWORD, safe="")), USERS, query=EVERYBODY)
    assert source.name == f"postgresql+psycopg://{USER}:***@127.0.0.1:{with_people.port}/postgres"


# Fingerprints


async def test_the_fingerprint_of_a_query_goes_by_its_rows_in_any_order_and_tells_a_changed_password(
    tmp_path: Path,
) -> None:
    url = people(tmp_path)
    first = await fingerprint(url, query="SELECT * FROM people ORDER BY id")
    assert await fingerprint(url, query="SELECT * FROM people ORDER BY id DESC") == first
    # A column that nothing is read from does not count.
    assert await fingerprint(url, query="SELECT *, random() AS noise FROM people") == first
    assert await fingerprint(url, query="SELECT * FROM people LIMIT 1") != first
    for column in ("email", "password"):
        sqlite(tmp_path, f"UPDATE people SET {column} = 'x' || {column} WHERE id = 2")
        changed = await fingerprint(url, query=EVERYBODY)
        assert changed != first
        first = changed
