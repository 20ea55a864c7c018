"""The users and groups that an identity provider has written, in your database."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from ethora_async import codec
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.records import Id, literal_id
from ethora_async.redaction import wrapped
from ethora_async.web.scim.database import statements as sql
from ethora_async.web.scim.database.connections import connect
from ethora_async.web.scim.mapping import ScimMapping, chat_key, folded
from ethora_async_secrets.concurrency import OwnThread, run_blocking

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ethora_async.outbox.passwords import PasswordSeal
    from ethora_async.web.scim.database.connections import DatabaseConnection

T = TypeVar("T")

THREADS = 4
"""Number of database connections. One large group must not delay everything else."""


@attrs.frozen(kw_only=True)
class DirectoryUser:
    """A user whom an identity provider has written.

    Attributes:
        id: the user's SCIM id.
        user_id: the id of the user in the chat, as your `identify` returns it.
        user_name: such as ``ann@example.com``.
        external_id: the identity provider's own id.
        active: False when the identity provider made the user inactive.
        email, first_name, last_name: the data sent to the chat platform.
    """

    id: str
    user_id: str
    user_name: str
    external_id: str | None
    active: bool
    email: str
    first_name: str
    last_name: str


class ScimDirectory:
    """Users and groups from an identity provider, and the outbox that turns them into chat users and rooms.

    Records and intents are written in one transaction. Missing tables, including those of the outbox, are created.
    Enter it with ``async with``, or call `aclose` at the end.

    Args:
        database: ``postgresql://user@host/name`` or ``sqlite:///file.db``; a `Worker` or ``ethora outbox work`` on the
            same database carries the intents out.
        mapping: the chat user or room of a record; see `ScimMapping`.
        seal: encrypts passwords for the outbox; without it, passwords from the identity provider are dropped.
        clock: the source of time, in seconds since the epoch.

    Raises:
        ConfigError: psycopg is not installed (extra ``outbox``).
        InvalidInputError: the database URL cannot be used.
    """

    def __init__(
        self,
        database: str,
        *,
        mapping: ScimMapping | None = None,
        seal: PasswordSeal | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.mapping: ScimMapping = mapping or ScimMapping()
        self._seal = seal
        self._clock = clock
        database = wrapped(database)
        self._places = [(OwnThread("ethora-scim"), connect(database)) for _ in range(THREADS)]
        self._next = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        """Check the database, and create the tables that are missing.

        Raises:
            ConfigError: the tables are foreign, older or newer.
            OutboxDatabaseError: the database cannot be used.
        """
        await self.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def check(self) -> None:
        """Check that the database can be used; create missing tables.

        Raises:
            ConfigError: the tables are foreign, older or newer.
            OutboxDatabaseError: the database cannot be used.
        """
        await self.run(lambda db: _in_transaction(db, lambda: None))
        await run_blocking(_load)

    async def find(
        self,
        *,
        id: str | None = None,
        user_name: str | None = None,
        external_id: str | None = None,
        user_id: Id | None = None,
    ) -> DirectoryUser | None:
        """Return the user with one of these, or None.

        Args:
            id: the id that SCIM knows the user by.
            user_name: in any case.
            external_id: the identity provider's id, character by character.
            user_id: the id of the user in the chat.

        Raises:
            InvalidInputError: none or several are given, or several users have this `external_id`.
            OutboxDatabaseError: the database cannot be used.
        """
        given = {
            "id": id,
            "user_name": None if user_name is None else folded(user_name),
            "external_id": external_id,
            "user_id": None if user_id is None else chat_key(literal_id(user_id, "user_id")),
        }
        named = [(name, value) for name, value in given.items() if value is not None]
        if len(named) != 1:
            msg = "find takes one of id, user_name, external_id and user_id"
            raise InvalidInputError(msg, field="id")
        name, value = named[0]
        rows = await self.run(lambda db: _in_transaction(db, lambda: db.rows(sql.FIND_USER[name], value=value)))
        if len(rows) > 1:
            msg = f"{len(rows)} or more users have this {name}"
            raise InvalidInputError(msg, field=name)
        return _user(rows[0]) if rows else None

    async def is_active(self, user: Id) -> bool:
        """Return whether this user is active: neither made inactive nor deleted by the identity provider.

        Users whom it never sent are active. Ids that differ only in case are equal.

        Args:
            user: the user's id in the chat.

        Raises:
            OutboxDatabaseError: the database cannot be used.
        """
        # An invalid id belongs to no user here; creating the token reports the error.
        key = chat_key(str(user))

        def look(db: DatabaseConnection) -> bool:
            found = db.rows(sql.ACTIVE, chat_key=key)
            return bool(found[0][0]) if found else not db.rows(sql.GONE, chat_key=key)

        return await self.run(lambda db: _in_transaction(db, partial(look, db)))

    async def aclose(self) -> None:
        """Close the connections after pending work."""
        if not self._closed:
            self._closed = True
            ends = [thread.finish(connection.close) for thread, connection in self._places]
            await asyncio.shield(asyncio.gather(*ends))

    async def run(self, work: Callable[[DatabaseConnection], T]) -> T:
        """Run a function with a connection, in its thread.

        Raises:
            ConfigError: the directory is closed, or the tables are foreign.
            OutboxDatabaseError: the database cannot be used.
        """
        if self._closed:
            msg = "the SCIM directory is closed"
            raise ConfigError(msg)
        free = [place for place in self._places if not place[0].busy]
        if free:
            thread, connection = free[0]
        else:
            self._next = (self._next + 1) % len(self._places)
            thread, connection = self._places[self._next]
        return await thread.run(work, connection)

    def storage_options(self) -> dict[str, Any]:
        """Return the arguments of `DirectoryStorage` beside a connection and a provider."""
        return {"mapping": self.mapping, "seal": self._seal, "clock": self._clock}


def _load() -> None:
    """Import scim2-server before the first request: pydantic takes half a second, which would delay other requests."""
    with suppress(ImportError):
        import ethora_async.web.scim.service as loaded

        loaded.service()


def _in_transaction(db: DatabaseConnection, work: Callable[[], T]) -> T:
    with db.transaction(write=False):
        return work()


def _user(row: Any) -> DirectoryUser:
    doc = codec.loads(row[2].encode())
    return DirectoryUser(
        id=row[1],
        user_id=row[7],
        user_name=doc["userName"],
        external_id=doc.get("externalId"),
        active=bool(row[6]),
        email=row[8],
        first_name=row[9],
        last_name=row[10],
    )


__all__ = ["DirectoryUser", "ScimDirectory"]
