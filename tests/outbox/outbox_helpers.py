"""Every way for an application to write intents, behind one interface."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiosqlite
import asyncpg
import attrs
import psycopg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from ethora_async.outbox.postgres import schema as postgres_schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Stop(Exception):
    """An exception that ends a transaction, like an application's bug."""


def tables_gone(connection: Any) -> None:
    for statement in (*postgres_schema.DROP, "DROP TABLE IF EXISTS person"):
        connection.execute(statement)


@attrs.frozen
class Driver:
    """`transaction` opens one in the database at a URL and yields what intents are written through."""

    postgres: bool
    transaction: Callable[[str], Any]
    blocking: bool = False


@attrs.frozen
class Database:
    driver: Driver
    url: str
    store: Any

    def transaction(self) -> Any:
        """A transaction that commits at its end, and is rolled back on an exception."""
        return self.driver.transaction(self.url)

    async def write(self, want: Callable[..., Any], *args: Any) -> None:
        """Write through a connection, without blocking the loop if the connection blocks."""
        if self.driver.blocking:
            await asyncio.to_thread(want, *args)
        else:
            await want(*args)


async def intents(store: Any) -> list[tuple[Any, ...]]:
    """Return the intents in the inbox."""
    query = "SELECT kind, key, other, wanted, traceparent FROM ethora_wish ORDER BY id"
    if "postgresql" in store.name:
        return [tuple(row) for row in await store._rows(query, {})]
    rows = await store._rows(query)
    import json

    return [(kind, key, other, wanted and json.loads(wanted), trace) for kind, key, other, wanted, trace in rows]


@asynccontextmanager
async def _psycopg_async(url: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection


@asynccontextmanager
async def _psycopg_cursor(url: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection, connection.cursor() as cursor:
        yield cursor


@asynccontextmanager
async def _psycopg_sync(url: str) -> AsyncIterator[Any]:
    with psycopg.connect(url) as connection:
        yield connection


@asynccontextmanager
async def _asyncpg(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _asyncpg_pool(url: str) -> AsyncIterator[Any]:
    import json

    async def set_up(connection: Any) -> None:
        # As many applications do: JSON columns as Python values.
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

    async with (
        asyncpg.create_pool(url, min_size=1, max_size=1, init=set_up) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        yield connection


def _dialect(url: str, driver: str) -> str:
    return f"{url.partition(':')[0]}+{driver}:{url.partition(':')[2]}"


def _async_session(driver: str) -> Callable[[str], Any]:
    @asynccontextmanager
    async def transaction(url: str) -> AsyncIterator[Any]:
        engine = create_async_engine(_dialect(url, driver))
        try:
            async with AsyncSession(engine) as session, session.begin():
                yield session
        finally:
            await engine.dispose()

    return transaction


@asynccontextmanager
async def _async_scoped(url: str) -> AsyncIterator[Any]:
    import asyncio

    engine = create_async_engine(_dialect(url, "psycopg"))
    scoped = async_scoped_session(async_sessionmaker(engine), asyncio.current_task)
    try:
        async with scoped.begin():
            yield scoped
    finally:
        await scoped.remove()
        await engine.dispose()


@asynccontextmanager
async def _async_connection(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(_dialect(url, "asyncpg"))
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def _sync_session(driver: str) -> Callable[[str], Any]:
    @asynccontextmanager
    async def transaction(url: str) -> AsyncIterator[Any]:
        engine = sa.create_engine(_dialect(url, driver))
        try:
            with Session(engine) as session, session.begin():
                yield session
        finally:
            engine.dispose()

    return transaction


@asynccontextmanager
async def _sync_connection(url: str) -> AsyncIterator[Any]:
    engine = sa.create_engine(_dialect(url, "psycopg"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@asynccontextmanager
async def _sqlite3(url: str) -> AsyncIterator[Any]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, check_same_thread=False)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


@asynccontextmanager
async def _aiosqlite(url: str) -> AsyncIterator[Any]:
    async with aiosqlite.connect(url.removeprefix("sqlite:///"), timeout=10) as connection:
        yield connection
        await connection.commit()


DRIVERS = {
    "psycopg": Driver(True, _psycopg_async),
    "psycopg cursor": Driver(True, _psycopg_cursor),
    "psycopg, blocking": Driver(True, _psycopg_sync, blocking=True),
    "asyncpg": Driver(True, _asyncpg),
    "asyncpg pool with a jsonb codec": Driver(True, _asyncpg_pool),
    "SQLAlchemy AsyncSession, asyncpg": Driver(True, _async_session("asyncpg")),
    "SQLAlchemy AsyncSession, psycopg": Driver(True, _async_session("psycopg")),
    "SQLAlchemy async_scoped_session": Driver(True, _async_scoped),
    "SQLAlchemy AsyncConnection": Driver(True, _async_connection),
    "SQLAlchemy Session": Driver(True, _sync_session("psycopg"), blocking=True),
    "SQLAlchemy Connection": Driver(True, _sync_connection, blocking=True),
    "SQLAlchemy AsyncSession, aiosqlite": Driver(False, _async_session("aiosqlite")),
    "SQLAlchemy Session, SQLite": Driver(False, _sync_session("pysqlite"), blocking=True),
    "sqlite3": Driver(False, _sqlite3, blocking=True),
    "aiosqlite": Driver(False, _aiosqlite),
}
