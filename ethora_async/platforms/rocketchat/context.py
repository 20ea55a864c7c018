"""State shared by all parts of one Rocket.Chat client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ethora_async.config import normal_url
from ethora_async.engine.open_requests import Paging
from ethora_async.platforms.rocketchat.settings import URL
from ethora_async.redaction import Secret, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.config import Seconds
    from ethora_async.engine.emitter import Emitter
    from ethora_async.engine.urls import QueryValue
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.directory import Directory
    from ethora_async.protocols import Clock, Credentials
    from ethora_async.request import Operation, Reply
    from ethora_async.tokens.settings import RotatingSettings

PAGING = Paging("count", "offset", 100)
"""See docs/platforms/rocketchat.md#pages."""
_EXAMPLE = "https://chat.example.com"


class ServerContext(ABC):
    """The server of a part of the client; its URL may be unknown before the first call."""

    clock: Clock
    emitter: Emitter
    directory: Directory

    @abstractmethod
    async def open(self) -> Api:
        """Return the server; find it out first if necessary."""

    async def send(
        self, operation: Operation, /, *, query: Mapping[str, QueryValue], data: Any, timeout: Seconds | None
    ) -> Reply:
        """Carry out one operation, whether or not its reply has Rocket.Chat's envelope."""
        api = await self.open()
        return await api.call(operation, query=query, data=data, timeout=timeout, enveloped=False)


class AdminContext(ServerContext):
    """One client's server, called as the admin.

    Its URL may come from the secret store; then it is known only after the store's first answer.
    """

    def __init__(
        self,
        settings: RotatingSettings,
        connect: Callable[[str], Api],
        directory: Directory,
        *,
        clock: Clock,
        emitter: Emitter,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.emitter = emitter
        self.directory = directory
        self._connect = connect
        url = wrapped(settings.fixed(URL))
        self.api = self._made(url) if url is not None else None

    async def open(self) -> Api:
        """Return the server.

        Raises:
            ConfigError: its URL comes from the secret store, which cannot be read or lacks it.
        """
        if self.api is None:
            current = (await self.settings.load()).current
            if self.api is None:  # another task may have been faster
                self.api = self._made(Secret(current[URL]))
        return self.api

    def _made(self, url: Secret) -> Api:
        return self._connect(normal_url(url, f"url ({URL})", _EXAMPLE).removesuffix("/api/v1").removesuffix("/api"))


class UserContext(ServerContext):
    """The same server, called as one user."""

    def __init__(self, own: ServerContext, signer: Credentials) -> None:
        self.clock: Clock = own.clock
        self.emitter: Emitter = own.emitter
        self.directory: Directory = own.directory
        self._own = own
        self._signer = signer

    async def open(self) -> Api:
        """Return the server."""
        return (await self._own.open()).signed_by(self._signer)
