"""State shared by all parts of one Ethora client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ethora_async.config import normal_api_url
from ethora_async.engine.open_requests import Paging
from ethora_async.errors import ConfigError
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.redaction import Secret, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.config import Seconds
    from ethora_async.engine.emitter import Emitter
    from ethora_async.engine.urls import QueryValue
    from ethora_async.platforms.ethora.app_secret import AppSecret
    from ethora_async.platforms.ethora.names import Names
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.protocols import Clock, Credentials
    from ethora_async.request import Operation, Reply
    from ethora_async.tokens.settings import RotatingSettings
    from ethora_async.tokens.signing_clock import SigningClock

API_URL = "ETHORA_CHAT_API_URL"
APP_ID = "ETHORA_CHAT_APP_ID"
PAGING = Paging("limit", "offset", 500)
"""See docs/platforms/ethora.md#hosts-and-paths."""
RESET_LAG = 120.0
"""Seconds for which listings may still show deleted records: twice the known delay of real servers.

See docs/platforms/ethora.md#jobs-and-delays.
"""
ARGUMENTS = {API_URL: "api_url", APP_ID: "app_id", APP_SECRET: "secret"}


class AppContext(ABC):
    """The app of a part of the client; it may be unknown before the first call."""

    secret: AppSecret
    clock: Clock
    signing_clock: SigningClock
    emitter: Emitter

    @property
    @abstractmethod
    def app(self) -> App | None:
        """The app, or None while it is not known."""

    @abstractmethod
    async def open(self) -> App:
        """Return the app; read the secret store if necessary."""

    async def send(
        self, operation: Operation, /, *, query: Mapping[str, QueryValue], data: Any, timeout: Seconds | None
    ) -> Reply:
        """Carry out one operation on the app, whatever its path."""
        return await (await self.open()).call(operation, query=query, data=data, timeout=timeout)

    def known(self) -> App:
        """Return the app without waiting.

        Raises:
            ConfigError: the app comes from the secret store, which has not been read yet.
        """
        app = self.app
        if app is None:
            msg = "the app id comes from the secret store: await any call first, or pass app_id= and api_url="
            raise ConfigError(msg)
        return app

    def names(self) -> Names:
        """Return the names of the app's users and chats.

        Raises:
            ConfigError: as `known`.
        """
        return self.known().names


class OwnAppContext(AppContext):
    """One client's app, once it is known.

    The app id and the API's URL may come from a secret store; then they are known only after its first answer, and
    `open` waits for it.
    """

    def __init__(
        self,
        settings: RotatingSettings,
        secret: AppSecret,
        connect: Callable[[str, str], App],
        *,
        clock: Clock,
        signing_clock: SigningClock,
        emitter: Emitter,
    ) -> None:
        self.secret = secret
        self.clock = clock
        self.signing_clock = signing_clock
        self.emitter = emitter
        self._settings = settings
        self._connect = connect
        self._app: App | None = None
        app_id, api_url = settings.fixed(APP_ID), wrapped(settings.fixed(API_URL))
        if not settings.has_store:
            secret.peek()  # raises, or warns about, an invalid secret that was passed in
        if app_id is not None and api_url is not None:
            self._app = self._made(app_id, api_url)

    @property
    def app(self) -> App | None:
        """The app, or None before the secret store was read for it."""
        return self._app

    async def open(self) -> App:
        """Return the app; read the secret store for settings that were not passed in.

        Raises:
            ConfigError: the store cannot be read, or a setting is missing or cannot be used.
        """
        if self._app is None:
            current = (await self._settings.load()).current
            if self._app is None:  # another task may have been faster
                self._app = self._made(current[APP_ID], Secret(current[API_URL]))
        return self._app

    def _made(self, app_id: str, api_url: Secret) -> App:
        return self._connect(app_id.strip(), normal_api_url(api_url))


class OtherAppContext(AppContext):
    """The same client's view of another app: a child of its own, or one in which a user's session may act.

    Without an `app_id` it is the client's own app, as a user sees it.
    """

    def __init__(self, own: AppContext, app_id: str | None, signer: Credentials | None) -> None:
        self.secret: AppSecret = own.secret
        self.clock: Clock = own.clock
        self.signing_clock: SigningClock = own.signing_clock
        self.emitter: Emitter = own.emitter
        self._own = own
        self._app_id = app_id
        self._signer = signer
        self._app: App | None = None

    @property
    def app(self) -> App | None:
        """The other app, or None while the client's own is not known."""
        if self._app is None and (own := self._own.app) is not None:
            self._app = own.other(self._app_id, self._signer)
        return self._app

    def names(self) -> Names:
        """Return the names of the app's users and chats, for which only its id is needed."""
        if self._app_id is None:
            return super().names()
        from ethora_async.platforms.ethora.names import Names

        return Names(self._app_id)

    async def open(self) -> App:
        """Return the other app.

        Raises:
            ConfigError: the client's own settings come from a secret store that cannot be read.
        """
        if self._app is None:
            self._app = (await self._own.open()).other(self._app_id, self._signer)
        return self._app
