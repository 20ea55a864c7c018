"""``--rate``: one limit for all workers of an app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import typer

from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.runtime import Options
from ethora_async.config import Limits
from ethora_async.sync.plan.directories import identity
from ethora_async.transport import default_transport
from ethora_async.workers.database import Database
from ethora_async.workers.ledger import Ledger
from ethora_async.workers.rate import RateLimitedTransport, SharedRate
from ethora_async.workers.worker import engine_schema

RATE = typer.Option(
    "--rate",
    metavar="N",
    help="At most N requests a second to the app, for all workers together that set a rate on this database.",
)


@asynccontextmanager
async def limited_client(
    options: Options, secret: str | None, url: str, rate: float | None, **settings: Any
) -> AsyncIterator[Any]:
    """Open a client whose requests respect the shared rate, if there is one; create the ledger's tables.

    Raises:
        ConfigError: The rate or a setting cannot be used.
        WorkersDatabaseError: The database cannot be reached.
    """
    database = Database(url)
    try:
        await Ledger(database).init(engine_schema())
        shared = None
        if rate is not None:
            shared = SharedRate(database, "", rate)
            transport = default_transport(concurrency=Limits().concurrency)
            settings["transport"] = RateLimitedTransport(transport, shared)
        async with options.client(MANAGING, secret, **settings) as client:
            if shared is not None:
                await client.users.reserved()  # afterwards the client knows its app
                shared.name = identity(client)
            yield client
    finally:
        await database.aclose()
