from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from outbox_helpers import DRIVERS, Database, tables_gone
from postgres_server import PASSWORD, emptied

from ethora_async.outbox.postgres import schema as postgres_schema
from ethora_async.outbox.postgres.store import PostgresStore
from ethora_async.outbox.sqlite.store import SqliteStore
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from postgres_server import Postgres

    from ethora_async.outbox.lanes import Store


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    return postgres_server.create("outbox")


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of a database without our tables."""
    url = postgres.url("postgresql", password=PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A"))
    with psycopg.connect(url, autocommit=True) as connection:
        tables_gone(connection)
    return url


@pytest.fixture
def emptied_url(request: pytest.FixtureRequest, postgres: Postgres) -> str:
    """The URL of a database whose tables of ours, if there are any, have no rows."""
    if "postgres_url" in request.fixturenames:
        url: str = request.getfixturevalue("postgres_url")
        return url
    url = postgres.url("postgresql", password=PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A"))
    versions = {"ethora_outbox": postgres_schema.VERSION}
    with psycopg.connect(url, autocommit=True) as connection:
        if emptied(connection, versions, [name for name in postgres_schema.TABLES if name not in versions]):
            connection.execute("DROP TABLE IF EXISTS person")
        else:
            tables_gone(connection)
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture(params=["postgresql", "sqlite"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty outbox in each database."""
    made: Any
    if request.param == "postgresql":
        made = PostgresStore(request.getfixturevalue("emptied_url"))
    else:
        made = SqliteStore(request.getfixturevalue("sqlite_url").removeprefix("sqlite:///"))
    await made.init()
    yield made
    await made.aclose()


@pytest.fixture(params=[*DRIVERS])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A database with an outbox, for every adapter."""
    driver = DRIVERS[request.param]
    url = request.getfixturevalue("emptied_url" if driver.postgres else "sqlite_url")
    store: Any = PostgresStore(url) if driver.postgres else SqliteStore(url.removeprefix("sqlite:///"))
    await store.init()
    yield Database(driver, url, store)
    await store.aclose()


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture
def sandbox_settings() -> Iterator[dict[str, str]]:
    """The settings of a sandbox in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = EthoraSandbox()
    asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result()
    yield sandbox.environment
    asyncio.run_coroutine_threadsafe(sandbox.aclose(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
