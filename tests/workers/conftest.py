from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgres_server import PASSWORD

from ethora_async.sandbox import EthoraSandbox
from ethora_async.workers.database import Database
from ethora_async.workers.ledger import Ledger
from ethora_async.workers.worker import engine_schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from postgres_server import Postgres


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    made = postgres_server.create("workers")
    made.run("CREATE TABLE ready (yes int)")
    return made


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The URL of a database with no runs and no jobs."""
    found = postgres.run("SELECT to_regclass('ethora_run') IS NOT NULL")
    if found == [(True,)]:
        postgres.run("DELETE FROM ethora_run", "DELETE FROM procrastinate_jobs", "SELECT 1")
    password = PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A")
    return postgres.url("postgresql", password=password)


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    database = Database(url)
    made = Ledger(database)
    await made.init(engine_schema())
    yield made
    await database.aclose()


@pytest.fixture
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox() as made:
        yield made
