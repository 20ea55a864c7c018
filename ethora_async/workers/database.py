"""A connection to PostgreSQL that reconnects after a loss."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ethora_async.errors import ChatError
from ethora_async.postgres import PostgresServer
from ethora_async.redaction import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from psycopg import AsyncConnection

    from ethora_async.redaction import Secret


class WorkersDatabaseError(ChatError):
    """The database of the workers cannot be reached, or rejects the connection. It may be retried."""


class Database:
    """One connection, opened on first use and again after a loss.

    Raises:
        ConfigError: the extra ``workers`` is not installed.
        InvalidInputError: the URL cannot be used.
    """

    def __init__(self, url: str | Secret) -> None:
        url = wrapped(url)
        self._server = PostgresServer(
            url,
            application="ethora workers",
            needed_by="several machines need",
            extra="workers",
            called="the workers' database URL",
            field="workers",
            pooled=False,
        )
        self.url: Secret = self._server.url
        self.name: str = self._server.name
        self._connection: AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Database({self.name!r})"

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncGenerator[AsyncConnection[Any], None]:
        """Yield the connection in a new transaction.

        Args:
            durable: whether the commit waits for the disk. Without it, a crash of the database may undo the last
                transactions, in order and each as a whole.

        Raises:
            WorkersDatabaseError: the database cannot be reached, or refuses the statement.
        """
        async with self._lock:
            reason = ""
            try:
                connection = await self._connected()
                async with connection.transaction():
                    if not durable:
                        await connection.execute("SET LOCAL synchronous_commit TO off")
                    yield connection
                return
            except self._server.errors as error:
                # Without its cause: the driver's error may contain the URL or a statement's parameters.
                reason = self._server.reason(error)
                await self._drop()
            except BaseException:
                if self._connection is not None and self._connection.closed:
                    await self._drop()
                raise
        msg = f"the database {self.name} cannot be used: {reason}"
        raise WorkersDatabaseError(msg)

    async def aclose(self) -> None:
        """Close the connection. May be called again."""
        async with self._lock:
            await self._drop()

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await self._server.connect_async()
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._server.errors):
                await connection.close()


__all__ = ["Database", "WorkersDatabaseError"]
