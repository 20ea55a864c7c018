"""What all parts of one Rocket.Chat client share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ethora_async.config import normal_url
from ethora_async.errors import ConfigError
from ethora_async.platforms.rocketchat.settings import URL

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.engine.events import Emitter
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.directory import Directory
    from ethora_async.platforms.rocketchat.settings import Settings
    from ethora_async.protocols import Clock, Credentials

_EXAMPLE = "https://chat.example.com"


class Context(ABC):
    """What every part of a client works with: a server, perhaps not known before the first call."""

    clock: Clock
    emitter: Emitter
    directory: Directory

    @abstractmethod
    async def open(self) -> Api:
        """The server, found out first if need be."""


class OwnContext(Context):
    """One client's server, asked as the admin.

    Its URL may stand in the secret store; then it is known only after the store's first answer.
    """

    def __init__(
        self,
        settings: Settings,
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
        url = settings.value(URL)
        self.api = self._made(url) if url is not None else None
        if self.api is None and not settings.rotates:
            msg = f"{URL} is not set or empty: set it in the environment, or pass url= instead"
            raise ConfigError(msg)

    async def open(self) -> Api:
        """The server.

        Raises:
            ConfigError: its URL comes from the secret store, which cannot be read or lacks it.
        """
        if self.api is None:
            ring = await self.settings.load()
            url = self.settings.value(URL, ring.bundle)
            if url is None:
                msg = f"{URL} is not set: it was looked for in the arguments, the environment and {ring.bundle.source}"
                raise ConfigError(msg)
            if self.api is None:  # another task may have been quicker
                self.api = self._made(url)
        return self.api

    def _made(self, url: str) -> Api:
        return self._connect(normal_url(url, f"url ({URL})", _EXAMPLE).removesuffix("/api/v1").removesuffix("/api"))


class UserContext(Context):
    """The same server, asked as one user."""

    def __init__(self, own: Context, signer: Credentials) -> None:
        self.clock: Clock = own.clock
        self.emitter: Emitter = own.emitter
        self.directory: Directory = own.directory
        self._own = own
        self._signer = signer

    async def open(self) -> Api:
        """The server."""
        return (await self._own.open()).signed_by(self._signer)
