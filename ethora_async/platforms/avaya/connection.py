"""State shared by all parts of one Avaya client, created once its settings are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from ethora_async.engine.engine import Engine
from ethora_async.platforms.avaya.settings import account_id, integration_id, origin
from ethora_async.tokens.oauth2 import AccessTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.config import Seconds
    from ethora_async.engine.emitter import Emitter
    from ethora_async.engine.urls import QueryValue
    from ethora_async.protocols import Clock
    from ethora_async.request import Operation, Reply
    from ethora_async.tokens.settings import RotatingSettings, Values


@attrs.frozen(eq=False)
class Connection:
    """One account and chat integration, ready for requests."""

    api_url: str
    account_id: str
    integration_id: str
    engine: Engine
    access: AccessTokens

    def for_browser(self) -> dict[str, str]:
        """Return the settings that a front end needs beside its token, and may know.

        See docs/platforms/avaya.md#lifetime-guests-and-verified-customers.
        """
        return {
            "app_key": self.access.header("appkey"),
            "integration_id": self.integration_id,
            "host": urlsplit(self.api_url).netloc,
        }


class AccountContext:
    """The settings, and the connection that is created from them at the first call.

    Args:
        connect: creates the engine and the credentials of its requests, for an origin and an account.
    """

    def __init__(
        self,
        settings: RotatingSettings,
        connect: Callable[[str, str], tuple[Engine, AccessTokens]],
        *,
        clock: Clock,
        emitter: Emitter,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.emitter = emitter
        self.connection: Connection | None = None
        self._connect = connect
        if not settings.has_store and (version := settings.peek()) is not None:
            self.connection = self._made(version.current)

    async def open(self) -> Connection:
        """Return the connection; reads the secret store for settings that were not passed in.

        Raises:
            ConfigError: the store cannot be read, or a setting is missing or cannot be used.
        """
        if self.connection is None:
            current = (await self.settings.load()).current
            if self.connection is None:  # another task may have been faster
                self.connection = self._made(current)
        return self.connection

    async def send(
        self, operation: Operation, /, *, query: Mapping[str, QueryValue], data: Any, timeout: Seconds | None
    ) -> Reply:
        """Carry out one operation, signed with the access token."""
        engine = (await self.open()).engine
        return await engine.call(operation, query=query, data=data, timeout=timeout)

    def _made(self, values: Values) -> Connection:
        url, account, integration = origin(values), account_id(values), integration_id(values)
        engine, access = self._connect(url, account)
        return Connection(url, account, integration, engine, access)
