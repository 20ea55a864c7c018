from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from postgres_server import PASSWORD, emptied
from scim_helpers import Scim, served

from ethora_async.outbox.postgres import schema as outbox_schema
from ethora_async.web.scim.database import schema
from ethora_async.web.scim.service import service

service()  # pydantic's start takes half a second, in steps of which some hold the loop up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from postgres_server import Postgres


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    return postgres_server.create("scim")


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of a database without our tables."""
    url = postgres.url("postgresql", password=PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A"))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*schema.DROP, *outbox_schema.DROP):
            connection.execute(statement.encode())
    return url


@pytest.fixture
def emptied_url(postgres: Postgres) -> str:
    """The URL of a database whose tables, if there are any, have no rows."""
    url = postgres.url("postgresql", password=PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A"))
    versions = {"ethora_scim": schema.VERSION, "ethora_outbox": outbox_schema.VERSION}
    tables = [name for name in (*reversed(schema.TABLES), *outbox_schema.TABLES) if name not in versions]
    with psycopg.connect(url, autocommit=True) as connection:
        if not emptied(connection, versions, tables):
            for statement in (*schema.DROP, *outbox_schema.DROP):
                connection.execute(statement.encode())
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'chat.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, in each kind."""
    url: str = request.getfixturevalue("emptied_url" if request.param == "postgresql" else "sqlite_url")
    return url


@pytest.fixture
async def scim(sqlite_url: str) -> AsyncIterator[Scim]:
    """A SCIM service with nothing in it."""
    async with served(sqlite_url) as service:
        yield service


@pytest.fixture
async def each_scim(database: str) -> AsyncIterator[Scim]:
    """A SCIM service with nothing in it, on each kind of database."""
    async with served(database) as service:
        yield service
