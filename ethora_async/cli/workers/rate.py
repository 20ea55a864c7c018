"""``--rate``: one limit for all workers of an app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import typer

from ethora_async.cli.platforms import MANAGING
from ethora_async.cli.repeating import opened, repeated
from ethora_async.cli.runtime import Options
from ethora_async.config import Limits
from ethora_async.errors import NotSentError, ReplyLostError, ServerFaultError, SettingsUnavailableError
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

_AWAY = (WorkersDatabaseError, NotSentError, ReplyLostError, ServerFaultError, SettingsUnavailableError)


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
        await repeated(lambda: Ledger(database).init(engine_schema()), _AWAY, patience)
        shared = None
        if rate is not None:
            shared = SharedRate(database, "", rate)
        async with opened(
            lambda: options.client(MANAGING, secret, **settings, **_limited(shared)), _AWAY, patience
        ) as client:
            if shared is not None:
                await repeated(client.users.reserved, _AWAY, patience)  # afterwards the client knows its app
                shared.name = identity(client)
            yield client
    finally:
        await database.aclose()


def _limited(shared: SharedRate | None) -> dict[str, Any]:
    """Return the setting with which a client's requests respect the rate: a new one for each, which closes it."""
    if shared is None:
        return {}
    return {"transport": RateLimitedTransport(default_transport(concurrency=Limits().concurrency), shared)}
