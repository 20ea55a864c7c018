"""``--rate``: one limit for all workers of an app."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import typer

from ethora_async.cli.output import errors
from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.runtime import Options
from ethora_async.config import Limits, RetryPolicy
from ethora_async.engine.retry import backoff
from ethora_async.errors import NotSentError, ReplyLostError, ServerFaultError
from ethora_async.sync.plan.directories import identity
from ethora_async.transport import default_transport
from ethora_async.workers.database import Database, WorkersDatabaseError
from ethora_async.workers.ledger import Ledger
from ethora_async.workers.rate import RateLimitedTransport, SharedRate
from ethora_async.workers.worker import engine_schema

RATE = typer.Option(
    "--rate",
    metavar="N",
    help="At most N requests a second to the app, for all workers together that set a rate on this database.",
)

RESTART = 60.0
"""Seconds that a worker waits, when it starts, for a database or a platform that may be restarting."""

_PAUSES = RetryPolicy(base=0.2, cap=2.0)
_AWAY = (WorkersDatabaseError, NotSentError, ReplyLostError, ServerFaultError)


@asynccontextmanager
async def limited_client(
    options: Options, secret: str | None, url: str, rate: float | None, *, patience: float = 0.0, **settings: Any
) -> AsyncIterator[Any]:
    """Open a client whose requests respect the shared rate, if there is one; create the ledger's tables.

    Args:
        options: The options of the command line.
        secret: The secret that was typed in.
        url: The database's URL.
        rate: Requests a second, of all workers together.
        patience: Seconds to wait for a database or a platform that is away.
        settings: Further arguments for the client.

    Raises:
        ConfigError: The rate or a setting cannot be used.
        WorkersDatabaseError: The database cannot be reached.
    """
    database = Database(url)
    try:
        await _patiently(lambda: Ledger(database).init(engine_schema()), patience)
        shared = None
        if rate is not None:
            shared = SharedRate(database, "", rate)
            transport = default_transport(concurrency=Limits().concurrency)
            settings["transport"] = RateLimitedTransport(transport, shared)
        async with options.client(MANAGING, secret, **settings) as client:
            if shared is not None:
                await _patiently(client.users.reserved, patience)  # afterwards the client knows its app
                shared.name = identity(client)
            yield client
    finally:
        await database.aclose()


async def _patiently(call: Callable[[], Awaitable[object]], patience: float) -> None:
    """Repeat a call while its server is away, for so many seconds, and then raise its error."""
    failures, end = 0, time.monotonic() + patience
    while True:
        try:
            await call()
            return
        except _AWAY as error:
            if time.monotonic() >= end:
                raise
            failures += 1
            if failures == 1:
                reason = str(error).partition("\n")[0]  # PostgreSQL's hints follow
                errors.print(f"{reason}; trying again for {patience:.0f} s", markup=False)
        await asyncio.sleep(backoff(failures, _PAUSES, random.random, least=0.1))
