"""Workers survive a database that is unreachable or ends a transaction."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from managed_platforms import platform_of

from ethora_async.cli.runtime import DONE
from ethora_async.cli.signals import work_until_told
from ethora_async.outbox import Worker
from ethora_async.outbox.errors import OutboxDatabaseError
from ethora_async.outbox.postgres.store import PostgresStore
from ethora_async.outbox.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_transaction_that_stood_still_for_too_long_is_a_database_that_does_not_answer(
    postgres_url: str,
) -> None:
    store = PostgresStore(postgres_url)
    await store.init()

    async def standing_still() -> None:
        async with store._transaction() as connection:
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")
            while True:
                await asyncio.sleep(0.02)
                await connection.execute("SELECT 1")

    with pytest.raises(OutboxDatabaseError):
        await standing_still()
    assert (await store.status()).inbox == 0
    await store.aclose()


async def test_a_worker_that_starts_while_its_database_restarts_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(str(tmp_path / "app.db"))
    await store.init()
    real, tries = store.check, 0

    async def check() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            msg = "the database is starting up"
            raise OutboxDatabaseError(msg)
        await real()

    monkeypatch.setattr(store, "check", check)
    async with platform_of("ethora") as platform:
        worker = Worker(platform.client, store)
        took: Any = asyncio.Event()
        take = store.take

        async def taken(*args: Any) -> Any:
            took.set()
            return await take(*args)

        monkeypatch.setattr(store, "take", taken)
        running = asyncio.create_task(work_until_told(worker, store.name, "turns"))
        async with asyncio.timeout(60):
            await took.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            assert await running == DONE
    assert tries == 3
    await store.aclose()
