"""Connections to PostgreSQL by psycopg, for the outbox, the workers and the SCIM records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.redaction import Secret, scrub, wrapped

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

_CONNECT_SECONDS = 10


class PostgresServer:
    """One database, and how to connect to it. Nothing is connected yet.

    Args:
        url: `postgresql://user@host:port/database`.
        application: the name under which the server lists the connections.
        needed_by: the beginning of the message when psycopg is not installed: what needs it.
        extra: the extra that installs psycopg.
        called: the URL's name in the message when it cannot be read.
        field: the setting that holds the URL.
        pooled: whether a pooler in transaction mode may be in between, which does not support prepared statements.

    Attributes:
        url: the URL.
        name: the URL without user and password, for messages.
        errors: the exceptions that psycopg raises.

    Raises:
        ConfigError: psycopg is not installed.
        InvalidInputError: the URL cannot be read.
    """

    def __init__(
        self,
        url: str | Secret,
        *,
        application: str,
        needed_by: str,
        extra: str,
        called: str,
        field: str,
        pooled: bool = True,
    ) -> None:
        # It may contain a password: an error shows the frames.
        url = masked = wrapped(url)
        try:
            import psycopg
        except ImportError:
            msg = f"{needed_by} psycopg, which is not installed: pip install 'ethora-async[{extra}]'"
            raise ConfigError(msg) from None
        address = _parsed(masked)
        if address is None:
            msg = f"{called} cannot be read: write it as postgresql://user@host:port/database"
            raise InvalidInputError(msg, field=field)
        self.url: Secret = masked
        self.name: str = address.name
        self.errors: tuple[type[Exception], ...] = (psycopg.Error, OSError)
        self._passwords = address.passwords
        self._options: dict[str, Any] = {
            "autocommit": True,
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": application,
            **({"prepare_threshold": None} if pooled else {}),
        }

    def __repr__(self) -> str:
        return f"PostgresServer({self.name!r})"

    def connect(self) -> Connection[Any]:
        """Open a connection. Blocks."""
        from psycopg import Connection

        return Connection.connect(self.url.reveal(), **self._options)

    async def connect_async(self) -> AsyncConnection[Any]:
        """Open a connection."""
        from psycopg import AsyncConnection

        return await AsyncConnection.connect(self.url.reveal(), **self._options)

    def reason(self, error: Exception) -> str:
        """Return the first line of a driver's error without passwords; the name of its class when it has no text.

        Further lines hold hints, the statement, or values of a row.
        """
        # Each line of a password: the first line of the text may end within one.
        known = [line for password in self._passwords for line in password.reveal().splitlines() if line]
        return scrub(str(error).strip().partition("\n")[0], known).strip() or type(error).__name__


def postgres_url(database: Secret) -> Secret | None:
    """Return a database URL as libpq's; None when it names another database. A driver's name in it is dropped."""
    scheme, colon, rest = database.reveal().strip().partition("://")
    if not colon or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        return None
    return Secret(f"postgresql://{rest}")


@attrs.frozen
class _Address:
    """What a URL says, without and beside its passwords."""

    name: str
    passwords: list[Secret]


def _parsed(url: Secret) -> _Address | None:
    """Return what the URL says; None when it cannot be read."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    if not url.reveal().startswith(("postgresql://", "postgres://")):
        return None
    try:
        parts = conninfo_to_dict(url.reveal())
    except ProgrammingError:
        return None
    name = f"postgresql://{parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"
    return _Address(name, [Secret(str(parts[one])) for one in ("password", "sslpassword") if parts.get(one)])


__all__ = ["PostgresServer", "postgres_url"]
